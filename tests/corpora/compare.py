#!/usr/bin/env python3
"""Gives each tar below a directory to ces-unpack as a layer, and to bsdtar, and compares the results:

    compare.py BUILD SAMPLES WORK

It prints a line for each sample: "NAME same", "NAME refused: REASON", or "NAME differs" and on the next lines the entries that
only one has. It must be root, for the owners. It must not run a sample's programs, and it leaves WORK empty.
"""
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys

BUILD, SAMPLES, WORK = map(pathlib.Path, sys.argv[1:])
LIMIT = 200_000_000  # bytes of a layer: some samples have holes of 60 GB
COMPRESSIONS = {".gz": ("gzip", "gzip"), ".zst": ("zstd", "zstd")}
# CES drops set-user-id and set-group-id bits, and an id beyond the image's 65536 becomes nobody's.
KEPT_MODE, IDS, NOBODY = 0o1777, 65536, 65534
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "directory", stat.S_IFLNK: "link"}


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def digest_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while content := file.read(1 << 20):
            digest.update(content)
    return digest.hexdigest()[:16]


def shown(path):
    """Returns a name as one line of text, whatever its bytes are."""
    return path.decode("latin-1").encode("unicode_escape").decode().replace(" ", "\\x20")


def entry(top, path, first):
    info = os.lstat(path)
    kind = KINDS.get(stat.S_IFMT(info.st_mode), f"special-{stat.S_IFMT(info.st_mode):o}")
    words = [shown(os.path.relpath(path, top)), kind]
    if kind != "link":
        words.append(f"{info.st_mode & KEPT_MODE:04o}")
    words.append(":".join(str(i if i < IDS else NOBODY) for i in (info.st_uid, info.st_gid)))
    if kind == "file":
        words += [str(info.st_size), str(info.st_mtime_ns // 10**9), digest_of(path)]
        if info.st_nlink > 1:
            words.append("also " + shown(os.path.relpath(first.setdefault(info.st_ino, path), top)))
    elif kind == "link":
        words.append("-> " + shown(os.readlink(path)))
    return " ".join(words)


def listing(top):
    top, lines, first = os.fsencode(top), [], {}
    for folder, folders, files in os.walk(top):
        folders.sort()
        lines += [entry(top, os.path.join(folder, name), first) for name in sorted(folders + files)]
    return set(lines)


def unpack(sample, into):
    """Returns None, or the reason of the refusal."""
    name, tool = COMPRESSIONS.get(sample.suffix, ("none", None))
    content = sample.read_bytes()
    plain = subprocess.run([tool, "-dc"], input=content, stdout=subprocess.PIPE, check=True).stdout if tool else content
    result = subprocess.run(
        [BUILD / "tests/unpack_driver", "--directory", into, "--compression", name, "--size", str(len(content)),
         "--digest", sha256(content), "--diff-id", sha256(plain), "--max-bytes", str(LIMIT), "--max-entries", "10000",
         BUILD / "ces-unpack", "layer"], input=content, capture_output=True)
    text = result.stdout.decode(errors="backslashreplace").strip()
    if result.returncode == 0:
        return None
    if result.returncode != 1:
        return f"ces-unpack ended with {result.returncode}: {result.stderr.decode()}"
    return re.sub(r"^error (\w+) layer sha256:\w+: ", r"\1: ", text)


def extract(sample, into):
    options = ["--numeric-owner", "--same-owner", "--no-acls", "--no-xattrs", "--no-fflags", "--no-mac-metadata"]
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}
    return subprocess.run(["bsdtar", "-x", "-p", *options, "-f", sample, "-C", into], capture_output=True, env=environment).returncode


def compare(sample):
    name = str(sample.relative_to(SAMPLES))
    work = WORK / name.replace("/", "-")
    ours, theirs = work / "ces", work / "bsdtar"
    for folder in (ours, theirs):
        folder.mkdir(parents=True)
    reason = unpack(sample, ours)
    if reason is not None:
        lines = [f"{name} refused: {reason}"]
    else:
        status = extract(sample, theirs)
        one, other = listing(ours), listing(theirs)
        lines = [f"{name} same"] if one == other else [f"{name} differs"]
        lines += [f"  ces only: {line}" for line in sorted(one - other)]
        lines += [f"  bsdtar only: {line}" for line in sorted(other - one)]
        if status != 0:
            lines.append(f"  bsdtar ended with {status}")
    shutil.rmtree(work)
    return lines


def main():
    os.umask(0o22)
    samples = sorted(path for path in SAMPLES.rglob("*") if path.is_file())
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for lines in pool.map(compare, samples):
            print("\n".join(lines))


if __name__ == "__main__":
    main()
