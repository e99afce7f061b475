"""What a LAN has besides servers: a router (dnsmasq: DHCP, DNS, router advertisements), a time server
(chronyd), and a neighbour that looks for names (avahi). Each runs in a namespace of its own without a
way out, is started by a test's `start`, and ends with it. The machine's own are taken, or else those
that get_tools.sh got.
"""

import os
import re
import shutil
import subprocess

import pytest

from boards import ROOT
from conftest import CLIENT_S, inside, plain_environment

ROUTER = "10.77.0.1"
ROUTER6 = "fd77::1"
PREFIX6 = "fd77::/64"

BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={path}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""

AVAHI = """[server]
host-name={name}
allow-interfaces={interface}
use-ipv4=yes
use-ipv6=yes
[publish]
publish-workstation=no
publish-hinfo=no
[wide-area]
enable-wide-area=no
"""

CHRONY = """local stratum 10
allow
cmdport 0
bindcmdaddress /
pidfile {folder}/chronyd.pid
"""


TOOLS = ROOT / "build/tools"
PLACES = (os.environ.get("PATH", ""), "/usr/sbin", "/sbin", TOOLS / "usr/sbin", TOOLS / "usr/bin")

# avahi-daemon looks for its user and group, also where it stays root.
AVAHI_USER = {
    "passwd": "root:x:0:0::/:/bin/sh\navahi:x:65533:65533::/:/bin/false\n",
    "group": "root:x:0:\navahi:x:65533:\n",
}


def tool(name):
    """The path of a program."""
    path = shutil.which(name, path=os.pathsep.join(map(str, PLACES)))
    if path is None:
        pytest.skip(f"{name} is not there: make deps gets it")
    return path


def libraries(path):
    """What a program's environment needs."""
    if not path.startswith(str(TOOLS)):
        return {}
    folders = [*TOOLS.glob("lib/*-linux-gnu*"), *TOOLS.glob("usr/lib/*-linux-gnu*")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))}


class Lan:
    """A LAN's router, 10.77.0.1 and fd77::1, at an interface of a namespace, which all services and
    clients share."""

    def __init__(self, start, networks, folder, namespace, interface):
        self.start = start
        self.networks = networks
        self.folder = folder
        self.namespace = namespace
        self.interface = interface
        self.leases = folder / "leases"
        # A router that is still asking whether its address is taken advertises nothing of use.
        networks.command(namespace, "link", "set", interface, "down")
        with inside(namespace), open(f"/proc/sys/net/ipv6/conf/{interface}/accept_dad", "w") as file:
            file.write("0")
        networks.up(namespace, interface, f"{ROUTER6}/64")

    def dnsmasq(self, *options):
        """A DHCP and DNS server; options may add router advertisements and the like."""
        dnsmasq = tool("dnsmasq")
        program = self.start.program(
            [
                dnsmasq, "--no-daemon", "--conf-file=/dev/null", "--user=root", "--no-ping",
                "--dhcp-authoritative", "--log-facility=-", "--pid-file=", "--no-hosts",
                "--no-resolv", "--bind-interfaces", "--except-interface=lo", "--log-queries",
                f"--interface={self.interface}", f"--dhcp-leasefile={self.leases}",
                "--dhcp-range=10.77.0.50,10.77.0.60,255.255.255.0,1h",
                f"--dhcp-option=option:router,{ROUTER}", *options,
            ],
            namespace=self.namespace,
        )
        program.until("IP range")
        return program

    def chronyd(self):
        """A time server that tells this machine's time, and leaves its clock alone."""
        chronyd = tool("chronyd")
        config = self.folder / "chrony.conf"
        config.write_text(CHRONY.format(folder=self.folder))
        program = self.start.program(
            [chronyd, "-x", "-d", "-u", "root", "-f", config], namespace=self.namespace,
            **libraries(chronyd),
        )
        program.until("chronyd version")
        return program

    def avahi(self, name="neighbour"):
        """A neighbour that has that name, and can be asked for others."""
        daemon, broker = tool("avahi-daemon"), tool("dbus-daemon")
        clients = Avahi(self.namespace, self.folder / "bus")
        config = self.folder / "avahi.conf"
        (self.folder / "bus.conf").write_text(BUS.format(path=clients.bus))
        config.write_text(AVAHI.format(name=name, interface=self.interface))
        for file, text in AVAHI_USER.items():
            (self.folder / file).write_text(text)
        self.start.program(
            [broker, f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile",
             "--print-address=1"],
            **libraries(broker),
        ).output(1)
        # Its files have fixed places, which are its own here: ip netns exec has unshared them.
        program = self.start.program(
            ["sh", "-c", f"mount --bind {self.folder}/passwd /etc/passwd && "
             f"mount --bind {self.folder}/group /etc/group && mount -t tmpfs none /run && "
             f"mkdir /run/avahi-daemon && exec {daemon} "
             f"-f {config} --no-drop-root --no-chroot --no-proc-title"],
            namespace=self.namespace,
            DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={clients.bus}",
            **libraries(daemon),
        )
        program.until("Server startup complete")
        return clients

    def hostname_leased(self):
        """Of the only lease."""
        lines = [line for line in self.leases.read_text().splitlines() if ":" in line.split()[1]]
        return lines[0].split()[3]

    def neighbour6(self, server):
        """The global IPv6 address of a server whose IPv4 address is known, by its MAC address."""
        entries = self.networks.command(self.namespace, "neighbor", "show", server.host)
        mac = re.search(r"lladdr ([0-9a-f:]{17})", entries)[1]
        return address6(mac, PREFIX6.split("/", maxsplit=1)[0])


def address6(mac, prefix):
    """RFC 4291 appendix A: an interface's identifier, made of its MAC address."""
    octets = bytes.fromhex(mac.replace(":", ""))
    identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
    groups = [f"{identifier[i] << 8 | identifier[i + 1]:x}" for i in range(0, 8, 2)]
    return prefix + ":".join(groups)


class Avahi:
    """avahi's own clients."""

    def __init__(self, namespace, bus):
        self.namespace = namespace
        self.bus = bus
        self.programs = {name: tool(name) for name in ("avahi-resolve", "avahi-browse")}

    def run(self, name, *words):
        path = self.programs[name]
        run = subprocess.run(
            ["ip", "netns", "exec", self.namespace, path, *words],
            capture_output=True, text=True, check=False, timeout=CLIENT_S,
            env=plain_environment(
                DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={self.bus}", **libraries(path)
            ),
        )
        return run.stdout

    def resolve(self, name, family):
        """The address; None: nobody has that name. family: 4 or 6."""
        words = self.run("avahi-resolve", f"-{family}", "-n", name).split()
        return words[1] if words else None

    def browse(self, service):
        """(protocol, instance, host, address, port, text) of each that answers."""
        lines = self.run("avahi-browse", "-t", "-r", "-p", service).splitlines()
        found = [line.split(";") for line in lines if line.startswith("=")]
        return [(f[2], f[3], f[6], f[7], int(f[8]), f[9]) for f in found]
