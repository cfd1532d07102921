#!/usr/bin/python3
"""Checks the chain of a journal: chain.py FILE. Each line must be a JSON object with the SHA-256 of the line before
(without its newline), and the numbers must follow each other. A file after a rotation goes on where the last one
ended. Prints each fault, or how many lines are right."""
import hashlib
import json
import sys


def main(path):
    previous, number = None, None
    with open(path, "rb") as f:
        lines = f.read().split(b"\n")
    if lines.pop() != b"":
        sys.exit("the last line is torn")
    for at, line in enumerate(lines, 1):
        record = json.loads(line)
        digest = "" if previous is None else "sha256:" + hashlib.sha256(previous).hexdigest()
        if previous is None and record["seq"] > 1:
            digest = record["prev"]
        if record.get("prev", "") != digest:
            sys.exit(f"line {at}: the line before it is not the one that it was written after")
        if number is not None and record["seq"] != number + 1:
            sys.exit(f"line {at}: number {record['seq']} after {number}")
        previous, number = line, record["seq"]
    print(f"{len(lines)} records, one chain")


if __name__ == "__main__":
    main(sys.argv[1])
