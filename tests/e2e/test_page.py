"""The page at /, as a person with a browser sees it."""

import collections
import importlib.util
import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse

import pytest

from boards import BOARD, ROOT
from browser import Browser, why_no_browser
from conftest import CLIENT_S, HANDLED, ID_MAX, QUIT, Machine, Server, quit_body

pytestmark = pytest.mark.not_on_images

STORED = "[...document.querySelectorAll('#rows tr:not(.note)')].filter((e) => e.checkVisibility())"
STATE = "document.getElementById('state').className"
SEEN_S = 20  # liberal: a quit is seen within a tenth of a second on an idle machine

HOSTILE = [
    ("<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'),
    ("abc\u202edcba", "\u2067\u202eevil\u0007\u200b"),
    ("x" * ID_MAX, "\u7fa4" * (ID_MAX // 3)),
    (" lead", "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645"),
    ("a\nb\tc", "it's&<b>=%26#/?+\\"),
    ("\u00a0\ufeff", "\U0001f468\u200d\U0001f469"),
]


def state(browser, name, timeout=SEEN_S):
    browser.until(f"{STATE} === '{name}'", timeout=timeout)


def rows(browser):
    """Group and user of each row, the newest first, as they are seen."""
    return browser.run(
        f"return {STORED}.map((tr) => [1, 2].map((i) => tr.children[i].textContent))")


def until_row(browser, group, user):
    browser.until(f"""{STORED}.some((tr) => tr.children[1].textContent === arguments[0]
        && tr.children[2].textContent === arguments[1])""", group, user)


def fill(server, quits):
    with server.connection() as connection:
        for i, (group, user) in enumerate(quits):
            fields = {"operationID": f"17641{i:012}"}
            reply = connection.ask("POST", QUIT, quit_body(group, user), fields)
            assert reply.body == HANDLED


def usual(n):
    return [(f"25{i % 7}813881{i % 3}", f"90{i:08}") for i in range(n)]


def visible_mark(text):
    """How an ID is shown: what cannot be seen has its code point in its place."""
    def name(found):
        return "\u2423" * len(found[0]) if found[0][0] == " " else f"U+{ord(found[0]):04X}"
    return re.sub("^ +| +$|[\x00-\x1f\x7f-\xa0\xad\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]",
                  name, text)


@pytest.fixture(scope="module")
def chromium():
    why = why_no_browser()
    if why is not None:
        pytest.skip(why)
    chromium = Browser()
    try:
        yield chromium
    finally:
        chromium.end()


@pytest.fixture
def browser(chromium):
    yield chromium
    chromium.scripts_allowed(True)
    chromium.leave()


@pytest.fixture
def linux(start):
    """A server of its own, whose address can be given to the next."""
    return start.new("host")


def again(start, server):
    """The same address, after a restart."""
    where = f"{server.host}:{server.port}"
    following = start.keep(
        Server(["--net", "host", "--publish", where]) if BOARD.is_process
        else Machine(server.arguments, where, "user"))
    assert following.ready() is not None, following.errors()
    return following


def hide(browser, hidden):
    """Another page is in front of it, or no longer."""
    browser.run("""
        Object.defineProperty(document, 'hidden', {value: arguments[0], configurable: true});
        document.dispatchEvent(new Event('visibilitychange'));""", hidden)


# ---- the live list ----


@pytest.mark.parametrize("net", ["user", "host"])
def test_page_shows_a_quit_without_reload(browser, start, net):
    server = start.new(net)
    browser.open(server.base)
    state(browser, "live")
    assert browser.text("#welcome").startswith("No user has quit a group")
    browser.run("window.sameDocument = true")
    took = []
    for i in range(5):
        begin = time.monotonic()
        assert server.quit("G001", f"user{i}", operationID=f"op{i}").body == HANDLED
        until_row(browser, "G001", f"user{i}")
        took.append(time.monotonic() - begin)
    print(f"a quit is seen after {min(took):.3f} to {max(took):.3f} s")
    assert rows(browser) == [["G001", f"user{i}"] for i in reversed(range(5))]
    assert browser.run("return window.sameDocument")
    document = server.status("?limit=1")
    has_clock = document["time"] is not None
    assert browser.text("#whenName") == ("Time" if has_clock else "Age")
    when = browser.text("#rows time")
    assert re.fullmatch(r"\d\d:\d\d:\d\d" if has_clock else r"just now|\d+ s ago", when), when
    facts = browser.text("#device")
    for fact in (f"{server.host}:{server.port}", document["board"], document["version"],
                 document["bootId"], "no clock" if not has_clock else ":"):
        assert fact in facts
    browser.until("document.getElementById('counters').innerText.includes('Quits stored\\n5')")
    assert "5 quits of 1 group" in browser.text("#counted")
    assert browser.violations() == []
    assert server.counters()["badRequests"] == 0  # not even for an icon


def test_page_survives_a_restart_and_says_so(browser, start):
    server = start.new(BOARD.usual_net if BOARD.is_machine else "host")
    fill(server, usual(30))
    browser.open(server.base)
    state(browser, "live")
    browser.until(f"{STORED}.length === 30")
    browser.run("window.sameDocument = true")
    server.stop()
    state(browser, "offline")
    browser.until("!document.getElementById('offline').hidden")
    assert re.match(r"Disconnected for \d+ s, trying again", browser.text("#offlineText"))
    assert len(rows(browser)) == 30
    browser.picture("disconnected")
    following = again(start, server)
    state(browser, "live", timeout=60)
    browser.until("!document.getElementById('restarted').hidden")
    assert "was restarted and its ring emptied" in browser.text("#restarted")
    browser.until("!document.getElementById('welcome').hidden")
    assert rows(browser) == []
    assert following.quit("G", "after").body == HANDLED
    until_row(browser, "G", "after")
    browser.click("#dismiss")
    browser.until("document.getElementById('restarted').hidden")
    assert browser.run("return window.sameDocument")
    assert browser.violations() == []


@pytest.mark.not_on_boards
def test_page_says_that_it_hears_nothing(browser, linux):
    """A device that holds its connections and is silent, such as one behind a lost cable."""
    fill(linux, [("G", "before")])
    clock = """
        const real = performance.now.bind(performance);
        window.later = 0;
        performance.now = () => real() + window.later;"""
    browser.open(linux.base, before=clock)
    state(browser, "live")
    linux.signal(signal.SIGSTOP)
    try:
        browser.run("window.later = 20000")
        state(browser, "stale")
        assert re.match(r"No answer\nfor 2\d s", browser.text("#state"))
        assert rows(browser) == [["G", "before"]]
        browser.picture("stale", whole=False)
    finally:
        linux.signal(signal.SIGCONT)
    fill(linux, [("G", "after")])
    until_row(browser, "G", "after")
    state(browser, "live")


@pytest.mark.not_on_boards
def test_page_filters_and_the_address_keeps_it(browser, linux):
    fill(linux, [("A", "u1"), ("B", "u1"), ("A", "u2"), ("B+ &", "u3")])
    browser.open(linux.base)
    browser.until(f"{STORED}.length === 4")
    browser.click("#rows tr:nth-child(2) td:nth-child(2) a")
    browser.until(f"{STORED}.length === 2")
    assert browser.run("return document.activeElement.id") == "quitsName"
    assert rows(browser) == [["A", "u2"], ["A", "u1"]]
    assert browser.run("return location.hash") == "#groupID=A"
    fill(linux, [("B", "u4"), ("A", "u5")])
    until_row(browser, "A", "u5")
    assert rows(browser) == [["A", "u5"], ["A", "u2"], ["A", "u1"]]
    address = browser.driver.current_url
    browser.open(address)
    browser.until(f"{STORED}.length === 3")
    browser.driver.find_element("name", "userID").send_keys("u1\n")
    browser.until(f"{STORED}.length === 1")
    assert browser.run("return location.hash") == "#groupID=A&userID=u1"
    browser.driver.find_element("name", "userID").send_keys("nobody\n")
    browser.until("document.getElementById('none').innerText.startsWith('No quit in the ring')")
    browser.click("#clear")
    browser.until(f"{STORED}.length === 6")
    assert browser.run("return document.querySelector('[name=groupID]').value") == ""
    browser.driver.find_element("name", "groupID").send_keys("B+ &\n")
    browser.until(f"{STORED}.length === 1")
    assert rows(browser) == [["B+ &", "u3"]]


@pytest.mark.not_on_boards
def test_page_pauses_and_goes_on(browser, linux):
    fill(linux, [("G", "u1")])
    browser.open(linux.base)
    until_row(browser, "G", "u1")
    browser.click("#pause")
    fill(linux, [("G", "u2"), ("G", "u3")])
    browser.until("document.getElementById('pause').innerText === 'Resume, 2 new'")
    assert rows(browser) == [["G", "u1"]]
    browser.click("#pause")
    until_row(browser, "G", "u3")
    assert rows(browser) == [["G", "u3"], ["G", "u2"], ["G", "u1"]]


@pytest.mark.not_on_boards
def test_page_shows_more_and_counts_groups_of_the_whole_ring(browser, linux):
    fill(linux, usual(2500))
    expected = collections.Counter(group for group, _ in usual(2500)).most_common(8)
    browser.open(linux.base)
    browser.until("document.getElementById('counted').innerText.startsWith('2,500 quits')")
    shown = browser.run("""return [...document.querySelectorAll('#top li')].map((li) =>
        [li.children[0].textContent, Number(li.children[1].textContent)])""")
    assert [n for _, n in shown] == [n for _, n in expected]
    assert all(dict(expected).get(group, n) == n for group, n in shown)
    few = len(rows(browser))
    browser.click("#more")
    browser.until(f"{STORED}.length === {few + 100}")
    assert rows(browser) == [list(quit) for quit in reversed(usual(2500)[-few - 100:])]
    fill(linux, usual(1500))
    until_row(browser, *usual(1500)[-1])
    assert rows(browser) == [list(quit) for quit in reversed(usual(1500)[-few - 100:])]
    browser.until("document.getElementById('counted').innerText.startsWith('4,000 quits')")
    browser.until("document.querySelector('figure b').innerText === '4,000'")


@pytest.mark.not_on_boards
def test_page_forgets_what_the_ring_forgets(browser, start):
    server = start.new("host", "--ring", 1024)
    fill(server, [("old", f"u{i}") for i in range(10)])
    browser.open(server.base)
    browser.until(f"{STORED}.length === 10")
    fill(server, [(f"new{i % 3}", f"{i:090}") for i in range(20)])
    browser.until("document.querySelector('.gone') !== null")
    kept = server.status("?limit=65535")
    counts = collections.Counter(event["groupID"] for event in kept["events"])
    assert "old" not in counts
    browser.until("document.getElementById('counted').innerText.startsWith(arguments[0])",
                  f"{len(kept['events'])} quits of {len(counts)}")
    shown = browser.run("""return [...document.querySelectorAll('#top li')].map((li) =>
        [li.children[0].textContent, Number(li.children[1].textContent)])""")
    assert dict(shown) == counts
    # Between them may stand how many were overwritten before the page got them.
    browser.until("document.querySelectorAll('#rows tr:not(.note):has(~ .gone)').length === arguments[0]",
                  len(kept["events"]))


@pytest.mark.not_on_boards
def test_page_counts_what_was_overwritten_while_it_was_away(browser, start):
    server = start.new("host", "--ring", 1024)
    fill(server, [("G", "first")])
    browser.open(server.base)
    until_row(browser, "G", "first")
    hide(browser, True)
    browser.until(f"{STATE} === 'polling'")
    fill(server, [("G", f"{i:090}") for i in range(30)])
    missed = server.status("?since=1&limit=1")["missed"]
    assert missed > 0
    hide(browser, False)
    until_row(browser, "G", f"{29:090}")
    note = browser.text("#rows .note.bad")
    assert note == f"{missed} quits were overwritten before they got here"
    assert browser.run("return document.getElementById('restarted').hidden")


@pytest.mark.not_on_boards
def test_page_polls_when_all_streams_are_taken(browser, linux):
    taken = []
    try:
        while True:
            raw = linux.raw()
            taken.append(raw)
            raw.send(b"GET /events HTTP/1.1\r\nHost: q\r\n\r\n")
            if b" 503 " in raw.file.readline():
                break
        browser.open(linux.base)
        state(browser, "polling")
        fill(linux, [("G", "polled")])
        until_row(browser, "G", "polled")
        assert browser.text("#state") == "Polling\nevery 2 s"
    finally:
        for raw in taken:
            raw.reset_on_close()
            raw.close()


@pytest.mark.not_on_boards
def test_page_plots_what_rates_says(browser, linux):
    fill(linux, usual(30))
    browser.open(linux.base)
    state(browser, "live")
    number = "document.querySelector('figure b').innerText === arguments[0]"
    browser.until(number, "30")
    fill(linux, usual(12))
    browser.until(number, "42")
    for name in ("minutes", "hours"):
        assert browser.run(f"return rates.{name}.reduce((a, b) => a + b)") == 42
        assert sum(linux.ask("GET", "/rates").json()[name]) == 42
    plot = browser.driver.find_element("css selector", ".plot")
    assert plot.get_attribute("aria-label").startswith("Quits per minute: 42 in the last hour")
    browser.run("arguments[0].focus()", plot)
    before = plot.get_attribute("aria-valuetext")
    plot.send_keys("\ue012")  # arrow left
    assert plot.get_attribute("aria-valuenow") == "58"
    assert plot.get_attribute("aria-valuetext") != before
    browser.run("""arguments[0].dispatchEvent(new PointerEvent('pointermove', {clientX:
        arguments[0].getBoundingClientRect().left + 1}))""", plot)
    assert browser.text("figure figcaption").endswith("before the device started")


# ---- hostile text ----


@pytest.mark.not_on_boards
def test_page_keeps_hostile_ids_text(browser, linux):
    fill(linux, HOSTILE)
    browser.open(linux.base, **PHONE)
    browser.until(f"{STORED}.length === {len(HOSTILE)}")
    browser.until("document.querySelectorAll('#top li').length > 0")
    expected = [[visible_mark(text) for text in pair] for pair in reversed(HOSTILE)]
    assert rows(browser) == expected
    assert browser.run("return document.querySelectorAll('main img, main script').length") == 0
    assert browser.run(TOO_WIDE) == []
    for row, (group, user) in enumerate(reversed(HOSTILE), 1):
        for column, name, text in ((2, "groupID", group), (3, "userID", user)):
            href = browser.run("return document.querySelector(arguments[0]).hash",
                               f"#rows tr:nth-child({row}) td:nth-child({column}) a")
            assert urllib.parse.unquote(href) == f"#{name}={text}"
    # Through the server, each is found again.
    for group, user in HOSTILE:
        browser.run("location.hash = arguments[0]", f"userID={urllib.parse.quote(user, safe='')}")
        browser.until(f"{STORED}.length === 1")
        assert rows(browser) == [[visible_mark(group), visible_mark(user)]]
    assert browser.violations() == []
    # And were the script wrong, the browser would refuse.
    policy = linux.ask("GET", "/", headers={"Accept-Encoding": "gzip"}).headers[
        "content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert browser.run("""
        try { document.body.innerHTML = '<b>x</b>'; } catch (error) { return error.name; }
        return 'taken';""") == "TypeError"


# ---- what can be copied ----


@pytest.mark.not_on_boards
@pytest.mark.parametrize("clipboard", [True, False])
def test_page_copies(browser, linux, clipboard):
    """Over plain HTTP, a browser gives a page no clipboard."""
    group = "it's a \"group\" & <more>"
    fill(linux, [(group, "u1"), ("other", "u2")])
    without = "Object.defineProperty(Navigator.prototype, 'clipboard', {get: () => undefined});"
    browser.open(f"{linux.base}/#groupID={urllib.parse.quote(group)}",
                 before="" if clipboard else without)
    # Until all is there, what comes moves the buttons.
    browser.until(f"{STORED}.length === 1")
    state(browser, "live")
    browser.until("document.getElementById('counted').innerText.startsWith('2 quits of 2 groups')")
    assert copied(browser, "#openim .snippet:first-of-type") == (
        f"url: {linux.base}\nafterQuitGroup:\n  enable: true\n  timeout: 5")
    document = json.loads(shell(copied(browser, "#terminal .snippet:first-of-type")))
    assert [event["userID"] for event in document["events"]] == ["u1"]
    assert shell(copied(browser, "#openim .snippet:last-of-type")).encode() == HANDLED
    assert linux.events()[-1]["userID"] == "user123"


def copied(browser, snippet):
    """By one press. What the page tells is kept, since something else may follow at once."""
    browser.run("""
        window.told = [];
        const said = document.getElementById('said');
        new MutationObserver(() => told.push(said.textContent)).observe(said, {childList: true});""")
    browser.click(f"{snippet} button")
    browser.until("told.length > 0")
    assert browser.run("return told[0]") == "Copied"
    return browser.clipboard()


def shell(command):
    run = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=CLIENT_S,
                         check=True)
    return run.stdout


# ---- for everybody ----

# Of each visible text, its contrast to what is behind it where that is less than WCAG 2.1 AA asks
# for (1.4.3). Colours are as computed; a transparent background lets the one behind it through.
CONTRAST = """
const parse = (text) => text.match(/[\\d.]+/g).map(Number);
const linear = (c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
function behind(element) {
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour.length === 3 || colour[3] === 1) return colour;
    if (colour[3] > 0) throw new Error(`half transparent: ${e.className}`);
  }
  throw new Error('no background');
}
const found = [];
let texts = 0;
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || element.closest('script, style, .away, datalist')) continue;
  if (!element.checkVisibility()) continue;
  texts += 1;
  const style = getComputedStyle(element);
  const ink = parse(element.closest('svg') ? style.fill : style.color);
  const [a, b] = [luminance(ink), luminance(behind(element))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const size = parseFloat(style.fontSize);
  const large = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
  if (ratio < (large ? 3 : 4.5)) found.push(`${walker.currentNode.data}: ${ratio.toFixed(2)}`);
}
return [texts, found];
"""


@pytest.mark.not_on_boards
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_has_contrast_in_each_state(browser, start, scheme):
    server = start.new("host", "--ring", 4096)
    browser.open(server.base, scheme=scheme)
    state(browser, "live")
    if scheme == "light":
        browser.picture("empty")
    looked = [browser.run(CONTRAST)]
    fill(server, usual(200) + HOSTILE[:2])
    browser.until(f"{STORED}.length > 30")  # and, perhaps, how many were overwritten
    browser.run("document.querySelector('details').open = true")
    browser.run("document.querySelectorAll('.new').forEach((tr) => tr.classList.remove('new'))")
    looked.append(browser.run(CONTRAST))
    server.stop()
    state(browser, "offline")
    looked.append(browser.run(CONTRAST))
    for texts, found in looked:
        assert texts > 40
        assert found == []


PHONE = {"width": 360, "height": 740}
# What is outside of a phone's width, or makes it scroll. Its window grows with what is in it.
TOO_WIDE = """
return [...document.querySelectorAll('body *')].filter((e) => e.checkVisibility()
  && !e.closest('.away, th, svg') && e.getBoundingClientRect().right > 360.5)
  .map((e) => e.tagName + e.id).concat(
    document.documentElement.scrollWidth > 360 ? ['scrolls'] : [])
"""


@pytest.mark.not_on_boards
@pytest.mark.parametrize("language", ["en", "zh"])
def test_page_fits_a_phone(browser, linux, language):
    browser.open(linux.base, language=language, **PHONE)
    state(browser, "live")
    assert browser.run(TOO_WIDE) == []
    fill(linux, HOSTILE + usual(20))
    browser.until(f"{STORED}.length === 12")
    browser.until(f"facts.ring.stored === {len(HOSTILE) + 20}")
    browser.run("document.querySelector('details').open = true")
    assert browser.run(TOO_WIDE) == []
    browser.run("document.querySelector('details').open = false")
    browser.picture(f"phone-{language}")
    browser.until("document.getElementById('more').checkVisibility()")
    browser.click("#more")
    browser.until(f"{STORED}.length === {len(HOSTILE) + 20}")
    assert browser.run(TOO_WIDE) == []


@pytest.mark.not_on_boards
def test_page_speaks_chinese_and_english(browser, linux):
    fill(linux, usual(50))
    browser.open(linux.base, language="zh")
    state(browser, "live")
    assert browser.run("return document.documentElement.lang") == "zh"
    assert browser.text("#stateName") == "实时"
    browser.until(f"{STORED}.length === 40")
    browser.picture("chinese")
    chinese = browser.text()
    texts = browser.run("return TEXTS")
    places = re.compile(r"\{\w+\}")
    for name, (english, translated) in texts.items():
        for form in english.split("|"):
            assert set(places.findall(form)) == set(places.findall(translated)), name
        if len(english) > 8 and re.fullmatch(r"[A-Z][a-z ]+", english):
            assert english not in chinese
    browser.open(linux.base, language="en")
    state(browser, "live")
    assert browser.run("return document.documentElement.lang") == "en"
    assert browser.text("#stateName") == "Live"
    assert not re.search("[\u4e00-\u9fff]", browser.text())


@pytest.mark.not_on_boards
def test_page_is_used_by_keyboard(browser, linux):
    fill(linux, usual(3))
    browser.open(linux.base)
    browser.until(f"{STORED}.length === 3")
    browser.until("document.querySelectorAll('#top li').length === 3")
    wanted = set(browser.run("""
        return [...document.querySelectorAll('a, button, input, summary, [tabindex="0"]')]
          .filter((e) => e.checkVisibility()).map((e, i) => e.dataset.n = String(i))"""))
    reached = []
    for _ in range(len(wanted) + 5):
        browser.press("\ue004")  # tab
        number, seen = browser.run("""
            const e = document.activeElement;
            const style = getComputedStyle(e);
            const box = e.getBoundingClientRect();
            return [e.dataset.n, style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
              && box.width > 1 && box.top < innerHeight && box.bottom > 0]""")
        if number is None:
            break
        assert seen, browser.run("return document.activeElement.outerHTML")
        reached.append(number)
    assert set(reached) == wanted
    assert reached == sorted(reached, key=int)


@pytest.mark.not_on_boards
def test_page_is_named_for_a_screen_reader(browser, linux):
    """What does something has a name, and the page's parts can be gone to."""
    fill(linux, usual(3))
    browser.open(linux.base)
    browser.until(f"{STORED}.length === 3")
    browser.until("document.getElementById('whenName').textContent")
    nodes = browser.command("Accessibility.getFullAXTree")["nodes"]
    named = collections.defaultdict(list)
    for node in nodes:
        if not node["ignored"]:
            named[node["role"]["value"]].append(node.get("name", {}).get("value", ""))
    for role in ("button", "link", "textbox", "combobox", "slider", "table", "region",
                 "complementary", "search"):
        assert named[role], role
        if role not in ("search",):
            assert all(named[role]), (role, named[role])
    assert named["columnheader"] == ["Time", "Group", "User", "Operation", "No."]
    assert {"banner", "main"} <= set(named)
    assert browser.run("return document.querySelectorAll('[aria-live]').length") == 1


@pytest.mark.not_on_boards
def test_page_without_scripts_is_a_table(browser, linux):
    fill(linux, usual(3))
    browser.scripts_allowed(False)
    browser.open(linux.base)
    deadline = time.monotonic() + SEEN_S
    while not browser.driver.current_url.endswith("/table"):
        assert time.monotonic() < deadline, browser.driver.current_url
        time.sleep(0.02)


@pytest.mark.not_on_boards
def test_page_in_pictures(browser, start):
    """For a person to look at, under build/test/page."""
    server = start.new("host", "--ring", 65536)
    fill(server, usual(600) + HOSTILE[:2] + usual(20))
    for name, width, scheme in (("light", 1280, "light"), ("dark", 1280, "dark"),
                                ("tablet", 800, "light"), ("phone-dark", 360, "dark")):
        browser.open(server.base, width=width, scheme=scheme)
        state(browser, "live")
        browser.until("document.getElementById('counted').innerText.startsWith('622')")
        browser.picture(name)


# ---- how the page is made ----


def page_module():
    found = importlib.util.spec_from_file_location("page", ROOT / "src/page.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def make_header(tmp_path, text):
    source, out = tmp_path / "page.html", tmp_path / "page.h"
    source.write_text(text, encoding="utf-8")
    run = subprocess.run([sys.executable, ROOT / "src/page.py", source, out], capture_output=True,
                         text=True, timeout=CLIENT_S, check=False)
    return run, out


SMALL = "<p>é</p>\n<style>\n{}\n</style>\n<script>\n{}\n</script>\n"


@pytest.mark.not_on_boards
def test_header_is_the_same_each_time_and_small_enough(tmp_path):
    text = (ROOT / "src/page.html").read_text(encoding="utf-8")
    made = []
    for _ in range(2):
        run, out = make_header(tmp_path, text)
        assert run.returncode == 0, run.stderr
        made.append(out.read_bytes())
    assert made[0] == made[1]
    page = bytes(map(int, re.findall(rb"\b(\d+),", made[0].split(b"QR_PAGE_GZIP")[1])))
    assert len(page) <= 16384
    print(f"the page has {len(page)} bytes")


@pytest.mark.not_on_boards
def test_header_strips_comments_and_nothing_else():
    page = page_module()
    style = "/* one */\n  a { color: red; }\n"
    script = "// two\n  const a = 'http://x'; \n\n  const b = `//`;"
    text = "<!-- three -->\n" + SMALL.format(style, script)
    assert page.strip(text) == (
        "<p>é</p>\n<style>\na { color: red; }\n</style>\n"
        "<script>\nconst a = 'http://x';\nconst b = `//`;\n</script>\n")


@pytest.mark.not_on_boards
@pytest.mark.parametrize(
    "text, why",
    [
        (SMALL.format("", "a(); // behind"), "a comment needs lines of its own"),
        (SMALL.format("", "a(); /* behind */"), "a comment needs lines of its own"),
        (SMALL.format("a { /* in */ }", ""), "a comment needs lines of its own"),
        ("a <!-- b -->\n" + SMALL.format("", ""), "a comment needs lines of its own"),
        (SMALL.format("", "const a = `b\n  c`;"), "a text goes over the line's end"),
        (SMALL.format("", "")[:-len("<script>\n\n</script>\n")], "one <script>"),
        (SMALL.format("", "") * 2, "one <style>"),
        ("<script src=x>\n" + SMALL.format("", ""), "one <script>"),
        ("<style>\n</style><p>\n" + SMALL.format("", ""), "a line of its own"),
    ],
)
def test_header_refuses_what_it_would_get_wrong(tmp_path, text, why):
    run, out = make_header(tmp_path, text)
    assert run.returncode == 1
    assert why in run.stderr and len(run.stderr.splitlines()) == 1
    assert not out.exists()


@pytest.mark.not_on_boards
def test_header_refuses_a_page_that_is_too_large(tmp_path):
    noise = "".join(f"{hash((i, 'page')) & 0xffffffffffffffff:x}" for i in range(3000))
    run, out = make_header(tmp_path, noise + "\n" + SMALL.format("", ""))
    assert run.returncode == 1
    assert re.search(r"\d+ bytes compressed, at most 16384 are allowed", run.stderr)
    assert not out.exists()
