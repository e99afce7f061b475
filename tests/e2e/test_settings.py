"""How it starts, refuses to start, and stops."""

import os
import re
import shutil
import signal
import socket
import stat
import tempfile
import time

import pytest

from conftest import (
    CALLER_TIMEOUT_S,
    EXIT_S,
    HANDLED,
    LOG_LINE,
    QUITRING,
    STOP_TIMEOUT_S,
    free_port,
    quit_request,
)

pytestmark = pytest.mark.not_on_boards

NOBODY = 65534


def refused(start, *arguments, **how):
    """The one line on standard error, without time and level, and the exit status."""
    program = start.quitring(*arguments, **how)
    assert program.output(1) == []
    status = program.wait()
    lines = program.errors().splitlines()
    assert len(lines) == 1, lines
    logged = LOG_LINE.fullmatch(lines[0])
    if logged is None:
        return lines[0], status
    assert logged["level"] == "error"
    return logged["text"], status


def settings_file(folder, text):
    path = folder / "quitring.conf"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# ---- help and version ----


@pytest.mark.parametrize("option", ["--help", "-h", "--help=yes"])
def test_help_lists_every_setting(start, option):
    program = start.quitring(option)
    lines = program.output(1000)
    assert program.wait() == 0
    assert program.errors() == ""
    assert lines[0].startswith("usage: quitring")
    names = re.findall(r"^  --([a-z0-9]+) ", "\n".join(lines), re.MULTILINE)
    settings = {"net", "addr", "port", "publish", "ring", "hostname", "ipv6", "mdns", "ntp"}
    assert settings | {"config", "quiet", "verbose", "help", "version"} == set(names)
    assert len(names) == len(set(names))
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version_is_that_of_the_document(start, option):
    program = start.quitring(option)
    (line,) = program.output(1000)
    assert (program.wait(), program.errors()) == (0, "")
    assert re.fullmatch(r"quitring \d+\.\d+\.\d+\S*", line)
    assert line == f"quitring {start.publish('host').status()['version']}"


# ---- announcement and log ----


@pytest.mark.parametrize("net", ["user", "host"])
def test_start_tells_what_to_open_and_what_to_try(start, net):
    server = start.publish(net)
    lines = server.output(2)
    assert lines == [
        f"open {server.base}/",
        "try  curl -d '{\"groupID\":\"G001\",\"userID\":\"user123\"}' "
        f"{server.base}/callbackAfterQuitGroupCommand",
    ]
    words = lines[1].split()
    assert server.curl("-d", words[3].strip("'"), words[4]) == HANDLED
    assert server.curl(lines[0].split()[1]).startswith(b"<!doctype html>")
    server.stop()
    assert server.output(3) == lines


def log_of(start, *arguments):
    server = start.publish("host", *arguments)
    server.quit("G", "U")
    server.quit("G", "")
    server.ask("POST", "/callbackAfterKickGroupCommand", "{}")
    server.ask("GET", "/nowhere")
    server.status()
    server.stop()
    lines = [LOG_LINE.fullmatch(line) for line in server.errors().splitlines()]
    assert None not in lines, server.errors()
    return [(line["level"], line["text"]) for line in lines]


def test_log_tells_start_and_stop(start):
    lines = log_of(start)
    assert [level for level, _ in lines] == ["info", "info"]
    assert re.fullmatch(r"quitring \S+ is serving", lines[0][1])
    assert lines[1][1] == "stopping"


@pytest.mark.parametrize("options", [["--quiet"], ["-q"], ["--verbose", "--quiet"]])
def test_log_is_empty_when_quiet(start, options):
    assert log_of(start, *options) == []


@pytest.mark.parametrize("options", [["--verbose"], ["-v"], ["--quiet", "--verbose"]])
def test_log_tells_of_each_request_when_verbose(start, options):
    lines = log_of(start, *options)
    assert [text for level, text in lines if level == "debug"] == [
        "callback stored, seq 1",
        "callback refused: an ID is empty; userID, byte 74",
        "callback of another command ignored",
        "refused: no such resource; /nowhere",
        "poll",
    ]
    assert [level for level, _ in lines if level != "debug"] == ["info", "info"]


