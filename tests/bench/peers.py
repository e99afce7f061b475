"""Who is measured: each is started once, and stays until the end."""

import glob
import os
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILT = f"{ROOT}/build/bench"
QUITRING = f"{BUILT}/quitring"
TOOLS = f"{ROOT}/build/tools-bench"
PLACES = (f"{TOOLS}/usr/sbin", f"{TOOLS}/usr/bin", "/usr/sbin", "/sbin")
SERVER_CPU = 0
START_S = 10
END_S = 10

HANDLED = '{"actionCode":0,"errCode":0,"errMsg":"","errDlt":"","nextCode":0}'


class Missing(Exception):
    """A server that this machine has not got."""


def built(name, package=None):
    """The path of a program of build/bench."""
    if not os.path.exists(f"{BUILT}/{name}"):
        raise Missing(f"build/bench/{name} is not built" + (f" (needs {package})" if package else ""))
    return f"{BUILT}/{name}"


def found(command, package):
    """The path of a program of this machine, or of build/tools-bench."""
    path = shutil.which(command, path=os.pathsep.join((os.environ["PATH"], *PLACES)))
    if path is None:
        raise Missing(f"there is no {command} (package {package})")
    return path


def libraries(path):
    """What the environment of a program of build/tools-bench needs."""
    folders = glob.glob(f"{TOOLS}/lib/*-linux-gnu*") + glob.glob(f"{TOOLS}/usr/lib/*-linux-gnu*")
    return {"LD_LIBRARY_PATH": os.pathsep.join(folders)} if path.startswith(TOOLS) else {}


