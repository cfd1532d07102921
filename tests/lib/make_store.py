#!/usr/bin/python3
"""Fills an image store: make_store.py STORE IMAGES LAYERS UID USER.

Each image has layers of its own and a grant of USER's, as pulls leave them. For tests of how a large store affects
every user.
"""
import fcntl
import hashlib
import os
import pwd
import struct
import subprocess
import sys
import time

sys.dont_write_bytecode = True  # the checkout stays clean

from frame import field  # noqa: E402


def frame(kind, fields):
    data = b"".join(field(tag, value) for tag, value in fields)
    return b"CES1" + struct.pack("<HI", kind, len(data)) + data


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, 0o600)


def main(store, images, layers, uid, user):
    now = int(time.time()).to_bytes(8, "little")
    os.umask(0o077)
    owner = pwd.getpwnam("ces-store")
    lock = os.open(os.path.join(store, "locks"), os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    grants = os.path.join(store, "grants", uid)
    os.makedirs(grants, exist_ok=True)
    os.chown(grants, owner.pw_uid, owner.pw_gid)
    for i in range(int(images)):
        digests = [hashlib.sha256(f"{i} {n}".encode()).hexdigest() for n in range(int(layers))]
        image = hashlib.sha256(f"image {i}".encode()).hexdigest()
        reference = f"open.tre.test/epcced/made{i}:1".encode()
        write(os.path.join(grants, hashlib.sha256(reference).hexdigest()),
              frame(51, [(1, reference), (2, b"sha256:" + image.encode()), (3, b"sha256:" + image.encode()),
                         (7, now), (10, user.encode())]) +
              frame(50, [(1, b"sha256:" + image.encode())] + [(3, b"sha256:" + d.encode()) for d in digests]))
        os.mkdir(os.path.join(store, "images/sha256", image))
        for digest in digests:
            layer = os.path.join(store, "layers/sha256", digest)
            os.mkdir(layer)
            os.makedirs(layer + "/root/fs")
            os.chown(layer, owner.pw_uid, owner.pw_gid)
    subprocess.run(["chown", "-R", "ces-store:ces-store", grants, os.path.join(store, "images/sha256")], check=True)


main(*sys.argv[1:])
