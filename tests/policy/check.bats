#!/usr/bin/env bats
# ces-policy check: it reports every error of a policy with its place and what to write, and warns about what is unwise.

load common.bash

setup()
{
	p=$BATS_TEST_TMPDIR/policy.json
	good=$examples/desktop.json
	one='.projects["nsh-2024-0001"]'
}

check() { policy check --no-host --on 2026-12-01 "$@"; }

# made JQ-FILTER: checks the policy that the filter makes from a good one.
made()
{
	jq "$1" "$good" > "$p"
	run check "$p"
}

wrong() { made "$1"; [ "$status" -eq 2 ]; says "error: $2"; }
unwise()
{
	made "$1"
	[ "$status" -eq 0 ]
	says "warning: $2"
	run check --strict "$p"
	[ "$status" -eq 1 ]
}

# Checks the text of a policy as it is.
text()
{
	printf "$1" > "$p"
	run check "$p"
}

@test "a good policy has no finding, also with --strict" {
	made "$one.data.access = \"read-only\""
	[ "$status" -eq 0 ]
	says "good, 0 warnings"
	says "sha256:$(sha256sum < "$p" | cut -d' ' -f1)"
	run check --strict "$p"
	[ "$status" -eq 0 ]
}

@test "every error is reported in the order of the file, with line, column, key and what to write" {
	cat > "$p" <<- 'JSON'
		{
		  "ces_policy": 2,
		  "registries": { "GHCR.io": { "endpoint": "http://ghcr.io" } },
		  "projects": {
		    "p": {
		      "member": { "groups": ["p"] },
		      "images": [ { "alow": "ghcr.io/x" }, { "allow": "ghcr.io/*/", "expires": "2027-02-30" } ],
		      "limits": { "memory": 16, "cpus": "many" },
		      "memory": "1G"
		    }
		  }
		}
	JSON
	run check "$p"
	[ "$status" -eq 2 ]
	says 'policy.json:2:3: error: ces_policy must be the number 1'
	says 'policy.json:3:19: error: registries.GHCR.io is not the name of a registry'
	says 'policy.json:3:32: error: registries.GHCR.io.endpoint must be https://'
	says 'policy.json:5:5: error: projects.p needs the key "members"'
	says 'write "members": { "groups": ["nsh-2024-0001"] }'
	says 'policy.json:6:7: error: projects.p.member is not a key that CES knows here'
	says 'did you mean "members"?'
	says 'policy.json:7:19: error: projects.p.images[0] needs the key "allow"'
	says 'policy.json:7:21: error: projects.p.images[0].alow is not a key'
	says 'policy.json:7:46: error: projects.p.images[1].allow must be a pattern'
	says 'policy.json:7:69: error: projects.p.images[1].expires must be a date like "2027-06-30"'
	says 'policy.json:8:19: error: projects.p.limits.memory must be a size like "16G"'
	says 'policy.json:8:33: error: projects.p.limits.cpus must be a number of cpus'
	says 'policy.json:9:7: error: projects.p.memory is not a key'
	says '"memory" belongs into "limits"'
	says '12 errors'
	grep -o 'json:[0-9]\+' <<< "$output" | cut -d: -f2 | sort -nc
}

@test "of a rule with a tag, capitals or a star in a word, check says what a pattern is" {
	for allow in ghcr.io/lab/tool:1 ghcr.io/Lab/tool 'ghcr.io/lab/tool*' docker://ghcr.io/lab/tool; do
		wrong "$one.images[0].allow = \"$allow\"" "projects.nsh-2024-0001.images[0].allow must be a pattern like registry/group/* or registry/group/**, in lower case, without a tag, with * for whole parts only"
	done
}

@test "the helper's parser accepts each policy in which check finds no error, and the other way round" {
	for f in "$examples"/{desktop,gpu-cluster,ondemand,test-environment}.json; do
		run check "$f"
		[ "$status" -eq 0 ]
		run policy explain "$f"
		[ "$status" -eq 0 ]
	done
	for f in 'del(.registries)' 'del(.projects)' '.host.subordinate_ids.per_user = 65537' "$one.members = []"; do
		made "$f"
		[ "$status" -eq 2 ]
		run policy explain "$p"
		[ "$status" -eq 2 ]
	done
}

