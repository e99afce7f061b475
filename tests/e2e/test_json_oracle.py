"""src/json against Python's json module, which is another reading of RFC 8259.

The texts come from a fixed seed, so a run can be repeated. The driver (tests/unit/json_driver.c)
must be built already; QUITRING_JSON_DRIVER says where it is.
"""

import itertools
import json
import os
import pathlib
import random
import re
import struct
import subprocess

import pytest

import pytest

pytestmark = pytest.mark.not_on_boards

ROOT = pathlib.Path(__file__).resolve().parents[2]
DRIVER = os.environ.get("QUITRING_JSON_DRIVER", str(ROOT / "build/unit/json_driver"))
SEED = 8259



def number_in(header, pattern):
    """A constant of ours, so that it is written down once."""
    return re.search(pattern + r"[\s=-]+(\d+)", (ROOT / "src" / header).read_text("utf-8")).group(1)


DEPTH_MAX = int(number_in("limits.h", "define QR_JSON_DEPTH_MAX"))
TOKENS_MAX = int(number_in("limits.h", "define QR_JSON_TOKENS_MAX"))
TEXT_MAX = int(number_in("limits.h", "define QR_CONTENT_MAX"))

TRUNCATED, UTF8, DEPTH, TOKENS, SURROGATE = (
    number_in("err.h", "QR_ERR_JSON_" + name)
    for name in ("TRUNCATED", "UTF8", "DEPTH", "TOKENS", "SURROGATE")
)

# enum qr_json_type
OBJECT, ARRAY, STRING, NUMBER, TRUE, FALSE, NULL = range(7)


# ---- the two readers ----


