#!/usr/bin/python3
"""Compares the table "What crosses a wall" of SECURITY.md with the structs that cross one: walls.py TOP.

It prints each field without a line, and each line without a field.
"""
import os
import re
import sys

HEADERS = ["common/request.h", "helper/core/order.h", "policy/decide.h", "policy/parsed.h", "policy/demand.h",
           "common/worker.h", "common/worker_order.h", "common/list.h", "common/clean.h", "common/inside.h", "common/image.h",
           "helper/resolve/wish.h", "helper/store/step.h", "helper/verify/job.h"]
# Parts of ces_decision: the line of ces_decision speaks for their fields. And structs that stay in their own process.
INSIDE = {"ces_decision_mount", "ces_decision_bases", "ces_decision_port", "ces_decision_tmpfs", "ces_decision_names", "ces_caller", "ces_facts"}


def fields(text):
    """Returns (struct, field) for each struct that a header defines."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for name, body in re.findall(r"struct (ces_\w+) \{(.*?)\n\};", text, flags=re.S):
        for declaration in body.split(";"):
            if name in INSIDE or not declaration.strip() or re.search(r"void \*memory", declaration):
                continue
            for part in declaration.split(","):
                yield name, re.search(r"(\w+)(?:\[[^]]*\])*\s*$", part.strip()).group(1)


def lines(text):
    """Returns the same from the table."""
    table = re.search(r"## What crosses a wall\n(.*?)\n## ", text, flags=re.S).group(1)
    for row in table.splitlines():
        cells = row.split("|")
        if len(cells) < 7 or not cells[1].strip().startswith("`ces_"):
            continue
        if any(not cell.strip() for cell in cells[1:6]):
            print("an empty cell: " + row)
        names = re.findall(r"`(\w+)`", cells[1])
        for field in names[1:]:
            yield names[0], field


def main(top):
    def read(path):
        with open(os.path.join(top, path), encoding="utf-8") as f:
            return f.read()

    have = {pair for header in HEADERS for pair in fields(read(header))}
    listed = list(lines(read("SECURITY.md")))
    wrong = ["no line: %s.%s" % pair for pair in sorted(have - set(listed))]
    wrong += ["no such field: %s.%s" % pair for pair in sorted(set(listed) - have)]
    wrong += ["twice: %s.%s" % pair for pair in sorted({pair for pair in listed if listed.count(pair) > 1})]
    print("\n".join(wrong + ["%d fields" % len(have)]))
    return bool(wrong) or len(have) < 100


sys.exit(main(sys.argv[1]))
