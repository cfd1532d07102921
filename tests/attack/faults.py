#!/usr/bin/python3
"""Makes every system call of ces-session fail once: faults.py IMAGE PATTERN [ALL]. As root, in a lab.

It replaces ces-session by a script that starts the real one under strace(1). strace answers one chosen call with an
error instead of making it: each kind of call whose name the pattern matches, at its first, middle and last time; with
ALL, at every time, and once more by killing ces-session there. After each run these must hold: the run has ended; its decision and its proof are on record before
anything ran in its container; after the janitor nothing of the run is left; and it has one end on record, also if it
could not be started. It prints each try, and each fault that broke a promise; its status says whether one did.
"""
import collections
import json
import os
import re
import subprocess
import sys
import time

SESSION = "/usr/libexec/ces/ces-session"
REAL = SESSION + ".real"
JOURNAL = "/var/log/ces/audit.jsonl"
PLACE = "/run/faults"
# Calls that cannot fail, and calls that the kernel always makes and strace would not (a close closes).
NEVER = set("""close close_range munmap exit exit_group rt_sigreturn rt_sigaction rt_sigprocmask getpid gettid getuid geteuid getgid
getegid getppid umask alarm execve restart_syscall sched_yield clock_gettime arch_prctl set_tid_address rseq set_robust_list brk
""".split())
ERRORS = ["ENOMEM", "EIO", "EPERM", "ENOSPC"]
AS_ALICE = ["setpriv", "--reuid=alice", "--regid=alice", "--init-groups", "--reset-env", "env", "-C", "/home/alice"]


def wrap():
    os.makedirs(PLACE, exist_ok=True)
    os.rename(SESSION, REAL)
    with open(SESSION, "w") as f:
        f.write("#!/bin/bash\n[ -s %s/args ] || exec %s\n"
                "exec strace -D -qq -e signal=none -o %s/trace $(cat %s/args) %s\n" % (PLACE, REAL, PLACE, PLACE, REAL))
    os.chmod(SESSION, 0o700)


def unwrap():
    os.rename(REAL, SESSION)


def arguments(text):
    with open(PLACE + "/args", "w") as f:
        f.write(text)


def run(image):
    """Returns the status, and whether the program in the container began."""
    try:
        done = subprocess.run(AS_ALICE + ["ces-client", "run", "-q", image, "sh", "-c", "echo ran"], timeout=25,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired as late:
        return None, late.stdout is not None and b"ran" in late.stdout, "did not end"
    return done.returncode, b"ran" in done.stdout, done.stderr.decode(errors="replace").strip()


def records(start):
    with open(JOURNAL) as f:
        return [json.loads(line) for line in f.readlines()[start:]]


def journal_length():
    with open(JOURNAL) as f:
        return len(f.readlines())


known = set()  # leftovers of an earlier fault, which this program has reported already


def left():
    """Returns what a run leaves behind, without its outputs."""
    # (an incomplete entry has no owner, and goes a minute later)
    found = [os.path.join("/run/ces", n) for n in os.listdir("/run/ces")
              if n[0] != "." and os.path.exists("/run/ces/%s/record" % n)]
    found += [os.path.join("/home/alice", n) for n in os.listdir("/home/alice") if n.startswith("scratch")]
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/comm" % process) as f:
                name = f.read().strip()
        except OSError:
            continue
        if re.match(r"(ces-helper|ces-admit|ces-session|ces-inside|ces-relay|crun|runc)", name):
            found.append("%s (%s)" % (name, process))
    with open("/proc/mounts") as f:
        found += [line.split()[1] for line in f if line.startswith("ces ") or "/run/ces/" in line]
    for top, directories, _ in os.walk("/sys/fs/cgroup"):
        found += [os.path.join(top, d) for d in directories if re.fullmatch(r"\d{10}", d)]
    return [f for f in found if f not in known]


def clean():
    """Runs the janitor, which must be enough. Processes that are ending have five seconds."""
    arguments("")
    for _ in range(25):
        subprocess.run(["ces-client", "clean"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=60)
        rest = left()
        if not rest:
            return []
        time.sleep(0.2)
    known.update(rest)
    return rest


def broken(image, call, n, error):
    """Returns the promises that a fault broke; empty if there are none."""
    start = journal_length()
    arguments("-e trace=%s -e inject=%s:%s:when=%d" % (call, call, error, n))
    status, ran, text = run(image)
    new = records(start)
    problems = []
    if status is None:
        problems.append(text)
    allowed = any(r["event"] == "decision" and r["outcome"] == "allowed" for r in new)
    proved = any(r["event"] == "proof" and r["outcome"] == "as planned" for r in new)
    if ran and not (allowed and proved):
        problems.append("ran without %s on record" % ("a proof" if allowed else "a decision"))
    rest = clean()
    if rest:
        problems.append("left behind: " + ", ".join(rest))
    new = records(start)
    # (a decision whose own record failed is denied after it; a killed helper may have had no time to enter the run)
    denied = any(r["event"] == "decision" and r["outcome"] == "denied" for r in new)
    ends = [r.get("run") for r in new if r["event"] == "end"]
    for run_number in [r["run"] for r in new if r["event"] == "decision" and r["outcome"] == "allowed"]:
        if ends.count(run_number) != 1 and not (ends == [] and (denied or "KILL" in error)):
            problems.append("the run has %d ends on record" % ends.count(run_number))
    return status, ran, problems


def faults_of(tried, everything):
    """Returns what strace does to a call: one of ERRORS in turn; with ALL it also kills the process there."""
    return ["error=" + ERRORS[tried % len(ERRORS)]] + (["signal=KILL"] if everything else [])


def chosen(count, everything):
    return range(1, count + 1) if everything else sorted({1, (count + 1) // 2, count})


def main(image, pattern, everything):
    wrap()
    failures, tried, ran_anyway = 0, 0, 0
    try:
        arguments("-e trace=all")
        status, ran, text = run(image)
        if (status, ran) not in ((0, True), (125, False)):
            print("the run without a fault failed: %s %s" % (status, text))
            return 1
        with open(PLACE + "/trace") as f:
            calls = collections.Counter(m.group(1) for m in (re.match(r"(?:\d+ +)?([a-z0-9_]+)\(", line) for line in f) if m)
        clean()
        for call, count in sorted(calls.items()):
            if call in NEVER or not re.fullmatch(pattern, call):
                continue
            for n in chosen(count, everything):
                for error in faults_of(tried, everything):
                    status, ran, problems = broken(image, call, n, error)
                    tried += 1
                    ran_anyway += ran
                    for problem in problems:
                        failures += 1
                        print("%s number %d, %s: status %s: %s" % (call, n, error, status, problem), flush=True)
    finally:
        unwrap()
    print("%d faults; the program ran %d times; %d promises broken" % (tried, ran_anyway, failures))
    return failures > 0 or tried < 10


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], len(sys.argv) > 3))
