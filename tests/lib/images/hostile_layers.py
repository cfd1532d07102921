#!/usr/bin/python3
"""Makes hostile and odd layers: hostile_layers.py DIRECTORY.

Writes one file DIRECTORY/NAME for each layer, and DIRECTORY/cases with a line for each:
NAME COMPRESSION SIZE DIGEST DIFF_ID EXPECTED. EXPECTED is `good`, or a piece of the reason why it must be refused.
With --layouts every layer is also the second one of an image, tagged NAME, in one OCI layout, DIRECTORY/layout.
Every call makes the same bytes. A new case goes into `cases` alone.
"""
import argparse
import io
import json
import os
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from images import Layer, Layout, base, bomb, compressed, digest, dump, manifest  # noqa: E402

FILE, LINK, SYMLINK = tarfile.REGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE


def raw(*entries):
    """Returns a tar of (name, type, text): text is a link's target or a file's content."""
    layer = Layer()
    for name, kind, text in entries:
        if kind in (LINK, SYMLINK):
            layer.add(name, kind, 0o644, link=text)
        else:
            layer.add(name, kind, 0o644, data=text.encode())
    return layer.finish()


def climbing():
    """Yields every way by which a name can lead upwards. The canary of a test is called `canary`, beside and above."""
    for i, name in enumerate(("../canary", "a/../../canary", "..", "a/..", "/../canary", "./../canary",
                              "a/b/../../../canary", "../root2/canary")):
        yield f"name-up-{i}", raw((name, FILE, "x")), "leaves the image"
    for i, name in enumerate(("../canary", "a/../../canary", "/../../etc/shadow")):
        yield f"hardlink-up-{i}", raw(("stolen", LINK, name)), "leaves the image"


def through_links():
    """Yields cases like the archive tests of containerd: a link first, then something through it. All of it stays
    inside."""
    targets = ("/", "/etc", "..", "../..", "../../../../../../../..", "/../../..", "/proc/self/root", "/proc/self/cwd",
               "./../canary-dir", "//etc//")
    for i, target in enumerate(targets):
        yield f"symlink-write-{i}", raw(("link", SYMLINK, target), ("link/canary", FILE, "x")), "good"
        yield f"symlink-whiteout-{i}", raw(("link", SYMLINK, target), ("link/.wh.canary", FILE, "")), "good"
        yield f"symlink-opaque-{i}", raw(("link", SYMLINK, target), ("link/.wh..wh..opq", FILE, "")), "good"
        yield f"symlink-hardlink-{i}", raw(("link", SYMLINK, target), ("stolen", LINK, "link/canary")), "not a file of this layer"
    yield "symlink-file", raw(("f", SYMLINK, "/etc/passwd"), ("f", FILE, "new")), "good"
    yield "hardlink-symlink", raw(("f", SYMLINK, "/etc/passwd"), ("g", LINK, "f"), ("g", FILE, "new")), "good"
    yield "symlink-loop", raw(("a", SYMLINK, "b"), ("b", SYMLINK, "a"), ("a/f", FILE, "x")), "too many symlinks"
    yield "symlink-self", raw(("a", SYMLINK, "a/a"), ("a/f", FILE, "x")), "too many symlinks"
    yield "dir-to-symlink", Layer().dir("d").symlink("d", "/etc").file("d/canary", "x").finish(), "good"
    yield "full-dir-to-symlink", Layer().file("d/f").symlink("d", "/etc").finish(), "not empty"


def whiteouts():
    for i, name in enumerate((".wh.", ".wh..", ".wh...", "d/.wh.", "d/.wh...")):
        yield f"whiteout-bad-{i}", raw((name, FILE, "")), "malformed whiteout"
    yield "whiteout-above", raw((".wh.d/f", FILE, "x")), "below a whiteout"
    yield "whiteout-own", raw(("f", FILE, "x"), (".wh.f", FILE, ""), (".wh.g", FILE, ""), ("g", FILE, "x")), "good"
    yield "opaque-root", raw((".wh..wh..opq", FILE, "")), "good"
    yield "opaque-many", raw(*[("d/.wh..wh..opq", FILE, "")] * 5000), "good"


