"""Checks what must hold at every moment of a soak, and what must hold when all is quiet. A check that fails raises Violation. It
looks at the kernel and at files, and must not ask CES, except the journal's own verifier."""
import collections
import glob
import gzip
import json
import os
import re

from common import as_user, call, must
from machine import JOURNAL, STORE, is_run, processes

FIRST_ID = 2_000_000_000  # only containers have higher ids: CES's range of this machine
USERS = {"alice": 4401, "bob": 4402, "carol": 4403, "dave": 4404, "grace": 4407, "mallory": 4408}
RUNS_MAX = 4             # the lab's policy
PSS_MAX = 4096           # KiB of the process that watches a run
GROWTH_MAX = 256         # KiB that it may grow while its run goes on


# With cgroup v2 alone a lab has no cgroups of its own, and sees those of other labs.
CGROUPS_SHARED = not os.path.isdir("/sys/fs/cgroup/pids") and not os.path.isdir("/sys/fs/cgroup/unified")


def run_cgroups():
    """Returns the cgroups of runs, by the run's number."""
    found = collections.defaultdict(list)
    for path in glob.glob("/sys/fs/cgroup/**/ces/*/*/", recursive=True):
        if is_run(os.path.basename(path[:-1])):
            found[os.path.basename(path[:-1])].append(path)
    if CGROUPS_SHARED:
        own = {record.get("run") for record in records()}
        found = {run: paths for run, paths in found.items() if run in own}
    return found


def is_busy(cgroup):
    try:
        with open(f"{cgroup}cgroup.procs", encoding="utf-8") as file:
            return file.read().strip() != ""
    except OSError:
        return False