# ---- where a setting comes from ----


def test_file_is_overruled_by_environment_and_that_by_command_line(start, tmp_path):
    path = settings_file(tmp_path, "# a comment\n\n ring = 2048 \r\nverbose\nhostname=a\n")

    def ring_of(*arguments, **environment):
        server = start.publish("host", *arguments, **environment)
        capacity = server.status()["ring"]["capacityBytes"]
        server.stop()
        return capacity, "debug" in server.errors()

    file = ("--config", path)
    assert ring_of() == (1048576, False)
    assert ring_of(*file) == (2048, True)
    assert ring_of(QUITRING_CONFIG=str(path)) == (2048, True)
    assert ring_of(*file, QUITRING_CONFIG="/nowhere") == (2048, True)
    assert ring_of(*file, QUITRING_RING="4K") == (4096, True)
    assert ring_of(*file, "--ring", "1M", QUITRING_RING="4K") == (1048576, True)
    assert ring_of(f"--config={path}", "--ring=8192", "--ring=16384") == (16384, True)
    assert ring_of(*file, "--verbose=no", QUITRING_RING="4K") == (4096, False)
    assert ring_of(*file, QUITRING_QUIET="yes") == (2048, False)


BAD_VALUES = [
    ("net", "eth0", "tap:IF"),
    ("net", "tap:", "1 to 15 bytes"),
    ("net", "packet:" + "x" * 16, "1 to 15 bytes"),
    ("addr", "10.0.0.1", "A.B.C.D/PREFIX"),
    ("addr", "10.0.0.256/24", "A.B.C.D/PREFIX"),
    ("addr", "10.0.0.1/31", "1 to 30"),
    ("addr", "10.0.0.255/24", "address"),
    ("addr", "10.0.0.1/24,10.0.1.1", "gateway"),
    ("port", "0", "1 to 65535"),
    ("port", "65536", "1 to 65535"),
    ("port", "http", "1 to 65535"),
    ("publish", "localhost:80", "[A.B.C.D:]PORT"),
    ("publish", "127.0.0.1", "[A.B.C.D:]PORT"),
    ("ring", "1023", "1024 to 16777216"),
    ("ring", "17M", "1024 to 16777216"),
    ("ring", "64 K", "1024 to 16777216"),
    ("hostname", "-x", "letters, digits, hyphens"),
    ("quiet", "maybe", "yes or no"),
]


@pytest.mark.parametrize("name,value,takes", BAD_VALUES, ids=lambda text: text[:20])
def test_bad_value_is_named_with_its_origin(start, tmp_path, name, value, takes):
    path = settings_file(tmp_path, f"# one\n\n{name}={value}\nport=1\n")
    for origin, (line, status) in {
        "command line": refused(start, f"--{name}={value}"),
        "environment": refused(start, **{f"QUITRING_{name.upper()}": value}),
        f"{path} line 3": refused(start, "--config", path),
    }.items():
        assert status == 1
        assert line.startswith(f"{origin}: {name}={value}: ")
        assert takes in line


def test_bad_value_is_reported_though_overruled(start):
    line, status = refused(start, "--port", "80", QUITRING_PORT="x")
    assert (line, status) == ("environment: port=x: takes a number from 1 to 65535", 1)


