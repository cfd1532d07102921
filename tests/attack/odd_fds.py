#!/usr/bin/python3
"""Starts the helper with an fd that it must not take: odd_fds.py N KIND IMAGE

The request is a run that lists its fds and prints x. KIND of fd N: file (a new file, opened for writing), socket (one end of a pair),
reversed (the other end of a pipe), or a path, which is opened without a right to read or write (O_PATH). Prints what came
out of it on this side. Run it as an ordinary user.
"""
import os
import socket
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "lib"))
import frame  # noqa: E402


def make(kind):
    if kind == "file":
        mine, _ = tempfile.mkstemp()
        return mine, mine
    if kind == "socket":
        ours, theirs = socket.socketpair()
        ours.settimeout(5)
        return ours.detach(), theirs.detach()
    if kind.startswith("/"):
        return None, os.open(kind, os.O_PATH)
    return None, None


def main(number, kind, image):
    pipes = [os.pipe() for _ in range(5)]
    theirs = [pipes[0][0], pipes[1][1], pipes[2][1], pipes[3][0], pipes[4][1]]
    ours, odd = make(kind)
    if kind == "reversed":
        odd = pipes[number][1] if number in (0, 3) else pipes[number][0]
    theirs[number] = odd
    child = os.fork()
    if child == 0:
        high = [os.dup2(fd, 50 + i) for i, fd in enumerate(theirs)]
        for i, fd in enumerate(high):
            os.dup2(fd, i)
        os.closerange(5, 256)
        os.execv(frame.HELPER, [frame.HELPER])
    request = ["u64:1:2", "u64:2:2", "field:3:" + image, "field:11:sh", "field:11:-c", "field:11:exec 9> /safe_outputs/fds; "
               "(ls -l /proc/$$/fd) >&9; echo x", "wrap:1"]
    try:
        os.write(pipes[3][1], frame.build(request))
    except BrokenPipeError:
        pass
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if kind == "file":
        print("bytes", os.fstat(ours).st_size)
    if kind == "socket":
        os.set_blocking(ours, False)
        os.close(odd)
        print("bytes", len(os.read(ours, 100)))
    sys.exit(status)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
