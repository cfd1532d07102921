#!/usr/bin/python3
"""Writes a journal of N records in one valid chain, as the helper does: make_journal.py N [--first SEQ:DIGEST] >
FILE. Records come in pairs (a decision of a run and its end), now and then a denied pull. The same N gives the
same bytes. With --proofs each pair has a proof. Every seventh proof is of a container that deviates, and a stranger
follows it."""
import hashlib
import json
import sys
import time

USERS = ["alice", "bob", "carol", "dave"]
PROJECTS = ["nsh-2024-0001", "nsh-2024-0002", "nsh-2024-0003"]


def decision(i):
    user, project, run = USERS[i % 4], PROJECTS[i % 3], "%010d" % (i * 7919 % 10**10)
    if i % 10 == 9:
        return {"event": "decision", "outcome": "denied", "uid": 4401 + i % 4, "user": user, "verb": "pull",
                "image": "docker.io/library/busybox", "args": 0, "env": 0, "policy": "sha256:" + "7" * 64,
                "code": "denied", "rule": "registries", "reason": "docker.io is not an allowed registry (ghcr.io)"}
    return {"event": "decision", "outcome": "allowed", "uid": 4401 + i % 4, "user": user, "verb": "run",
            "image": "ghcr.io/epcced/tool%d:1" % (i % 5), "project": project, "args": 1, "env": 2, "run": run,
            "digest": "sha256:%064x" % (i % 5 + 1), "policy": "sha256:" + "7" * 64,
            "rule": "projects.%s.images[0]" % project, "approval": "IG-2026-014",
            "mounts": [{"source": "/safe_data/" + project, "destination": "/safe_data", "access": "read-only"},
                       {"source": "/home/%s/outputs_%s" % (user, run), "destination": "/safe_outputs", "access": "read-write"},
                       {"source": "/home/%s/scratch_%s" % (user, run), "destination": "/scratch", "access": "read-write"}],
            "limits": {"cpus_milli": 1000, "memory": 536870912, "pids": 256, "time": 600}, "gpus": 0, "ports": 0}


def end(i):
    status, reason = [(0, "exit"), (3, "exit"), (137, "time limit")][i % 3]
    outputs = {"outputs": "listed", "manifest": "sha256:%064x" % i, "files": i, "bytes": 10 * i} if status == 0 else {}
    return {"event": "end", "verb": "run", "uid": 4401 + i % 4, "run": "%010d" % (i * 7919 % 10**10),
            "image": "ghcr.io/epcced/tool%d:1" % (i % 5), "digest": "sha256:%064x" % (i % 5 + 1), "status": status,
            "reason": reason, "peak_memory": 1048576 * (1 + i % 50), "cpu_us": 1000 * i, **outputs}


def proof(i):
    outcome = {"outcome": "deviates", "reason": "/sys can be written"} if i % 7 == 0 else {"outcome": "as planned"}
    return {"event": "proof", "verb": "run", **outcome, "uid": 4401 + i % 4, "user": USERS[i % 4], "project": PROJECTS[i % 3],
            "run": "%010d" % (i * 7919 % 10**10), "mounted": ["/ rw,nosuid,nodev overlay"]}


def stranger(i):
    return {"event": "stranger", "verb": "port", "outcome": "refused", "uid": 4401 + i % 4,
            "run": "%010d" % (i * 7919 % 10**10), "port": 8888, "stranger": 4405, "count": 1}


def records(proofs):
    i = 0
    while True:
        i += 1
        first = decision(i)
        yield first
        if first["outcome"] == "allowed":
            if proofs:
                yield proof(i)
                yield stranger(i)
            yield end(i)


def main(n, first, proofs):
    seq, prev = (int(first.split(":")[0]), first.split(":", 1)[1]) if first else (0, "")
    at = 1790000000 + seq * 60
    out = sys.stdout.buffer
    source = records(proofs)
    for _ in range(n):
        seq, at = seq + 1, at + 60
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + ".%03dZ" % (seq % 1000)
        record = {"seq": seq, "time": when, "prev": prev, **next(source)}
        line = json.dumps(record, separators=(",", ":")).encode()
        prev = "sha256:" + hashlib.sha256(line).hexdigest()
        out.write(line + b"\n")


if __name__ == "__main__":
    proofs = "--proofs" in sys.argv
    main(int(sys.argv[1]), sys.argv[3] if len(sys.argv) > 3 and not proofs else None, proofs)
