"""Flash and RAM of the microcontroller boards, by room, and of what a build may leave out, as the
tables that stand in the README.

    size.py ELF…            prints them; build/BOARD/quitring, beside its objects, and
                            build/BOARD-no-PART/quitring; build/BOARD-128/quitring has as many connections
    size.py --readme ELF…   says whether the README's tables are those still, and the goals are met

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

# At most so many bytes.
GOALS = {
    ("mps2-an511", "RAM"): 112 * 1024,
    ("mps2-an385-128", "RAM without the ring"): 300 * 1024,
}

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
    what is in an object for link-time optimisation. What has a size and no type is a variable, too."""
    for line in output(READELF, "-s", "-W", file).splitlines():
        words = line.split()
        kind = words[3] if len(words) == 8 and words[6] != "UND" else ""
        if kind in ("FUNC", "OBJECT") or (kind == "NOTYPE" and words[2] != "0"):
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
    rows["RAM without the ring"] = ram - rows["RAM: ring"]
    return rows


def name_of(elf):
    return os.path.basename(os.path.dirname(elf))


def by_room(columns):
    """The first table: its head, then a row each, whose first cell is a name."""
    boards = [name for name in columns if "-no-" not in name]
    names = [f"flash: {name}" for name in FLASH] + ["flash"]
    names += [f"RAM: {name}" for name in RAM] + ["RAM", "RAM without the ring"]
    rows = [[name, *(columns[board][name] for board in boards)] for name in names]
    return [["bytes", *boards], *rows]


def left_out(columns):
    """The second table: what the parts of one board cost, which has builds without them."""
    board = next(name for name in columns if "-no-" in name).split("-no-")[0]
    rows = []
    for name, column in columns.items():
        whole, *parts = name.split("-no-")
        if whole == board:
            rows.append([" ".join(parts) or "nothing", column["flash"], column["RAM"]])
    return [[f"{board} without", "flash", "RAM"], *rows]


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


def goal_faults(columns):
    return [
        f"{board}: {row}: {columns[board][row]} bytes, more than {most}"
        for (board, row), most in GOALS.items()
        if columns[board][row] > most
    ]


def main():
    check = sys.argv[1] == "--readme"
    columns = {name_of(elf): sizes(elf) for elf in sys.argv[1 + check :]}
    tables = [by_room(columns), left_out(columns)]
    if check:
        report.start()
        faults = [fault for rows in tables for fault in readme_faults(rows)]
        report.finish("size", faults + goal_faults(columns), "`make size` prints the tables")
    print("\n\n".join("\n".join(written(rows)) for rows in tables))


if __name__ == "__main__":
    main()
