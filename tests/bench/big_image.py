#!/usr/bin/python3
"""Makes the image of the pull measurement as an OCI layout: big_image.py DIRECTORY.

About 1 GB unpacked, 30,000 files, three gzip layers: a system, a language with its packages, a model. Contents
are cut from pools of text and of half-random binary data, so that gzip -6 finds what it finds in real images
(about 0.38); sizes are log-normal, as of real files. Every call makes the same bytes.
"""
import os
import random
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../lib/images")
import images  # noqa: E402

POOL = 16 << 20


def pools(rng):
    words = ["".join(rng.choice("etaoinshrdlucmfwypvbgkqjxz_") for _ in range(rng.randint(2, 11))) for _ in range(20000)]
    weights = [1 / (i + 3) for i in range(len(words))]
    text = " ".join(rng.choices(words, weights, k=POOL // 6)).encode()
    code = bytearray(rng.randbytes(POOL))
    for i in range(0, POOL, 64):  # an instruction stream has its constant bytes and its tables of zeros
        code[i + 20:i + 64] = bytes(44) if rng.random() < 0.25 else code[i:i + 20] * 2 + b"\x48\x89\xe5\x00"
    return text, bytes(code)


def content(rng, text, code, size):
    out = bytearray()
    while len(out) < size:
        pool = text if rng.random() < 0.55 else code
        length = min(size - len(out), rng.randint(2000, 60000))
        start = rng.randrange(len(pool) - length)
        out += pool[start:start + length]
    return bytes(out)


def layer(rng, text, code, top, files, total):
    result = images.Layer().dir(top)
    sizes = [min(int(rng.lognormvariate(8.2, 2.0)), 60 << 20) for _ in range(files)]
    scale = total / sum(sizes)
    made = set()
    for i, size in enumerate(sizes):
        directory = f"{top}/pkg{i % 331:03}/part{i % 7}"
        for d in (os.path.dirname(directory), directory):
            if d not in made:
                made.add(d)
                result.dir(d)
        result.file(f"{directory}/file{i:05}.dat", content(rng, text, code, int(size * scale)), uid=0)
    return result


def main(out):
    rng = random.Random(20261001)
    text, code = pools(rng)
    plan = (("system", 5000, 180 << 20), ("packages", 22000, 560 << 20), ("model", 3000, 300 << 20))
    tars = [images.base()] + [layer(rng, text, code, *p).finish() for p in plan]
    layout = images.Layout(out)

    def compressed(tar, how):
        return subprocess.run(["gzip", "-6", "-n", "-c"], input=tar, stdout=subprocess.PIPE, check=True).stdout

    images.compressed = compressed
    first = tars.pop(0)
    tars[0] = first.rstrip(b"\0") + bytes(-len(first.rstrip(b"\0")) % 512) + tars[0]
    layout.index(images.manifest(layout, tars, {"Env": ["PATH=/bin"], "Cmd": ["true"]}))


if __name__ == "__main__":
    main(sys.argv[1])
