#!/usr/bin/python3
"""Starts the helper in a process that has a child already: followers.py KIND IMAGE

A process keeps its children over an exec, and traces on what it traced. KIND: child (that does nothing), stopped (a child
that was stopped), traced (a child that the helper's process traces, and that executes a program then). The request is a
run of `true`. It ends with the helper's status. Run it as an ordinary user.
"""
import ctypes
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import frame  # noqa: E402

PTRACE_SEIZE = 0x4206
PTRACE_O_TRACEEXEC = 0x10


def follow(kind):
    ready, go = os.pipe()
    heard, said = os.pipe()
    child = os.fork()
    if child == 0:
        # (nobody is to wait for a file that this one has)
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        a, b = os.dup2(ready, 50), os.dup2(said, 51)
        os.dup2(a, 3)
        os.dup2(b, 4)
        os.closerange(5, 256)
        os.write(4, b"x")
        os.close(4)
        os.read(3, 1)
        if kind == "traced":
            os.execv("/bin/sleep", ["sleep", "30"])
        time.sleep(30)
        os._exit(0)
    os.read(heard, 1)
    if kind == "traced":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(PTRACE_SEIZE, child, None, ctypes.c_void_p(PTRACE_O_TRACEEXEC)) != 0:
            sys.exit("cannot trace: " + os.strerror(ctypes.get_errno()))
    os.write(go, b"x")
    if kind == "stopped":
        os.kill(child, signal.SIGSTOP)


def main(kind, image):
    request, events = os.pipe(), os.pipe()
    helper = os.fork()
    if helper == 0:
        follow(kind)
        a, b = os.dup2(request[0], 50), os.dup2(events[1], 51)
        os.dup2(a, 3)
        os.dup2(b, 4)
        os.closerange(5, 256)
        os.execv(frame.HELPER, [frame.HELPER])
    os.close(request[0])
    os.close(events[1])
    try:
        os.write(request[1], frame.build(["u64:1:2", "field:3:" + image, "field:11:true", "wrap:1"]))
    except BrokenPipeError:
        pass
    frame.show(frame.read_all(events[0]))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(helper, 0)[1]) & 255)


if __name__ == "__main__":
    main(*sys.argv[1:])
