#!/usr/bin/python3
"""Types the commands of a guide, and compares what they print: guide.py GUIDE USER, as root in a lab.
guide.py --type PROMPT COMMAND types one.

A block ```console has commands and their output. "$ " is USER in their home, with TOKEN of the environment; "# " is
root; "% " is nobody on another machine, in /media/usb; "> " goes on with the command before. "..." matches any lines,
and within a line for any text. A command without output is not compared. The status must be 0 unless a line of CES's own
("ces: ", "ces-policy: ") is shown. A block ```json PATH must be valid at that place (a jq path) of the lab's policy.
Other blocks are not checked. It prints each difference; then the status is 1.
"""
import json
import os
import re
import subprocess
import sys

POLICY = "/etc/ces/policy.json"
# Another machine: no network, and nothing of what CES, its users and root have here.
ELSEWHERE = """mount --make-rprivate / && for d in /etc/ces /var/lib/ces /var/log/ces /run/ces /home /root; do
	mount -t tmpfs -o size=64k,mode=755 none $d || exit; done
cd /media/usb && exec setpriv --reuid 65534 --regid 65534 --clear-groups --reset-env bash -o pipefail -c "$0"
"""


def blocks(text):
    for match in re.finditer(r"^```(\S+)(?: +([^\n]*))?\n(.*?)^```$", text, flags=re.S | re.M):
        yield text.count("\n", 0, match.start()) + 1, match[1], match[2], match[3]


def commands(block):
    """Returns (prompt, command, expected lines) of each command."""
    found = []
    for line in block.splitlines():
        if line[:2] in ("$ ", "# ", "% "):
            found.append([line[0], line[2:], []])
        elif line.startswith("> ") and found and not found[-1][2]:
            found[-1][1] += "\n" + line[2:]
        else:
            found[-1][2].append(line)
    return found


def pattern(lines):
    parts = [r"(?:.*\n)*" if line == "..." else
             ".*".join(re.escape(part.rstrip() if i == 0 else part.strip()) for i, part in enumerate(line.split("..."))) +
             r" *\n" for i, line in enumerate(lines)]
    return "".join(parts) + r"\Z"


def type_in(user, prompt, command):
    home = "/root" if prompt == "#" else "/home/%s" % user
    words = ["env", "-C", home, "bash", "-o", "pipefail", "-c", command]
    if prompt == "$":
        words = ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--reset-env",
                 "env", "TOKEN=" + os.environ.get("TOKEN", "")] + words
    if prompt == "%":
        words = ["unshare", "-mn", "sh", "-c", ELSEWHERE, command]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                          check=False)
    return done.returncode, done.stdout.decode(errors="replace")


def check_console(user, block):
    for prompt, command, expected in commands(block):
        status, output = type_in(user, prompt, command)
        refused = any(re.match(r"ces(-policy)?: ", line) for line in expected)
        if (status != 0) != refused:
            yield "%s %s\nstatus %d:\n%s" % (prompt, command, status, output)
        elif expected and not re.match(pattern(expected), output):
            yield "%s %s\nprints:\n%sand not:\n%s" % (prompt, command, output, "\n".join(expected))


def check_json(path, block):
    value = json.loads(block)
    with open(POLICY, encoding="utf-8") as f:
        text = f.read()
    if path:
        text = subprocess.run(["jq", "--argjson", "v", json.dumps(value), path + " = $v"], input=text, text=True,
                              stdout=subprocess.PIPE, check=True).stdout
    else:
        text = block
    with open("/tmp/guide-policy.json", "w", encoding="utf-8") as f:
        f.write(text)
    done = subprocess.run(["ces-policy", "check", "--no-host", "/tmp/guide-policy.json"], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode not in (0, 1) or "error" in done.stdout:
        yield done.stdout


def main(guide, user):
    with open(guide, encoding="utf-8") as f:
        text = f.read()
    wrong = typed = 0
    for line, kind, where, block in blocks(text):
        faults = []
        if kind == "console":
            faults = list(check_console(user, block))
        elif kind == "json":
            faults = list(check_json(where, block))
        typed += kind in ("console", "json")
        for fault in faults:
            print("%s:%d: %s" % (guide, line, fault))
        wrong += len(faults)
    print("%d blocks, %d wrong" % (typed, wrong))
    return wrong > 0 or typed == 0


if sys.argv[1] == "--type":
    print(type_in("", sys.argv[2], sys.argv[3])[1], end="")
else:
    sys.exit(main(sys.argv[1], sys.argv[2]))