def odd():
    yield "devices", Layer().add("null", tarfile.CHRTYPE, 0o666).add("d/fifo", tarfile.FIFOTYPE, 0o666).finish(), "good"
    forged = tarfile.TarInfo("forged")
    forged.type, forged.devmajor, forged.devminor = tarfile.CHRTYPE, 0, 0
    yield "forged-whiteout", forged.tobuf() + bytes(1024), "good"
    yield "setuid", Layer().file("su", "x", 0o6755).finish(), "good"
    yield "huge-ids", Layer().file("f", "x", uid=1 << 30, gid=1000160000).finish(), "good"
    yield "deep", Layer().file("d/" * 5000 + "f", "x").finish(), "directories deep"
    yield "long-name", Layer().file("n" * 256, "x").finish(), "too long"
    yield "below-file", raw(("f", FILE, "x"), ("f/g", FILE, "x")), "not a directory"
    yield "hardlinks", raw(("f", FILE, "x"), *[(f"l{i}", LINK, "f") for i in range(2000)]), "good"
    yield "empty", bytes(1024), "good"
    sparse = io.BytesIO()
    with tarfile.open(fileobj=sparse, mode="w", format=tarfile.PAX_FORMAT) as tar:
        info = tarfile.TarInfo("f")
        info.pax_headers = {"GNU.sparse.size": str(1 << 62), "GNU.sparse.map": "0,0"}
        tar.addfile(info)
    yield "sparse-claim", sparse.getvalue(), "unpacks to more"
    yield "not-a-tar", b"this is no tar\n" * 1000, "the tar is broken"
    yield "html", b"<html><body>Please log in</body></html>", "the tar is broken"


def wrapped():
    """Yields good tars in faulty compression."""
    tar = Layer().file("f", "content " * 1000).finish()
    gz, zstd = compressed(tar, "gzip"), compressed(tar, "zstd")
    yield "gzip-good", "gzip", gz, tar, "good"
    yield "gzip-members", "gzip", compressed(tar[:700], "gzip") + compressed(tar[700:], "gzip"), tar, "good"
    yield "gzip-cut", "gzip", gz[:-9], tar, "end in the middle"
    yield "gzip-garbage", "gzip", gz + b"garbage", tar, "after the end"
    yield "gzip-crc", "gzip", gz[:-8] + bytes(4) + gz[-4:], tar, "gzip data are broken"
    yield "gzip-is-zstd", "gzip", zstd, tar, "gzip data are broken"
    yield "zstd-good", "zstd", zstd, tar, "good"
    yield "zstd-frames", "zstd", compressed(tar[:700], "zstd") + compressed(tar[700:], "zstd"), tar, "good"
    yield "zstd-cut", "zstd", zstd[:-3], tar, "end in the middle"
    yield "zstd-garbage", "zstd", zstd + b"garbage", tar, "zstd data are broken"
    yield "zstd-window", "zstd", b"\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", b"", "zstd data are broken"
    yield "gzip-bomb", "gzip", bomb(), b"", "unpacks to more"
    zeros = tarfile.TarInfo("zeros")
    zeros.size = 400 << 20
    yield "zstd-bomb", "zstd", compressed(zeros.tobuf() + bytes(400 << 20), "zstd"), b"", "expands more than"
    yield "tail", "none", tar + b"after the end of the archive" * 100, tar + b"after the end of the archive" * 100, "good"
    yield "diff-id", "gzip", gz, tar + b"x", "diff_id"


def cases():
    """Yields (name, compression, bytes of the layer, its tar, expected)."""
    for source in (climbing, through_links, whiteouts, odd):
        for name, tar, expected in source():
            yield name, "none", tar, tar, expected
    yield from wrapped()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    parser.add_argument("--layouts", action="store_true")
    options = parser.parse_args()
    os.makedirs(options.directory, exist_ok=True)
    layout, rows = (Layout(options.directory + "/layout"), []) if options.layouts else (None, None)
    common = base() if layout else None
    with open(options.directory + "/cases", "w") as listing:
        for name, how, data, tar, expected in cases():
            with open(f"{options.directory}/{name}", "wb") as f:
                f.write(data)
            print(name, how, len(data), digest(data), digest(tar), expected, file=listing)
            if layout:
                rows.append({**image(layout, common, how, data, tar),
                             "annotations": {"org.opencontainers.image.ref.name": name}})
    if layout:
        with open(options.directory + "/layout/index.json", "wb") as f:
            f.write(dump({"schemaVersion": 2, "manifests": rows}))


def image(layout, common, how, data, tar):
    """Returns the manifest of an image that has `common` below the layer. What the case says of the layer stays."""
    row = manifest(layout, [common, tar], {"Cmd": ["true"]}, "gzip")
    with open(f"{layout.directory}/blobs/sha256/{row['digest'][7:]}", "rb") as f:
        body = json.load(f)
    kind = {"none": "tar", "gzip": "tar+gzip", "zstd": "tar+zstd"}[how]
    body["layers"][1] = layout.blob("application/vnd.oci.image.layer.v1." + kind, data)
    return layout.blob(row["mediaType"], dump(body))


if __name__ == "__main__":
    main()
