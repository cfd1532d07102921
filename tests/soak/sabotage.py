"""Breaks each promise on purpose before a soak, and fails unless its check reports it. It repairs at once what it breaks. It must not
run while CES works."""
import contextlib
import os
import subprocess
import time

import invariants
from common import SLOWER, Violation, as_user, must
from machine import JOURNAL, RUNS

RUN = "0000000001"
SEE_CGROUPS = ("cgroups_are_registered", "ps_shows_what_runs", "runs_are_few")
BIG = ("import time; open('/proc/self/comm', 'w').write('ces-session'); x = bytearray(32 << 20); "
       "x[::4096] = bytes([1]) * len(x[::4096]); time.sleep(60)")


@contextlib.contextmanager
def process(*words):
    child = subprocess.Popen(words, stdin=subprocess.DEVNULL)
    time.sleep(0.3 * SLOWER)
    try:
        yield child
    finally:
        child.kill()
        child.wait()


@contextlib.contextmanager
def directory(path):
    os.makedirs(path)
    try:
        yield
    finally:
        os.rmdir(path)


@contextlib.contextmanager
def changed_journal():
    path = f"{JOURNAL}/audit.jsonl"
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "r+b") as file:
        file.seek(content.index(b'"allowed"') + 1)
        file.write(b"A")
    try:
        yield
    finally:
        with open(path, "r+b") as file:
            file.write(content)


@contextlib.contextmanager
def record_without_end():
    path = f"{JOURNAL}/audit.jsonl-sabotage"
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"event":"decision","verb":"run","outcome":"allowed","run":"%s"}\n' % RUN)
        file.write('{"event":"proof","verb":"run","outcome":"as planned","run":"%s"}\n' % RUN)
    try:
        yield
    finally:
        os.unlink(path)


@contextlib.contextmanager
def mounted():
    with directory("/srv/sabotage"):
        subprocess.run(["mount", "-t", "tmpfs", "sabotage", "/srv/sabotage"], check=True)
        try:
            yield
        finally:
            subprocess.run(["umount", "/srv/sabotage"], check=True)


@contextlib.contextmanager
def cgroup(user, number):
    """Makes a run's cgroup as CES does, with those above it. On cgroup v1 it uses the hierarchy that counts processes."""
    path = f"/sys/fs/cgroup{'/pids' if os.path.isdir('/sys/fs/cgroup/pids') else ''}/ces/{user}/{number:010d}"
    os.makedirs(path)
    try:
        yield path
    finally:
        for _ in range(3):
            with contextlib.suppress(OSError):
                os.rmdir(path)
            path = os.path.dirname(path)


@contextlib.contextmanager
def many_runs():
    with contextlib.ExitStack() as stack:
        for number in range(1, 6):
            path = stack.enter_context(cgroup(4401, number))
            child = stack.enter_context(process("sleep", "60"))
            with open(f"{path}/cgroup.procs", "w", encoding="utf-8") as file:
                file.write(str(child.pid))
        yield


@contextlib.contextmanager
def file_of_another():
    path = "/home/alice/sabotage"
    with open(path, "w", encoding="utf-8"):
        pass
    try:
        yield
    finally:
        os.unlink(path)


class Sabotage:
    """With cgroup v2 alone there are also cgroups of other labs, so checks ignore what CES has not recorded."""

    def __init__(self, machine, quiet):
        always = invariants.Always(machine)
        self.table = [
            (always.chain, changed_journal()),
            (always.cgroups_are_registered, cgroup(4409, 1)),
            (always.ps_shows_what_runs, many_runs()),
            (always.processes_are_registered, process("setpriv", "--reuid", "2000000005", "--clear-groups", "sleep", "60")),
            (always.runs_are_few, many_runs()),
            (always.helpers_are_small, process("python3", "-c", BIG)),
            (quiet.no_run_is_left, directory(f"{RUNS}/{RUN}")),
            (quiet.no_mount_is_left, mounted()),
            (quiet.no_namespace_is_left, process("unshare", "--net", "sleep", "60")),
            (quiet.no_process_is_left, process(*as_user("alice", ["sleep", "60"]))),
            (quiet.no_directory_is_left, directory(f"/home/alice/scratch_{RUN}")),
            (quiet.homes_are_their_users, file_of_another()),
            (quiet.every_run_has_its_end, record_without_end()),
            (invariants.nothing_is_stored, contextlib.nullcontext()),  # (images were pulled)
        ]

    @staticmethod
    def seen(check, broken):
        if check is not invariants.nothing_is_stored:
            check()
        with broken:
            for _ in range(round(20 * SLOWER)):  # (it may take a moment until it is)
                try:
                    check()
                except Violation:
                    break
                time.sleep(0.1)
            else:
                must(False, "the check did not see what was broken on purpose")
        if check is not invariants.nothing_is_stored:
            check()

    def all(self):
        table = [row for row in self.table if not invariants.CGROUPS_SHARED or row[0].__name__ not in SEE_CGROUPS]
        return [(check.__name__, lambda check=check, broken=broken: self.seen(check, broken)) for check, broken in table]
