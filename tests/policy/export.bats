#!/usr/bin/env bats
# ces-policy audit export: events for a SIEM. tests/policy/ocsf.json is from the published schema.

load common.bash

setup()
{
	j=$BATS_TEST_TMPDIR/audit.jsonl
	journal 401 --proofs > "$j"
	jq -nc '{time: "2026-10-01T00:00:00.000Z", event: "denials", outcome: "denied", reason: "too many", uid: 4401, count: 17},
		{time: "2026-10-01T00:00:01.000Z", event: "end", verb: "pull", uid: 4401, user: "alice", image: "ghcr.io/a/b:1", status: 125, reason: "no login"},
		{time: "2026-10-01T00:00:01.000Z", event: "end", verb: "pull", uid: 4401, user: "alice", image: "ghcr.io/a/b:1", status: 0, reason: "pulled",
		 signed_by: [{name: "a.pub", key: "sha256:1", digest: "sha256:2"}], proxy: "http://p.loc:1", evidence: "sha256:3"},
		{time: "2026-10-01T00:00:02.000Z", event: "decision", outcome: "denied", verb: "k8s", uid: 4401, user: "alice", image: "not an image"}' > "$j.more"
	cat "$j" "$j.more" | tests/lib/relink.py > "$j.new"
	mv "$j.new" "$j"
	rm "$j.more"
}

export_as() { run policy audit export --journal "$j" --format "$@"; [ "$status" -eq 0 ]; }

@test "each event of OCSF has what its class requires, and no attribute that the class lacks" {
	export_as ocsf
	python3 - tests/policy/ocsf.json "$j" <<- 'PY' 3<<< "$output"
		import json, os, sys
		schema = json.load(open(sys.argv[1]))
		records = [json.loads(l) for l in open(sys.argv[2])]
		events = [json.loads(l) for l in os.fdopen(3)]
		assert len(events) == len(records) == 405
		profiles = {"cloud", "osint"}
		def check(value, attributes, where, skip=()):
		    for key in value:
		        assert key in attributes, (where, key)
		    for key, need in attributes.items():
		        assert need != "required" or key in value or key in skip, (where, key)
		seen = set()
		for event, record in zip(events, records):
		    kind = schema["classes"][str(event["class_uid"])]
		    skip = profiles | (set() if "security_control" in event["metadata"]["profiles"] else {"action_id"})
		    check(event, kind["attributes"], kind["name"], skip)
		    assert event["activity_id"] in kind["activities"] + [99]
		    assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
		    assert event["category_uid"] == event["class_uid"] // 1000 and event["severity_id"] in (1, 2, 3, 4)
		    for key, name in (("metadata", "metadata"), ("app", "product"), ("compliance", "compliance"), ("finding_info", "finding_info"),
		                      ("src_endpoint", "network_endpoint"), ("dst_endpoint", "network_endpoint"), ("actor", "actor")):
		        if key in event:
		            check(event[key], schema["objects"][name], key)
		    check(event["actor"]["user"], schema["objects"]["user"], "user")
		    check(event["metadata"]["product"], schema["objects"]["product"], "product")
		    assert event["metadata"]["sequence"] == record["seq"]
		    for key in ("outputs", "manifest", "files", "bytes"):
		        assert event["unmapped"].get(key) == record.get(key), (key, record)
		    placed = {"seq", "time", "user", "reason", "code", "count", "port", "stranger"}
		    for key in record.keys() - placed:
		        assert event["unmapped"].get(key) == record[key], (key, record)
		    assert event["unmapped"]["event"] == record["event"] and event["unmapped"].get("run") == record.get("run")
		    seen.add((record["event"], record.get("verb"), event["class_uid"], event["activity_id"], event["severity_id"]))
		assert {("decision", "run", 6002, 3, 1), ("decision", "pull", 6002, 1, 3), ("end", "run", 6002, 4, 1), ("end", "run", 6002, 4, 2),
		        ("end", "pull", 6002, 99, 2), ("end", "pull", 6002, 99, 1), ("denials", None, 6002, 99, 3), ("proof", "run", 2003, 1, 1), ("proof", "run", 2003, 1, 4),
		        ("stranger", "port", 4001, 5, 3), ("decision", "k8s", 6002, 99, 3)} == seen, seen
	PY
}