def memory_of(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return {line.split(":")[0]: int(line.split()[1]) for line in file if line.endswith("kB\n")}


def waits_for_end(pid):
    """Returns whether this is ces-list or ces-clean, which wait for their run's end outside of the run's cgroup, as children of the
    run's session. A process that goes meanwhile counts."""
    try:
        if os.readlink(f"/proc/{pid}/exe") not in ("/usr/libexec/ces/ces-list", "/usr/libexec/ces/ces-clean"):
            return False
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            parent = re.search(r"^PPid:\t(\d+)$", file.read(), re.M).group(1)
        with open(f"/proc/{parent}/comm", encoding="utf-8") as file:
            return file.read().strip() == "ces-session"
    except OSError:
        return True


class Always:
    """Checks beside the work. A check fails only twice in a row: what it sees in the middle of a step is no fault."""

    def __init__(self, machine):
        self.machine, self.first = machine, {}
        self.watching = []  # KiB of the processes that watch a run, in the order of time

    def chain(self):
        outcome = call(["ces-policy", "audit", "verify"])
        must(outcome.status == 0, f"the journal's chain: {outcome}")

    def cgroups_are_registered(self):
        before, found = set(self.machine.live_runs()), set(run_cgroups())
        strange = found - before - set(self.machine.live_runs())
        must(not strange, f"cgroups of runs that the register does not have: {sorted(strange)}")

    def ps_shows_what_runs(self):
        """Checks that each run of a user's in the kernel is listed, and that each listed run is in the register."""
        def busy(uid):
            return {run for run, paths in run_cgroups().items() if any(f"/ces/{uid}/" in path and is_busy(path) for path in paths)}

        for user, uid in USERS.items():
            before, register = busy(uid), set(self.machine.live_runs())
            outcome = call(as_user(user, ["ces-client", "ps", "-q"]))
            if outcome.status != 0:  # (root disturbs)
                continue
            listed = set(outcome.out.split())
            hidden, invented = (before & busy(uid)) - listed, listed - register - set(self.machine.live_runs())
            must(not hidden and not invented, f"ps of {user}: not shown {sorted(hidden)}, not there {sorted(invented)}")

    def processes_are_registered(self):
        for pid, uid, name, cgroup in processes():
            if uid >= FIRST_ID and not waits_for_end(pid):
                runs = set(re.findall(r"/ces/\d+/(\d{10})", cgroup))
                must(runs and runs <= set(self.machine.live_runs()), f"process {pid} ({name}) of {uid} is of no run: {cgroup}")

    def runs_are_few(self):
        count = collections.Counter()
        for paths in run_cgroups().values():
            if any(is_busy(path) for path in paths):
                count[os.path.basename(os.path.dirname(paths[0][:-1]))] += 1
        must(all(n <= RUNS_MAX for n in count.values()), f"more runs at a time than the policy has: {dict(count)}")

    def helpers_are_small(self):
        """Checks that the process that watches a run is small and does not grow."""
        seen = {}
        for pid, uid, name, _ in processes():
            if name == "ces-session":
                try:
                    memory = memory_of(pid)
                except (FileNotFoundError, ProcessLookupError, PermissionError):
                    continue
                if memory:
                    seen[pid] = memory["Private_Dirty"]
                    must(memory["Pss"] <= PSS_MAX, f"ces-session {pid} has {memory['Pss']} KiB")
        for pid, size in seen.items():
            # (set-up comes first: what counts is what it has when it watches)
            first = self.first.setdefault(pid, [])
            first.append(size)
            if len(first) > 4:
                self.watching.append(size)
                must(size <= first[3] + GROWTH_MAX, f"ces-session {pid} grew from {first[3]} to {size} KiB")
        for pid in set(self.first) - set(seen):
            del self.first[pid]

    def all(self):
        return [self.chain, self.cgroups_are_registered, self.ps_shows_what_runs, self.processes_are_registered,
                self.runs_are_few, self.helpers_are_small]


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return sorted(line.split(" ", 2)[2] for line in file)


def namespaces():
    outcome = call(["lsns", "-n", "-r", "-o", "TYPE"])
    return collections.Counter(outcome.out.split())


def records():
    found = []
    for path in glob.glob(f"{JOURNAL}/audit.jsonl*"):
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8", errors="replace") as file:
            found += [json.loads(line) for line in file if line.strip()]
    return found


class Quiet:
    """Checks while nobody uses CES, against the state before the first request."""

    def __init__(self, machine):
        self.machine = machine
        self.mounts, self.namespaces = mounts(), namespaces()

    def no_run_is_left(self):
        must(not self.machine.live_runs(), f"the register: {self.machine.live_runs()}")
        must(not set(run_cgroups()), f"cgroups: {sorted(set(run_cgroups()))}")

    def no_mount_is_left(self):
        now = mounts()
        must(now == self.mounts, f"mounts: more {[m for m in now if m not in self.mounts]}, fewer {[m for m in self.mounts if m not in now]}")

    def no_namespace_is_left(self):
        more = namespaces() - self.namespaces
        must(not more, f"namespaces: {dict(more)}")

    def no_process_is_left(self):
        ids = set(USERS.values())
        left = [(pid, uid, name) for pid, uid, name, _ in processes() if uid in ids or uid >= FIRST_ID or name.startswith("ces-")]
        must(not left, f"processes: {left}")

    def no_directory_is_left(self):
        staging = glob.glob(f"{STORE}/staging/*") + glob.glob(f"{STORE}/trash/*")
        scratch = glob.glob("/home/*/scratch_*")
        pulls = glob.glob("/run/ces/pull-*")
        must(not staging and not scratch and not pulls, f"staging {staging}, scratch {scratch}, pulls {pulls}")

    def homes_are_their_users(self):
        for user, uid in USERS.items():
            for folder, folders, files in os.walk(f"/home/{user}"):
                for name in folders + files:
                    owner = os.lstat(os.path.join(folder, name)).st_uid
                    must(owner == uid, f"{folder}/{name} is owned by {owner}")

    def every_run_has_its_end(self):
        begun, proved, ended = [], set(), collections.Counter()
        for record in records():
            if record.get("verb") != "run" or "run" not in record:
                continue
            if record["event"] == "decision" and record.get("outcome") == "allowed":
                begun.append(record["run"])
            elif record["event"] == "proof":
                proved.add(record["run"])
            elif record["event"] == "end":
                ended[record["run"]] += 1
        must(len(begun) == len(set(begun)), "a number of a run is used twice")
        must(proved <= set(begun), f"a proof without a decision: {sorted(proved - set(begun))}")
        # a helper that is killed right after the decision leaves a run that never began
        lost = proved - set(ended)
        must(not lost and set(ended) <= set(begun), f"without an end: {sorted(lost)}; without a decision: {sorted(set(ended) - set(begun))}")
        must(max(ended.values(), default=0) <= 1, f"two ends: {[run for run, n in ended.items() if n > 1]}")

    def all(self):
        return [self.no_run_is_left, self.no_mount_is_left, self.no_namespace_is_left, self.no_process_is_left,
                self.no_directory_is_left, self.homes_are_their_users, self.every_run_has_its_end]


def nothing_is_stored():
    """Checks after every user has removed every image."""
    left = os.listdir(f"{STORE}/layers/sha256") if os.path.isdir(f"{STORE}/layers/sha256") else []
    images = os.listdir(f"{STORE}/images/sha256") if os.path.isdir(f"{STORE}/images/sha256") else []
    must(not left and not images, f"nobody's layers {left} and images {images}")
