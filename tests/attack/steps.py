#!/usr/bin/python3
"""Plays a ces-store that a registry has taken over: steps.py CASE, in its place, with its descriptors and its account.

It asks ces-session for the steps of one case (helper/store/step.h), and then waits for its end.
"""
import array
import hashlib
import os
import socket
import stat
import struct
import sys
import threading
import time

KINDS = "START READ FOUND SIGNED NEED UNPACK UNPACKED MARK COMMIT USER GRANT BUSY EMPTY END FAILED".split()
KIND = {name: i + 1 for i, name in enumerate(KINDS)}
LAYERS, IMAGES, GRANTS, STAGING, TRASH, LOCKS = range(5, 11)
NAME = b"0123456789abcdef"
session = socket.socket(fileno=3)


def digest(n):
    return b"sha256:" + hashlib.sha256(b"%d" % n).hexdigest().encode()


def packet(kind, data=b"", number=0, size=0, left=0, layers=0, type=0, name=b"", digest=b"", diff_id=b"", top=b"", length=None):
    return struct.pack("<6Q17s72s72s72s7xQ", KIND.get(kind, kind), number, size, left, layers, type, name, digest, diff_id, top,
                       len(data) if length is None else length) + data


def step(*args, **fields):
    session.send(packet(*args, **fields))


def answer():
    data, ancillary, _, _ = session.recvmsg(65536, socket.CMSG_SPACE(4))
    if not data:
        time.sleep(15)
    fds = array.array("i")
    for _, _, content in ancillary:
        fds.frombytes(content[:4])
    return data, list(fds)


def asked(*args, **fields):
    step(*args, **fields)
    return answer()


def fetching():
    asked("START", size=1 << 30)
    asked("FOUND", digest=digest(1), top=digest(1))
    asked("NEED", digest(2) + b"\0")


def unpack(name=NAME, diff_id=digest(2)):
    step("UNPACK", name=name, digest=digest(3), diff_id=diff_id, size=10, left=1 << 30)
    return answer()[1] + answer()[1]


def staged(make=lambda: os.mkdir(NAME, 0o700, dir_fd=STAGING)):
    fetching()
    make()


def unpacked():
    """A whole layer: an empty archive."""
    tar = bytes(1024)
    name = b"sha256:" + hashlib.sha256(tar).hexdigest().encode()
    staged()
    step("UNPACK", name=NAME, digest=name, diff_id=name, size=len(tar), left=1 << 30)
    out, into = answer()[1] + answer()[1]
    os.write(into, tar)
    os.close(into)
    os.read(out, 65536)
    asked("UNPACKED", name=NAME)


def raced():
    """Changes what has the names while root works on them: a link, a file, another directory."""
    fetching()
    stop = []

    def swap():
        other = b"f" * 16
        os.mkdir(other, 0o700, dir_fd=STAGING)
        os.symlink("../../../../etc", b"e" * 16, dir_fd=STAGING)
        while not stop:
            for one in (other, b"e" * 16):
                try:
                    os.rename(one, b"d" * 16, src_dir_fd=STAGING, dst_dir_fd=STAGING)
                    os.rename(NAME, one, src_dir_fd=STAGING, dst_dir_fd=STAGING)
                    os.rename(b"d" * 16, NAME, src_dir_fd=STAGING, dst_dir_fd=STAGING)
                except OSError:
                    pass

    os.mkdir(NAME, 0o700, dir_fd=STAGING)
    threading.Thread(target=swap, daemon=True).start()
    time.sleep(0.2)
    for _ in range(3):
        step("UNPACK", name=NAME, digest=digest(3), diff_id=digest(2), size=10, left=1 << 30)
        answer()
        answer()
        asked("EMPTY", name=NAME)
    stop.append(True)
    step("FAILED", b"the race is over", number=7)


