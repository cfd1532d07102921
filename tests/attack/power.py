#!/usr/bin/python3
"""Cuts the power after each time that CES makes the disk keep something: power.py pull|run|rmi IMAGE. As root, in a lab.

Store and journal are on a disk of their own, an ext4 in a file, which writes nothing by itself for ten minutes. strace(1)
stops ces-session after each fsync, fdatasync and syncfs. Then the file has what a disk would have after a power cut at
this moment: this program copies it, and lets ces-session go on. Later it puts each copy in the disk's place, as after a
boot: the file system is repaired by its journal, /run is empty, and the boot has another name. Then these must hold: the
journal is whole; whatever had run is on record; each image that is listed has every file that it should have; and the
next pull and run do their work, and leave nothing. It prints each moment, and each broken promise.
"""
import glob
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import faults

PLACE = "/srv/power"
DISK = PLACE + "/disk.img"
MOUNT = PLACE + "/disk"
PARTS = {"store": "/var/lib/ces", "log": "/var/log/ces"}
BOOT = "/proc/sys/kernel/random/boot_id"
SYNCS = "fsync,fdatasync,syncfs"
TREE = "cd / && find . -xdev -type f ! -path './etc/*' ! -path './proc/*' | sort | xargs sha256sum | sha256sum; ls -lR /usr /bin | wc -l"


def command(*words, check=True):
    done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=50)
    if check and done.returncode != 0:
        sys.exit("%s: %s" % (" ".join(words), done.stdout.decode(errors="replace")))
    return done.stdout.decode(errors="replace").strip()