def ask_driver(texts):
    """One answer a text: its line, split."""
    frames = b"".join(struct.pack(">I", len(text)) + text for text in texts)
    run = subprocess.run([DRIVER], input=frames, capture_output=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    answers = [line.split() for line in run.stdout.decode("ascii").splitlines()]
    assert len(answers) == len(texts)
    return answers


class Number:
    def __init__(self, text):
        self.text = text


class Members(list):
    """An object's members, repeated names and all."""


def refuse_constant(name):
    raise ValueError(name)


DECODER = json.JSONDecoder(
    parse_int=Number,  # no conversion, so no limit of digits
    parse_float=Number,
    parse_constant=refuse_constant,  # NaN, Infinity: not JSON
    object_pairs_hook=Members,
)


def read_by_python(text):
    """Raises ValueError (UnicodeDecodeError is one) for what is not JSON."""
    decoded = text.decode("utf-8")
    if decoded.startswith("\ufeff"):
        raise ValueError("byte order mark")
    return DECODER.decode(decoded)


def children(value):
    if isinstance(value, Members):
        return [member for _, member in value]
    return value if isinstance(value, list) else []


def measure(value):
    """Depth and tokens."""
    depth = tokens = 0
    level = [value]
    while level:
        names = sum(len(v) for v in level if isinstance(v, Members))
        tokens += len(level) + names
        depth += any(isinstance(v, list) for v in level)
        level = [child for v in level for child in children(v)]
    return depth, tokens


def type_of(value):
    if isinstance(value, Members):
        return OBJECT
    if isinstance(value, list):
        return ARRAY
    if isinstance(value, str):
        return STRING
    if isinstance(value, Number):
        return NUMBER
    return {True: TRUE, False: FALSE, None: NULL}[value]


def member_answer(value, name):
    found = dict(value).get(name, Number) if isinstance(value, Members) else Number
    if found is Number:
        return "-"
    if not isinstance(found, str):
        return "!"
    try:
        return "s" + found.encode("utf-8").hex()
    except UnicodeEncodeError:
        return SURROGATE


def wanted_answers(value):
    """The answers to valid JSON that will do."""
    depth, tokens = measure(value)
    too_much = []
    if depth > DEPTH_MAX:
        too_much.append([DEPTH, "-"])
    if tokens > TOKENS_MAX:
        too_much.append([TOKENS, "-"])
    names = ("groupID", "userID")
    good = ["ok", str(type_of(value))] + [member_answer(value, name) for name in names]
    return too_much or [good]


# ---- comparing ----


def check_refusal(text, answer, error):
    """Python takes it for no JSON; error is why."""
    assert answer[0] != "ok", f"taken, Python refuses ({error}): {text!r}"
    if answer[0] == TRUNCATED:
        assert answer[1] == str(len(text)), f"truncated, but not at its end: {text!r}"
    if answer[0] == UTF8:
        assert isinstance(error, UnicodeDecodeError), f"is UTF-8: {text!r}"
        assert answer[1] == str(error.start), f"UTF-8 ends at {error.start}: {text!r}"


def check_answer(text, answer):
    try:
        value = read_by_python(text)
    except ValueError as error:
        check_refusal(text, answer, error)
        return
    wanted = wanted_answers(value)
    assert answer in wanted, f"got {answer}, wanted {wanted}: {text!r}"


def assert_open(texts, why):
    """All of these are JSON, or beginnings of JSON."""
    for text, answer in zip(texts, ask_driver(texts)):
        assert answer[0] in ("ok", TRUNCATED), f"{why}: got {answer}: {text!r}"


def compare(texts):
    texts = [text[:TEXT_MAX] for text in texts]
    answers = ask_driver(texts)
    for text, answer in zip(texts, answers):
        check_answer(text, answer)
    # the offset of a fault says up to where the text could still have become JSON
    faults = [(text, answer[1]) for text, answer in zip(texts, answers) if answer[0] != "ok"]
    assert_open([text[: int(offset)] for text, offset in faults if offset != "-"], "before a fault")
    return answers


# ---- texts ----

SPACES = ["", "", "", "", " ", "\t", "\n", "\r", " \r\n\t "]
NAMES = ["groupID", "userID"] * 5
NAMES += ["callbackCommand", "groupID ", "groupid", "userI", "", "a", "\u00e9", "\x00"]
CHARS = (
    list("aZ09 /\"\\\b\f\n\r\t\x00\x1f\x7f<>&")
    + ["\x80", "\u00e9", "\u07ff", "\u0800", "\u2028", "\u7fa4", "\ud7ff", "\ue000", "\uffff"]
    + ["\U00010000", "\U0001f600", "\U0010ffff"]
)
SHORT_ESCAPES = {
    '"': '\\"', "\\": "\\\\", "/": "\\/", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r",
    "\t": "\\t",
}  # fmt: skip
HALVES = ["\\ud800", "\\uDBFF", "\\udc00", "\\uDfFf", "\\ud83d\\u0041", "\\ude00\\ud83d"]


def u_escape(rng, char):
    """One \\u escape, or two, in either case."""
    units = char.encode("utf-16-be")
    digits = [units[i : i + 2].hex() for i in range(0, len(units), 2)]
    return "".join("\\u" + (d.upper() if rng.random() < 0.5 else d) for d in digits)


def char_text(rng, char):
    """A character as it may stand in a string."""
    if rng.random() < 0.2:
        return u_escape(rng, char)
    if char in SHORT_ESCAPES and (char != "/" or rng.random() < 0.5):
        return SHORT_ESCAPES[char]
    return char if char >= " " else u_escape(rng, char)


def string_text(rng, string):
    return '"' + "".join(char_text(rng, char) for char in string) + '"'


def random_string_text(rng):
    parts = [char_text(rng, rng.choice(CHARS)) for _ in range(rng.randrange(6))]
    if rng.random() < 0.1:
        parts.insert(rng.randrange(len(parts) + 1), rng.choice(HALVES))
    return '"' + "".join(parts) + '"'


def number_text(rng):
    text = rng.choice(["", "-"]) + rng.choice(["0", "7", "10", "900", "1" * rng.randrange(1, 40)])
    if rng.random() < 0.4:
        text += "." + rng.choice(["0", "5", "00", "125"])
    if rng.random() < 0.4:
        text += rng.choice("eE") + rng.choice(["", "+", "-"]) + rng.choice(["0", "3", "08", "400"])
    return text


def scalar_text(rng):
    kind = rng.randrange(4)
    if kind == 0:
        return number_text(rng)
    return rng.choice(["true", "false", "null"]) if kind == 1 else random_string_text(rng)


def space(rng):
    return rng.choice(SPACES)


def member_text(rng, depth):
    name = rng.choice(NAMES)
    text = random_string_text(rng) if rng.random() < 0.2 else string_text(rng, name)
    return space(rng) + text + space(rng) + ":" + value_text(rng, depth)


def value_text(rng, depth):
    kind = rng.random()
    if depth == 0 or kind < 0.5:
        text = scalar_text(rng)
    elif kind < 0.75:
        items = [value_text(rng, depth - 1) for _ in range(rng.randrange(5))]
        text = "[" + (",".join(items) or space(rng)) + "]"
    else:
        text = object_text(rng, depth)
    return space(rng) + text + space(rng)


def object_text(rng, depth):
    members = [member_text(rng, depth - 1) for _ in range(rng.randrange(6))]
    return "{" + (",".join(members) or space(rng)) + "}"


def valid_text(rng):
    text = object_text(rng, 4) if rng.random() < 0.6 else value_text(rng, 4)
    return text.encode("utf-8")


def valid_texts(rng, count):
    return [valid_text(rng) for _ in range(count)]


PIECES = [
    b'"', b"\\", b"\\u", b"\\u00", b"\\ud83d", b"\\ude00", b"\\x", b"\\\n", b"{", b"}", b"[", b"]",
    b",", b":", b" ", b"\t", b"\v", b"\0", b"\x1f", b"\x7f", b"-", b"+", b".", b"e", b"E+", b"0",
    b"01", b"1.", b".5", b"1e", b"0x1", b"true", b"tru", b"null", b"NaN", b"Infinity", b"'", b"//",
    b"/**/", b"\xef\xbb\xbf", b"\xc2\xa0", b"\x80", b"\xc0\x80", b"\xc3", b"\xe0\x80\x80",
    b"\xe2\x82", b"\xed\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf0\x9f\x98",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xff",
]  # fmt: skip


def mutate(rng, text):
    """A few bytes more, fewer or other."""
    at = rng.randrange(len(text) + 1)
    end = min(len(text), at + rng.randrange(1, 4))
    kind = rng.randrange(6)
    if kind == 0:
        return text[:at] + text[end:]
    if kind == 1:
        return text[:at] + rng.choice(PIECES) + text[at:]
    if kind == 2:
        return text[:at] + rng.choice(PIECES) + text[end:]
    if kind == 3:
        return text[:at] + bytes([rng.randrange(256)]) + text[at + 1 :]
    if kind == 4:
        return text[:at] + text[at:end] + text[at:]
    flipped = bytes([text[at] ^ 1 << rng.randrange(8)]) if at < len(text) else b""
    return text[:at] + flipped + text[at + 1 :]


def mutated_texts(rng, count):
    texts = []
    for text in valid_texts(rng, count):
        for _ in range(rng.choice([1, 1, 1, 2, 5])):
            text = mutate(rng, text)
        texts.append(text)
    return texts


def all_sequences(pieces, longest):
    for length in range(longest + 1):
        for sequence in itertools.product(pieces, repeat=length):
            yield b"".join(sequence)


STRING_PIECES = PIECES + [bytes([byte]) for byte in range(0x20, 0x100)]


def strings_of_pieces(rng, count):
    texts = []
    for _ in range(count):
        inside = b"".join(rng.choice(STRING_PIECES) for _ in range(rng.randrange(1, 5)))
        texts.append(b'{"userID":"' + inside + b'"}')
    return texts


def texts_at_limits(rng, count):
    texts = []
    for _ in range(count):
        depth = rng.randrange(DEPTH_MAX - 2, DEPTH_MAX + 3)
        opened = [rng.choice([(b"[", b"]"), (b'{"groupID":', b"}")]) for _ in range(depth)]
        inside = rng.choice([b"0", b"[]", b"{}", b'""'])
        texts.append(b"".join(o for o, _ in opened) + inside + b"".join(c for _, c in opened[::-1]))
        items = [rng.choice([b"0", b'""', b'{"a":1}']) for _ in range(TOKENS_MAX // 2)]
        items += [b"1"] * rng.randrange(-2 * TOKENS_MAX // 3, TOKENS_MAX)
        texts.append(b"[" + b",".join(items) + b"]")
    for tokens in range(TOKENS_MAX - 3, TOKENS_MAX + 4):
        texts.append(b"[" + b",".join([b"1"] * (tokens - 1)) + b"]")
        texts.append(b"{" + b",".join([b'"a":1'] * (tokens // 2)) + b"}")
    return texts


# ---- tests ----


@pytest.fixture(name="rng")
def fixture_rng():
    return random.Random(SEED)


def test_json_agrees_with_python_on_valid_texts(rng):
    answers = compare(valid_texts(rng, 8000))
    assert all(answer[0] in ("ok", TOKENS) for answer in answers)
    # the generator gives what the comparison is about
    group_ids = [answer[2] for answer in answers if answer[0] == "ok"]
    assert len(group_ids) > 7000
    assert len([group_id for group_id in group_ids if group_id.startswith("s")]) > 500
    assert group_ids.count(SURROGATE) > 20


def test_json_agrees_with_python_on_mutated_texts(rng):
    answers = compare(mutated_texts(rng, 20000))
    assert 2000 < sum(answer[0] == "ok" for answer in answers) < 18000


def test_json_agrees_with_python_on_all_short_structures():
    compare(list(all_sequences([b"[", b"]", b"{", b"}", b",", b":", b'"a"', b"1"], 5)))


def test_json_agrees_with_python_on_all_short_numbers():
    numbers = list(all_sequences([bytes([byte]) for byte in b"01-+.eE"], 5))
    compare(numbers)
    compare([b"[" + number + b"]" for number in numbers])


def test_json_agrees_with_python_on_strings_of_any_bytes(rng):
    compare(strings_of_pieces(rng, 15000))


def test_json_agrees_with_python_on_random_bytes(rng):
    compare([rng.randbytes(rng.randrange(1, 8)) for _ in range(5000)])


def test_json_agrees_with_python_at_limits(rng):
    found = {answer[0] for answer in compare(texts_at_limits(rng, 300))}
    assert found == {"ok", DEPTH, TOKENS}


def test_json_takes_valid_text_cut_anywhere_for_truncated(rng):
    cuts = []
    for text in valid_texts(rng, 6000):
        if measure(read_by_python(text))[1] <= TOKENS_MAX:
            cuts += [text[: rng.randrange(len(text) + 1)] for _ in range(3)]
    compare(cuts)
    assert_open(cuts, "cut")
