"""OpenIM's callback: what is taken, what is refused and how, and what a connection goes through."""

import json

import pytest

from conftest import (
    CONTENT_MAX,
    HANDLED,
    HEAD_MAX,
    ID_MAX,
    OPERATION_ID_MAX,
    QUIT,
    TARGET_MAX,
    assert_handled,
    assert_refused,
    quit_body,
    quit_request,
)

SEED_BODY = (
    '{"callbackCommand":"callbackAfterQuitGroupCommand","groupID":"G001","userID":"user123"}'
)
JSON = {"Content-Type": "application/json; charset=utf-8"}


def ids(server):
    return [(e["groupID"], e["userID"]) for e in server.events()]


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


@pytest.mark.parametrize("target", ["/callbackCommand", f"{QUIT}/", f"{QUIT}x", "/x?y=z"])
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


def test_callback_of_curl_in_chunks(server):
    sent = ["-H", "Transfer-Encoding: chunked", "-d", SEED_BODY]
    assert server.curl(*sent, f"{server.base}{QUIT}") == HANDLED
    assert ids(server) == [("G001", "user123")]


def test_callback_of_curl_that_expects_to_continue(server):
    sent = ["-i", "-H", "Expect: 100-continue", "--expect100-timeout", "20", "-d", SEED_BODY]
    got = server.curl(*sent, f"{server.base}{QUIT}")
    assert got.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")
    assert got.endswith(b"\r\n\r\n" + HANDLED)


def test_callback_survives_callers_that_vanish(server):
    """Resets in the middle of a head, a content, and a reply."""
    for cut in (10, -10, None):
        for _ in range(5):
            with server.raw() as raw:
                raw.reset_on_close()
                raw.send(quit_request("G", "gone")[:cut])
    assert_handled(server.quit("G", "after"))
    assert ids(server)[-1] == ("G", "after")
