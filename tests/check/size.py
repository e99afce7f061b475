"""Flash and RAM of the microcontroller boards, by room, as the table that stands in the README.

    size.py ELF…            prints it; build/BOARD/quitring, with debug information
    size.py --readme ELF…   says whether the README's table is that one still

A symbol belongs to the room whose source file the debug information names. What the linker keeps
without a symbol, and so without a name, is text for people: messages and names. With link-time
optimisation a function counts where it was inlined. The README's figures may be off by a tenth,
which is what one compiler's version differs from another's.
"""

import os
import re
import subprocess
import sys

import report

README = "README.md"
NM = "arm-none-eabi-nm"
READELF = "arm-none-eabi-readelf"
TOLERANCE, TOLERANCE_BYTES = 0.10, 256

FLASH = ["server", "port", "lwIP", "driver", "libc", "texts"]
RAM = ["connections", "ring", "lwIP and port", "stacks", "the rest"]

# Debug information names files of the project by their whole path, or as the compiler was given
# them.
ROOMS = (
    ("lwIP", re.compile(r"(^|/)src/(core|api|apps|netif|include)/")),
    ("server", re.compile(r"(^|/)(src|firmware)/[^/]+$|(^|/)jsmn\.h$")),
    ("port", re.compile(r"(^|/)port/")),
    ("driver", re.compile(r"(^|/)boards/")),
)


def room_of(place):
    file = place.rsplit(":", 1)[0]
    for room, pattern in ROOMS:
        if pattern.search(file):
            return room
    return "libc"


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


def symbols(elf):
    """(address, size, name, room); each address once, since names may share one."""
    found = {}
    for line in output(NM, "-S", "-l", elf).splitlines():
        what, _, place = line.partition("\t")
        words = what.split()
        if len(words) == 4:
            address, size = int(words[0], 16) & ~1, int(words[1], 16)
            found[address] = (address, size, words[3], room_of(place))
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
