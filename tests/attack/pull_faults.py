#!/usr/bin/python3
"""Makes every system call of ces-session fail once in a pull: pull_faults.py IMAGE PATTERN [ALL]. As root, in a lab, as
faults.py.

After each pull these must hold: the pull has ended; if it succeeded, its image runs; the record has an end, which agrees
with whether the image is there; and after the janitor there is no staging, worker or entry of the pull. It prints each
try, and each fault that broke a promise.
"""
import collections
import glob
import os
import re
import subprocess
import sys

import faults

STORE = "/var/lib/ces"
WORKERS = "ces-(store|fetch|resolve|unpack|session|helper)"


def client(*words, seconds=50):
    return subprocess.run(faults.AS_ALICE + ["ces-client"] + list(words), timeout=seconds, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def forget(image):
    """Removes it from the store, so that the next pull does all of its work."""
    faults.arguments("")
    client("rmi", "-q", image)
    subprocess.run(["ces-client", "clean"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)


def left():
    found = glob.glob(STORE + "/staging/*") + glob.glob(STORE + "/trash/*") + glob.glob("/run/ces/pull-*")
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % process) as f:
                name = f.read().strip()
        except OSError:
            continue
        if re.match(WORKERS, name):
            found.append("%s (%s)" % (name, process))
    return [f for f in found if f not in faults.known]


def broken(image, call, n, error):
    forget(image)
    start = faults.journal_length()
    faults.arguments("-e trace=%s -e inject=%s:%s:when=%d" % (call, call, error, n))
    try:
        status = client("pull", "-q", image).returncode
    except subprocess.TimeoutExpired:
        return None, ["did not end"]
    faults.arguments("")
    problems = []
    there = client("run", "-q", image, "true").returncode == 0
    if status == 0 and not there:
        problems.append("what was pulled does not run")
    for _ in range(25):
        subprocess.run(["ces-client", "clean"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        rest = left()
        if not rest:
            break
        faults.time.sleep(0.2)
    # (if the journal failed in the middle of a decision, its denial is there too; a later failure leaves the end of a
    # helper that died; one that is killed before it enters the pull leaves none)
    new = [r for r in faults.records(start) if r.get("verb") == "pull"]
    if not any(r["event"] == "decision" and r["outcome"] == "allowed" for r in new):
        if status == 0:
            problems.append("pulled without a decision on record")
    elif not any(r["event"] == "end" and (r["status"] == 0) == there or r.get("outcome") == "denied" for r in new) and not (
            error.startswith("signal") and not there and not any(r["event"] == "end" for r in new)):
        problems.append("an end on record that is not so, or none; the image is %s" % ("there" if there else "not there"))
    faults.known.update(rest)
    if rest:
        problems.append("left behind: " + ", ".join(rest))
    return status, problems


def main(image, pattern, everything):
    faults.wrap()
    failures, tried, pulled = 0, 0, 0
    try:
        forget(image)
        faults.arguments("-e trace=all")
        status = client("pull", "-q", image).returncode
        if status != 0:
            print("the pull without a fault failed: %d" % status)
            return 1
        with open(faults.PLACE + "/trace") as f:
            calls = collections.Counter(m.group(1) for m in (re.match(r"(?:\d+ +)?([a-z0-9_]+)\(", line) for line in f) if m)
        for call, count in sorted(calls.items()):
            if call in faults.NEVER or not re.fullmatch(pattern, call):
                continue
            for n in faults.chosen(count, everything):
                for error in faults.faults_of(tried, everything):
                    status, problems = broken(image, call, n, error)
                    tried += 1
                    pulled += status == 0
                    for problem in problems:
                        failures += 1
                        print("%s number %d, %s: status %s: %s" % (call, n, error, status, problem), flush=True)
    finally:
        faults.unwrap()
    print("%d faults; the pull succeeded %d times; %d promises broken" % (tried, pulled, failures))
    return failures > 0 or tried < 10


sys.exit(main(sys.argv[1], sys.argv[2], len(sys.argv) > 3))