class Server:
    """One that runs. `frames` is the interface of the callers whose frames are counted, or None;
    `fields` a request needs besides; it `gets` GETs instead of callbacks; `works` it does
    besides those that all do (bench.WORKS)."""

    ours = False  # quitring
    threads = False  # whether some wait for others
    frames = None
    fields = ""
    gets = False
    works = frozenset()
    address = "127.0.0.1"

    def __init__(self, net):
        self.net = net
        self.port = net.port()
        self.process = None
        self.files = None

    def folder(self):
        """A folder of its own for files that it needs."""
        self.files = self.files or tempfile.TemporaryDirectory(prefix="quitring-bench-")
        return self.files.name

    def write(self, name, text):
        with open(f"{self.folder()}/{name}", "w") as file:
            file.write(text)

    def run(self, command, namespace=None, **environment):
        """Starts it. Who does not say that it serves is asked until it does."""
        self.process = self.net.start(
            namespace or self.net.callers, SERVER_CPU, command, not self.threads, stderr=subprocess.DEVNULL,
            env=dict(os.environ, **libraries(command[0]), **environment))

    def pids(self):
        """It and its children."""
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [pid] + [int(child) for child in file.read().split()]

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(END_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        if self.files is not None:
            self.files.cleanup()


class Quitring(Server):
    ours = True
    works = {"poll", "mixed", "64", "128", "256"}

    def __init__(self, net, program=QUITRING):
        super().__init__(net)
        self.program = program

    def serve(self, *words, namespace=None):
        if not os.path.exists(self.program):
            raise Missing(f"{self.program} is not there")
        self.run([self.program, *words, "--quiet"], namespace)
        if not self.process.stdout.readline():  # it serves
            raise Missing(f"{self.program} {' '.join(words)} does not start")


class Tap(Quitring):
    def begin(self):
        self.frames, self.address = self.net.tap()
        self.port = 80
        self.serve("--net", f"tap:{self.frames}", "--addr", f"{self.address}/24")


class Packet(Quitring):
    def begin(self):
        self.frames, card, self.address = self.net.wire()
        self.port = 80
        self.serve("--net", f"packet:{card}", "--addr", f"{self.address}/24",
                   namespace=self.net.servers)


class User(Quitring):
    works = {"poll", "mixed"}

    def begin(self):
        self.serve("--net", "user", "--publish", f"127.0.0.1:{self.port}")


class Host(Quitring):
    def begin(self):
        self.serve("--net", "host", "--publish", f"127.0.0.1:{self.port}")


class Epoll(Server):
    def begin(self):
        self.run([built("epoll_server"), str(self.port)])


class MicroHttpd(Server):
    def begin(self):
        self.run([built("microhttpd_server", "libmicrohttpd-dev"), str(self.port)])


class Go(Server):
    threads = True

    def begin(self):
        self.run([built("go_server", "golang-go"), str(self.port)], GOMAXPROCS="1")


class Node(Server):
    threads = True

    def begin(self):
        self.run([found("node", "nodejs"), f"{ROOT}/tests/bench/node_server.js", str(self.port)])


NGINX = """daemon off;
user root;
pid nginx.pid;
worker_processes 1;
error_log stderr crit;
events {{ worker_connections 2048; use epoll; }}
http {{
    access_log off;
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    client_body_temp_path body;
    {paths}
    server {{
        listen 127.0.0.1:{port};
        root .;
        location / {{ return 200 '{handled}'; }}
        location = /status {{ }}
    }}
}}
"""
NGINX_PATHS = ("proxy", "fastcgi", "uwsgi", "scgi")


class Nginx(Server):
    """One worker, which parses no content; its status is a file of 15 KB."""

    works = {"poll"}

    def begin(self):
        program = found("nginx", "nginx-light")
        paths = " ".join(f"{name}_temp_path {name};" for name in NGINX_PATHS)
        self.write("nginx.conf", NGINX.format(paths=paths, port=self.port, handled=HANDLED))
        self.write("status", "x" * 15000)
        self.run([program, "-p", self.folder(), "-c", "nginx.conf", "-e", "stderr"])
        end = time.monotonic() + START_S
        while self.process.poll() is None and len(self.pids()) < 2:  # its worker
            if time.monotonic() > end:
                raise Missing("nginx starts no worker")
            time.sleep(0.01)
        if self.process.poll() is not None:
            raise Missing("nginx does not start")


LIGHTTPD = """server.document-root = "{folder}"
server.port = {port}
server.bind = "127.0.0.1"
server.max-connections = 1024
server.max-fds = 2048
server.max-keep-alive-requests = 65535
server.max-keep-alive-idle = 3600
mimetype.assign = ( "" => "application/json" )
"""


class Lighttpd(Server):
    """It has no constant reply without a script, and closes after a POST whose content nobody reads:
    instead of callbacks it gets GETs of a file that is the reply."""

    works = {"poll"}
    gets = True

    def begin(self):
        program = found("lighttpd", "lighttpd")
        self.write("lighttpd.conf", LIGHTTPD.format(folder=self.folder(), port=self.port))
        self.write("callbackAfterQuitGroupCommand", HANDLED)
        self.write("status", "x" * 15000)
        self.run([program, "-D", "-f", f"{self.folder()}/lighttpd.conf"])


class Raw(Server):
    """lwIP without sockets."""

    kind = "least"

    def begin(self):
        self.frames, self.address = self.net.tap()
        self.port = 80
        self.run([built("raw_server"), self.kind, self.frames, self.address])
        self.process.stdout.readline()  # it serves


class Httpd(Raw):
    kind = "httpd"
    fields = "Connection: keep-alive\r\n"  # else it closes, as HTTP/1.0 has it


# By the names that tables have.
SERVERS = {
    "tap": Tap, "packet": Packet, "user": User, "host": Host,
    "epoll": Epoll, "nginx": Nginx, "lighttpd-get": Lighttpd, "microhttpd": MicroHttpd, "go": Go,
    "node": Node, "lwip-raw": Raw, "lwip-httpd": Httpd,
}


def make(net, name):
    """A server by name; of quitring's, name:PROGRAM is another program than the one built here."""
    kind, _, program = name.partition(":")
    return SERVERS[kind](net, program) if program else SERVERS[kind](net)
