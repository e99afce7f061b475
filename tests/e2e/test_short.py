"""A short run through all that it does: on each network, with sanitizers, and by the programs of
other processors."""

import pytest

from conftest import (
    CONTENT_MAX,
    HANDLED,
    HEAD_MAX,
    ID_MAX,
    JSON_TOKENS_MAX,
    QUIT,
    QUITRING,
    QUITRING_ASAN,
    RING_MAX,
    TARGET_MAX,
    quit_body,
    quit_request,
)


def exercise(server):
    """What a caller and a poller do, rightly and wrongly."""
    with server.connection() as connection:
        for i in range(200):
            assert connection.ask("POST", QUIT, quit_body("<&\u2028", f"U{i}")).body == HANDLED
        for body, status in [
            ("", 400),
            ("{", 400),
            ('{"groupID":"\\ud800","userID":"U"}', 422),
            ("[" * (CONTENT_MAX - 1), 400),
            ("[1" + ",1" * JSON_TOKENS_MAX + "]", 400),
            ('{"groupID":"%s","userID":"U"}' % ("x" * (ID_MAX + 1)), 422),
        ]:
            reply = connection.ask("POST", QUIT, body)
            assert (reply.status, reply.json()["actionCode"]) == (status, 1)
        assert connection.ask("POST", "/callbackBeforeX1Command", "").body == HANDLED
        assert connection.ask("GET", QUIT).headers["allow"] == "POST"
        assert connection.ask("GET", "/nowhere").status == 404
        assert connection.ask("GET", "/status?limit=0").status == 400
        assert connection.ask("HEAD", "/status").body == b""
    for data, status in [
        (b"\x16\x03\x01\x00\n", 400),
        (b"GET /" + b"x" * TARGET_MAX + b" HTTP/1.1\r\n", 414),
        (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * HEAD_MAX + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: q\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99999, 413),
        (b"POST / HTTP/1.1\r\nHost: q\r\nTransfer-Encoding: chunked\r\n\r\nfffff\r\n", 413),
    ]:
        with server.raw() as raw:
            raw.send(data)
            assert raw.reply().status == status
    with server.raw() as raw:
        raw.send(quit_request("pipe", "line") * 50)
        assert [raw.reply().body for _ in range(50)] == [HANDLED] * 50
    for cut in (5, 100, -3):
        with server.raw() as raw:
            raw.reset_on_close()
            raw.send(quit_request("G", "gone")[:cut])
    with server.raw(receive_bytes=4096) as slow:
        target = f"/status?since={server.seq0}&limit=65535"
        slow.send(f"GET {target} HTTP/1.1\r\nHost: q\r\n\r\n".encode())
        slow.wait()
        assert server.quit("G", "meanwhile").body == HANDLED
        document = slow.reply().json()
    assert len(document["events"]) + document["missed"] == 250
    assert document["next"] == server.seq0 + 250
    (after,) = server.status(f"?since={document['next']}")["events"]
    assert after["userID"] == "meanwhile"
    assert server.curl("-H", "Expect: 100-continue", "-d", '{"groupID":"a","userID":"b"}',
                       server.base + QUIT) == HANDLED
    assert server.ask("GET", "/healthz").body == b"ok\n"
    assert server.counters()["stored"] == 252


@pytest.mark.parametrize("net", ["user", "host", "tap", "packet"])
@pytest.mark.parametrize("ring", [
    pytest.param(4 << 10, id="small"),
    pytest.param(min(1 << 20, RING_MAX), id="large", marks=pytest.mark.not_on_images),
])
@pytest.mark.parametrize("binary", [QUITRING, QUITRING_ASAN], ids=["release", "asan"])
def test_all_of_it_in_short(start, net, binary, ring):
    exercise(start.on(net, "--ring", ring, "--verbose", binary=binary))
