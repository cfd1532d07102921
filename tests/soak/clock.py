"""Jumps of the wall clock in a soak: forwards and backwards, by minutes, days and years, at any step of a run. Every deadline
of CES's must be monotonic, so no run may end early, late or never because of a jump, and the journal stays whole. It must never
set the clock of a machine that somebody needs: it works in the virtual machines of tests/vm alone."""
import re
import time

import machine
from common import IMAGE, as_user, call, finish, must, start

MINUTE, DAY, YEAR = 60, 86400, 365 * 86400
JUMPS = [90, 30 * MINUTE, DAY, 40 * DAY, 3 * YEAR]
# Sites that name rotated journals by date, as their distributions do: names and numbers mix, and a clock that goes back makes a
# later file the one with the earlier name.
BY_DATE = """/var/log/ces/audit.jsonl {
	rotate 120
	nocreate
	missingok
	notifempty
	dateext
	dateformat -%Y%m%d%H%M%S
}
"""


def is_ours():
    """Whether this is a machine of tests/vm: the kernel's own words say so, and the processor's."""
    with open("/proc/cmdline", encoding="utf-8") as file:
        numbered = re.search(r"(^| )ces\.machine=[0-9]+( |$)", file.read()) is not None
    return numbered and call(["systemd-detect-virt", "--vm"]).out.strip() in ("qemu", "kvm")


def run(*words, options=()):
    return as_user("grace", ["ces-client", "run", "-q", *options, IMAGE + "tools:1", *words])


class Clock(machine.Machine):
    def __init__(self):
        super().__init__()
        self.offset = time.time() - time.monotonic()
        self.jumps = 0

    def put_right(self):
        time.clock_settime(time.CLOCK_REALTIME, self.offset + time.monotonic())

    def jump(self):
        seconds = self.random.choice(JUMPS) * self.random.choice([1, -1])
        time.clock_settime(time.CLOCK_REALTIME, self.offset + time.monotonic() + seconds)
        self.jumps += 1

    def during(self, words, most):
        """Starts words, and has the clock jump there and, mostly, back, at times of chance while they are at work."""
        first, second, stays = self.random.random() * most, self.random.random() * most, self.random.random() < 0.3
        process = start(words)
        time.sleep(first)
        self.jump()
        time.sleep(second)
        if not stays:  # (else until the next jump, or the end of the round)
            self.put_right()
        return finish(process, words)

    def choose(self):
        """Mostly a jump: of the other disturbances there are enough in a lab."""
        if self.random.random() < 0.3:
            return super().choose()
        return self.random.choice([self.do_clock, self.do_clock_limit, self.do_clock_stop, self.do_clock_wait, self.do_rotate])

    def do_clock(self):
        """A run goes on to its end."""
        outcome = self.during(run("sh", "-c", "echo up; sleep 2; echo whole"), 3)
        must(outcome.status == 125 and "ces: " in outcome.err or outcome.status == 0 and outcome.out == "up\nwhole\n",
             f"a run while the clock jumps: {outcome}")

    def do_clock_limit(self):
        """The limit of a run's time is of the time that passes."""
        outcome = self.during(run("sleep", "3600", options=["--time", "2s"]), 3)
        must(outcome.status != 0, f"a run with a time limit while the clock jumps: {outcome}")

    def do_clock_stop(self):
        """So is the grace of a stop."""
        outcome = call(run("sh", "-c", "trap '' TERM; while :; do sleep 1; done", options=["-d"]))
        if outcome.status == 0:
            number = outcome.out.strip()
            outcome = self.during(as_user("grace", ["ces-client", "stop", "-t", "2", number]), 2)
            must(outcome.status in (0, 1, 125) and number not in self.live_runs(), f"a stop while the clock jumps: {outcome}")

    def do_clock_wait(self):
        """A run that waits for a place gets it, or gives up, in the time that passes."""
        for _ in range(4):
            call(run("sleep", "4", options=["-d"]))
        outcome = self.during(run("echo", "ran", options=["--wait=20s"]), 3)
        must(outcome.status == 125 and "ces: " in outcome.err or outcome.status == 0 and outcome.out == "ran\n",
             f"a run that waits while the clock jumps: {outcome}")

    def do_rotate(self):
        if self.random.random() < 0.4:
            super().do_rotate()
            return
        with open("/srv/lab/by-date", "w", encoding="utf-8") as file:
            file.write(BY_DATE)
        outcome = call(["logrotate", "-f", "-s", "/srv/lab/logrotate", "/srv/lab/by-date"])
        must(outcome.status == 0, f"logrotate by date: {outcome}")
