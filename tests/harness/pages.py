#!/usr/bin/python3
"""Compares the manuals and guides with the source: pages.py TOP.

It prints each word of a table in the source that its manual does not have, and each message in a guide that no program
prints.
"""
import glob
import os
import re
import sys

TEXT = r'"((?:[^"\\]|\\.)*)"'
# The files, the statements or tables in them, the words in these, and the manual that must have each word.
WORDS = [
    ("common/error_name.c", r"names\[\] = \{.*?\};", r'\[CES_E_\w+\] = "([^"]+)"', "ces-audit.5"),
    ("helper/session/journal.c", r"(?:put|ces_json_\w+)\(&?record, [^;]*;", r'record, "(\w+)"', "ces-audit.5"),
    ("helper/audit/*.c", r"ces_json_\w+\([^;]*;", r'record, "(\w+)"', "ces-audit.5"),
    ("helper/audit/proof_filter.c", r"word = [^;]*;", TEXT, "ces-audit.5"),
    ("helper/watch/supervise.c", r"(?:reason = |stop\(watch, )[^;]*;", TEXT, "ces-audit.5"),
    ("helper/list/check.c", r'"rule\\":\\"[^%"]*"', r'rule\\":\\"([a-z ]+)', "ces-audit.5"),
    ("policy/tool/export_cef.c", r"\}? (?:texts|numbers)\[\] = \{.*?\};", r', "((?!c[sn]\d)\w+)"', "ces-audit.5"),
    ("client/table.c", r"json_(?:text|time)\([^;]*;|json_object_object_add\([^;]*;", r'\w, "(\w+)"', "ces-client.1"),
    ("client/table.c", r"shown\[\] = \{.*?\};", r'"(\w+)"\}', "ces-client.1"),
    ("client/doctor.c", r"json_object_object_add\([^;]*;", r'\w, "(\w+)"', "ces-client.1"),
    ("policy/profile.c", r'ROW\("\w+"', TEXT, "ces-client.1"),
    ("policy/parse*.c", r'ROW\("\w+"', TEXT, "ces-policy.json.5"),
    ("policy/outputs.c", r'ROW\("\w+"|_words\[\] = [^;]*;|check_\w+\[CES_\w+ \+ 1\] = [^;]*;', TEXT, "ces-policy.json.5"),
    ("systemd/sysusers.conf", r"u ces-[a-z]+", r"u (.*)", "ces-helper.8"),
]
# The guides' tables of messages, by the head of the first column.
HEADS = ("It says", "What you see")


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def words(top):
    for pattern, table, word, manual in WORDS:
        # (a manual marks a word of a program: a line of prose has many words by chance)
        page = "\n".join(re.findall(r"^\..*", read(os.path.join(top, "man", manual)), flags=re.M))
        found = set()
        for path in glob.glob(os.path.join(top, pattern)):
            for statement in re.finditer(table, read(path), flags=re.S):
                found.update(re.findall(word, statement[0]))
        if not found:
            yield "no words in " + pattern
        for one in sorted(found):
            if not re.search(r"(?<![\w-])%s(?![\w-])" % re.escape(one), page):
                yield "%s does not have '%s' of %s" % (manual, one, pattern)


def quoted(guide):
    """Returns the quoted messages in the first column of each table of messages."""
    inside = False
    for line in guide.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        inside = len(cells) > 2 and (inside or cells[1] in HEADS)
        if inside:
            yield from re.findall(r"`([^`/][^`]*)`", cells[1])


def messages(top):
    literals, count = [], 0
    for room in ("client", "common", "helper", "policy"):
        for path in glob.glob(os.path.join(top, room, "**", "*.c"), recursive=True):
            literals += re.findall(TEXT, re.sub(r'"\s+"', "", read(path)))
    for path in sorted(glob.glob(os.path.join(top, "doc", "*.md"))):
        for message in quoted(read(path)):
            count += 1
            parts = ".*".join(re.escape(part.strip()) for part in message.split("..."))
            if not any(re.search(parts, literal) for literal in literals):
                yield "%s: no program prints '%s'" % (os.path.basename(path), message)
    if count < 10:
        yield "the guides have no table of messages"


def main(top):
    wrong = list(words(top)) + list(messages(top))
    print("\n".join(wrong))
    return bool(wrong)


sys.exit(main(sys.argv[1]))