@test "an event of OCSF has the time, user, result and duration of its record" {
	export_as ocsf --run 0000007919
	[ "$(jq -s length <<< "$output")" -eq 4 ]
	jq -es '.[0] | .time == 1790000060001 and .actor.user == {"name": "bob", "uid": "4402", "type_id": 1}
		and .app.name == "ghcr.io/epcced/tool1:1" and .app.vendor_name == "ghcr.io" and .status_id == 1
		and .unmapped.rule == "projects.nsh-2024-0002.images[0]" and .unmapped.project == "nsh-2024-0002"' <<< "$output"
	jq -es '.[2] | .actor.user.uid == "4405" and .dst_endpoint.port == 8888 and .dst_endpoint.uid == "0000007919" and .action_id == 2' <<< "$output"
	jq -es '.[3] | .status_id == 2 and .status_code == "3" and .duration == 180003 and .start_time == 1790000060001' <<< "$output"
}

@test "each line of CEF has seven fields and an extension, for a reader that knows the escapes" {
	export_as cef
	cat > "$BATS_TEST_TMPDIR/cef.py" <<- 'PY'
		import re
		def read(line):
		    parts = re.split(r"(?<!\\)(?:\\\\)*\|", line, maxsplit=7)
		    assert len(parts) == 8 and parts[0] == "CEF:0", line
		    head = [re.sub(r"\\([\\|])", r"\1", p) for p in parts[:7]]
		    pairs = re.findall(r"(?:^| )(\w+)=((?:\\.|[^\\=])*?)(?=(?: \w+=)|$)", parts[7])
		    assert " ".join(f"{k}={v}" for k, v in pairs) == parts[7], line
		    undo = lambda m: {"n": "\n", "r": "\r"}.get(m[1], m[1])
		    return head, {k: re.sub(r"\\(.)", undo, v) for k, v in pairs}
	PY
	PYTHONPATH=$BATS_TEST_TMPDIR python3 - "$j" <<- 'PY' 3<<< "$output"
		import json, os, sys
		from cef import read
		records = [json.loads(l) for l in open(sys.argv[1])]
		lines = os.fdopen(3).read().splitlines()
		assert len(lines) == len(records) == 405
		for line, r in zip(lines, records):
		    head, e = read(line)
		    assert head[1] == "CES" and head[4] == r["event"] and 0 <= int(head[6]) <= 10
		    assert e["externalId"] == str(r["seq"]) and e.get("reason") == r.get("reason") and e.get("cs2") == r.get("image")
		    assert r["event"] == "stranger" or e["suid"] == str(r["uid"])
		    if "stranger" in r:
		        assert (e["suid"], e["duid"], e["dpt"], e["cnt"]) == ("4405", str(r["uid"]), "8888", "1")
		    if r.get("outcome") == "deviates":
		        assert head[6] == "9"
	PY
}

@test "a record cannot begin a field, a key or a line of its own" {
	jq -nc '{time: "2026-10-01T00:00:00.000Z", event: "dec|is\\ion\nCEF:0|x", outcome: "denied", uid: 1, user: "a=b|c\\d", verb: "run",
		mounts: [{source: "/\u202e\u001b[31m", "\u202e": 1}], "a\u007f": 1, image: "x\ncs1=forged", reason: "one\r\ntwo suid=0 \\ = | \u001b[31m\u202e"}' | tests/lib/relink.py > "$j"
	export_as cef
	[ "${#lines[@]}" -eq 1 ]
	says '|dec\|is\\ion CEF:0\|x|other request|5|'
	says ' suser=a\=b|c\\d act=run'
	says ' reason=one\r\ntwo suid\=0 \\ \= | ?[31m? cs2=x\ncs1\=forged cs2Label=image'
	printable
	export_as ocsf
	[ "${#lines[@]}" -eq 1 ]
	printable
	jq -e '.actor.user.name == "a=b|c\\d" and .app.vendor_name == "unknown" and (.status_detail | startswith("one??two suid=0"))' <<< "$output"
}

@test "filters and the output file work for events too, and another format is refused" {
	export_as ocsf --outcome denied -o "$BATS_TEST_TMPDIR/out"
	[ "$(wc -l < "$BATS_TEST_TMPDIR/out")" -eq "$(jq -s '[.[] | select(.outcome == "denied")] | length' "$j")" ]
	run policy audit export --journal "$j" --format json
	[ "$status" -eq 2 ]
	says "write csv, ocsf or cef"
	diff <(policy audit export --journal "$j") <(policy audit export --journal "$j" --format csv)
}

@test "a journal with escape sequences and bytes of any kind prints none of those bytes" {
	printf '{"seq":1,"time":"t","prev":"","event":"end","user":"\033[31mred"}\n' > "$j"
	printf '{"seq":2,"time":"\\u001b[2J","prev":"","event":"stranger","user":"\\u001b[31m\\nx","image":"\\u202e","port":"x"}\n' >> "$j"
	head -c 3000 /dev/urandom | tr -d '\n' >> "$j"
	for format in ocsf cef; do
		export_as "$format"
		printable
	done
}
