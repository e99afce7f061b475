"""Flash and RAM of the microcontroller boards, by room, as the table that stands in the README.

    size.py ELF…            prints it; build/BOARD/quitring, beside its objects
    size.py --readme ELF…   says whether the README's table is that one still

A symbol belongs to the room whose object has it; with link-time optimisation a function counts where
it was inlined. What the linker keeps without a symbol is text: messages and names. The README's figures may be off by a tenth,
which is what one compiler's version differs from another's.
"""

import os
import re
import subprocess
import sys

import report

README = "README.md"
READELF = "arm-none-eabi-readelf"
TOLERANCE, TOLERANCE_BYTES = 0.10, 256

FLASH = ["server", "port", "lwIP", "driver", "libc", "texts"]
RAM = ["connections", "ring", "lwIP and port", "stacks", "the rest"]

ROOMS = {"src": "server", "firmware": "server", "port": "port", "lwip": "lwIP", "boards": "driver"}


def room_of(path):
    return ROOMS[path.split("/obj/")[1].split("/")[0]]


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def sections(elf):
    """name: (address, size, whether it stands in the image)"""
    found = {}
    for line in output(READELF, "-S", "-W", elf).splitlines():
        match = re.match(r"\s*\[ *\d+\] (\S+)\s+(\S+)\s+(\w+) \w+ (\w+) \w+\s+(\w*A\w*)\s", line)
        if match:
            name, kind, address, size = match.group(1, 2, 3, 4)
            found[name] = (int(address, 16), int(size, 16), kind != "NOBITS")
    return found


def plain(name):
    """Without what the compiler puts behind a static name, or one it made a variant of."""
    return re.sub(r"\.(lto_priv|constprop|isra|part|\d).*", "", name)


def defined(file):
    """(address, size, name) of all functions and variables. Not by nm, which would ask the compiler
    what is in an object for link-time optimisation."""
    for line in output(READELF, "-s", "-W", file).splitlines():
        words = line.split()
        if len(words) == 8 and words[3] in ("FUNC", "OBJECT") and words[6] != "UND":
            yield int(words[1], 16) & ~1, int(words[2], 0), plain(words[7])


def objects(elf):
    for folder, _, names in sorted(os.walk(os.path.join(os.path.dirname(elf), "obj"))):
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith(".o"))


def symbols(elf):
    """(address, size, name, room); each address once, since names may share one."""
    rooms = {name: room_of(path) for path in objects(elf) for _, _, name in defined(path)}
    found = {}
    for address, size, name in defined(elf):
        found[address] = (address, size, name, rooms.get(name, "libc"))
    return found.values()


def sizes(elf):
    """Bytes by row of the table."""
    placed = sections(elf)
    rows = dict.fromkeys([f"flash: {name}" for name in FLASH] + [f"RAM: {name}" for name in RAM], 0)

    def inside(address, name):
        start, size, _ = placed.get(name, (0, 0, False))
        return start <= address < start + size

    flash = sum(size for _, size, loaded in placed.values() if loaded)
    stacks = sum(placed[name][1] for name in placed if name.endswith("stack"))
    ram = sum(size for name, (_, size, _) in placed.items() if name != ".text")
    for address, size, name, room in symbols(elf):
        if inside(address, ".text") or inside(address, ".data"):
            rows[f"flash: {room}"] += size
        if inside(address, ".bss") or inside(address, ".data"):
            own = {"server": "connections", "ring_bytes": "ring"}.get(name)
            pools = "lwIP and port" if room in ("lwIP", "port") else "the rest"
            rows[f"RAM: {own or pools}"] += size
    rows["flash: texts"] = flash - sum(rows[f"flash: {name}"] for name in FLASH)
    rows["RAM: stacks"] = stacks
    rows["RAM: the rest"] = ram - sum(rows[f"RAM: {name}"] for name in RAM[:-1])
    rows["flash"], rows["RAM"] = flash, ram
    return rows


def table(elves):
    """The rows of the table: the first cell, then one figure a board."""
    boards = [os.path.basename(os.path.dirname(elf)) for elf in elves]
    columns = [sizes(elf) for elf in elves]
    names = [f"flash: {name}" for name in FLASH] + ["flash"]
    names += [f"RAM: {name}" for name in RAM] + ["RAM"]
    return [["bytes", *boards]] + [[name, *(column[name] for column in columns)] for name in names]


def written(rows):
    lines = ["| " + " | ".join(f"{cell}" for cell in row) + " |" for row in rows]
    return [lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]


def near(stands, is_now):
    return abs(stands - is_now) <= max(TOLERANCE * is_now, TOLERANCE_BYTES)


def readme_faults(rows):
    lines = report.read(README).split("\n")
    head = written(rows)[0]
    if head not in lines:
        return [f"{README}: has no table of sizes: {head}"]
    start = lines.index(head)
    faults = []
    for number, row in enumerate(rows[1:], start + 3):
        cells = [cell.strip() for cell in lines[number - 1].strip("|").split("|")]
        same = cells[0] == row[0] and len(cells) == len(row)
        if not same or not all(near(int(a), b) for a, b in zip(cells[1:], row[1:])):
            now = "| " + " | ".join(map(str, row)) + " |"
            faults.append(f"{README}:{number}: stands {lines[number - 1]}, is {now}")
    return faults


def main():
    if sys.argv[1] == "--readme":
        report.start()
        report.finish("size", readme_faults(table(sys.argv[2:])), "`make size` prints the table")
    print("\n".join(written(table(sys.argv[1:]))))


if __name__ == "__main__":
    main()