@test "a list with more entries than a decision can hold, and a path that is too long, are errors" {
	many() { jq -cn "[range($1) | \"$2\" + tostring + \"$3\"]"; }
	for n in 64 65; do
		for list in "$one.gpus.devices = $(many $n MIG-)" "$one.gpus.kinds = $(many $n v. /gpu)" \
			".registries[\"ghcr.io\"].token_hosts = $(many $n h .loc)" ".host.cdi_dirs = $(many $n /d)"; do
			if [ $n = 65 ]; then
				wrong "$list" ""
				says "must have at most 64 entries"
			else
				made "$list"
				[ "$status" -eq 0 ]
			fi
		done
	done
	infer='.infer_projects = {base: "/safe_data", images: [], group_prefixes: '
	made "$infer $(many 16 a)}"
	[ "$status" -eq 0 ]
	wrong "$infer $(many 17 a)}" "infer_projects must have at most 16 group_prefixes"
	long=$(printf '/%0262d' 0)
	made ".host.cdi_dirs = [\"$long\"]"
	[ "$status" -eq 0 ]
	wrong ".host.cdi_dirs = [\"${long}0\"]" "host.cdi_dirs[0] must be an absolute path without \"..\", of at most 263 bytes"
}

@test "a directory for each run that CES cannot make, or would delete with its outputs, is an error" {
	# shellcheck disable=SC2088 # (the policy's own tilde)
	for source in '~/runs/{run}/out' '/srv/{run}/{run}' '~/{run}_{run}'; do
		for kind in outputs scratch; do
			wrong "$one.$kind.source = \"$source\"" "projects.nsh-2024-0001.$kind.source must be an absolute or ~ path; {project} and {user} are filled in, and {run}, once and in the last part"
		done
	done
	lost="has one directory as outputs and scratch: CES would delete the outputs when the run ends"
	wrong "$one |= (.outputs.source = \"~/run_{run}\" | .scratch.source = \"~/run_{run}\")" "projects.nsh-2024-0001 $lost"
	wrong "$one.outputs.source = \"~/scratch_{run}\"" "projects.nsh-2024-0001 $lost"
	wrong "$one |= (.outputs.source = \"/o/{user}/nsh-2024-0001_{run}\" | .scratch.source = \"/o/{user}/{project}_{run}\")" "projects.nsh-2024-0001 $lost"
	wrong '.defaults.scratch.source = "~/outputs_{run}"' "defaults $lost"
	made "$one |= (.outputs.source = \"~/out\" | .scratch.source = \"~/out/{run}\")"
	[ "$status" -eq 0 ]
}