def tries():
    """Does what the account can without root: each line is what it tried, and how that ended."""
    # (by a file of its own: the collector's ces-store, which plays this too, has the same open file)
    layer = os.listdir(os.open(".", os.O_RDONLY, dir_fd=LAYERS))[0]
    below = os.open(layer, os.O_RDONLY, dir_fd=LAYERS)

    def grow():
        os.mkdir("x", 0o700, dir_fd=STAGING)
        os.rename("root", "x/root", src_dir_fd=below, dst_dir_fd=os.open("x", os.O_RDONLY, dir_fd=STAGING))

    ways = {
        "list a layer": lambda: os.listdir(os.open("root", os.O_RDONLY, dir_fd=below)),
        "enter a layer": lambda: os.open("root/fs", os.O_PATH, dir_fd=below),
        "read a layer": lambda: os.open("root/fs/bin/busybox", os.O_RDONLY, dir_fd=below),
        "forge a layer": lambda: os.open("root/diff_id", os.O_WRONLY | os.O_CREAT, dir_fd=below),
        "make a seal": lambda: os.mknod("sealed", 0o600 | stat.S_IFCHR, os.makedev(1, 3), dir_fd=STAGING),
        "move its content": grow,
        "open it to others": lambda: os.chmod("root", 0o755, dir_fd=below),
        "the runs": lambda: os.listdir(os.open("../runs", os.O_RDONLY, dir_fd=STAGING)),
        "the ids": lambda: os.open("../subids", os.O_RDWR, dir_fd=STAGING),
        "by layers": lambda: os.open("../../runs", os.O_RDONLY, dir_fd=LAYERS),
        "the journal": lambda: os.open("/var/log/ces/audit.jsonl", os.O_RDONLY),
        "the register": lambda: os.listdir("/run/ces"),
        "the policy": lambda: os.open("/etc/ces/policy.json", os.O_WRONLY),
        "the network": lambda: socket.create_connection(("127.0.0.1", 5001), 1),
    }
    lines = []
    for what, way in ways.items():
        try:
            way()
            lines.append(what + ": could")
        except OSError as error:
            lines.append(what + ": " + type(error).__name__)
    step("FAILED", "; ".join(lines).encode()[:900], number=7)


CASES = {
    "kind": lambda: step(99),
    "zero": lambda: step(0),
    "short": lambda: session.send(packet("START")[:20]),
    "empty": lambda: session.send(b""),
    "length": lambda: step("FAILED", b"x", number=7, length=16384),
    "turn": lambda: step("UNPACK", name=NAME, digest=digest(1), diff_id=digest(1)),
    "twice": lambda: (asked("START"), step("START")),
    "busy": lambda: (fetching(), step("BUSY")),
    "end": lambda: (asked("START"), step("END")),
    "unfound": lambda: (asked("START"), step("FOUND", digest=b"../../../etc/passwd", top=digest(1))),
    "need": lambda: (asked("START"), asked("FOUND", digest=digest(1), top=digest(1)), step("NEED", b"../../../etc/passwd")),
    "name": lambda: (fetching(), step("UNPACK", name=b"../../etc/ces/xx", digest=digest(1), diff_id=digest(1))),
    "empty-name": lambda: (fetching(), step("EMPTY", name=b"..")),
    "code": lambda: step("FAILED", b"of course", number=2),
    "rule": lambda: step("FAILED", b"of course", number=7, size=9),
    "words": lambda: step("FAILED", b"\x1b[31mred\nces: all is well", number=7),
    "missing": lambda: (fetching(), unpack()),
    "link": lambda: (staged(lambda: os.symlink("../../../../etc", NAME, dir_fd=STAGING)), unpack()),
    "file": lambda: (staged(lambda: os.close(os.open(NAME, os.O_CREAT | os.O_WRONLY, dir_fd=STAGING))), unpack()),
    "again": lambda: (staged(), unpack(), unpack()),
    "running": lambda: (staged(), unpack(), step("COMMIT", name=NAME)),
    "lied": lambda: (staged(), os.close(unpack()[1]), asked("UNPACKED", name=NAME), step("COMMIT", name=NAME)),
    "unstaged": lambda: (fetching(), step("COMMIT", name=NAME)),
    "out": lambda: (unpacked(), step("MARK", b"../../../../../etc", name=NAME)),
    "sealed": lambda: (unpacked(), asked("COMMIT", name=NAME), step("MARK", b"", name=NAME)),
    "user": lambda: (fetching(), step("USER", b"root")),
    "raced": raced,
    "tries": tries,
    "dead": lambda: sys.exit(0),
    "silent": lambda: None,
}
session.recv(65536) # the order
try:
    CASES[sys.argv[1]]()
except Exception as error:  # pylint: disable=broad-except
    step("FAILED", repr(error).encode(), number=9)
# (a step that has not been refused by now was taken)
time.sleep(600 if sys.argv[1] == "silent" else 15)
