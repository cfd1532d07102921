#!/usr/bin/python3
"""Plays a ces-resolve that a registry has taken over: wishes.py CASE TYPE [DIRECTORY], in its place, with its descriptors.

It sends the wishes of one case to ces-store (helper/resolve/wish.h), and then waits for its end.
"""
import array
import hashlib
import json
import os
import socket
import struct
import sys
import time

KINDS = ("BYTES PARSE MANIFEST LAYER NEED ROOM CLAIM LOOK UNPACK OPAQUE COMMIT PROGRESS IMAGE USER DONE FAILED SIGNED").split()
KIND = {name: i + 1 for i, name in enumerate(KINDS)}
TOP, CHOSEN, CONFIG, RECORD, SIGNATURES = range(5)
ANSWER = struct.Struct("<QQ2Q")
session = socket.socket(fileno=3)


def digest(n):
    return b"sha256:" + hashlib.sha256(b"%d" % n).hexdigest().encode()


def packet(kind, data=b"", layer=0, number=0, size=0, layers=0, type=0, digest=b"", diff_id=b"", length=None):
    return struct.pack("<6Q72s72sQ", KIND.get(kind, kind), layer, number, size, layers, type, digest, diff_id,
                       len(data) if length is None else length) + data


def wish(*args, **fields):
    session.send(packet(*args, **fields))


def answer():
    data, ancillary, _, _ = session.recvmsg(ANSWER.size, socket.CMSG_SPACE(4))
    if not data:
        time.sleep(15)
    fds = array.array("i")
    for _, _, content in ancillary:
        fds.frombytes(content[:4])
    return ANSWER.unpack(data), list(fds)


def sha256(data):
    return b"sha256:" + hashlib.sha256(data).hexdigest().encode()


def looked(top=b"{}"):
    wish("BYTES", top, number=TOP)
    wish("MANIFEST")


def named(layers=(), config_digest=None, diff_ids=None):
    """Makes a manifest and a configuration that name the parts, each (digest, diff_id)."""
    config = b" ".join(d for _, d in layers) if diff_ids is None else b" ".join(diff_ids)
    looked(b" ".join([config_digest or sha256(config)] + [d for d, _ in layers]))
    wish("BYTES", config or b" ", number=CONFIG)


def add(layers):
    for one, diff_id in layers:
        wish("LAYER", digest=one, diff_id=diff_id, size=10)


def needed(n=1):
    layers = [(digest(i), digest(1000 + i)) for i in range(n)]
    named(layers)
    add(layers)
    wish("NEED")
    answer()


def unpacking(layer=0):
    wish("UNPACK", layer=layer)
    return answer()[1] + answer()[1]


def fetched():
    """Has a whole layer: an empty archive. Returns its digest."""
    tar = bytes(1024)
    name = sha256(tar)
    named([(name, name)])
    wish("LAYER", digest=name, diff_id=name, size=len(tar))
    wish("NEED")
    answer()
    out, into = unpacking()
    os.write(into, tar)
    os.close(into)
    os.read(out, 65536)
    return name


def record(diff_ids=(), uid=0, command=()):
    """Returns a frame of ces_image_record_schema."""
    fields = b"".join(struct.pack("<HI", 3, len(d)) + d for d in diff_ids)
    fields += b"".join(struct.pack("<HI", 5, len(word)) + word for word in command)
    fields += struct.pack("<HIQ", 9, 8, uid)
    return b"CES1" + struct.pack("<HI", RECORD_TYPE, len(fields)) + fields


def assembled(frame):
    name = fetched()
    wish("COMMIT", size=1)
    wish("IMAGE")
    wish("BYTES", frame(name), number=RECORD)
    wish("DONE")


def lied():
    """Says of an image that is in the store that it starts something else. DIRECTORY has its documents."""
    with open(sys.argv[3] + "/manifest", "rb") as one, open(sys.argv[3] + "/config", "rb") as other:
        manifest, config = one.read(), other.read()
    diff_ids = [d.encode() for d in json.loads(config)["rootfs"]["diff_ids"]]
    looked(manifest)
    wish("BYTES", config, number=CONFIG)
    add(zip([layer["digest"].encode() for layer in json.loads(manifest)["layers"]], diff_ids))
    wish("NEED")
    answer()
    wish("IMAGE")
    wish("BYTES", record(diff_ids, command=[b"echo", b"taken over"]), number=RECORD)
    wish("DONE")


def flood():
    needed()
    for _ in range(100000):
        wish("CLAIM")


def with_descriptor():
    """ces-store does not accept it, and refuses the wishes after it."""
    zero = open("/dev/zero", "rb")
    session.sendmsg([packet("BYTES", b"{}", number=TOP)],
                    [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [zero.fileno()]))])
    wish("UNPACK")


def too_long():
    for _ in range(300):
        wish("BYTES", bytes(16384), number=TOP)


def opaque(path):
    fetched()
    wish("OPAQUE", path)