@test "each kind of unwise rule is reported" {
	unwise "del($one.expires)" "projects.nsh-2024-0001 never expires"
	unwise "$one.images[0].allow = \"gcr.io/x\"" "projects.nsh-2024-0001.images[0].allow can never match: the registry gcr.io"
	unwise "$one.images += [{allow: \"ghcr.io/epcced/tool\", expires: \"2027-01-01\", approval: \"x\"}]" "projects.nsh-2024-0001.images[2] never decides: images[0]"
	unwise "$one.images[0].expires = \"2026-01-01\"" "projects.nsh-2024-0001.images[0] can never match any more: it expired on 2026-01-01"
	unwise "$one.expires = \"2026-01-01\"" "projects.nsh-2024-0001 expired on 2026-01-01"
	unwise "del($one.images[0].approval)" "projects.nsh-2024-0001.images[0] names no approval"
	unwise "$one.images = []" "projects.nsh-2024-0001.images allows nothing"
	unwise "$one.members = {}" "projects.nsh-2024-0001 has no members"
	unwise "." "projects.nsh-2024-0001 has read-write data together with a published port (5432"
	unwise "$one.outputs.check = {forbidden_values: [\"date\"]}" "projects.nsh-2024-0001 forbids values, and allows files that are not text"
	withheld="check: {types: [\"csv\"], on_fail: \"withhold\", withhold: \"$BATS_TEST_TMPDIR/place\"}"
	unwise "$one.outputs = {$withheld}" "projects.nsh-2024-0001 withholds outputs, and a run can write to the data instead"
	unwise "$one.outputs = {$withheld} | $one.binds = [\"~/x\"]" "projects.nsh-2024-0001 withholds outputs, and a run can write to a directory that its user binds (~/x)"
	unwise "$one.outputs = {source: \"/out\", $withheld}" "projects.nsh-2024-0001 withholds outputs, and has no directory for each run"
	unwise "$one.outputs = {source: \"/out\", check: {types: [\"csv\"]}}" "projects.nsh-2024-0001 checks outputs in a directory that runs share"
	unwise "$one.data.source = \"/safe_data/nsh-2024-0002/part\"" "projects.nsh-2024-0001.data overlaps with the data of project nsh-2024-0002"
	unwise "$one.data.source = \"/safe_data\"" "projects.nsh-2024-0002.data overlaps with the data of project nsh-2024-0001"
	unwise "$one.binds = [\"/safe_data\"]" "projects.nsh-2024-0001.binds[0] /safe_data reaches the data of project nsh-2024-0002"
	unwise "$one.network.proxy = \"http://p.loc:1\"" "projects.nsh-2024-0001 has a way out by the proxy http://p.loc:1"
	unwise ".host.runtime = \"/opt/bin/crun\"" "host.runtime is not below /usr: CES refuses every run"
	unwise ".review_by = \"2026-11-30\"" "review_by has passed"
	unwise "del(.review_by)" "the policy does not say when it is to be reviewed"
	unwise "del(.approved_by)" "the policy does not say who approved it"
	unwise ".approved_on = \"2026-12-02\"" "approved_on is in the future"
}

@test "a directory that all projects may bind is no project's data, nor above that of inferred ones" {
	made '.defaults.binds = ["/safe_data/nsh-2024-0001"] | .projects[].binds |= null | del(.projects[].binds)'
	says "projects.nsh-2024-0002.binds[0] /safe_data/nsh-2024-0001 reaches the data of project nsh-2024-0001"
	made '.defaults.binds = ["/safe_data/{project}"] | del(.projects[].binds)'
	says_not "reaches the data"
	infer='del(.projects) | .infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}'
	made "$infer | .defaults.binds = [\"/safe_data\"]"
	says "defaults.binds[0] /safe_data reaches the data of every inferred project (/safe_data/{project})"
	made "$infer | .defaults.binds = [\"/safe_data/{project}\", \"~\", \"/srv\"]"
	says_not "reaches the data"
}


@test "outputs and scratch that hold read-only data, or reach another project's, are reported" {
	two='.projects["nsh-2024-0002"]'
	unwise "$two.outputs.source = \"/safe_data/{project}\"" \
		"projects.nsh-2024-0002.outputs.source /safe_data/nsh-2024-0002 holds the data, /safe_data/nsh-2024-0002, which are read-only"
	unwise "$two.data.source = \"~/data\" | $two.scratch.source = \"~\"" "projects.nsh-2024-0002.scratch.source ~ holds the data, ~/data, which are read-only"
	unwise "$two.data.access = \"read-write\" | $two.outputs.source = \"/safe_data\"" \
		"projects.nsh-2024-0002.outputs.source /safe_data reaches the data of project nsh-2024-0001"
	unwise "$two.outputs.source = \"/safe_data/nsh-2024-0001/{run}\"" "projects.nsh-2024-0002.outputs.source /safe_data/nsh-2024-0001/{run} reaches the data of"
	unwise 'del(.projects) | .infer_projects = {base: "/safe_data", group_prefixes: [""], images: []} | .defaults.outputs.source = "/safe_data/{project}"' \
		"defaults.outputs.source /safe_data/{project} holds the data"
	home="$two.data.home_override = true"
	# shellcheck disable=SC2088 # (the policy's own tilde)
	for dir in '~' '~/safe_data'; do
		unwise "$home | $two.outputs.source = \"$dir\"" "projects.nsh-2024-0002.outputs.source $dir holds the data, ~/safe_data, which are read-only"
	done
	unwise "$home | $two.scratch.source = \"/safe_data/{project}\"" "projects.nsh-2024-0002.scratch.source /safe_data/nsh-2024-0002 holds the data, /safe_data/nsh-2024-0002, which"
	made "$home | $two.outputs.source = \"~/safe_data/x\" | $two.scratch.source = \"~/safe\""
	says_not "which are read-only"
	made "$two.outputs.source = \"/safe_data/{project}/{run}\""
	says_not "which are read-only"
	says_not "reaches the data"
	made "$two.data.access = \"read-write\" | $two.outputs.source = \"/safe_data/{project}\""
	says_not "outputs.source"
}

