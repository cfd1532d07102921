#!/usr/bin/python3
"""A client that fights the helper: hostile_client.py TRICK SECONDS IMAGE

It asks for a run of `sleep 600` with a time limit of two seconds, then does its TRICK to keep the helper from ending it:
  full     fills the event pipe and makes it blocking again (a flag that all holders of a pipe share)
  slack    lets all timers be as late as they like (PR_SET_TIMERSLACK survives an exec)
  drip     sends a control frame a byte at a time
  silent   nothing, and never reads an answer
It ends with 0 if the helper ended within SECONDS. It must kill nothing. Run it as an ordinary user.
"""
import ctypes
import fcntl
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import frame  # noqa: E402

PR_SET_TIMERSLACK = 29


def fill(fd):
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK)
    try:
        while True:
            os.write(fd, b"x")
    except BlockingIOError:
        pass


def blocking(fd):
    flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    fcntl.fcntl(fd, fcntl.F_SETFL, flags & ~os.O_NONBLOCK)


def start(request, events, trick):
    child = os.fork()
    if child == 0:
        if trick == "slack":
            ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(2**63 - 1), 0, 0, 0)
        a, b = os.dup2(request[0], 50), os.dup2(events[1], 51)
        os.dup2(a, 3)
        os.dup2(b, 4)
        os.closerange(5, 256)
        os.execv(frame.HELPER, [frame.HELPER])
    return child


def ended(child):
    return os.waitpid(child, os.WNOHANG)[0] == child


def main(trick, seconds, image):
    request, events = os.pipe(), os.pipe()
    child = start(request, events, trick)
    os.write(request[1], frame.build(["u64:1:2", "field:3:" + image, "field:11:sleep", "field:11:600", "u64:15:2",
                                      "wrap:1"]))
    if trick == "full":
        time.sleep(0.002)
        fill(events[1])
    deadline, sent = time.monotonic() + seconds, 0
    control = frame.build(["u64:1:2", "u64:2:1", "wrap:2"])
    started = time.monotonic() + 1
    while not ended(child):
        if time.monotonic() > deadline:
            sys.exit("the helper is still there")
        if trick == "full":
            blocking(events[1])
        if trick == "drip" and time.monotonic() > started and sent < len(control):
            os.write(request[1], control[sent:sent + 1])
            sent += 1
            time.sleep(0.9)
        else:
            time.sleep(0.01)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3])
