"""A browser: Chromium without a window, which a test opens pages in and looks at them with.

It talks to this machine's loopback and to nobody else: names are not resolved, and what it would do
by itself is off.
"""

import base64
import os
import shutil
import tempfile
import time

from boards import ROOT

try:
    from selenium import webdriver
except ImportError:
    webdriver = None

PICTURES = ROOT / "build/test/page"
WAIT_S = 20
LANGUAGES = {"en": "en-GB,en", "zh": "zh-CN,zh"}
ARGUMENTS = (
    "--headless",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--no-first-run",
    "--no-proxy-server",
)
# Runs before the page's own script.
WATCH = """
window.violations = [];
document.addEventListener('securitypolicyviolation', (event) => (
  violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`)));
"""


class Browser:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory()
        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for argument in ARGUMENTS:
            options.add_argument(argument)
        options.add_argument(f"--user-data-dir={self.folder.name}")
        if os.geteuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.chrome.service.Service(shutil.which("chromedriver"))
        self.driver = webdriver.Chrome(service=service, options=options)
        self.agent = self.run("return navigator.userAgent")
        self.scripts = []

    def end(self):
        self.driver.quit()
        self.folder.cleanup()

    def command(self, name, **values):
        """One of the DevTools protocol."""
        return self.driver.execute_cdp_cmd(name, values)

    def open(self, url, language="en", width=1280, height=900, scheme="light", before=""):
        """before: a script that runs before the page's."""
        self.leave()
        self.command("Emulation.setUserAgentOverride", userAgent=self.agent,
                     acceptLanguage=LANGUAGES[language])
        self.size(width, height)
        self.scheme(scheme)
        made = self.command("Page.addScriptToEvaluateOnNewDocument", source=WATCH + before)
        self.scripts.append(made["identifier"])
        self.driver.get(url)

    def leave(self):
        """Ends what the page has open; what it has said is forgotten."""
        self.driver.get("about:blank")
        for script in self.scripts:
            self.command("Page.removeScriptToEvaluateOnNewDocument", identifier=script)
        self.scripts = []
        self.driver.get_log("browser")

    def size(self, width, height):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height,
                     deviceScaleFactor=1, mobile=width < 600)

    def scheme(self, name):
        feature = {"name": "prefers-color-scheme", "value": name}
        self.command("Emulation.setEmulatedMedia", features=[feature])

    def scripts_allowed(self, allowed):
        self.command("Emulation.setScriptExecutionDisabled", value=not allowed)

    def run(self, script, *arguments):
        return self.driver.execute_script(script, *arguments)

    def until(self, script, *arguments, timeout=WAIT_S):
        """Waits until the expression is true, and returns it."""
        deadline = time.monotonic() + timeout
        while not (value := self.run(f"return {script}", *arguments)):
            assert time.monotonic() < deadline, f"not within {timeout} s: {script}\n{self.text()}"
            time.sleep(0.01)
        return value

    def text(self, selector="body"):
        """As it is seen."""
        return self.run("return document.querySelector(arguments[0])?.innerText", selector)

    def click(self, selector):
        self.driver.find_element("css selector", selector).click()

    def press(self, keys):
        webdriver.ActionChains(self.driver).send_keys(keys).perform()

    def clipboard(self):
        """What would be pasted."""
        self.run("""
            const area = document.createElement('textarea');
            area.id = 'pasted';
            document.body.append(area);
            area.focus();""")
        keys = webdriver.Keys
        webdriver.ActionChains(self.driver).key_down(keys.CONTROL).send_keys("v").key_up(
            keys.CONTROL).perform()
        return self.run("""
            const area = document.getElementById('pasted');
            area.remove();
            return area.value;""")

    def violations(self):
        """Of the Content-Security-Policy, as the page and the console tell of them."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        told = [text for text in said if "Content Security Policy" in text or "Trusted" in text]
        return told + self.run("return window.violations")

    def picture(self, name, whole=True):
        """Saves what it shows, for a person to look at."""
        PICTURES.mkdir(parents=True, exist_ok=True)
        page = self.command("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": page["width"], "height": page["height"], "scale": 1}
        how = {"clip": clip, "captureBeyondViewport": True} if whole else {}
        image = self.command("Page.captureScreenshot", format="png", **how)
        (PICTURES / f"{name}.png").write_bytes(base64.b64decode(image["data"]))


def why_no_browser():
    """What is missing for a browser; None: nothing."""
    if webdriver is None:
        return "selenium is not there: apt-get install python3-selenium"
    for program, package in (("chromium", "chromium"), ("chromedriver", "chromium-driver")):
        if shutil.which(program) is None:
            return f"{program} is not there: apt-get install {package}"
    return None