@test "a written project that reaches the data of projects that groups infer is reported" {
	infer='.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}'
	inferred="which a group can infer (/safe_data/heart)"
	unwise "$infer | $one.data.source = \"/safe_data/heart\"" "projects.nsh-2024-0001.data /safe_data/heart reaches the data of project heart, $inferred"
	unwise "$infer | $one.data.source = \"/safe_data/heart/part\"" "projects.nsh-2024-0001.data /safe_data/heart/part reaches the data of project heart, $inferred"
	unwise "$infer | $one.data.source = \"/safe_data\"" "projects.nsh-2024-0001.data /safe_data reaches the data of every inferred project (/safe_data/{project})"
	unwise "$infer | $one.binds = [\"/srv\", \"/safe_data/heart\"]" "projects.nsh-2024-0001.binds[1] /safe_data/heart reaches the data of project heart, $inferred"
	unwise "$infer | $one.outputs.source = \"/safe_data/heart/out_{run}\"" "projects.nsh-2024-0001.outputs.source /safe_data/heart/out_{run} reaches the data of project heart, $inferred"
	unwise "$infer | .defaults.outputs.source = \"/safe_data/heart\"" "defaults.outputs.source /safe_data/heart reaches the data of project heart, $inferred"
	unwise "$infer | .defaults.binds = [\"/safe_data/heart\"]" "defaults.binds[0] /safe_data/heart reaches the data of project heart, $inferred"
	unwise "$infer | .defaults.data.source = \"/d/nsh-{project}-x/raw\" | $one.data.source = \"/d/nsh-heart-x/raw\"" \
		"projects.nsh-2024-0001.data /d/nsh-heart-x/raw reaches the data of project heart, which a group can infer (/d/nsh-heart-x/raw)"
	unwise "$infer | .defaults.data.source = \"/shared\" | $one.data.source = \"/shared/part\"" "projects.nsh-2024-0001.data /shared/part reaches the data of every inferred project (/shared)"
	for apart in . "$one.outputs.source = \"/safe_data/{project}/out\"" "$one.binds = [\"/safe_data/nsh-2024-0001/x\", \"~\", \"/srv\"]" "$one.data.source = \"/safe/heart\"" \
		"$one.outputs.source = \"/safe_data_2/heart\"" ".defaults.data.source = \"/safe_data/{project}/raw\" | $one.scratch.source = \"/safe_data/heart/other\"" \
		'.defaults.data.source = "~/safe_data"' '.defaults.outputs.source = "/safe_data/{project}/out"'; do
		made "$infer | $apart"
		says_not "reaches the data"
	done
}

@test "a directory whose name only begins like another does not overlap with it" {
	made "$one.data.source = \"/safe_data/nsh-2024-0002-b\""
	says_not overlaps
}

@test "a narrower rule before a wider one is not shadowed, nor is one that lasts longer" {
	made "$one.images = [{allow: \"ghcr.io/epcced/tool\", approval: \"x\"}, {allow: \"ghcr.io/epcced/*\", approval: \"x\"}]"
	says_not "never decides"
	made "$one.images = [{allow: \"ghcr.io/**\", expires: \"2026-12-31\", approval: \"x\"}, {allow: \"ghcr.io/epcced/*\", approval: \"x\"}]"
	says_not "never decides"
}

