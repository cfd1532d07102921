#!/usr/bin/python3
"""Makes one valid chain of the records on stdin, as the helper does: relink.py < RECORDS > JOURNAL. With it a test
can change a journal with jq, and still have a valid chain."""
import hashlib
import json
import sys

prev = ""
for seq, text in enumerate(sys.stdin, 1):
    record = json.loads(text)
    record = {**{"seq": seq, "time": record["time"], "prev": prev}, **{k: v for k, v in record.items() if k not in ("seq", "time", "prev")}}
    line = json.dumps(record, separators=(",", ":")).encode()
    prev = "sha256:" + hashlib.sha256(line).hexdigest()
    sys.stdout.buffer.write(line + b"\n")