@pytest.mark.parametrize(
    "arguments,line",
    [
        (["--frob"], "command line: unknown setting 'frob'; see --help"),
        (["--frob", "1"], "command line: unknown setting 'frob'; see --help"),
        (["--prot", "80"], "command line: unknown setting 'prot'; did you mean 'port'?"),
        (["--port"], "command line: port: takes a number from 1 to 65535"),
        (["--port="], "command line: port=: takes a number from 1 to 65535"),
        (["--port", "--quiet"], "command line: port: takes a number from 1 to 65535"),
        (["frob"], "quitring: unexpected argument 'frob' (see --help)"),
        (["-x"], "quitring: unexpected argument '-x' (see --help)"),
        (["--quiet", "x"], "quitring: unexpected argument 'x' (see --help)"),
        (["--"], "quitring: unexpected argument '--' (see --help)"),
        (["--config"], "quitring: --config takes a file's name (see --help)"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_ends_with_status_2(start, arguments, line):
    assert refused(start, *arguments) == (line, 2)


def test_unknown_name_in_environment_and_file_is_named(start, tmp_path):
    line, status = refused(start, QUITRING_RINGS="1")
    assert (line, status) == ("environment: unknown setting 'rings'; did you mean 'ring'?", 1)
    path = settings_file(tmp_path, "port=80\nno such line\n")
    line, status = refused(start, "--config", path)
    assert (line, status) == (f"{path} line 2: unknown setting 'no such line'; see --help", 1)


def test_file_that_cannot_be_read_is_named(start, tmp_path):
    large = settings_file(tmp_path, b"#" * 65537)
    missing = tmp_path / "missing.conf"
    for path, why in [
        (missing, "No such file or directory"),
        (tmp_path, "Is a directory"),
        (large, "larger than 65536 bytes"),
    ]:
        line, status = refused(start, "--config", path)
        assert (line, status) == (f"quitring: cannot read {path}: {why}", 1)


# ---- what the machine refuses ----


@pytest.mark.parametrize("net", ["user", "host"])
def test_port_in_use_is_named(start, net):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line, status = refused(start, "--net", net, "--publish", str(port))
        assert status == 1
        assert f"{port}" in line and "in use" in line and "--publish" in line


@pytest.mark.parametrize("net", ["user", "host"])
def test_address_of_another_machine_is_refused(start, net):
    line, status = refused(start, "--net", net, "--publish", f"192.0.2.77:{free_port()}")
    assert status == 1
    assert "--publish" in line


def test_address_outside_of_the_inner_network_is_refused(start):
    line, status = refused(start, "--publish", str(free_port()), "--addr", "10.1.0.5/24")
    assert status == 1
    assert line.startswith("user: address 10.1.0.5 is not in its network")


@pytest.mark.parametrize("net,help_with", [("tap", "ip tuntap add"), ("packet", "ip link")])
def test_missing_interface_is_named(start, net, help_with):
    line, status = refused(start, "--net", f"{net}:qrmissing0", "--addr", "10.77.0.2/24")
    assert status == 1
    assert line.startswith(f"{net}:qrmissing0: no such interface; ") and help_with in line


def test_interface_of_the_wrong_kind_is_refused(start, networks):
    space = networks.namespace()
    one, _ = networks.wire(space, space)
    for net, why in [
        (f"tap:{one}", "not a TAP device of one queue"),
        ("packet:lo", "not an Ethernet interface"),
    ]:
        line, status = refused(start, "--net", net, "--addr", "10.77.0.2/24", namespace=space)
        assert (line, status) == (f"{net}: {why}", 1)


def test_tap_that_another_process_has_is_refused(start, networks):
    space = networks.namespace()
    tap = networks.tap(space, "10.77.0.1/24")
    arguments = ["--net", f"tap:{tap}", "--addr", "10.77.0.2/24"]
    start.serve(*arguments, namespace=space)
    line, status = refused(start, *arguments, namespace=space)
    assert (line, status) == (f"tap:{tap}: in use by another process", 1)


@pytest.fixture
def as_nobody():
    """A copy of the program that everybody may run, and the words before it that make us nobody."""
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv (util-linux) is not there")
    with tempfile.TemporaryDirectory(prefix="quitring-") as folder:
        os.chmod(folder, 0o755)
        program = shutil.copy(QUITRING, folder)
        os.chmod(program, 0o755)
        yield ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", program]


@pytest.mark.parametrize("net", ["tap", "packet"])
def test_missing_privilege_is_named(start, networks, as_nobody, net):
    space = networks.namespace()
    interface = networks.tap(space) if net == "tap" else networks.wire(space, space)[0]
    arguments = ["--net", f"{net}:{interface}", "--addr", "10.77.0.2/24"]
    program = start.program([*as_nobody, *arguments], namespace=space)
    assert program.output(1) == []
    assert program.wait() == 1
    (line,) = program.errors().splitlines()
    text = LOG_LINE.fullmatch(line)["text"]
    assert text.startswith(f"{net}:{interface}: ") and "root" in text
    assert "permitted" in text or "Permission denied" in text


def test_prepared_tap_needs_no_privilege(start, networks, as_nobody):
    """Where everybody may open /dev/net/tun, as is usual; else it says so."""
    space = networks.namespace()
    tap = networks.name()
    networks.command(space, "tuntap", "add", "dev", tap, "mode", "tap", "user", str(NOBODY))
    networks.up(space, tap, "10.77.0.1/24")
    arguments = ["--net", f"tap:{tap}", "--addr", "10.77.0.2/24"]
    program = start.program([*as_nobody, *arguments], namespace=space)
    if os.stat("/dev/net/tun").st_mode & stat.S_IWOTH:
        assert program.output(2)[0] == "open http://10.77.0.2/"
    else:
        assert program.wait() == 1
        assert "cannot open /dev/net/tun: Permission denied" in program.errors()


def test_user_and_host_need_no_privilege(start, as_nobody):
    if os.geteuid() != 0:
        pytest.skip("we have none to give up")
    for net in ("user", "host"):
        port = free_port()
        program = start.program([*as_nobody, "--net", net, "--publish", str(port)])
        assert program.output(2)[0] == f"open http://127.0.0.1:{port}/"
        program.signal(signal.SIGTERM)
        assert program.wait() == 0


# ---- stopping ----


NETS = ["user", "host", "tap", "packet"]


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_stop_is_quick_and_clean_with_idle_connections(start, net, number):
    server = start.on(net)
    fresh, poller, caller = server.raw(), server.raw(), server.raw()
    poller.send(b"GET /healthz HTTP/1.1\r\nHost: q\r\n\r\n")
    assert poller.reply().status == 200
    caller.send(quit_request("G", "U"))
    assert caller.reply().body == HANDLED
    assert server.counters()["connectionsOpen"] == 4
    begin = time.monotonic()
    server.stop(number)
    assert time.monotonic() - begin < STOP_TIMEOUT_S - 0.5
    for raw in (fresh, poller, caller):
        if net in ("user", "host"):
            assert raw.at_end()
        raw.close()


@pytest.mark.parametrize("net", NETS)
def test_stop_does_not_wait_long_for_those_who_are_slow(start, net):
    server = start.on(net, "--ring", "1M")
    with server.raw() as filler:
        for _ in range(200):
            filler.send(quit_request("G" * 255, "U" * 255) * 10)
            for _ in range(10):
                assert filler.reply().body == HANDLED
    half, reader = server.raw(), server.raw(receive_bytes=4096)
    half.send(quit_request("G", "U")[:-5])
    reader.send(b"GET /status?since=0&limit=65535 HTTP/1.1\r\nHost: q\r\n\r\n")
    assert reader.sock.recv(1) == b"H"
    begin = time.monotonic()
    server.stop(timeout=STOP_TIMEOUT_S + EXIT_S)
    assert time.monotonic() - begin < STOP_TIMEOUT_S + 1.5
    half.close()
    reader.close()


def test_stop_lets_a_reply_under_way_end(start):
    """The rest of the document comes, and new connections do not."""
    server = start.publish("host", "--ring", "4M")
    with server.raw() as filler:
        for _ in range(500):
            filler.send(quit_request("\u2028" * 80, "U" * 255) * 10)
            for _ in range(10):
                assert filler.reply().body == HANDLED
    with server.raw(receive_bytes=4096) as reader:
        reader.send(b"GET /status?since=0&limit=65535 HTTP/1.1\r\nHost: q\r\n\r\n")
        begun = reader.sock.recv(1)
        server.signal(signal.SIGTERM)
        # One that comes in the very moment in which the listener closes is reset.
        with pytest.raises((ConnectionRefusedError, ConnectionResetError)):
            while True:
                server.connect().close()
        document = reader.reply(begun=begun).json()
    assert len(document["events"]) + document["missed"] == document["next"]
    server.stop()


@pytest.mark.parametrize("net", ["user", "host"])
def test_port_can_be_used_again_at_once(start, net):
    server = start.publish(net)
    raw = server.raw()
    raw.send(quit_request("G", "U"))
    assert raw.reply().body == HANDLED
    server.stop()
    again = start.serve("--net", net, "--publish", f"{server.host}:{server.port}")
    assert again.quit("G", "U").body == HANDLED
    raw.close()


# ---- DHCP ----


def test_dhcp_of_the_inner_network(start):
    server = start.publish("user", "--addr", "dhcp")
    begin = time.monotonic()
    assert server.quit("G", "U").body == HANDLED
    assert time.monotonic() - begin < CALLER_TIMEOUT_S
    assert server.status()["ring"]["stored"] == 1


@pytest.fixture
def dhcp_server(start, tmp_path):
    """Serves 10.79.0.50 to 10.79.0.60 on an interface. Returns the file of its leases."""
    if shutil.which("dnsmasq") is None:
        pytest.skip("dnsmasq is not there: apt-get install dnsmasq-base")

    def serve(space, interface):
        leases = tmp_path / "leases"
        program = start.program(
            [
                "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", "--user=root",
                "--no-ping", "--dhcp-authoritative", "--log-facility=-", "--pid-file=",
                "--bind-interfaces", "--except-interface=lo", f"--interface={interface}",
                "--dhcp-range=10.79.0.50,10.79.0.60,255.255.255.0,1h",
                "--dhcp-option=option:router,10.79.0.1", f"--dhcp-leasefile={leases}",
            ],
            namespace=space,
        )
        program.until("IP range")
        return leases

    return serve


def test_dhcp_on_a_tap_announces_the_address_that_it_got(start, networks, dhcp_server):
    space = networks.namespace()
    tap = networks.tap(space, "10.79.0.1/24")
    leases = dhcp_server(space, tap)
    server = start.serve(
        "--net", f"tap:{tap}", "--addr", "dhcp", "--hostname", "ring-1", namespace=space
    )
    assert re.fullmatch(r"10\.79\.0\.(5\d|60)", server.host)
    _, mac, address, name, _ = leases.read_text().split("\n")[0].split(" ")
    assert (address, name) == (server.host, "ring-1")
    assert int(mac[:2], 16) & 3 == 2  # given locally, to one host
    assert server.curl("-d", '{"groupID":"G","userID":"U"}',
                       f"{server.base}/callbackAfterQuitGroupCommand") == HANDLED


def test_dhcp_is_the_default_on_a_card(start, networks, dhcp_server):
    space, clients = networks.namespace(), networks.namespace()
    near, far = networks.wire(space, clients)
    networks.up(clients, far, "10.79.0.1/24")
    dhcp_server(clients, far)
    server = start.serve("--net", f"packet:{near}", namespace=space, clients=clients)
    assert server.host.startswith("10.79.0.")
    assert server.quit("G", "U").body == HANDLED


def test_stop_while_dhcp_has_not_answered(start, networks):
    space = networks.namespace()
    tap = networks.tap(space, "10.79.0.1/24")
    server = start.quitring("--net", f"tap:{tap}", "--addr", "dhcp", namespace=space)
    server.until("is serving")
    server.stop(timeout=STOP_TIMEOUT_S)
    assert server.output(1) == []
