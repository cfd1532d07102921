#!/usr/bin/python3
"""Lists each message that a user can see, one on a line, from the source: messages.py, from the top of the tree.

A message is a text in a call of one of CALLS, with its formats unchanged. tests/messages holds the list, so that
people can read it at once and see a change of words in a review; `messages.py --check` compares.
"""
import re
import subprocess
import sys

CALLS = ("ces_error_set", "ces_error_rule", "ces_error_errno", "ces_error_context", "ces_say", "ces_say_error", "USAGE",
         "deny", "WARN", "ces_doctor_find", "ces_doctor_remedy", "ces_doctor_unknown", "ces_field_fault", "ces_diff_say",
         "say", "ces_unpack_refuse", "fault", "refuse", "ces_conform_add", "RULE")
CALL = re.compile(r"\b(%s)\(" % "|".join(CALLS))
# Literals stay; comments and preprocessor lines go.
PASSED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|/\*.*?\*/|^#(?:[^\n]*\\\n)*[^\n]*', re.S | re.M)
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')


def argument_end(source, at):
    """Returns the position after the bracket that closes the one before `at`."""
    depth = 1
    while depth > 0 and at < len(source):
        if source[at] == '"':
            at = TEXT.match(source, at).end()
            continue
        depth += {"(": 1, ")": -1}.get(source[at], 0)
        at += 1
    return at


def texts(arguments):
    """Joins adjacent literals to one text."""
    at, found = 0, []
    for match in TEXT.finditer(arguments):
        if found and re.fullmatch(r"[\s]*|\s*CES_\w+\s*", arguments[at:match.start()]):
            found[-1] += match[0][1:-1]
        else:
            found.append(match[0][1:-1])
        at = match.end()
    return found


def messages(path):
    with open(path, encoding="utf-8") as f:
        source = PASSED.sub(lambda m: m[0] if m[0][0] in "\"'" else "", f.read())
    for match in CALL.finditer(source):
        for text in texts(source[match.end():argument_end(source, match.end())]):
            text = text.replace("\\n", "").replace('\\"', '"').strip()
            if " " in text:
                yield text


def main(check):
    files = subprocess.run(["git", "ls-files", "client/*.c", "common/*.c", "helper/*.c", "policy/*.c"], check=True,
                           stdout=subprocess.PIPE, text=True).stdout.split()
    lines = []
    for path in files:
        for text in messages(path):
            line = "%s: %s" % (path, text)
            if line not in lines:
                lines.append(line)
    whole = "\n".join(lines) + "\n"
    if not check:
        sys.stdout.write(whole)
        return 0
    with open("tests/messages", encoding="utf-8") as f:
        kept = f.read()
    if kept != whole:
        print("tests/messages is not of this source; type: tests/lib/messages.py > tests/messages, and read what changed")
    return kept != whole


sys.exit(main("--check" in sys.argv))
