"""Acts as the users in a soak: four who work, and two who attack. Which operation comes next, and with what, depends on the seed alone.
An operation raises Violation if it ends in a way that CES must not allow. It must accept that a run which root disturbs is
refused with a message, or killed."""
import json
import signal
import time

import common
from common import IMAGE, TOP, as_user, call, finish, must, start

REFUSED = 125
IMAGES = ["tools", "tools", "tools", "stroke", "shared-a", "shared-b", "layers64", "multi", "docker", "volumes"]
FORK_BOMB = "f() { f | f & }; f; sleep 3"
DIG = "cd /scratch; i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit 0; i=$((i+1)); done"
DEAF = "trap '' TERM INT HUP; echo up; for i in 1 2 3 4 5 6 7 8; do sleep 1; done"
FILL = "dd if=/dev/zero of=/tmp/x bs=64k; dd if=/dev/zero of=/dev/shm/x bs=64k; exit 0"
LEAVE = "(setsid sleep 30 &) ; (setsid sh -c 'while :; do sleep 1; done' &) ; exit 0"


class User:
    def __init__(self, name, machine, projects=()):
        self.name, self.machine, self.projects = name, machine, projects
        self.runs, self.random = [], None

    def ces(self, *words, seconds=common.DEADLINE):
        outcome = call(as_user(self.name, ["ces-client", *words]), seconds)
        self.machine.ends.append((words[0], outcome.status))
        must(outcome.status >= 0, f"{self.name}: ces-client {words} died: {outcome}")
        return outcome

    def project(self):
        return ["--project", self.random.choice(self.projects)] if len(self.projects) > 1 else []

    def image(self):
        return IMAGE + self.random.choice(IMAGES) + ":1"

    def choose(self):
        """Does the next operation."""
        operations = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]
        return self.random.choice([operation for operation in operations for _ in range(operation.__func__.weight)])


def weight(number):
    def mark(function):
        function.weight = number
        return function
    return mark


def refused_in_words(outcome, what):
    must(outcome.status == REFUSED and "ces: " in outcome.err, f"{what}: {outcome}")


def ends_well(outcome, expected, what):
    """The program's own end; or a refusal or a kill, by one of root's disturbances."""
    if outcome.status == REFUSED:
        refused_in_words(outcome, what)
    else:
        must(outcome.status in expected or 128 < outcome.status < 165, f"{what}: {outcome}")


