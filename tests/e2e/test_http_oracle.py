"""src/http against llhttp, the parser inside Node.js: many streams, valid and broken, and each
disagreement has to be one that is listed here, with the section that decides it."""

import os
import random
import re
import subprocess
from collections import Counter

import pytest

pytestmark = pytest.mark.not_on_boards

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DRIVER = os.environ.get("QUITRING_HTTP_DRIVER", os.path.join(ROOT, "build/unit/http_driver"))
NODE = os.environ.get("QUITRING_NODE", "node")

with open(os.path.join(ROOT, "src/err.h"), encoding="utf-8") as header:
    ERROR_NAMES = {number: name for name, number in
                   re.findall(r"QR_ERR_(\w+)\s*=\s*(-\d+)", header.read())}

SEED = 9112
STREAMS = 24000

# ---- streams ----

METHODS = ["GET", "HEAD", "POST", "POST", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH"]
TARGETS = ["/", "/status?since=7", "//callbackAfterQuitGroupCommand", "/a?", "/%41%2f?x=%00&y",
           "/~!$&'()*+,;=:@-._", "http://h/p?q", "HTTP://h:8443/", "http://[::1]:80/x", "/a?b?c"]
VERSIONS = ["HTTP/1.1"] * 8 + ["HTTP/1.0"]
HOSTS = ["a", "192.168.1.50:8080", "[::1]:80", "quitring.local", ""]
OTHER_FIELDS = ["User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip", "X:", "X-Y:\tz ",
                "Content-Type: application/json; charset=utf-8", "Operationid: 1700000000123",
                "Expect: 100-continue", "Cookie: a=b; c=\"d\"", "X: \x80\xff", "!#$%&'*+-.^_`|~: t",
                "Accept: */*", "Content-Encoding: identity", "Connection: keep-alive",
                "Connection: close", "Connection: x, Keep-Alive", "Trailer: X"]
EXTENSIONS = ["", "", "", ";a", ";a=b", ";a=\"b c\"", ";a=b;c"]
TRAILERS = [[], [], [], ["X: y"], ["X:", "Content-Length: 5"], ["Host: other"]]

# What replaces a field line, or comes beside it.
ODD_FIELDS = ["Host: b", "Host: a b", "Host: u@h", "Host: a:b", "Host", "Host : a", " folded",
              "\tfolded", ": v", "X Y: z", "X\x00: y", "X: y\x00z", "X: y\rz", "X: y\nZ: 1",
              "X: \x7f", "Content-Length: 3", "Content-Length: 0", "Content-Length: 03",
              "Content-Length: +3", "Content-Length: -1", "Content-Length: 3, 3",
              "Content-Length: 3 3", "Content-Length:", "Content-Length: 0x3", "Content-Length: 3 ",
              "Content-Length: 5000", "Content-Length: 18446744073709551619",
              "Content-Length: 99999999999999999999999", "Content-Length : 3",
              "Transfer-Encoding: chunked", "Transfer-Encoding: CHUNKED",
              "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked",
              "Transfer-Encoding: chunked, gzip", "Transfer-Encoding: chunked, chunked",
              "Transfer-Encoding: identity", "Transfer-Encoding: xchunked",
              "Transfer-Encoding: chunked;a=b", "Transfer-Encoding: , chunked,",
              "Transfer-Encoding:", "Transfer-Encoding:\tchunked\t", "Transfer-Encoding: chunked x",
              "Transfer-Encoding : chunked", "Content-Encoding: gzip", "Expect: x",
              "Connection: close, keep-alive", "Connection: Upgrade", "Connection:",
              "Connection: ,",
              "Connection: \"close\"", "X" * 30 + ": y"]
ODD_LINES = ["GET / HTTP/1.1", "get / HTTP/1.1", "GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET /",
             " GET / HTTP/1.1", "GET / HTTP/1.1 ", "GET / http/1.1", "GET / HTTP/2.0",
             "GET / HTTP/1.2", "GET / HTTP/0.9", "GET / HTTP/1", "GET / HTTP/1.10",
             "GET / HTTP/01.1",
             "GET\t/ HTTP/1.1", "GET /\tHTTP/1.1", "GET * HTTP/1.1", "OPTIONS * HTTP/1.1",
             "CONNECT h:443 HTTP/1.1", "CONNECT h HTTP/1.1", "CONNECT /a HTTP/1.1",
             "GET h:80 HTTP/1.1",
             "GET a HTTP/1.1", "GET http:///a HTTP/1.1", "GET http://u@h/ HTTP/1.1",
             "GET https://h/ HTTP/1.1", "GET ftp://h/ HTTP/1.1", "GET /#f HTTP/1.1",
             "GET /%4 HTTP/1.1", "GET /a b HTTP/1.1", "GET /\x80 HTTP/1.1", "GET /\" HTTP/1.1",
             "PROPFIND / HTTP/1.1", "FOO / HTTP/1.1",
             "PRI * HTTP/2.0", "GET /[] HTTP/1.1", "M-SEARCH * HTTP/1.1", "GET / ICE/1.0",
             "GET / RTSP/1.0", "", "GET http://h?q HTTP/1.1"]
ODD_SIZES = ["", "0x1", "-1", "+1", " 1", "1 ", "1 ;a", "g", "1g", "1,", "ffffffffffffffffff",
             "10000000000000000", "00000000000000001", "1;", "1;a=", "1;\x00", "1;a=\"b", "1;;",
             "1\t",
             "5000", "1;a\x7f", "1;a b", "1;=", "1;a=b=c"]
ODD_LINE_ENDS = [b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n ", b" \r\n"]
ODD_BYTES = [0, 9, 10, 13, 32, 34, 35, 37, 44, 45, 47, 48, 49, 58, 59, 63, 91, 127, 128, 255]


def chunked(rng, content, size_text=None):
    out = b""
    odd = rng.randrange(3) if size_text is not None else None
    count = 0
    while content:
        n = rng.randint(1, len(content))
        size = "%x" % n if rng.random() < 0.8 else "%04X" % n
        if count == odd:
            size = size_text
        ext = rng.choice(EXTENSIONS)
        out += (size + ext + "\r\n").encode("latin1") + content[:n] + b"\r\n"
        content = content[n:]
        count += 1
    last = size_text if odd is not None and odd >= count else "0" + rng.choice(EXTENSIONS)
    trailers = "".join(line + "\r\n" for line in rng.choice(TRAILERS))
    return out + (last + "\r\n" + trailers + "\r\n").encode("latin1")


def any_case(rng, line):
    name, colon, value = line.partition(":")
    how = rng.randrange(6)
    name = name.lower() if how == 0 else name.upper() if how == 1 else name
    space = rng.choice([" ", " ", "", "\t"]) if value.startswith(" ") else ""
    return name + colon + space + value.lstrip(" ") + rng.choice([""] * 20 + [" "] * 9 + ["\t "])


def request(rng):
    """Request line, field lines, content: of a valid request, nearly always."""
    line = "%s %s %s" % (rng.choice(METHODS), rng.choice(TARGETS), rng.choice(VERSIONS))
    fields = ["Host: " + rng.choice(HOSTS)] + rng.sample(OTHER_FIELDS, rng.randrange(5))
    content = bytes(rng.choice(b"abc{}\"\r\n0\x00\xff") for _ in range(rng.randrange(12)))
    how = rng.randrange(3)
    if how == 0:
        fields.append("Content-Length: %d" % len(content))
    elif how == 1 and line.endswith("1.1"):
        fields.append("Transfer-Encoding: chunked")
        content = chunked(rng, content)
    else:
        content = b""
    rng.shuffle(fields)
    return line, [any_case(rng, field) for field in fields], content


def as_bytes(line, fields, content):
    head = "".join(text + "\r\n" for text in [line] + fields) + "\r\n"
    return head.encode("latin1") + content


def broken_structure(rng):
    line, fields, content = request(rng)
    how = rng.randrange(6)
    if how == 0:
        line = rng.choice(ODD_LINES)
    elif how == 1:
        fields.insert(rng.randrange(len(fields) + 1), rng.choice(ODD_FIELDS))
    elif how == 2:
        fields[rng.randrange(len(fields))] = rng.choice(ODD_FIELDS)
    elif how == 3:
        fields.append(rng.choice(fields))
    elif how == 4:
        del fields[rng.randrange(len(fields))]
    else:
        fields = [f for f in fields if not f.lower().startswith(("content-", "transfer-"))]
        fields.append("Transfer-Encoding: chunked")
        content = chunked(rng, b"abcdefgh"[:rng.randrange(9)], rng.choice(ODD_SIZES))
    return as_bytes(line, fields, content)


def broken_bytes(rng, stream):
    stream = bytearray(stream)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        at = rng.randrange(len(stream))
        how = rng.randrange(6)
        byte = rng.choice(ODD_BYTES) if rng.random() < 0.8 else rng.randrange(256)
        if how == 0:
            stream[at] = byte
        elif how == 1:
            stream.insert(at, byte)
        elif how == 2 and len(stream) > 1:
            del stream[at]
        elif how == 3:
            stream[at:at] = stream[at:at + rng.randrange(1, 20)]
        elif how == 4:
            stream[at] ^= 0x20
        else: # one line's end
            at = stream.find(b"\r\n", at)
            if at >= 0:
                stream[at:at + 2] = rng.choice(ODD_LINE_ENDS)
    return bytes(stream)


def stream(rng):
    how = rng.randrange(10)
    one = as_bytes(*request(rng))
    if how == 0:
        return one
    if how == 1:
        return rng.choice([b"", b"\r\n", b"\r\n\r\n"]) + one + as_bytes(*request(rng))
    if how == 2:
        return one[:rng.randrange(len(one) + 1)]
    if how <= 5:
        return broken_structure(rng)
    if how == 6:
        return broken_bytes(rng, broken_structure(rng))
    return broken_bytes(rng, one)


def run(command, streams):
    lines = "".join(s.hex() + "\n" for s in streams)
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answers = done.stdout.splitlines()
    assert len(answers) == len(streams)
    return answers


# ---- one disagreement ----

METHOD, MINOR, KEEP_ALIVE, PATH, QUERY, CONTENT = range(6)  # of a request, behind "take"


class Parting:
    """Where two answers about one stream part: what each says there, and the bytes it is about."""

    def __init__(self, data, ours, theirs, start, fault_offset):
        self.ours = ours  # ["take", …], ["more"], ["stop"], ["error", name]
        self.theirs = theirs  # the same, with llhttp's name of the error
        self.before = data[:start]
        self.data = data[start:]  # from the first byte of the request
        self.fault_offset = fault_offset  # in data; -1: our error has none
        self.request = re.sub(rb"\A(\r\n)+", b"", self.data)
        head, _, self.body = self.request.partition(b"\r\n\r\n")
        self.request_line, *self.fields = head.rstrip(b"\r").split(b"\r\n")

    def values(self, name):
        """Of the whole field lines of that name: what stands behind the colon."""
        lines = [field.split(b":", 1) for field in self.fields if b":" in field]
        return [line[1] for line in lines if line[0].lower() == name]

    def elements(self, name):
        """Of a list field (RFC 9110 section 5.6.1), in lower case."""
        words = b",".join(self.values(name)).lower().split(b",")
        return [word.strip(b" \t") for word in words if word.strip(b" \t")]

    def minor(self):
        return int(self.request_line[-1:])

    @staticmethod
    def say(answer):
        """The error's name, or "take", "more" or "stop"."""
        return answer[1] if answer[0] == "error" else answer[0]

    def differs_in(self):
        """Of two requests that are both taken: what is not the same."""
        if self.ours[0] != "take" or self.theirs[0] != "take":
            return None
        return {i for i in range(6) if self.ours[1 + i] != self.theirs[1 + i]}


def parse_answer(answer):
    *takes, end = [part.split() for part in answer.split(";")]
    return takes, end


def find_parting(data, our_answer, their_answer):
    """None where both say the same."""
    our_takes, our_end = parse_answer(our_answer)
    their_takes, their_end = parse_answer(their_answer)
    starts = [int(take.pop()) for take in our_takes] + [int(our_end.pop())]
    fault_offset = -1
    if our_end[0] == "error":
        fault_offset = int(our_end.pop())
        our_end[1] = ERROR_NAMES[our_end[1]]
    for i in range(max(len(our_takes), len(their_takes)) + 1):
        ours = our_takes[i] if i < len(our_takes) else our_end
        theirs = their_takes[i] if i < len(their_takes) else their_end
        if ours[0] != theirs[0] or (ours[0] == "take" and ours != theirs):
            return Parting(data, ours, theirs, starts[i], fault_offset)
        if ours[0] != "take":
            return None
    raise AssertionError("no end in " + our_answer)


# ---- why two strict readers may disagree ----
#
# Each reason looks at the bytes anew, by the RFCs' grammar and not by either parser's word: what
# it does not find there is unexplained, and fails.

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
OUR_METHODS = {b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"PATCH"}
PCHAR = rb"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]|%[0-9A-Fa-f]{2})"
REG_NAME = rb"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})"
HOST = rb"(?:\[[A-Za-z0-9._~!$&'()*+,;=:-]+\]|" + REG_NAME + rb"*)(?::[0-9]*)?"
AUTHORITY = rb"(?!:)(?:\[[A-Za-z0-9._~!$&'()*+,;=:-]+\]|" + REG_NAME + rb"+)(?::[0-9]*)?"
PATH = rb"(?:/(?:" + PCHAR + rb"|[/\[\]])*)"
QUERY_PART = rb"(?:\?(?:" + PCHAR + rb"|[/?\[\]])*)?"
TARGET = re.compile(PATH + QUERY_PART + rb"|(?i:https?)://" + AUTHORITY + PATH + rb"?" + QUERY_PART)
HEX = re.compile(rb"[0-9A-Fa-f]+")
CHUNK = re.compile(HEX.pattern + rb"((?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?)\r\n")
QUOTED = rb"\"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*\""
EXTENSION = re.compile(rb"(?:;" + TOKEN + rb"(?:=(?:" + TOKEN + rb"|" + QUOTED + rb"))?)*")
LENGTH_IN_LAST_TRAILERS = re.compile(rb"(?i)\r\n0[^\r\n]*\r\n(?:[^\r\n]+\r\n)*"
                                     rb"content-length:[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n\Z")
CONTENT_MAX = 4096

TAB_BEHIND = re.compile(rb"[^ \t,] *\t")


def target_is_wrong(parting):
    method, _, rest = parting.request_line.partition(b" ")
    target = rest.split(b" ")[0]
    if method == b"OPTIONS" and target == b"*":
        return False
    return not TARGET.fullmatch(target)


def host_is_wrong(parting):
    hosts = [value.strip(b" \t") for value in parting.values(b"host")]
    if len(hosts) != 1:
        return len(hosts) > 1 or parting.minor() >= 1
    return not re.fullmatch(HOST, hosts[0])


def line_end_is_wrong(parting):
    at = parting.fault_offset
    before, here = parting.data[at - 1:at], parting.data[at:at + 1]
    return (here == b"\n") != (before == b"\r")


def field_name_is_wrong(parting):
    begin = parting.data.rfind(b"\r\n", 0, parting.fault_offset) + 2
    return not re.match(TOKEN + b":", parting.data[begin:])


def is_chunked(parting):
    return parting.elements(b"transfer-encoding") == [b"chunked"] and parting.minor() >= 1


def chunks(parting):
    """Of chunked content: sizes, extensions, whether the framing is broken, and the trailers."""
    sizes, extensions, body = [], [], parting.body
    while is_chunked(parting):
        digits, line = HEX.match(body), CHUNK.match(body)
        sizes += [int(digits[0], 16)] if digits else []
        if line is None:
            return sizes, extensions, True, b""
        extensions.append(line[1])
        body = body[line.end():]
        if sizes[-1] == 0:
            return sizes, extensions, False, body.partition(b"\r\n\r\n")[0].lower()
        body = body[sizes[-1]:]
        if not body.startswith(b"\r\n"):
            return sizes, extensions, True, b""
        body = body[2:]
    return [], [], False, b""


def too_large(parting):
    lengths = [int(value) for value in parting.values(b"content-length")]
    return sum(lengths) > CONTENT_MAX or sum(chunks(parting)[0]) > CONTENT_MAX


def transfer_is_wrong(parting):
    codings = parting.elements(b"transfer-encoding")
    return bool(parting.values(b"transfer-encoding")) and (
        parting.minor() == 0 or bool(parting.values(b"content-length")) or
        codings[-1:] != [b"chunked"] or codings.count(b"chunked") > 1)


def coding_before_chunked(parting):
    codings = parting.elements(b"transfer-encoding")
    return len(codings) > 1 and codings[-1] == b"chunked" and b"chunked" not in codings[:-1]


def list_is_spaced(parting, name):
    """It has empty elements, or a tab behind an element: both are allowed."""
    return any(TAB_BEHIND.search(value) or not all(word.strip(b" \t") for word in value.split(b","))
               for value in parting.values(name))


def persistence(parting):
    options = parting.elements(b"connection")
    if b"close" in options:
        return "0"
    return "1" if parting.minor() >= 1 or b"keep-alive" in options else "0"


def options_clash(parting):
    return {b"close", b"keep-alive"} <= set(parting.elements(b"connection"))


# Section, what we say, what llhttp says, how it shows.
REASONS = [
    # We are stricter, or know less.
    ("RFC 9110 9.1: a method that we do not implement gets 501", {"METHOD_UNKNOWN"},
     {"take", "more"},
     lambda p: p.request_line.split(b" ")[0] not in OUR_METHODS),
    ("RFC 9112 3: single spaces between three parts; no HTTP/0.9", {"REQUEST_LINE"},
     {"take", "more"},
     lambda p: not re.match(TOKEN + rb" [^ ]+ ", p.request_line)),
    ("RFC 9112 3.2, RFC 3986: a byte or a form that no target has", {"TARGET"},
     {"take", "more"}, target_is_wrong),
    ("RFC 9110 7.4: what has to come on a secured connection gets 421", {"MISDIRECTED"},
     {"take", "more"},
     lambda p: p.request_line.split(b" ")[1].lower().startswith(b"https://")),
    ("RFC 9112 2.3: HTTP-version, and nothing else around it", {"VERSION"},
     {"take", "more"},
     lambda p: not re.fullmatch(TOKEN + rb" [^ ]+ HTTP/[0-9]\.[0-9]", p.request_line)),
    ("RFC 9110 15.6.6: another major version gets 505", {"VERSION_UNSUPPORTED"}, {"take", "more"},
     lambda p: re.search(rb" HTTP/[02-9]\.[0-9]$", p.request_line)),
    ("RFC 9112 2.2: a line ends with CRLF; a bare LF may be taken, is not", {"LINE_ENDING"},
     {"take", "more"}, line_end_is_wrong),
    ("RFC 9112 5.1: a field name is a token, the colon follows at once", {"FIELD_NAME"},
     {"take", "more"}, field_name_is_wrong),
    ("RFC 9112 3.2: Host stands once and names a host", {"HOST"}, {"take", "more"},
     host_is_wrong),
    ("RFC 9112 6.1, 6.3: framing that two readers take for two things", {"TRANSFER_ENCODING"},
     {"take", "more"}, transfer_is_wrong),
    ("RFC 9112 6.1: a coding that we do not implement gets 501", {"TRANSFER_CODING"},
     {"take", "more"}, coding_before_chunked),
    ("RFC 9110 15.5.16: a content coding that we do not implement gets 415", {"CONTENT_CODING"},
     {"take", "more"},
     lambda p: set(p.elements(b"content-encoding")) - {b"identity"}),
    ("RFC 9110 15.5.14: content over our limit gets 413", {"CONTENT_TOO_LARGE"}, {"more"},
     too_large),
    ("RFC 9112 7.1: chunked framing", {"CHUNK"}, {"take", "more"},
     lambda p: chunks(p)[2]),
    ("RFC 9110 10.1.1: an expectation that we do not know gets 417", {"EXPECTATION"},
     {"take", "more"},
     lambda p: set(p.elements(b"expect")) - {b"100-continue"}),
    # llhttp is stricter, or wrong.
    ("RFC 9110 5.5: white space around a value is not part of it (Content-Length, tab)",
     {"take", "more"}, {"HPE_INVALID_CONTENT_LENGTH"},
     lambda p: any(re.fullmatch(rb"[ \t]*[0-9]+[ \t]*\t[ \t]*", value)
                   for value in p.values(b"content-length"))),
    ("RFC 9110 6.5.1: what trailers say is not merged into the head (Content-Length)",
     {"take", "more"}, {"HPE_INVALID_CONTENT_LENGTH", "HPE_UNEXPECTED_CONTENT_LENGTH"},
     lambda p: re.search(rb"(?:\A|\n)content-length:", chunks(p)[3])),
    ("RFC 9110 6.5.1: … nor into the next request's (llhttp 6)", {"take", "more"}, {"more"},
     lambda p: LENGTH_IN_LAST_TRAILERS.search(p.before)),
    ("RFC 9110 5.6.1: empty elements and white space in a list (Transfer-Encoding)",
     {"take", "more"}, {"HPE_INVALID_TRANSFER_ENCODING"},
     lambda p: is_chunked(p) and list_is_spaced(p, b"transfer-encoding")),
    ("RFC 9110 2.5: a higher minor version is served as the highest known", {"take", "more"},
     {"HPE_INVALID_VERSION"},
     lambda p: re.search(rb" HTTP/1\.[2-9]$", p.request_line)),
    ("RFC 9112 7.1.1: a recipient ignores extensions that it does not know; white space may stand "
     "before them", {"take", "more"}, {"HPE_STRICT", "HPE_INVALID_CHUNK_SIZE"},
     lambda p: not all(EXTENSION.fullmatch(extension) for extension in chunks(p)[1])),
    ("none: that no known method begins like this is said when the method ends", {"more"},
     {"HPE_INVALID_METHOD"},
     lambda p: re.fullmatch(TOKEN, p.request)),
]


def two_takes_explained(parting):
    """Why two requests that both took may differ, and in what alone."""
    ours = parting.ours[1 + KEEP_ALIVE]
    if parting.differs_in() == {KEEP_ALIVE} and ours == persistence(parting):
        if options_clash(parting):
            return "RFC 9112 9.3: close wins over keep-alive"
        if list_is_spaced(parting, b"connection"):
            return "RFC 9110 5.6.1: empty elements and white space in a list (Connection)"
    return None


def explain(parting):
    """The reason, or None."""
    if parting.differs_in():
        return two_takes_explained(parting)
    for text, ours, theirs, shows in REASONS:
        if parting.say(parting.ours) in ours and parting.say(parting.theirs) in theirs:
            if shows(parting):
                return text
    return None


def test_http_agrees_with_llhttp_or_says_why():
    rng = random.Random(SEED)
    streams = [stream(rng) for _ in range(STREAMS)]
    ours = run([DRIVER], streams)
    theirs = run([NODE, os.path.join(HERE, "llhttp_oracle.js")], streams)
    reasons = Counter()
    unexplained = []
    taken = refused = 0
    for data, our_answer, their_answer in zip(streams, ours, theirs):
        parting = find_parting(data, our_answer, their_answer)
        if parting is None:
            taken += our_answer.count("take")
            refused += "error" in our_answer
            continue
        reason = explain(parting)
        reasons[reason] += 1
        if reason is None:
            unexplained.append("%r\n  ours:   %s\n  llhttp: %s" % (data, our_answer, their_answer))
    for reason, count in reasons.most_common():
        print("%6d  %s" % (count, reason))
    print("%6d requests taken alike, %d streams refused alike" % (taken, refused))
    unexplained.sort(key=len)
    assert not unexplained, "%d unexplained, the shortest:\n%s" % (
        len(unexplained), "\n".join(unexplained[:5]))
    # A generator that had lost its way would agree, too.
    assert taken > STREAMS / 3 and refused > STREAMS / 10