def signed(data=b"", why=b""):
    """Hands over a bag of signatures, and asks whether they are enough."""
    looked()
    for at in range(0, len(data), 16384):
        wish("BYTES", data[at:at + 16384], number=SIGNATURES)
    wish("SIGNED", why)


def in_turn(*steps):
    for step in steps:
        step()


CASES = {
    "phase": lambda: wish("UNPACK"),
    "kind": lambda: wish(99),
    "zero": lambda: wish(0),
    "short": lambda: session.send(packet("BYTES")[:20]),
    "empty": lambda: session.send(b""),
    "length": lambda: wish("BYTES", b"x", number=TOP, length=16384),
    "document": lambda: wish("BYTES", b"x", number=9),
    "document-early": lambda: wish("BYTES", b"x", number=RECORD),
    "long": too_long,
    "descriptor": with_descriptor,
    "job": lambda: wish("PARSE", number=3, size=10),
    "job-digest": lambda: wish("PARSE", number=1, size=10, digest=b"../../../etc/passwd"),
    "digest": lambda: in_turn(looked, lambda: wish("LAYER", digest=b"../../../etc", diff_id=digest(1))),
    "diff-id": lambda: in_turn(looked, lambda: wish("LAYER", digest=digest(1), diff_id=b"sha256:../x")),
    "layers": lambda: needed(128),
    "no-layers": lambda: in_turn(lambda: looked(sha256(b" ")), lambda: wish("BYTES", b" ", number=CONFIG), lambda: wish("NEED")),
    "layer-size": lambda: in_turn(fetched, lambda: wish("COMMIT", size=1 << 40)),
    "foreign-manifest": lambda: in_turn(lambda: wish("BYTES", b"{}", number=CHOSEN), looked),
    "foreign-config": lambda: in_turn(lambda: named([(digest(1), digest(2))], config_digest=digest(9)),
                                      lambda: add([(digest(1), digest(2))]), lambda: wish("NEED")),
    "foreign-layer": lambda: in_turn(lambda: named([(digest(1), digest(2))]), lambda: add([(digest(3), digest(2))])),
    "foreign-diff-id": lambda: in_turn(lambda: named([(digest(1), digest(2))]), lambda: add([(digest(1), digest(3))])),
    "layer": lambda: in_turn(needed, lambda: wish("CLAIM", layer=1)),
    "layer-far": lambda: in_turn(needed, lambda: wish("COMMIT", layer=1 << 63)),
    "look": lambda: in_turn(needed, lambda: wish("LOOK")),
    "twice": lambda: in_turn(needed, unpacking, unpacking),
    "many": lambda: in_turn(lambda: needed(4), *[lambda i=i: unpacking(i) for i in range(4)]),
    "unstaged": lambda: in_turn(needed, lambda: wish("COMMIT")),
    "unstaged-mark": lambda: in_turn(needed, lambda: wish("OPAQUE", b"x")),
    "lied": lambda: in_turn(needed, lambda: os.close(unpacking()[1]), lambda: wish("COMMIT", size=1)),
    "running": lambda: in_turn(needed, unpacking, lambda: wish("COMMIT", size=1)),
    "out": lambda: opaque(b"../../../../etc"),
    "absolute": lambda: opaque(b"/etc"),
    "progress": lambda: in_turn(needed, lambda: wish("PROGRESS", number=9)),
    "flood": flood,
    "unassembled": lambda: in_turn(needed, lambda: wish("DONE")),
    "record": lambda: assembled(lambda name: b"nothing of the kind"),
    "record-layers": lambda: assembled(lambda name: record([digest(1)])),
    "record-lied": lied,
    "record-uid": lambda: assembled(lambda name: record([name], uid=70000)),
    "code": lambda: wish("FAILED", b"of course", number=2),
    "words": lambda: wish("FAILED", b"\x1b[31mred\nces: all is well", number=5),
    "dead": lambda: sys.exit(0),
    "other": lambda: looked(b"other bytes"),
    "room": lambda: in_turn(needed, lambda: wish("ROOM", size=1 << 62)),
    "silent": lambda: None,
    "signed-early": lambda: wish("SIGNED"),
    "signed": signed,
    "signed-skipped": lambda: in_turn(looked, lambda: wish("BYTES", b" ", number=CONFIG)),
    "signed-layer": lambda: in_turn(looked, lambda: add([(digest(1), digest(2))])),
    "signed-job": lambda: in_turn(looked, lambda: wish("PARSE", number=1, size=10)),
    "signed-noise": lambda: signed(b"\xff" * 100000 + os.urandom(100000)),
    "signed-long": lambda: signed(bytes(4200000)),
    "signed-words": lambda: signed(why=b"\x1b[31mred\nces: all is well " * 400),
}
RECORD_TYPE = int(sys.argv[2])
session.recv(4096) # the order
CASES[sys.argv[1]]()
# (a wish that has not been refused by now was accepted)
time.sleep(600 if sys.argv[1] == "silent" else 15)