class Worker(User):
    def image_of_own(self):
        return IMAGE + "tools:1"

    @weight(3)
    def do_pull(self):
        image = self.image()
        ends_well(self.ces("pull", "-q", *self.project(), image), [0], f"{self.name} pulls {image}")

    @weight(2)
    def do_pull_interrupted(self):
        words = as_user(self.name, ["ces-client", "pull", "-q", *self.project(), self.image()])
        after, how = self.random.random() * 0.4, self.random.choice([signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
        process = start(words)
        time.sleep(after)
        process.send_signal(how)
        finish(process, words)

    @weight(5)
    def do_run(self):
        token, status = f"{self.random.getrandbits(64):016x}", self.random.choice([0, 0, 3, 77])
        outcome = self.ces("run", "-q", *self.project(), self.image_of_own(), "sh", "-c",
                           f"echo {token}; echo {token} > /safe_outputs/t; exit {status}")
        ends_well(outcome, [status], f"{self.name} runs tools")
        if outcome.status == status:
            must(outcome.out == token + "\n", f"{self.name}: another output than {token}: {outcome}")

    @weight(4)
    def do_run_detached(self):
        seconds = self.random.randrange(1, 20)
        outcome = self.ces("run", "-d", "-q", *self.project(), self.image_of_own(), "sh", "-c", f"echo up; sleep {seconds}; exit 5")
        ends_well(outcome, [0], f"{self.name} runs tools in the background")
        if outcome.status == 0:
            self.runs.append(outcome.out.strip())

    @weight(2)
    def do_run_client_killed(self):
        words = as_user(self.name, ["ces-client", "run", "-q", *self.project(), self.image_of_own(), "sleep", "30"])
        after, how = self.random.random(), self.random.choice([signal.SIGINT, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
        process = start(words)
        time.sleep(after)
        process.send_signal(how)
        finish(process, words)

    @weight(2)
    def do_stop(self):
        number = self.random.random()
        if self.runs:
            run = self.runs.pop(int(number * len(self.runs)))
            ends_well(self.ces("stop", "-t", "1", run), [0, 1], f"{self.name} stops {run}")

    @weight(1)
    def do_wait(self):
        if self.runs:
            ends_well(self.ces("wait", self.runs[0]), [0, 1], f"{self.name} waits for {self.runs[0]}")

    @weight(1)
    def do_logs(self):
        if self.runs:
            outcome = self.ces("logs", self.runs[-1])
            ends_well(outcome, [0, 1], f"{self.name} reads the log of {self.runs[-1]}")
            # (its shell says so where root has killed the program in the container)
            must(outcome.out in ("", "up\n", "up\nKilled\n"), f"{self.name}: somebody else's log: {outcome}")

    @weight(2)
    def do_ps(self):
        outcome = self.ces("ps", "--format", "json")
        ends_well(outcome, [0], f"{self.name} lists runs")
        if outcome.status == 0:
            for run in json.loads(outcome.out):
                must(run["outputs"] is None or run["outputs"].startswith(f"/home/{self.name}/"), f"{self.name} sees {run}")

    @weight(1)
    def do_images(self):
        outcome = self.ces("images", "--format", "json")
        ends_well(outcome, [0], f"{self.name} lists images")
        if outcome.status == 0:
            json.loads(outcome.out)

    @weight(1)
    def do_inspect(self):
        outcome = self.ces("inspect", self.image_of_own())
        ends_well(outcome, [0, 1], f"{self.name} inspects tools")

    @weight(1)
    def do_rmi(self):
        ends_well(self.ces("rmi", self.image()), [0, 1], f"{self.name} removes an image")

    @weight(1)
    def do_explain(self):
        ends_well(self.ces("explain", "run", *self.project(), self.image_of_own()), [0, 1], f"{self.name} asks for an explanation")

    @weight(1)
    def do_several(self):
        words = as_user(self.name, ["ces-client", "run", "-q", *self.project(), self.image_of_own(), "sleep", "1"])
        for process in [start(words) for _ in range(self.random.randrange(2, 6))]:
            ends_well(finish(process, words), [0], f"{self.name} runs several")


class Outsider(User):
    """A user in no project, who is always refused."""

    @weight(2)
    def do_run(self):
        refused_in_words(self.ces("run", "-q", IMAGE + "tools:1", "true"), "an outsider runs tools")

    @weight(1)
    def do_pull(self):
        project = self.random.choice([[], ["--project", "nsh-2024-0001"]])
        refused_in_words(self.ces("pull", "-q", *project, self.image()), "an outsider pulls")

    @weight(3)
    def do_others(self):
        """Asks about another user's run, which must look like none."""
        verb, number = self.random.choice(["stop", "logs", "inspect", "wait", "port"]), self.random.random()
        runs = self.machine.live_runs()
        if runs:
            run = runs[int(number * len(runs))]
            outcome = self.ces(verb, run)
            must(outcome.status != 0 and outcome.out == "", f"an outsider: {verb} {run}: {outcome}")

    @weight(3)
    def do_frame(self):
        """Sends random bytes, or a request with an error."""
        length = self.random.randrange(1, 200)
        noise = "hex:" + self.random.randbytes(length).hex()
        verb = self.random.randrange(12)
        fields = [f"u64:1:{verb}", f"field:{self.random.randrange(24)}:{'x' * self.random.randrange(90)}", "wrap:1"]
        words = as_user(self.name, ["python3", f"{TOP}/tests/lib/frame.py", *self.random.choice([[noise], fields, [*fields, noise]])])
        outcome = call(words)
        # (root may have killed it)
        must(outcome.status in (0, REFUSED) or outcome.out.endswith("signal 9\n"), f"an outsider's frame {words[-3:]}: {outcome}")

    @weight(1)
    def do_flood(self):
        words = as_user(self.name, ["ces-client", "run", "-q", IMAGE + "tools:1", "true"])
        for process in [start(words) for _ in range(self.random.randrange(4, 12))]:
            refused_in_words(finish(process, words), "one of many runs of an outsider's")


class Insider(User):
    """A hostile user in a project, who attacks in the container and beside the client."""

    def container(self, script, *options):
        outcome = self.ces("run", "-q", *options, IMAGE + "tools:1", "sh", "-c", script)
        must(outcome.status <= 165, f"an insider's {script}: {outcome}")

    @weight(1)
    def do_fork_bomb(self):
        self.container(FORK_BOMB, "--time", "5s")

    @weight(1)
    def do_dig(self):
        self.container(DIG)

    @weight(1)
    def do_deaf(self):
        self.container(DEAF, "--time", "2s")

    @weight(1)
    def do_fill(self):
        self.container(FILL, "--time", "10s")

    @weight(2)
    def do_leave(self):
        self.container(LEAVE)

    @weight(2)
    def do_trick(self):
        trick = self.random.choice(["full", "slack", "drip", "silent"])
        words = [f"{TOP}/tests/attack/hostile_client.py", trick, str(round(40 * common.SLOWER)), IMAGE + "tools:1"]
        outcome = call(as_user(self.name, words))
        must("still there" not in outcome.err, f"an insider's trick {trick}: {outcome}")

    @weight(1)
    def do_rob(self):
        words = as_user(self.name, [f"{TOP}/tests/attack/robber.py", "--for", "ever", "ces-session", "ces-helper", "ces-unpack", "ces-fetch"])
        seconds, process = self.random.random() * 3, start(words)
        time.sleep(common.SLOWER + seconds)
        process.terminate()
        outcome = finish(process, words)
        # (ended before it had begun, on a busy machine)
        must((outcome.status == -signal.SIGTERM and not outcome.out) or outcome.out.strip().endswith(("nothing", "never saw one")), f"an insider robs: {outcome}")

    @weight(2)
    def do_frozen_client(self):
        """Stops the client while its run goes on; the client then continues or dies."""
        words = as_user(self.name, ["ces-client", "run", "-q", "--time", "4s", IMAGE + "tools:1", "sh", "-c", "yes | head -c 3000000"])
        after, back, process = self.random.random() * 0.3, self.random.random() < 0.5, start(words)
        time.sleep(after)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1)
        process.send_signal(signal.SIGCONT if back else signal.SIGKILL)
        finish(process, words)

    @weight(2)
    def do_pull(self):
        self.ces("pull", "-q", self.image())