def client(*words):
    done = subprocess.run(faults.AS_ALICE + ["ces-client"] + list(words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=50)
    return done.returncode, done.stdout.decode(errors="replace").strip(), done.stderr.decode(errors="replace").strip()


def plug_in(number):
    """Boots: the disk becomes the one in DISK, /run/ces is empty, and the boot gets another name."""
    command("mount", "-o", "loop,commit=600,noatime", DISK, MOUNT)
    for part, path in PARTS.items():
        command("mount", "--bind", MOUNT + "/" + part, path)
    for left in glob.glob("/run/ces/*") + glob.glob("/run/ces/.*"):
        shutil.rmtree(left, ignore_errors=True) if os.path.isdir(left) else os.unlink(left)
    with open(PLACE + "/boot", "w") as f:
        f.write("%08x-0000-4000-8000-000000000000\n" % number)
    command("mount", "--bind", PLACE + "/boot", BOOT)


def alive(name="ces-"):
    """Returns the processes of CES."""
    found = []
    for comm in glob.glob("/proc/[0-9]*/comm"):
        try:
            with open(comm) as f:
                if f.read().startswith(name):
                    found.append(int(comm.split("/")[2]))
        except OSError:
            pass
    return found


def pull_out():
    end = time.monotonic() + 20
    while alive() and time.monotonic() < end:
        time.sleep(0.05)
    command("umount", BOOT)
    for path in PARTS.values():
        command("umount", path)
    command("umount", MOUNT)


def new_disk():
    os.makedirs(MOUNT, exist_ok=True)
    with open(DISK, "wb") as f:
        f.truncate(160 << 20)
    command("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,nodiscard", "-J", "size=4", DISK)
    command("mount", "-o", "loop", DISK, MOUNT)
    for part in PARTS:
        os.mkdir(MOUNT + "/" + part, 0o700)
    command("umount", MOUNT)


def marked():
    return any(os.path.getsize(f) for f in glob.glob("/home/alice/outputs_*/mark"))


def another_sync():
    """Has the disk keep the names of all files, and not what is in them: as ext4 does when any program syncs a file."""
    with open(MOUNT + "/other", "w") as f:
        f.write("x")
        f.flush()
        os.fsync(f.fileno())


def begun(words):
    return subprocess.Popen(faults.AS_ALICE + ["ces-client"] + words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE)


def record_moments(words):
    """Runs ces-client under strace, and copies the disk after each sync. Returns (copy, call, whether a program had run)."""
    moments = []
    trace = faults.PLACE + "/trace"
    open(trace, "w").close()
    # (a container's first process is traced by CES, so strace cannot trace it too)
    follow = "" if words[0] == "run" else "-f "
    faults.arguments("%s-e trace=%s -e inject=fsync,fdatasync:signal=STOP -e inject=syncfs:delay_enter=1000000 -e signal=STOP"
                     % (follow, SYNCS))
    process = begun(words)
    end = time.monotonic() + 50
    seen, calls, quiet = 0, {}, None

    def copy(what):
        name = "%s/moment.%d" % (PLACE, len(moments))
        command("cp", "--sparse=always", DISK, name)
        moments.append((name, what, marked()))

    while time.monotonic() < end:
        with open(trace) as f:
            f.seek(seen)
            text = f.read()
        lines = text[:text.rfind("\n") + 1]
        seen += len(lines.encode())
        for line in lines.splitlines():
            match = re.match(r"(?:(\d+) +)?(?:<\.\.\. )?(fsync|fdatasync|syncfs)\b", line)
            if match:
                calls[match.group(1)] = match.group(2)
            match = re.match(r"(?:(\d+) +)?--- stopped by SIGSTOP", line)
            if match:
                copy(calls.get(match.group(1), "?"))
                for pid in [int(match.group(1))] if match.group(1) else alive("ces-session"):
                    os.kill(pid, signal.SIGCONT)
        if marked() and not any(m[2] for m in moments):
            copy("the program's first step")
        if process.poll() is not None and quiet is None:  # (writes to the disk go on for a moment)
            quiet = time.monotonic() + 0.3
            another_sync()
            copy("another program's fsync")
        if quiet is not None:
            if time.monotonic() > quiet and not alive():
                break
        time.sleep(0.02)
    faults.arguments("")
    if process.poll() is None:
        process.kill()
        sys.exit("ces-client did not end")
    if process.returncode != 0:
        sys.exit("ces-client %s: %s" % (words, process.stderr.read().decode()))
    copy("the end")
    return moments


def on_record():
    with open(faults.JOURNAL) as f:
        return [json.loads(line) for line in f.read().splitlines() if line.endswith("}")]


def whole(image, tree):
    status, out, err = client("run", "-q", image, "sh", "-c", TREE)
    if status != 0:
        return "does not run: " + err
    return None if out == tree else "is not whole: %s instead of %s" % (out, tree)


def after(moment, image, tree, number):
    copy, _, ran = moment
    problems = []
    shutil.copyfile(copy, DISK)
    os.unlink(copy)
    plug_in(number)
    records = on_record() if os.path.exists(faults.JOURNAL) else []
    if ran and not any(r["event"] == "decision" and r.get("verb") == "run" and r["outcome"] == "allowed" for r in records):
        problems.append("a program ran, and no decision is on record")
    status, out, err = client("images", "-q")
    if status != 0:
        problems.append("images: " + err)
    if image in out:
        broken = whole(image, tree)
        if broken and "pull the image again" not in broken:
            problems.append("the image that was there " + broken)
    status, _, err = client("pull", "-q", image)
    broken = "cannot be pulled: " + err if status else whole(image, tree)
    if broken:
        problems.append("the image " + broken)
    for _ in range(50):
        command("ces-client", "clean", check=False)
        left = glob.glob(PARTS["store"] + "/staging/*") + glob.glob(PARTS["store"] + "/trash/*") + [r for r in glob.glob("/run/ces/*") if re.match(r"(pull-)?\d+$", os.path.basename(r))]
        if not left:
            break
        time.sleep(0.1)
    if left:
        problems.append("left behind: " + ", ".join(left))
    verify = subprocess.run(["ces-policy", "audit", "verify"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if verify.returncode != 0:
        problems.append("the journal: " + verify.stdout.decode().strip())
    pull_out()
    return problems


def cut_in(what, image):
    plug_in(1)
    client("pull", "-q", image)
    _, tree, err = client("run", "-q", image, "sh", "-c", TREE)
    if not tree:
        sys.exit("the image does not run: " + err)
    pull_out()
    new_disk()
    plug_in(2)
    if what != "pull":
        client("pull", "-q", image)
    words = {"pull": ["pull", "-q", image], "rmi": ["rmi", "-q", image],
             "run": ["run", "-q", image, "sh", "-c", "echo ran > /safe_outputs/mark; sleep 1"]}[what]
    moments = record_moments(words)
    pull_out()
    bad = 0
    for number, moment in enumerate(moments):
        problems = after(moment, image, tree, 16 + number)
        print("after %s: %s" % (moment[1], "; ".join(problems) or "whole"), flush=True)
        bad += len(problems)
    print("%d moments, %d broken promises" % (len(moments), bad))
    return 1 if bad or len(moments) < 2 or (what == "run" and not any(m[2] for m in moments)) else 0


def main(what, image):
    before = {path: os.stat(path).st_dev for path in [BOOT, *PARTS.values()]}
    new_disk()
    before[MOUNT] = os.stat(MOUNT).st_dev
    faults.wrap()
    faults.arguments("")
    try:
        return cut_in(what, image)
    finally:
        faults.unwrap()
        for path, device in before.items():  # (the lab's own mounts stay)
            while os.stat(path).st_dev != device:
                command("umount", "-l", path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