@test "a later rule that allows the other digests of an image, and demands less, is reported" {
	d="digest: \"sha256:$(printf '%064d' 7)\""
	rules() { echo "$one.images = [{allow: \"ghcr.io/lab/x\", $d, approval: \"1\" $1}, {allow: \"ghcr.io/$2\", approval: \"2\" $3}]"; }
	undone="projects.nsh-2024-0001.images[0] does not hold other digests back: images[1]"
	unwise "$(rules '' 'lab/*' '')" "$undone (ghcr.io/lab/*) comes later, allows them and demands less"
	unwise "$(rules ', signed_by: ["a.pub"]' '**' '')" "$undone (ghcr.io/**)"
	unwise "$(rules ', signed_by: ["a.pub"]' '**' ', signed_by: ["b.pub"]')" "$undone"
	unwise "$(rules ', signed_by: {keys: ["a.pub", "b.pub"], at_least: 2}' '**' ', signed_by: ["a.pub"]')" "$undone"
	for held in "$(rules ', signed_by: ["a.pub"]' '**' ', signed_by: ["a.pub"]')" "$(rules '' '**' ', signed_by: ["a.pub"]')" \
		"$(rules '' 'other/*' '')" "$(rules '' '**' ', expires: "2026-11-30"')" "$(rules '' 'lab/x' ", $d")" \
		"$(rules ', expires: "2026-11-30"' 'lab/*' '')" "$(rules '' 'lab/*' '') | $one.images |= reverse"; do
		made "$held"
		says_not "does not hold other digests back"
	done
}

@test "a user's total that is less than one run may have is reported" {
	jq '.host.user_limits = {memory: "1G", cpus: 100}' "$good" > "$p"
	run check "$p"
	says "host.user_limits.memory is less than limits.memory of project"
	says_not "user_limits.cpus"
}

@test "a directory of withheld outputs that is missing, open, not the airlock's or on another file system is reported" {
	local room # (the check gives up root, and does not enter the test's own directory)
	room=$(mktemp -d)
	chmod 755 "$room"
	place=$room/place
	looked() # SOURCE-OF-OUTPUTS SAYS
	{
		jq --arg s "$1" --arg p "$place" "$one.outputs = {source: \$s, check: {on_fail: \"withhold\", withhold: \$p}}" "$good" > "$p"
		run policy check --on 2026-12-01 "$p"
		says "projects.nsh-2024-0001.outputs.check.withhold $place $2"
	}
	# shellcheck disable=SC2088 # (CES expands it)
	looked '~/o_{run}' "is not on this machine: every run would be refused"
	mkdir -m 755 "$place"
	# shellcheck disable=SC2088 # (CES expands it)
	looked '~/o_{run}' "is open to others than the airlock's group: every run would be refused"
	chmod 750 "$place"
	looked '/proc/{run}' "is on another file system than /proc: every run would be refused"
	# shellcheck disable=SC2088 # (CES expands it)
	[ "$(id -u)" != 0 ] || looked '~/o_{run}' "belongs to root's group: only root can read withheld outputs"
	rm -r "$room"
}

@test "members, files and ids are looked up on this machine, unless an option turns that off" {
	jq "$one.members = {groups: [\"no-group-of-a-machine\"], users: [\"no-user-of-a-machine\"]}" "$good" > "$p" # (no machine has these names)
	run policy check --on 2026-12-01 "$p"
	[ "$status" -eq 0 ]
	says "projects.nsh-2024-0001.members.users[0] names the user no-user-of-a-machine, which this machine does not have"
	says "members.groups[0] names the group no-group-of-a-machine,"
	run check "$p"
	says_not "on this machine"
	jq "$one.members.users = [\"root\"] | .registries[\"r.example\"] = {endpoint: \"oci:/nowhere/images\"} | .host.runtime = \"/nowhere/crun\" | .host.subordinate_ids.first = 65536 | .host.subordinate_ids.users = 30000" "$good" > "$p"
	run policy check "$p"
	says "registries.r.example.endpoint /nowhere/images is not on this machine: every pull would fail"
	says "/nowhere/crun is not on this machine"
	says_not "no user root"
}

@test "a runtime that is a link, or that others than root own, is reported" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	run policy check --on 2026-12-01 "$good"
	says_not "host.runtime is a file"
	link=$(find /usr/bin -maxdepth 1 -type l | head -n 1)
	jq --arg l "$link" '.host.runtime = $l' "$good" > "$p"
	run policy check --on 2026-12-01 "$p"
	says "warning: host.runtime is a file that CES does not start, so it refuses every run: $link: "
	says "is a symbolic link"
}

