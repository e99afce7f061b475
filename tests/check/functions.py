"""Functions of ours fit a screen and are simple.

Complexity is McCabe's in its modified form: 1, and 1 for each if, for, while, switch, &&, || and ?:.
A switch counts once however many cases it has: a flat table of cases reads as one decision. At most
10, in at most 60 lines from the opening brace to the closing one. clang-format puts both braces of
a function, and only of a function or of data, into column 1.
"""

import re
import sys

import report

COMPLEXITY = 10
LINES = 60

BODY = re.compile(r"^([^\s#}][^\n;]*(?:\n[^\n;{}]+)*?)\n\{\n(.*?)^\}$", re.MULTILINE | re.DOTALL)
DECISION = re.compile(r"\b(?:if|for|while|switch)\b|&&|\|\||\?")


def main():
    report.start()
    faults, count = [], 0
    most = longest = 0
    for path in report.files(report.ROOMS, (".c", ".h")):
        code = report.code_only(report.read(path))
        for found in BODY.finditer(code):
            head, body = found.groups()
            name = re.search(r"(\w+)\s*\(", head)
            name = name.group(1) if name else head
            where = f"{path}:{code.count(chr(10), 0, found.start(2))}: {name}"
            complexity = 1 + len(DECISION.findall(body))
            lines = body.count("\n")
            count += 1
            most, longest = max(most, complexity), max(longest, lines)
            if complexity > COMPLEXITY:
                faults.append(f"{where}: complexity {complexity}, at most {COMPLEXITY}")
            if lines > LINES:
                faults.append(f"{where}: {lines} lines, at most {LINES}")
    if "-v" in sys.argv:
        print(f"{count} functions; most complex {most}, longest {longest}")
    report.finish("functions", faults, "take a step out into a function with a name of its own")


if __name__ == "__main__":
    sys.exit(main())
