#!/usr/bin/python3
"""Tries everything that a process can do to another process of the same user: robber.py PID..., or --for ever NAME...

With names, it tries every process with such a name, again and again until SIGTERM. It prints what it got, or from how
many processes or tries it got nothing. Run it as an ordinary user.
"""
import ctypes
import os
import signal
import sys

PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
PIDFD_OPEN, PIDFD_GETFD, PROCESS_VM_READV, KCMP = 434, 438, 310, 312
FILES = ("environ", "maps", "mem", "auxv", "fd/0", "fd/3", "ns/user", "ns/mnt", "exe", "stack", "io", "pagemap", "syscall")
DIRECTORIES = ("root", "cwd", "map_files")

libc = ctypes.CDLL(None, use_errno=True)


def opens(path, directory):
    try:
        if directory:
            os.listdir(path + "/")
        else:
            with open(path, "rb") as file:
                return file.read(1) != b""
        return True
    except OSError:
        return False


def rob(pid):
    got = [name for name in FILES if opens(f"/proc/{pid}/{name}", False)]
    got += [name for name in DIRECTORIES if opens(f"/proc/{pid}/{name}", True)]
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    got += [f"getfd {n}" for n in range(12) if libc.syscall(PIDFD_GETFD, pidfd, n, 0) >= 0]
    for name, request in (("attach", PTRACE_ATTACH), ("seize", PTRACE_SEIZE)):
        if libc.ptrace(request, pid, 0, 0) == 0:
            got.append(name)
    if libc.syscall(KCMP, pid, os.getpid(), 1, 0, 0) >= 0:
        got.append("kcmp")
    return [f"{pid}: {what}" for what in got]


def named(names):
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and open(f"/proc/{entry}/comm").read().strip() in names:
                yield int(entry)
        except OSError:
            pass


def rob_quickly(pid):
    """Tries once to get an fd, or the process itself."""
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    if pidfd < 0:
        return []
    got = [f"{pid}: getfd {n}" for n in range(3, 20) if libc.syscall(PIDFD_GETFD, pidfd, n, 0) >= 0]
    os.close(pidfd)
    if opens(f"/proc/{pid}/mem", False) or opens(f"/proc/{pid}/fd/5", False) or opens(f"/proc/{pid}/cwd", True):
        got.append(f"{pid}: a file")
    return got


def for_ever(names):
    found, tries, going = [], 0, [True]
    signal.signal(signal.SIGTERM, lambda *_: going.clear())
    while going and not found:
        for pid in named(names):
            found += rob_quickly(pid)
            tries += 1
    print("\n".join(found) or f"{tries} tries, nothing" if tries else "never saw one")


if __name__ == "__main__":
    if sys.argv[1] == "--for":
        for_ever(sys.argv[3:])
    else:
        found = sum((rob(int(pid)) for pid in sys.argv[1:]), [])
        print("\n".join(found) or f"{len(sys.argv) - 1} processes, nothing")