@test "problems for machines are JSON" {
	jq "$one.data.access = \"rw\"" "$good" > "$p"
	run check --format json "$p"
	[ "$status" -eq 2 ]
	jq -e '.errors == 1 and .problems[0].path == "projects.nsh-2024-0001.data.access" and .problems[0].severity == "error"
		and .problems[0].line > 1 and (.problems[0].write | length > 0)' <<< "$output"
	run check --format json "$good"
	jq -e '.errors == 0 and (.digest | startswith("sha256:")) and all(.problems[]; .severity == "warning")' <<< "$output"
}

@test "text that is not JSON is refused with its place, in printable words" {
	local n=0
	while IFS= read -r wrong; do
		[ -n "$wrong" ] || continue
		n=$((n + 1))
		text "$wrong"
		echo "$n: $wrong: $output"
		[ "$status" -eq 2 ]
		[[ $output =~ policy.json:[0-9]+:[0-9]+:\ error ]]
		printable
	done <<- 'EOT'
		[
		{
		{"a"
		{"a":
		{"a":1,
		{"a":1,}
		{,}
		[1,]
		[1 2]
		[,1]
		{"a" 1}
		{"a"::1}
		{a: 1}
		{'a': 1}
		{1: 1}
		{"a": 01}
		{"a": +1}
		{"a": .5}
		{"a": 5.}
		{"a": 1e}
		{"a": 0x10}
		{"a": NaN}
		{"a": Infinity}
		{"a": -}
		{"a": tru}
		{"a": True}
		{"a": nul}
		{"a": "x
		{"a": "\\x"}
		{"a": "\\u12"}
		{"a": "\\ud800"}
		{"a": "\\u0000"}
		{"a": "x\ty"}
		{"a": "\033[31m"}
		{"a": "\377"}
		{"a": "\355\240\200"}
		{"a": "\300\257"}
		{"\\u0061": 1}
		{"a": 1, "a": 1}
		{"a": 1} x
		{"a": 1}{"b": 2}
		// no
		/* no */ {}
		\357\273\277{}
		\000
		\377\376{\000}\000
		"x
		]
		}
	EOT
	[ "$n" -gt 45 ]
}

@test "an error of JSON is a sentence; a comma too many is named at its own place" {
	text '{"ces_policy": 1,\n "registries": {},\n}\n'
	says "policy.json:2:18: error: the policy is not JSON: nothing follows this comma: leave it out"
	text '{"a": [1, 2,\n\n ]}'
	says "policy.json:1:12: error: the policy is not JSON: nothing follows this comma: leave it out"
	text '{"a": 1, "a": 2}'
	says 'error: the policy is not JSON: the key "a" is written twice'
	text '\357\273\277{}'
	says 'error: the policy is not JSON: the file begins with a byte order mark'
	text ''
	says 'error: the policy is not JSON: this is not a JSON value'
	run policy explain "$p"
	says 'line 1, column 1: this is not a JSON value'
}

@test "an empty file, and JSON that is not an object, are refused" {
	for t in '' ' ' 'null' 'true' '3' '"x"' '[]' '[{}]' '{}'; do
		text "$t"
		[ "$status" -eq 2 ]
		says "error"
	done
}

@test "deep nesting is refused" {
	python3 -c 'print("{\"projects\":" * 100000)' > "$p"
	run check "$p"
	[ "$status" -eq 2 ]
	says "nested too deeply"
}

@test "a file of 100 MB is refused at once" {
	truncate -s 100M "$p"
	run timeout 2 "$top/${B:-build}/ces-policy" check "$p"
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
}

@test "a directory, a FIFO and a missing file are errors" {
	mkfifo "$BATS_TEST_TMPDIR/fifo"
	for f in "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/fifo" "$BATS_TEST_TMPDIR/none"; do
		run check "$f"
		[ "$status" -eq 2 ]
	done
}

# Prints the thousandths of a second of processor time that a check takes, ten at least.
cpu_of_check()
{
	local TIMEFORMAT=%U used
	used=$({ time check "$p" > "$BATS_TEST_TMPDIR/said" 2>&1; } 2>&1) || true
	used=$((10#${used/./}))
	echo $((used > 10 ? used : 10))
}

# Runs a check of COUNT projects, and of ten times as many: a time that grew with the square would be a hundred times as long.
grows_with_the_projects() # PROJECT, a jq object
{
	local count few many
	for count in 1000 10000; do
		jq -c --argjson project "$1" ".projects = ([range($count) | {key: \"p\\(.)\", value: \$project}] | from_entries)" "$good" > "$p"
		few=${many:-}
		many=$(cpu_of_check)
	done
	echo "$few ms, then $many ms"
	[ "$many" -lt $((40 * few)) ]
}

@test "10,000 projects are checked in ten times the time of 1,000, with all their warnings" {
	grows_with_the_projects '{"members": {"groups": ["p"]}, "images": [{"allow": "ghcr.io/lab/*"}]}'
	[ "$(stat -c %s "$p")" -gt 600000 ]
	grep -q "20000 warnings" "$BATS_TEST_TMPDIR/said"
}

@test "10,000 errors in one file are reported in ten times the time of 1,000" {
	grows_with_the_projects '{"members": {"group": ["p"]}, "images": [{"alow": "x"}]}'
	grep -q "30000 errors" "$BATS_TEST_TMPDIR/said"
}

@test "colours appear on a terminal only, and not where NO_COLOR is set" {
	export TERM=xterm
	run check "$good"
	printable
	run script -qec "'$top/${B:-build}/ces-policy' check '$good'" /dev/null
	[[ $output == *$'\033['* ]]
	NO_COLOR=1 run script -qec "'$top/${B:-build}/ces-policy' check '$good'" /dev/null
	printable
}

@test "root is given up before a policy is read" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	cp "$good" "$p"
	# The leak checker cannot run under a tracer.
	export ASAN_OPTIONS=detect_leaks=0
	run strace -f -o "$BATS_TEST_TMPDIR/trace" -e trace=read,setresuid "$top/${B:-build}/ces-policy" check --no-host "$p"
	sed -n '/setresuid/,$p' "$BATS_TEST_TMPDIR/trace" | grep -q 'ces_policy'
	run ! grep -q 'ces_policy' <(sed '/setresuid/,$d' "$BATS_TEST_TMPDIR/trace")
}

# Checks a policy whose directory has these keys for signatures.
signers() # SIGNED_BY
{
	jq ".projects[\"nsh-2024-0001\"].images[0].signed_by = $1" "$good" > "$p"
	run check "$p"
}

@test "a key that is missing, a link, invalid, of another kind, or written twice gets a warning" {
	at='warning: projects.nsh-2024-0001.images[0].signed_by names'
	keys=$BATS_TEST_TMPDIR/keys
	mkdir "$keys"
	openssl genpkey -algorithm ed25519 -out "$keys/lab.key"
	openssl pkey -in "$keys/lab.key" -pubout -out "$keys/lab.pub"
	signers '["keys/lab.pub"]'
	says_not signed_by
	signers '["keys/lab.pub", "/etc/pki/elsewhere.pub"]'
	says_not signed_by
	signers '["keys/none.pub"]'
	says "$at a key that CES does not accept"
	ln -s lab.pub "$keys/link.pub"
	signers '["keys/link.pub"]'
	says "it is a symbolic link"
	chmod 644 "$keys/lab.key"
	signers '["keys/lab.key"]'
	says "$at keys/lab.key, which is neither an ECDSA P-256 key nor an Ed25519 key"
	says "cosign public-key"
	says_not PRIVATE
	openssl genpkey -algorithm RSA -outform PEM 2> /dev/null | openssl pkey -pubout -out "$keys/rsa.pub"
	signers '["keys/rsa.pub"]'
	says "$at keys/rsa.pub, which is neither an ECDSA P-256 key nor"
	openssl pkey -in "$keys/lab.key" -pubout | sed 's/$/ /' > "$keys/again.pub"
	signers '["keys/lab.pub", "keys/again.pub"]'
	says "$at one key twice, as keys/lab.pub and keys/again.pub: it counts once"
}
