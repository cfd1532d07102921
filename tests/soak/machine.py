"""Acts as root in a soak: it changes policies, kills programs, fills disks, takes the registry away, rotates the journal, and runs
the janitor. Each disturbance ends before the operation returns. It must not touch anything outside the lab."""
import os
import signal
import time

from common import IMAGE, SLOWER, TOP, Violation, as_user, call, must, shell

RUNS, STORE, JOURNAL = "/run/ces", "/var/lib/ces", "/var/log/ces"
OF_CES = ("ces-session", "ces-helper", "ces-unpack", "ces-fetch", "ces-layout", "ces-resolve", "ces-parse", "ces-decode", "ces-verify", "ces-store", "crun", "runc")
POLICIES = [
    ".",
    ".defaults.limits.runs = 2",
    '.defaults.limits += {memory: "96M", pids: 32}',
    '.defaults.limits.time = "5s"',
    '.projects["nsh-2024-0002"].data.access = "read-only"',
    '.host.store_reserve = "1M"',
]
FILLED = [STORE, JOURNAL, "/home", "/run"]


def processes():
    """Returns (pid, uid, name, cgroup) of all processes in the lab, without those that end meanwhile."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
                status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
            with open(f"/proc/{pid}/cgroup", encoding="utf-8") as file:
                cgroup = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if not status["State"].startswith(("Z", "X")):
            found.append((int(pid), int(status["Uid"].split()[0]), status["Name"], cgroup))
    return found


def is_run(name):
    return len(name) == 10 and name.isdigit()


class Machine:
    def __init__(self):
        self.random = None
        self.ends = []  # (verb, status) of what users asked for

    @staticmethod
    def live_runs():
        return sorted(filter(is_run, os.listdir(RUNS)))

    def policy(self, change="."):
        outcome = shell(f"lab_policy '{change}'")
        must(outcome.status == 0, f"the lab's own policy: {outcome}")

    def pause(self):
        time.sleep(0.3 + self.random.random() * 1.5)

    def put_right(self):
        """What a disturbance may leave to the end of the round."""

    def choose(self):
        """Makes the next disturbance."""
        return getattr(self, self.random.choice(sorted(name for name in dir(self) if name.startswith("do_"))))

    def do_policy(self):
        self.policy(self.random.choice(POLICIES))

    def do_policy_broken(self):
        """Takes the policy away: meanwhile nothing begins."""
        with open("/etc/ces/policy.json", "wb") as file:
            file.write(self.random.randbytes(50))
        try:
            outcome = call(as_user("alice", ["ces-client", "run", "-q", IMAGE + "tools:1", "true"]))
            must(outcome.status == 125, f"a run with a broken policy: {outcome}")
            self.pause()
        finally:
            self.policy()

    def do_policy_revoked(self):
        self.policy('.projects["nsh-2024-0001"].images = []')
        try:
            outcome = call(as_user("alice", ["ces-client", "run", "-q", IMAGE + "tools:1", "true"]))
            must(outcome.status == 125, f"a run of an image that is approved no longer: {outcome}")
            self.pause()
        finally:
            self.policy()

    def do_kill(self):
        number, choice = self.random.randrange(1, 4), self.random.random()
        for _ in range(number):
            found = sorted((name, pid) for pid, _, name, _ in processes() if name in OF_CES)
            if not found:
                return
            try:
                os.kill(found[int(choice * len(found))][1], signal.SIGKILL)
            except ProcessLookupError:
                pass

    def do_kill_container(self):
        choice = self.random.random()
        found = sorted(pid for pid, _, name, cgroup in processes() if "/ces/" in cgroup and name not in OF_CES)
        if found:
            try:
                os.kill(found[int(choice * len(found))], signal.SIGKILL)
            except ProcessLookupError:
                pass

    def do_fill(self):
        """Fills a disk for a moment. While it is the journal's, nothing begins."""
        place = self.random.choice(FILLED)
        filler = f"{place}/soak-filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                size = os.statvfs(place)
                os.posix_fallocate(file.fileno(), 0, max(size.f_bavail - 2, 0) * size.f_frsize or 1)
                while file.write(bytes(4096)) > 0:
                    pass
            except OSError:
                pass
        try:
            if place == JOURNAL:
                outcome = call(as_user("alice", ["ces-client", "run", "-q", IMAGE + "tools:1", "echo", "ran"]))
                # (an end that was promised its room gives it back; then one more may fit)
                must(outcome.status == 125 or outcome.out == "ran\n", f"a run with a full journal: {outcome}")
            self.pause()
        finally:
            os.unlink(filler)

    def do_registry_away(self):
        with open("/srv/lab/open.pid", encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.pause()
        outcome = shell("lab_registry open 5001 < /dev/null > /dev/null 2>&1")
        must(outcome.status == 0, f"the lab's own registry: {outcome}")

    def do_rotate(self):
        """Rotates as the package does, but keeps more: the checks compare all records there ever were."""
        with open("/etc/logrotate.d/ces", encoding="utf-8") as file, open("/srv/lab/rotate", "w", encoding="utf-8") as kept:
            kept.write(file.read().replace("rotate 120", "rotate 100000"))
        outcome = call(["logrotate", "-f", "-s", "/srv/lab/logrotate", "/srv/lab/rotate"])
        must(outcome.status == 0, f"logrotate: {outcome}")

    def do_clean(self):
        outcome = call(["ces-client", "clean"])
        must(outcome.status in (0, 125), f"the janitor: {outcome}")

    def do_clock(self):
        """Starts a run whose monotonic clocks are years from the others': the wall clock cannot differ inside a lab."""
        offset = self.random.choice([10**6, 10**8, -1000])
        words = ["unshare", "--time", f"--monotonic={offset}", f"--boottime={offset}", "--fork"]
        outcome = call(words + as_user("grace", ["ces-client", "run", "-q", "--time", "8s", IMAGE + "tools:1", "sleep", "1"]))
        must(outcome.status in (0, 125) or 128 < outcome.status < 165, f"a run with another clock: {outcome}")


def settle(machine, seconds=30):
    """Ends everything: the runs of each user, then what killed helpers left. Raises what does not end."""
    deadline = time.monotonic() + seconds * SLOWER
    while True:
        for user in ("alice", "bob", "carol", "grace", "mallory"):
            call(as_user(user, ["ces-client", "stop", "-q", "-t", "1", "-a"]))
        call(["ces-client", "clean"])
        busy = [name for _, uid, name, cgroup in processes() if name in OF_CES or "/ces/" in cgroup]
        if not busy and not machine.live_runs():
            return
        if time.monotonic() > deadline:
            raise Violation(f"still there after {seconds} s of stop and clean: runs {machine.live_runs()}, processes {busy}")
        time.sleep(0.2)
