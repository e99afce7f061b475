"""What a LAN has besides servers: a router (dnsmasq: DHCP, DNS, router advertisements), a time server
(chronyd), and a neighbour that looks for names (avahi). Each runs in a namespace of its own without a
way out, is started by a test's `start`, and ends with it.
"""

import re
import shutil
import subprocess

import pytest

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


def need(*programs):
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not there")


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
        need("dnsmasq")
        program = self.start.program(
            [
                "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--user=root", "--no-ping",
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
        need("chronyd")
        config = self.folder / "chrony.conf"
        config.write_text(CHRONY.format(folder=self.folder))
        program = self.start.program(
            ["chronyd", "-x", "-d", "-u", "root", "-f", config], namespace=self.namespace
        )
        program.until("chronyd version")
        return program

    def avahi(self, name="neighbour"):
        """A neighbour that has that name, and can be asked for others."""
        need("avahi-daemon", "avahi-browse", "avahi-resolve", "dbus-daemon")
        bus, config = self.folder / "bus", self.folder / "avahi.conf"
        (self.folder / "bus.conf").write_text(BUS.format(path=bus))
        config.write_text(AVAHI.format(name=name, interface=self.interface))
        broker = self.start.program(
            ["dbus-daemon", f"--config-file={self.folder}/bus.conf", "--nofork", "--nopidfile",
             "--print-address=1"],
        )
        broker.output(1)
        # Its files have fixed places in /run, which is its own here: ip netns exec has unshared it.
        program = self.start.program(
            ["sh", "-c", "mount -t tmpfs none /run && mkdir /run/avahi-daemon && exec avahi-daemon "
             f"-f {config} --no-drop-root --no-chroot --no-proc-title"],
            namespace=self.namespace,
            DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={bus}",
        )
        program.until("Server startup complete")
        return Avahi(self.namespace, bus)

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
        self.environment = plain_environment(DBUS_SYSTEM_BUS_ADDRESS=f"unix:path={bus}")

    def run(self, *words):
        run = subprocess.run(
            ["ip", "netns", "exec", self.namespace, *words],
            capture_output=True, text=True, check=False, timeout=CLIENT_S, env=self.environment,
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
