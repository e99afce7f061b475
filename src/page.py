"""Makes the page (src/page.html) into a C header: page.py PAGE.html OUT.h

The page is sent as it is in flash, compressed. Comments and indentation are taken out before. To do
that without understanding the languages, the source keeps to lines: a comment has lines of its own,
and no text goes over the end of a line. What does not keep to it is refused.

The header has the compressed page (QR_PAGE_GZIP), and what allows its style and its script and no
other (QR_PAGE_CSP). The same page gives the same bytes.
"""

import base64
import hashlib
import re
import struct
import sys
import zlib

PAGE_MAX = 16384  # bytes in flash
COLUMNS = 16  # bytes a line

COMMENTS = {
    "html": re.compile(r"<!--(?!.*--.*-->).*-->"),
    "style": re.compile(r"/\*(?!.*\*/.*\*/).*\*/"),
    "script": re.compile(r"//.*"),
}
# What would begin or end a comment elsewhere than where it is taken out.
STRAY = {
    "html": re.compile(r"<!--|-->"),
    "style": re.compile(r"/\*|\*/"),
    "script": re.compile(r"/\*|\*/|\s//|<!--|-->"),
}
SECTION = re.compile(r"<(/?)(style|script)>")


class Fault(Exception):
    pass


def strip(text):
    """The page without comments, indentation and empty lines."""
    kept = []
    language = "html"
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        section = SECTION.fullmatch(line)
        if section:
            language = "html" if section[1] else section[2]
        elif SECTION.search(line):
            raise Fault(f"line {number}: {SECTION.search(line)[0]} needs a line of its own")
        if line == "" or COMMENTS[language].fullmatch(line):
            continue
        if STRAY[language].search(line):
            raise Fault(f"line {number}: a comment needs lines of its own: {line}")
        if language == "script" and line.count("`") % 2:
            raise Fault(f"line {number}: a text goes over the line's end: {line}")
        kept.append(line)
    return "\n".join(kept) + "\n"


def only(name, text):
    """What is between <name> and </name>, which must be there once."""
    found = re.findall(rf"<{name}>(.*?)</{name}>", text, re.DOTALL)
    if len(found) != 1 or len(re.findall(rf"<{name}\b", text)) != 1:
        raise Fault(f"one <{name}> without attributes is wanted")
    return found[0]


def source_hash(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def policy(text):
    """What the page needs of a Content-Security-Policy (CSP Level 3) that begins with nothing: its
    style and its script by their hashes, and the icon, which is in the page. No text can become
    markup by script, since that would take a type (Trusted Types) which nobody may make."""
    return "; ".join([
        f"style-src {source_hash(only('style', text))}",
        f"script-src {source_hash(only('script', text))}",
        "img-src data:",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ])


def squeeze(data):
    """RFC 1952, without a name or a time."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9)
    body = deflate.compress(data) + deflate.flush()
    head = b"\x1f\x8b\x08" + bytes(5) + b"\x02\xff"
    return head + body + struct.pack("<II", zlib.crc32(data), len(data))


def header(page, csp):
    rows = [page[at : at + COLUMNS] for at in range(0, len(page), COLUMNS)]
    lines = ["    " + "".join(f"{byte}," for byte in row) for row in rows]
    return "\n".join([
        "/* Made by src/page.py from src/page.html. */",
        f'#define QR_PAGE_CSP "{csp}"',
        " \\\n".join(["#define QR_PAGE_GZIP {", *lines, "}"]),
        "",
    ])


def main(source, out):
    with open(source, encoding="utf-8", newline="\n") as file:
        text = strip(file.read())
    page = squeeze(text.encode())
    if len(page) > PAGE_MAX:
        raise Fault(f"{len(page)} bytes compressed, at most {PAGE_MAX} are allowed")
    made = header(page, policy(text))
    with open(out, "w", encoding="ascii", newline="\n") as file:
        file.write(made)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: page.py PAGE.html OUT.h")
    try:
        main(*sys.argv[1:])
    except Fault as fault:
        sys.exit(f"{sys.argv[1]}: {fault}")
