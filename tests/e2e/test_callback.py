"""OpenIM's callback: what is taken, what is refused and how, and what a connection goes through."""

import json

import pytest

from conftest import (
    CONTENT_MAX,
    HANDLED,
    HEAD_MAX,
    ID_MAX,
    JSON_DEPTH_MAX,
    JSON_TOKENS_MAX,
    OPERATION_ID_MAX,
    QUIT,
    TARGET_MAX,
    quit_body,
    quit_request,
)

SEED_BODY = (
    '{"callbackCommand":"callbackAfterQuitGroupCommand","groupID":"G001","userID":"user123"}'
)
JSON = {"Content-Type": "application/json; charset=utf-8"}
FIVE_FIELDS = {
    "actionCode": int,
    "errCode": int,
    "errMsg": str,
    "errDlt": str,
    "nextCode": int,
}


def ids(server):
    return [(e["groupID"], e["userID"]) for e in server.events()]


def assert_handled(reply):
    assert (reply.status, reply.body) == (200, HANDLED)
    assert reply.headers["content-type"] == "application/json"


def assert_refused(reply, status, code, place):
    """The status, and the five fields that say what is wrong, and where."""
    assert reply.status == status, reply.body
    assert reply.headers["content-type"] == "application/json"
    said = reply.json()
    assert {name: type(value) for name, value in said.items()} == FIVE_FIELDS
    assert (said["actionCode"], said["nextCode"]) == (1, 0)
    assert said["errCode"] == code and 5000 <= code <= 9999
    assert said["errMsg"] != ""
    assert said["errDlt"] == place


# ---- what is taken ----


def test_callback_gets_the_documented_reply_to_the_documented_request(server):
    sent = ["-H", "Content-Type: application/json", "-d", SEED_BODY]
    got = server.curl(*sent, f"{server.base}{QUIT}?contenttype=json")
    assert got == HANDLED
    document = json.loads(server.curl(f"{server.base}/status"))
    assert document["ring"]["lastSeq"] == document["counters"]["stored"] == server.seq0 + 1
    event = document["events"][-1]
    assert (event["groupID"], event["userID"]) == ("G001", "user123")
    assert event["seq"] == server.seq0 + 1
    assert event["operationID"] == ""


@pytest.mark.parametrize(
    "target",
    [
        QUIT,
        f"/{QUIT}",
        f"/a/prefix{QUIT}",
        f"/{'x' * (TARGET_MAX - len(QUIT) - 1)}{QUIT}",
        f"{QUIT}?contenttype=json",
        f"{QUIT}?",
        f"{QUIT}?since=x&&==%20?/",
        f"/status{QUIT}",
        f"http://127.0.0.1/im{QUIT}?contenttype=json",
        "/callbackQuitGroupCommand",
    ],
    ids=lambda target: target if len(target) < 80 else "longest",
)
def test_callback_is_taken_at_target(server, target):
    body = quit_body("G", "U", callbackCommand=target.split("?")[0].split("/")[-1])
    assert_handled(server.ask("POST", target, body, JSON))
    assert ids(server) == [("G", "U")]


@pytest.mark.parametrize(
    "body",
    [
        '{"groupID":"G","userID":"U"}',
        '\r\n\t {"userID"\n:\n"U" , "groupID":"G"\t}\r\n\n',
        '{"groupID":"G","userID":"U","callbackCommand":"callbackAfterQuitGroupCommand"}\n',
        '{"x":{"groupID":"no","y":[1,-2.5e+7,true,null,{}]},"groupID":"G","userID":"U"}',
        '{"\\u0067roupID":"\\u0047","user\\u0049D":"U"}',
        '{"groupID":"old","groupID":"G","userID":"U"}',
    ],
    ids=["short", "blanks", "trailing-line", "nested", "escaped", "repeated-member"],
)
def test_callback_takes_any_json_with_the_ids(server, body):
    assert_handled(server.ask("POST", QUIT, body, JSON))
    assert ids(server) == [("G", "U")]


