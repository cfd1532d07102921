#!/usr/bin/python3
"""Ends a pull between two looks of the collector: meanwhile.py LOCK ENTRY GRANT PLACE FIFO...

Runs ces-client clean. The FIFOs are records of runs, in the register before and after the pull's ENTRY: a process that reads the
register stops at one. While the collector stops there and has the store's LOCK (a directory), the file GRANT goes to its PLACE and
the entry goes, as at the end of a pull.
"""
import fcntl
import glob
import os
import shutil
import subprocess
import sys


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def stopped_at(fifos):
    """The FIFO at which a ces-session stops: it has the directory of that run open. None: at none."""
    sessions = subprocess.run(["pgrep", "-x", "ces-session"], capture_output=True, text=True, check=False).stdout.split()
    for one in sessions:
        if read(f"/proc/{one}/wchan") == "wait_for_partner":
            open_now = {os.readlink(file) for file in glob.glob(f"/proc/{one}/fd/*")}
            return next(fifo for fifo in fifos if os.path.dirname(fifo) in open_now)
    return None


def held(lock):
    directory = os.open(lock, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(directory)
    return False


def main(lock, entry, grant, place, *fifos):
    with open(entry + "/record", "rb") as file:
        record = file.read()  # (of another run than the FIFO's, so it counts for nothing)
    clean, ended = subprocess.Popen(["ces-client", "clean"]), False
    while clean.poll() is None:
        fifo = stopped_at(fifos)
        if fifo is None:
            continue
        if not ended and held(lock):
            shutil.copyfile(grant, place)
            shutil.chown(place, "ces-store", "ces-store")
            shutil.rmtree(entry)
            ended = True
        with open(fifo, "wb") as file:
            file.write(record)
    return 0 if ended and clean.returncode == 0 else "the collector's turn was missed"


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
