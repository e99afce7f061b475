"""Writes an initramfs: initramfs.py OUT INIT MODULES_DIR MODULE...

/init is the file INIT. /modules/0.ko, 1.ko, ... are kernel modules, in the order in which to load
them: those named, each after those that it depends on. /dev/console is for the kernel, which opens
it for /init. The same files give the same bytes.
"""

import lzma
import os
import re
import stat
import sys

DEPENDS = re.compile(rb"\0depends=([^\0]*)\0")  # in the section .modinfo
CONSOLE = (5, 1)  # the kernel's Documentation/admin-guide/devices.txt


def canonical(path):
    """A module's name: what modinfo calls it, whatever its file is called."""
    return os.path.basename(path).split(".ko")[0].replace("-", "_")


def find_modules(folder):
    """The files of all modules, by name; None where the kernel has it built in."""
    with open(os.path.join(folder, "modules.builtin"), encoding="ascii") as file:
        found = {canonical(line.strip()): None for line in file}
    for place, _, names in os.walk(folder):
        for name in names:
            if re.search(r"\.ko(\.xz)?$", name):
                found[canonical(name)] = os.path.join(place, name)
    return found


def read_module(path):
    with (lzma.open if path.endswith(".xz") else open)(path, "rb") as file:
        return file.read()


def in_order(names, files, loaded):
    """Adds modules to loaded, which keeps the order."""
    for name in map(canonical, names):
        if name not in files:
            sys.exit(f"initramfs.py: this kernel has no module {name}")
        if files[name] is None or name in loaded:
            continue
        module = read_module(files[name])
        depends = DEPENDS.search(module)
        in_order(filter(None, depends[1].decode("ascii").split(",")), files, loaded)
        loaded[name] = module


def entry(name, mode, data=b"", device=(0, 0)):
    """One file in cpio's format newc (the kernel's driver-api/early-userspace/buffer-format)."""
    fields = (0, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name) + 1, 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode("ascii") + b"\0"
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def main():
    out, init, folder, *names = sys.argv[1:]
    modules = {}
    in_order(names, find_modules(folder), modules)
    with open(init, "rb") as file:
        entries = [entry("init", stat.S_IFREG | 0o755, file.read())]
    entries.append(entry("dev", stat.S_IFDIR | 0o755))
    entries.append(entry("dev/console", stat.S_IFCHR | 0o600, device=CONSOLE))
    entries.append(entry("modules", stat.S_IFDIR | 0o755))
    for i, module in enumerate(modules.values()):
        entries.append(entry(f"modules/{i}.ko", stat.S_IFREG | 0o644, module))
    entries.append(entry("TRAILER!!!", 0))
    with open(out, "wb") as file:
        file.write(b"".join(entries))


if __name__ == "__main__":
    main()