ODD_IDS = {
    "html": "<b>&amp;</b>",
    "quotes": '"\\/\'`',
    "separators": "\u2028\u2029\u0085\u00a0",
    "controls": "".join(map(chr, range(1, 32))) + "\x7f",
    "utf8": "é Ж 漢 \uffff \ufeff \U0001f600 \U0010ffff",
    "right-to-left": "\u202eabc\u05d0",
    "url": "a%20b+c/../?&=#",
    "longest": "x" * ID_MAX,
    "longest-utf8": "漢" * (ID_MAX // 3),
    "longest-escaped": "\x01" * min(ID_MAX, (CONTENT_MAX - 600) // len("\\u0001")),
}


@pytest.mark.parametrize("escape", [True, False], ids=["escaped", "utf8"])
@pytest.mark.parametrize("text", ODD_IDS.values(), ids=ODD_IDS.keys())
def test_callback_gives_ids_back_byte_for_byte(server, text, escape):
    body = json.dumps({"groupID": text, "userID": f"{text[:80]}2"}, ensure_ascii=escape)
    assert_handled(server.ask("POST", QUIT, body.encode(), JSON))
    assert ids(server) == [(text, f"{text[:80]}2")]


@pytest.mark.parametrize("name", ["operationID", "Operationid", "OPERATIONID"])
def test_callback_stores_operation_id(server, name):
    assert_handled(server.ask("POST", QUIT, quit_body("G", "U"), {**JSON, name: "  op 1, x "}))
    assert server.events()[0]["operationID"] == "op 1, x"


@pytest.mark.parametrize(
    "sent,kept",
    [
        (b"o" * OPERATION_ID_MAX, "o" * OPERATION_ID_MAX),
        (b"o" * (OPERATION_ID_MAX + 1), "o" * OPERATION_ID_MAX),
        (b"o" * (HEAD_MAX // 2), "o" * OPERATION_ID_MAX),
        (("o" * (OPERATION_ID_MAX - 1) + "é").encode(), "o" * (OPERATION_ID_MAX - 1)),
        (("é" * 100).encode(), "é" * (OPERATION_ID_MAX // 2)),
    ],
    ids=["longest", "one-more", "many-more", "cut-before-a-character", "utf8"],
)
def test_callback_cuts_operation_id_at_a_character(server, sent, kept):
    data = quit_request("G", "U").replace(b"Host:", b"operationID: " + sent + b"\r\nHost:", 1)
    assert_handled(server.exchange(data))
    assert server.events()[0]["operationID"] == kept
    assert server.counters()["operationIDsCut"] == (len(sent) > OPERATION_ID_MAX)


def test_callback_keeps_the_document_valid_for_an_operation_id_that_is_no_utf8(server):
    data = quit_request("G", "U").replace(b"Host:", b"operationID: a\xff\xc3b\r\nHost:", 1)
    assert_handled(server.exchange(data))
    assert server.events()[0]["operationID"] == "a\ufffd\ufffdb"


def test_callback_takes_the_longest_ids_in_their_longest_form(server):
    """Where the board has memory for that; else it says that it has not."""
    body = '{"groupID":"%s","userID":"%s"}' % ("\\u0041" * ID_MAX, "\\u0042" * ID_MAX)
    reply = server.ask("POST", QUIT, body, JSON)
    if len(body) > CONTENT_MAX:
        assert_refused(reply, 413, 5115, f"content, at most {CONTENT_MAX} bytes")
        assert ids(server) == []
    else:
        assert_handled(reply)
        assert ids(server) == [("A" * ID_MAX, "B" * ID_MAX)]


# ---- what is refused: content ----


def refused_content():
    def row(name, body, status, code, place, counter=None):
        body = body if isinstance(body, bytes) else body.encode()
        return pytest.param(body, status, code, place, counter, id=name)

    def members(group, user='"U"', more=""):
        return '{"groupID":%s,"userID":%s%s}' % (group, user, more)

    return [
        row("empty", "", 400, 5201, "content, byte 0"),
        row("no-json", "quit", 400, 5200, "content, byte 0"),
        row("form", "groupID=G&userID=U", 400, 5200, "content, byte 0"),
        row("no-comma", '{"groupID":"G" "userID":"U"}', 400, 5200, "content, byte 15"),
        row("trailing-comma", '{"groupID":"G",}', 400, 5200, "content, byte 15"),
        row("two-values", '{}{}', 400, 5200, "content, byte 2"),
        row("single-quotes", "{'groupID':'G'}", 400, 5200, "content, byte 1"),
        row("cut", '{"groupID":"G","userID":"U', 400, 5201, "content, byte 26"),
        row("no-utf8", b'{"groupID":"a\xff"}', 400, 5202, "content, byte 13"),
        row("utf16", '{"groupID":"G"}'.encode("utf-16-le"), 400, 5200, "content, byte 1"),
        row("control", '{"groupID":"a\nb"}', 400, 5203, "content, byte 13"),
        row("escape", '{"groupID":"a\\x"}', 400, 5204, "content, byte 13"),
        row("depth", members('"G"', more=',"x":' + "[" * JSON_DEPTH_MAX + "]" * JSON_DEPTH_MAX), 400,
            5205, f"content, at most {JSON_DEPTH_MAX} levels", "jsonTooDeep"),
        row("tokens", members('"G"', more=',"x":[' + "1," * JSON_TOKENS_MAX + "1]"), 400, 5206,
            f"content, at most {JSON_TOKENS_MAX} values and names", "jsonTooManyTokens"),
        row("half-a-pair", members('"a\\ud83d"'), 422, 5207, "groupID, byte 11"),
        row("array", '["groupID","userID"]', 422, 5300, "content"),
        row("null", "null", 422, 5300, "content"),
        row("no-group", '{"userID":"U"}', 422, 5301, "groupID"),
        row("no-user", '{"groupID":"G"}', 422, 5301, "userID"),
        row("other-case", '{"groupid":"G","userid":"U"}', 422, 5301, "groupID"),
        row("number", members('"G"', "5"), 422, 5302, "userID, byte 24"),
        row("object", members("{}"), 422, 5302, "groupID, byte 11"),
        row("null-id", members("null"), 422, 5302, "groupID, byte 11"),
        row("empty-id", members('""'), 422, 5303, "groupID, byte 11"),
        row("long-id", members('"G"', '"%s"' % ("u" * (ID_MAX + 1))), 422, 5304,
            f"userID, byte 24, at most {ID_MAX} bytes", "idTooLong"),
        row("long-utf8-id", members('"%s"' % ("漢" * (ID_MAX // 3 + 1))), 422, 5304,
            f"groupID, byte 11, at most {ID_MAX} bytes", "idTooLong"),
        row("nul-in-id", members('"a\\u0000"'), 422, 5305, "groupID, byte 11"),
        row("other-command", members('"G"', more=',"callbackCommand":"callbackQuitGroupCommand"'),
            422, 5306, "callbackCommand, byte 46"),
        row("command-type", members('"G"', more=',"callbackCommand":1'), 422, 5302,
            "callbackCommand, byte 46"),
    ]


@pytest.mark.parametrize("body,status,code,place,counter", refused_content())
def test_callback_refuses_content(server, body, status, code, place, counter):
    before = server.counters()
    with server.connection() as connection:
        assert_refused(connection.ask("POST", QUIT, body, JSON), status, code, place)
        assert_handled(connection.ask("POST", QUIT, quit_body("next", "U"), JSON))
    after = server.counters()
    for name in ("refused", "stored", "badRequests", counter):
        if name is not None:
            assert after[name] - before[name] == (name != "badRequests"), name
    assert after["callbacks"] - before["callbacks"] == 2
    assert ids(server) == [("next", "U")]


# ---- what is refused: no request that HTTP allows ----

LINES = f"POST {QUIT} HTTP/1.1\r\n"
HOST = "Host: q\r\n"


def with_fields(fields, content="", version="1.1"):
    return f"POST {QUIT} HTTP/{version}\r\n{HOST}{fields}\r\n{content}"


def refused_requests():
    def row(name, data, status, code, place, counter=None):
        data = data if isinstance(data, bytes) else data.encode("latin-1")
        return pytest.param(data, status, code, place, counter, id=name)

    chunked = "Transfer-Encoding: chunked\r\n"
    half = CONTENT_MAX // 2
    halves = f"{half:x}\r\n{'x' * half}\r\n{CONTENT_MAX - half + 1:x}\r\n"
    long_target = f"/{'x' * (TARGET_MAX - len(QUIT))}{QUIT}"
    return [
        row("tls", b"\x16\x03\x01\x02\x00\x01\x00", 400, 5100, "request, byte 0"),
        row("no-target", "POST\r\n\r\n", 400, 5100, "request, byte 4"),
        row("method", f"BREW {QUIT} HTTP/1.1\r\n{HOST}\r\n", 501, 5101, "request, byte 4"),
        row("small-letters", f"post {QUIT} HTTP/1.1\r\n{HOST}\r\n", 501, 5101, "request, byte 4"),
        row("target-byte", f'POST /"{QUIT} HTTP/1.1\r\n{HOST}\r\n', 400, 5102, "target, byte 1"),
        row("target-utf8", f"POST /\xc3\xa9{QUIT} HTTP/1.1\r\n{HOST}\r\n", 400, 5102,
            "target, byte 1"),
        row("target-percent", f"POST /%4x{QUIT} HTTP/1.1\r\n{HOST}\r\n", 400, 5102,
            "target, byte 3"),
        row("target-length", f"POST {long_target} HTTP/1.1\r\n{HOST}\r\n", 414, 5103,
            f"target, at most {TARGET_MAX} bytes", "targetTooLong"),
        row("no-version", f"POST {QUIT}\r\n\r\n", 400, 5100, f"request, byte {5 + len(QUIT)}"),
        row("version", f"POST {QUIT} HTTP/1.x\r\n{HOST}\r\n", 400, 5104,
            f"request, byte {13 + len(QUIT)}"),
        row("version-2", f"POST {QUIT} HTTP/2.0\r\n{HOST}\r\n", 505, 5105,
            f"request, byte {14 + len(QUIT)}"),
        row("bare-lf", f"POST {QUIT} HTTP/1.1\n{HOST}\r\n", 400, 5106,
            f"request, byte {14 + len(QUIT)}"),
        row("bare-cr", LINES + "Host: q\rX\r\n\r\n", 400, 5106, f"request, byte {len(LINES) + 8}"),
        row("space-before-colon", LINES + "Host : q\r\n\r\n", 400, 5107,
            f"request, byte {len(LINES) + 4}"),
        row("folded", LINES + HOST + " folded\r\n\r\n", 400, 5107,
            f"request, byte {len(LINES) + len(HOST)}"),
        row("nul", LINES + "Host: q\0\r\n\r\n", 400, 5108, f"request, byte {len(LINES) + 7}"),
        row("head", LINES + HOST + "X: " + "x" * HEAD_MAX + "\r\n\r\n", 431, 5109,
            f"head, at most {HEAD_MAX} bytes", "headTooLarge"),
        row("many-fields", LINES + HOST + "X: x\r\n" * HEAD_MAX + "\r\n", 431, 5109,
            f"head, at most {HEAD_MAX} bytes", "headTooLarge"),
        row("no-host", LINES + "Content-Length: 0\r\n\r\n", 400, 5110,
            f"request, byte {len(LINES) + 20}"),
        row("two-hosts", LINES + HOST + HOST + "\r\n", 400, 5110,
            f"request, byte {len(LINES) + len(HOST) + 4}"),
        row("bad-host", LINES + "Host: a b\r\n\r\n", 400, 5110, f"request, byte {len(LINES) + 8}"),
        row("length", LINES + "Content-Length: +1\r\n" + HOST + "\r\n", 400, 5111,
            f"request, byte {len(LINES) + 16}"),
        row("two-lengths", LINES + "Content-Length: 1\r\n" * 2 + HOST + "\r\n", 400, 5111,
            f"request, byte {len(LINES) + 19 + 14}"),
        row("length-and-chunked", LINES + "Content-Length: 5\r\n" + chunked + HOST + "\r\n", 400,
            5112, f"request, byte {len(LINES) + 19 + len(chunked) + len(HOST) + 1}"),
        row("chunked-in-1.0", f"POST {QUIT} HTTP/1.0\r\n{chunked}\r\n", 400, 5112,
            f"request, byte {len(LINES) + len(chunked) + 1}"),
        row("coding", LINES + HOST + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501, 5113,
            f"request, byte {len(LINES) + len(HOST) + 34 + 1}"),
        row("gzip", LINES + HOST + "Content-Encoding: gzip\r\n\r\n", 415, 5114,
            f"request, byte {len(LINES) + len(HOST) + 23}"),
        row("content", with_fields(f"Content-Length: {CONTENT_MAX + 1}\r\n"), 413, 5115,
            f"content, at most {CONTENT_MAX} bytes", "contentTooLarge"),
        row("endless-length", with_fields(f"Content-Length: {'9' * 400}\r\n"), 413, 5115,
            f"content, at most {CONTENT_MAX} bytes", "contentTooLarge"),
        row("content-sent", with_fields("Content-Length: 200000\r\n", "x" * 200000), 413, 5115,
            f"content, at most {CONTENT_MAX} bytes", "contentTooLarge"),
        row("chunk-too-large", with_fields(chunked, f"{CONTENT_MAX + 1:x}\r\n"), 413, 5115,
            f"content, at most {CONTENT_MAX} bytes", "contentTooLarge"),
        row("chunks-too-large", with_fields(chunked, halves), 413, 5115,
            f"content, at most {CONTENT_MAX} bytes", "contentTooLarge"),
        row("chunk-size", with_fields(chunked, "zz\r\n"), 400, 5116,
            f"request, byte {len(with_fields(chunked))}"),
        row("chunk-end", with_fields(chunked, "1\r\nabc"), 400, 5116,
            f"request, byte {len(with_fields(chunked)) + 4}"),
        row("expect", with_fields("Expect: 200-ok\r\nContent-Length: 2\r\n"), 417, 5117,
            f"request, byte {len(LINES) + len(HOST) + 15}"),
    ]


@pytest.mark.parametrize("data,status,code,place,counter", refused_requests())
def test_callback_refuses_request(server, data, status, code, place, counter):
    before = server.counters()
    with server.raw() as raw:
        raw.send(data)
        reply = raw.reply()
        assert_refused(reply, status, code, place)
        assert reply.closes
        raw.finish()
        assert raw.at_end()
    after = server.counters()
    for name in ("badRequests", counter):
        if name is not None:
            assert after[name] - before[name] == 1, name
    assert (after["callbacks"], after["stored"]) == (0, 0)
    assert ids(server) == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_callback_takes_no_method_but_post(server, method):
    with server.connection() as connection:
        reply = connection.ask(method, QUIT)
        assert (reply.status, reply.headers["allow"]) == (405, "POST")
        if method == "HEAD":
            assert reply.body == b""
        else:
            assert_refused(reply, 405, 5401, QUIT)
        assert_handled(connection.ask("POST", QUIT, quit_body("G", "U"), JSON))
    assert server.counters()["badRequests"] == 1


# ---- other callbacks ----


def test_callback_of_another_command_is_neutral_and_counted_by_name(server):
    known = ["callbackBeforeSendSingleMsgCommand", "callbackBeforeCreateGroupCommand"]
    unknown = ["callbackAfterSomethingNewCommand", "callbackafterQuitGroupCommand"]
    for name, body in [
        (known[0], '{"callbackCommand":"x"}'),
        (known[0], "no JSON"),
        (known[1], ""),
        (unknown[0], "{}"),
        (unknown[1], quit_body("G", "U")),
    ]:
        assert_handled(server.ask("POST", f"/im/{name}?contenttype=json", body, JSON))
    counters = server.counters()
    assert (counters["callbacks"], counters["ignored"], counters["stored"]) == (5, 5, 0)
    assert counters["ignoredCommands"] == {known[0]: 2, known[1]: 1}
    assert ids(server) == []


@pytest.mark.parametrize("target", ["/", "/callbackCommand", f"{QUIT}/", f"{QUIT}x", "/x?y=z"])
def test_callback_elsewhere_is_not_found(server, target):
    path = target.split("?")[0]
    assert_refused(server.ask("POST", target, quit_body("G", "U"), JSON), 404, 5400, path)
    counters = server.counters()
    assert (counters["callbacks"], counters["badRequests"]) == (0, 1)


# ---- connections ----


def test_callback_keeps_one_connection_for_many_requests(server):
    before = server.counters()["connectionsAccepted"]
    with server.connection() as connection:
        for i in range(100):
            reply = connection.ask("POST", QUIT, quit_body("G", f"U{i}"), JSON)
            assert_handled(reply)
            assert "connection" not in reply.headers
    assert server.counters()["connectionsAccepted"] - before == 2  # this poll's is the other
    assert ids(server) == [("G", f"U{i}") for i in range(100)]


def test_callback_is_stored_when_its_reply_comes(server):
    with server.connection() as caller, server.connection() as poller:
        for i in range(50):
            assert_handled(caller.ask("POST", QUIT, quit_body("G", f"U{i}"), JSON))
            document = poller.ask("GET", "/status?limit=1").json()
            assert [event["userID"] for event in document["events"]] == [f"U{i}"]


def test_callback_pipeline_is_answered_in_order(server):
    requests = [quit_request("G", f"U{i}") for i in range(30)]
    requests[10] = b"POST /other HTTP/1.1\r\nHost: q\r\nContent-Length: 3\r\n\r\nabc"
    requests[20] = b"\r\nHEAD /healthz HTTP/1.1\r\nHost: q\r\n\r\n"
    with server.raw() as raw:
        raw.send(b"".join(requests))
        statuses = [raw.reply(head_only=i == 20).status for i in range(30)]
    assert statuses == [404 if i == 10 else 200 for i in range(30)]
    assert ids(server) == [("G", f"U{i}") for i in range(30) if i not in (10, 20)]


def test_callback_may_come_byte_by_byte(server):
    with server.raw() as raw:
        for byte in quit_request("G", "U", "Connection: close"):
            raw.send(bytes([byte]))
        reply = raw.reply()
        assert_handled(reply)
        assert reply.closes
        raw.finish()
        assert raw.at_end()
    assert ids(server) == [("G", "U")]


def test_callback_whose_caller_sends_its_fin_at_once_is_answered(server):
    with server.raw() as raw:
        raw.send(quit_request("G", "U"))
        raw.finish()
        assert_handled(raw.reply())
        assert raw.at_end()


@pytest.mark.parametrize("cut", [1, 30, 100, -1])
def test_callback_cut_off_is_not_stored(server, cut):
    data = quit_request("G", "U")[:cut]
    with server.raw() as raw:
        raw.send(data)
        raw.finish()
        assert raw.at_end()
    assert ids(server) == []


def test_callback_of_http_1_0_is_answered_and_closed(server):
    data = quit_request("G", "U").replace(b"HTTP/1.1", b"HTTP/1.0")
    data = data.replace(b"Host: 127.0.0.1\r\n", b"")
    with server.raw() as raw:
        raw.send(data)
        reply = raw.reply()
        assert_handled(reply)
        assert reply.closes
        raw.finish()
        assert raw.at_end()
    assert ids(server) == [("G", "U")]


def test_callback_of_http_1_0_keeps_the_connection_where_asked(server):
    data = quit_request("G", "U", "Connection: Keep-Alive").replace(b"HTTP/1.1", b"HTTP/1.0")
    with server.raw() as raw:
        for _ in range(3):
            raw.send(data)
            reply = raw.reply()
            assert_handled(reply)
            assert reply.headers["connection"] == "keep-alive"
    assert ids(server) == [("G", "U")] * 3


def test_callback_of_curl_in_chunks(server):
    sent = ["-H", "Transfer-Encoding: chunked", "-d", SEED_BODY]
    assert server.curl(*sent, f"{server.base}{QUIT}") == HANDLED
    assert ids(server) == [("G001", "user123")]


def test_callback_in_chunks_with_extensions_and_trailers(server):
    body = SEED_BODY.encode()
    chunks = b"".join(b"%X;n=\"v\"\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7])
                      for i in range(0, len(body), 7))
    head = f"POST {QUIT} HTTP/1.1\r\nHost: q\r\nTransfer-Encoding: Chunked\r\n\r\n".encode()
    data = head + chunks + b"000\r\nContent-Length: 9\r\nX: y\r\n\r\n"
    with server.raw() as raw:
        raw.send(data + data)
        assert_handled(raw.reply())
        assert_handled(raw.reply())
    assert ids(server) == [("G001", "user123")] * 2


def test_callback_of_curl_that_expects_to_continue(server):
    sent = ["-i", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", SEED_BODY]
    got = server.curl(*sent, f"{server.base}{QUIT}")
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert got.endswith(b"\r\n\r\n" + HANDLED)


def test_callback_that_expects_to_continue_is_refused_before_its_content(server):
    with server.raw() as raw:
        raw.send(with_fields("Expect: 100-continue\r\nContent-Length: 99999\r\n").encode())
        assert raw.reply().status == 413


def test_callback_survives_callers_that_vanish(server):
    """Resets in the middle of a head, a content, and a reply."""
    for cut in (10, -10, None):
        for _ in range(5):
            with server.raw() as raw:
                raw.reset_on_close()
                raw.send(quit_request("G", "gone")[:cut])
    assert_handled(server.quit("G", "after"))
    assert ids(server)[-1] == ("G", "after")
