#!/usr/bin/env python3
"""Runs an hour of everything at once, in a lab: soak.py --seconds N [--seed S] [--round R] [--log FILE] [--tap] [--clock].
As root.

It goes in rounds. In a round four users work, two attack and root disturbs, each in a thread of their own, while other threads
check the invariants. Then it stops all, and checks what must hold in quiet. What each does in a round depends only on the seed
and the round's number; their timing does not. --round replays one round. The last line counts operations and
checks; with --tap it prints a test for each promise instead. With --clock, in a virtual machine, root also sets the wall clock. It
must stop after the seconds, once all is quiet.
"""
import argparse
import collections
import json
import random
import secrets
import sys
import threading
import time

import clock
import invariants
import machine
import people
import sabotage
from common import SLOWER, Violation, as_user, call, must

STEPS = {people.Worker: 6, people.Insider: 4, people.Outsider: 8, machine.Machine: 6, clock.Clock: 6}
ROUND_MAX = 240 * SLOWER  # seconds, before a round is one that hangs


class Soak:
    def __init__(self, options):
        self.seed, self.lock = options.seed, threading.Lock()
        self.log = open(options.log, "w", encoding="utf-8", buffering=1)
        self.passed, self.failed, self.texts = collections.Counter(), collections.Counter(), {}
        self.machine = clock.Clock() if options.clock else machine.Machine()
        both = ["nsh-2024-0001", "nsh-2024-0002"]
        workers = [people.Worker("alice", self.machine), people.Worker("bob", self.machine),
                   people.Worker("carol", self.machine, both), people.Worker("grace", self.machine)]
        self.actors = [*workers, people.Outsider("dave", self.machine), people.Insider("mallory", self.machine), self.machine]
        self.always, self.quiet = invariants.Always(self.machine), invariants.Quiet(self.machine)
        self.working = threading.Event()

    def count(self, kind, name, fault=None, who="", number=0):
        with self.lock:
            self.log.write(json.dumps({"time": round(time.time(), 3), "round": number, "who": who, kind: name, "fault": fault}) + "\n")
            if fault is None:
                self.passed[f"{kind} {name}"] += 1
                return
            self.failed[f"{kind} {name}"] += 1
            self.texts.setdefault(f"{kind} {name}", []).append(fault)
            print(f"# seed {self.seed}, round {number}: {who} {name}: {fault}", flush=True)

    def attempt(self, kind, name, function, who="", number=0, tries=1):
        for left in range(tries - 1, -1, -1):
            try:
                function()
            except Violation as broken:
                if left > 0:
                    time.sleep(0.3)
                    continue
                self.count(kind, name, str(broken), who, number)
            except Exception as broken:  # pylint: disable=broad-except
                self.count(kind, name, f"the soak itself: {broken!r}", who, number)
            else:
                self.count(kind, name, None, who, number)
            return

    def work(self, actor, number):
        who = getattr(actor, "name", "root")
        actor.random = random.Random(f"{self.seed}/{number}/{who}")
        for _ in range(STEPS[type(actor)] // (1 if SLOWER == 1 or actor is self.machine else 2)):
            operation = actor.choose()
            self.attempt("operation", operation.__name__[3:], operation, who, number)

    def watch(self, number):
        while self.working.is_set():
            for check in self.always.all():
                self.attempt("always", check.__name__, check, "invariant", number, tries=3)
            time.sleep(0.5)

    def round(self, number):
        for actor in self.actors:
            if isinstance(actor, people.Worker):
                actor.runs = []
        self.machine.put_right()
        self.machine.policy()
        threads = [threading.Thread(target=self.work, args=(actor, number), daemon=True) for actor in self.actors]
        watcher = threading.Thread(target=self.watch, args=(number,), daemon=True)
        self.working.set()
        for thread in [*threads, watcher]:
            thread.start()
        deadline = time.monotonic() + ROUND_MAX
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 1))
        self.working.clear()
        watcher.join(60 * SLOWER)
        if any(thread.is_alive() for thread in [*threads, watcher]):
            self.count("quiet", "a_round_ends", "it did not", "soak", number)
        self.machine.put_right()
        self.machine.policy()
        self.attempt("quiet", "all_ends", lambda: machine.settle(self.machine), "soak", number)
        for check in self.quiet.all():
            self.attempt("quiet", check.__name__, check, "invariant", number, tries=10)

    def end(self, number):
        for name in ("alice", "bob", "carol", "grace", "mallory"):
            listed = call(as_user(name, ["ces-client", "images", "-q"])).out.split()
            if listed:
                call(as_user(name, ["ces-client", "rmi", *listed]))
        call(["ces-client", "clean"])
        self.attempt("quiet", "nothing_is_stored", invariants.nothing_is_stored, "invariant", number, tries=30)

    def most_runs_work(self):
        """Fails if everything was refused: such a soak shows nothing."""
        for verb in ("run", "pull"):
            ends = collections.Counter(status for word, status in self.machine.ends if word == verb)
            print(f"# {verb}: " + ", ".join(f"{n} ended with {status}" for status, n in sorted(ends.items())))
            must(ends[0] >= 0.3 * ends.total() or ends.total() < 20, f"few of verb {verb} worked: {dict(ends)}")

    def memory(self):
        """Compares the leanest watchers, since others (with ports, or a terminal) are not equally many all the time.

        It counts private memory: shared memory would be divided by the number of processes.
        """
        sizes = self.always.watching
        if len(sizes) < 60:
            return
        third = len(sizes) // 3
        first, last = (sorted(part)[third // 10] for part in (sizes[:third], sizes[-third:]))
        print(f"# memory of the leanest processes that watch a run: {first} KiB in the first third, {last} KiB in the last, {max(sizes)} at most")
        self.count("quiet", "memory_is_flat", None if last <= first + 128 else f"it grew from {first} to {last} KiB", "invariant")


def tap(soak):
    names = sorted(set(soak.passed) | set(soak.failed))
    print(f"1..{len(names)}")
    for i, name in enumerate(names, 1):
        bad = soak.failed[name]
        print(f"{'not ok' if bad else 'ok'} {i} {name.replace('_', ' ')} ({soak.passed[name] + bad} times)")
        for text in soak.texts.get(name, [])[:5]:
            print("#", text)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=int, required=True)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--round", type=int)
    parser.add_argument("--log", default="/dev/null")
    parser.add_argument("--tap", action="store_true")
    parser.add_argument("--clock", action="store_true")
    options = parser.parse_args()
    if options.clock and not clock.is_ours():
        sys.exit("--clock sets the wall clock: type `make vm-check CES_TESTS=tests/vm/soak.sh`, which has a machine for that")
    print(f"# seed {options.seed}", flush=True)
    began, soak = time.monotonic(), Soak(options)
    for name, function in sabotage.Sabotage(soak.machine, soak.quiet).all():
        soak.attempt("sabotage", name, function, "soak")
    number = options.round or 0
    while True:
        number += 1 if options.round is None else 0
        soak.round(number)
        if options.round is not None or time.monotonic() > began + options.seconds:
            break
    soak.end(number)
    soak.memory()
    soak.attempt("quiet", "most_runs_work", soak.most_runs_work, "soak", number)
    passed, failed = sum(soak.passed.values()), sum(soak.failed.values())
    for name in sorted(set(soak.passed) | set(soak.failed)):
        if not options.tap:
            print(f"# {soak.passed[name]:6d} passed, {soak.failed[name]} failed: {name.replace('_', ' ')}")
    print(f"# seed {options.seed}, {number} rounds, {round(time.monotonic() - began)} s")
    if options.tap:
        tap(soak)
    else:
        print(f"{passed} passed, {failed} failed")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
