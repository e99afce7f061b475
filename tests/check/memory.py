"""No heap, no recursion, bounded stack; and src/ asks the outside for next to nothing.

    memory.py OBJECT… -- OBJECT…

The first objects are the program's, build/NAME/obj/ROOM/…, read with nm. The others are of the same
files of ours, compiled with gcc's -fcallgraph-info=su, which writes down, beside each object, who
calls whom and what each function takes of the stack. Calls through pointers are not in there; src/
has them only where a header says so (struct qr_handler, struct qr_net).
"""

import re
import subprocess
import sys

import report

# Of src/, all that may come from outside: pure functions on memory and strings, and what the
# compiler itself calls.
PURE = re.compile(
    r"mem(cpy|move|set|cmp|chr)|strn?(len|cmp|chr|rchr|str|spn|cspn)"
    r"|__(mem(cpy|move|set)|str\w+)_chk|__assert_fail|__assert_func|__aeabi_\w+|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_"
)
HEAP = re.compile(
    r"(__libc_)?(malloc|calloc|realloc|free|memalign|valloc|pvalloc)|reallocarray|cfree|aligned_alloc"
    r"|posix_memalign|s?brk|strn?dup|wcsdup|v?asprintf|__v?asprintf_chk|getdelim|getline|__getdelim"
    r"|open_w?memstream|g_malloc\w*|g_free|_Zn[aw]\w*|_Zd[al]\w*"
)
# Functions of the C library that take their memory from the heap: not below boards/, which is
# where a machine's own ways belong.
HIDDEN_HEAP = re.compile(
    r"f(d|re)?open(64)?|popen|tmpfile|opendir|fdopendir|scandir(64)?|getaddrinfo|getifaddrs"
    r"|if_nameindex|qsort(_r)?|v?syslog|setenv|putenv|realpath|pthread_create|dlopen|regcomp|glob"
)
FRAME_MAX = 2048  # bytes of stack that one function may take


def undefined(path):
    listing = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout
    return {re.sub(r"@.*", "", line.split()[-1]) for line in listing.splitlines() if line.split()}


def symbol_faults(objects):
    faults = []
    names = {path: path.split("/obj/", 1)[1] for path in objects}
    for room in ("src", "port", "firmware", "boards", "lwip"):
        if not any(name.startswith(room + "/") for name in names.values()):
            faults.append(f"no objects of {room}")
    for path, name in names.items():
        for symbol in sorted(undefined(path)):
            if HEAP.fullmatch(symbol):
                faults.append(f"{name} calls {symbol}: heap")
            elif not name.startswith("boards/") and HIDDEN_HEAP.fullmatch(symbol):
                faults.append(f"{name} calls {symbol}, which uses the heap")
            elif name.startswith("src/") and not symbol.startswith("qr_"):
                if not PURE.fullmatch(symbol):
                    faults.append(f"{name} calls {symbol}: not a pure function on memory")
    return faults


NODE = re.compile(r'node: \{ title: "([^"]+)" label: "([^"]*)"')
EDGE = re.compile(r'edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"')


def read_calls(objects):
    """Stack per function (bytes, kind) and calls, of all files together. A static function's title
    holds its file, so that names do not clash."""
    stack, calls = {}, {}
    for path in objects:
        text = report.read(re.sub(r"\.o$", ".ci", path))
        for title, label in NODE.findall(text):
            size = re.search(r"(\d+) bytes \(([\w,]+)\)", label)
            if size:
                stack[title] = (int(size.group(1)), size.group(2))
        for source, target in EDGE.findall(text):
            calls.setdefault(source, set()).add(target)
    return stack, calls


def circles(calls):
    """Functions that reach themselves (Tarjan's strongly connected components, with a stack)."""
    index, low, on_path, path, found = {}, {}, set(), [], []
    for root in sorted(calls):
        if root in index:
            continue
        work = [(root, iter(sorted(calls.get(root, ()))))]
        index[root] = low[root] = len(index)
        path.append(root)
        on_path.add(root)
        while work:
            node, targets = work[-1]
            target = next(targets, None)
            if target is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    part = path[path.index(node) :]
                    del path[path.index(node) :]
                    on_path -= set(part)
                    if len(part) > 1 or node in calls.get(node, ()):
                        found.append(part)
            elif target not in index:
                index[target] = low[target] = len(index)
                path.append(target)
                on_path.add(target)
                work.append((target, iter(sorted(calls.get(target, ())))))
            elif target in on_path:
                low[node] = min(low[node], index[target])
    return found


def call_faults(objects):
    stack, calls = read_calls(objects)
    faults = []
    if not stack:
        return ["the call graph (gcc's .ci files) is empty"]
    for title, (size, kind) in sorted(stack.items()):
        if kind != "static" and "bounded" not in kind:
            faults.append(f"{title} takes stack by need (alloca, variable-length array)")
        elif size > FRAME_MAX:
            faults.append(f"{title} takes {size} bytes of stack, at most {FRAME_MAX}")
    for part in circles({node: ends for node, ends in calls.items() if node in stack}):
        faults.append(f"recursion: {' -> '.join(part + part[:1])}")
    return faults


def main():
    report.start()
    middle = sys.argv.index("--")
    faults = symbol_faults(sys.argv[1:middle]) + call_faults(sys.argv[middle + 1 :])
    report.finish("memory", faults, "all memory is static and the caller's")


if __name__ == "__main__":
    sys.exit(main())
