#!/usr/bin/env bats
# ces-policy diff: the changes of a new policy, by meaning.

load common.bash

setup()
{
	old=$examples/desktop.json
	new=$BATS_TEST_TMPDIR/new.json
	one='.projects["nsh-2024-0001"]'
}

# changed JQ-FILTER: compares the example with the policy that the filter makes from it.
changed()
{
	jq "$1" "$old" > "$new"
	run policy diff "$old" "$new"
}

wider() { changed "$1"; [ "$status" -eq 1 ]; says "+ WIDER $2"; }
narrower() { changed "$1"; [ "$status" -eq 0 ]; says "- narrower $2"; says_not WIDER; }

@test "formatting, the order of keys and written-out defaults make no difference" {
	jq -cS '.projects["nsh-2024-0002"].data = {"access": "read-only", "home_override": false} | .host.audit_syslog = true' "$old" > "$new"
	run policy diff "$old" "$new"
	[ "$status" -eq 0 ]
	says "no difference in meaning"
}

@test "each widening is reported and marked, and makes the status 1" {
	wider "$one.images += [{allow: \"ghcr.io/lab/*\"}]" "project nsh-2024-0001 gains ghcr.io/lab/*"
	wider '.projects["nsh-2024-0002"].data.access = "read-write"' "project nsh-2024-0002: data becomes read-write"
	wider "$one.expires = \"2028-06-30\"" "project nsh-2024-0001 expires later: 2028-06-30 instead of 2027-06-30"
	wider "del($one.expires)" "project nsh-2024-0001 expires later: never"
	wider "$one.images[0].expires = \"2030-01-01\"" "project nsh-2024-0001: ghcr.io/epcced/* expires later"
	wider "$one.members.groups += [\"staff\"]" "project nsh-2024-0001 gains the member group staff"
	wider "$one.members.users = [\"eve\"]" "project nsh-2024-0001 gains the member eve"
	wider "$one.network.publish += [\"9000\"]" "project nsh-2024-0001 gains the published port 9000"
	wider "$one.binds += [\"/opt\"]" "project nsh-2024-0001 gains the bindable directory /opt"
	wider "$one.network.proxy = \"http://proxy.nsh.loc:3128\"" "project nsh-2024-0001: the proxy http://proxy.nsh.loc:3128 is a way out"
	wider "$one.gpus.max = 2" "project nsh-2024-0001: GPUs of a run rises from 0 to 2"
	wider "$one.gpus.kinds = [\"nvidia.com/gpu\", \"amd.com/gpu\", \"intel.com/gpu\", \"x.org/fpga\"]" \
		"project nsh-2024-0001 gains the kind of device x.org/fpga"
	wider "$one.gpus.exclusive = false" "project nsh-2024-0001: GPUs are shared by runs"
	wider '.kubernetes = {namespace: "n", data_claim: "d", outputs_claim: "o"}' 'kubernetes: data claim: "d" instead of "none"'
	wider "$one.limits.memory = \"64G\"" "project nsh-2024-0001: memory of a run rises from 16 GiB to 64 GiB"
	wider "$one.data.source = \"/safe_data\"" "project nsh-2024-0001: data are in /safe_data instead of"
	wider '.projects.new = .projects["nsh-2024-0002"]' "project new is new"
	wider '.registries["docker.io"] = {}' "registry docker.io is new"
	wider '.registries["ghcr.io"].credentials = "none"' "registry ghcr.io: a login is not asked for"
	wider '.registries["ghcr.io"].endpoint = "https://elsewhere"' "registry ghcr.io: reached at https://elsewhere"
	wider '.registries["ghcr.io"] = {"endpoint": "oci:/srv/images"}' "registry ghcr.io: reached at oci:/srv/images"
	wider 'del(.registries["ghcr.io"].ca_file)' "registry ghcr.io: trusted by the system"
	wider 'del(.projects["nsh-2024-0002"].images[0].digest)' "project nsh-2024-0002 gains ghcr.io/epcced/wards"
	wider "$one.images |= reverse" "project nsh-2024-0001: image rules are in another order"
	wider '.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}' "projects are now inferred"
	wider '.host.audit_syslog = false' "host: the journal is no longer copied"
	wider '.defaults.identity = "same-uid" | .defaults.limits.time = "12h"' "project nsh-2024-0001: time of a run rises"
	wider '.registries["ghcr.io"].proxy = "http://p.loc:1"' "registry ghcr.io: reached through http://p.loc:1 instead of no proxy"
	jq '.host.selinux = "required" | .host.audit_key = "/etc/ces/key.pem"' "$old" > "$BATS_TEST_TMPDIR/old.json"
	old=$BATS_TEST_TMPDIR/old.json
	wider 'del(.host.audit_key)' "host: the key that signs the journal's head"
	wider 'del(.host.selinux)' "host: SELinux is no longer required"
}

@test "a change that only narrows leaves the status 0" {
	narrower "del($one.images[0])" "project nsh-2024-0001 loses ghcr.io/epcced/*"
	narrower '.host.selinux = "required"' "host: SELinux is now required"
	narrower "$one.gpus.devices = [\"0\"]" "project nsh-2024-0001: GPUs are limited to a list of devices"
	narrower "$one.data.access = \"read-only\"" "project nsh-2024-0001: data becomes read-only"
	narrower "$one.expires = \"2027-01-01\"" "project nsh-2024-0001 expires earlier"
	narrower "$one.data.source = \"/safe_data/{project}/part\"" "project nsh-2024-0001: data are in"
	narrower 'del(.projects["nsh-2024-0002"])' "project nsh-2024-0002 is gone"
	jq '.defaults.network.proxy = "http://proxy.nsh.loc:3128"' "$old" > "$BATS_TEST_TMPDIR/open.json"
	old=$BATS_TEST_TMPDIR/open.json
	narrower "$one.network.proxy = \"none\"" "project nsh-2024-0001: the proxy http://proxy.nsh.loc:3128 is no longer a way out"
	narrower '.defaults.limits.cpus = 1' "project nsh-2024-0002: cpus of a run falls from 4 to 1"
	narrower '.defaults.identity = "same-uid"' "project nsh-2024-0001: inside, the user is the same user"
	narrower '.defaults.retain_images = "run"' "project nsh-2024-0001: images are kept until their run ends"
}

@test "more of the image store for a user is wider; more that stays free is narrower" {
	jq '.host.user_limits = {images: 20, pulls: 2, store: "90G"} | .host.store_reserve = "20G"' "$old" > "$BATS_TEST_TMPDIR/less.json"
	run policy diff "$old" "$BATS_TEST_TMPDIR/less.json"
	says "- narrower host: the number of images of a user falls from 1000 to 20"
	says "- narrower host: the number of pulls of a user at once falls from 4 to 2"
	says "+ WIDER host: space for a user's images is 90 GiB instead of half of the file system"
	says "- narrower host: space that pulls leave free is 20 GiB instead of 1 GiB"
	jq '.host.user_limits.store = "80G" | .host.store_reserve = "10G"' "$BATS_TEST_TMPDIR/less.json" > "$new"
	run policy diff "$BATS_TEST_TMPDIR/less.json" "$new"
	says "- narrower host: space for a user's images is 80 GiB instead of 90 GiB"
	says "+ WIDER host: space that pulls leave free is 10 GiB instead of 20 GiB"
}

# differs OLD-FILTER NEW-FILTER: compares two policies made from the example.
differs()
{
	jq "$1" "$examples/desktop.json" > "$old"
	jq "$2" "$examples/desktop.json" > "$new"
	run policy diff "$old" "$new"
}

same() { differs "$1" "$2"; [ "$status" -eq 0 ]; says "no difference in meaning"; }
same_both() { same "$1" "$2"; same "$2" "$1"; }

@test "a template and its meaning for the project are the same, in both directions" {
	old=$BATS_TEST_TMPDIR/old.json
	same_both . "$one.data.source = \"/safe_data/nsh-2024-0001\""
	same_both "$one.data.source = \"/d/{project}/{project}/{user}\"" "$one.data.source = \"/d/nsh-2024-0001/{project}/{user}\""
	same_both "$one.outputs.source = \"~/{project}/{run}\"" "$one.outputs.source = \"~/nsh-2024-0001/{run}\""
	same_both "$one.scratch.source = \"/s/{user}_{project}\"" "$one.scratch.source = \"/s/{user}_nsh-2024-0001\""
	same_both "$one.binds = [\"~\", \"/opt/{project}\"]" "$one.binds = [\"/opt/nsh-2024-0001\", \"~\"]"
	same_both '.defaults.data.source = "/safe_data/{project}"' \
		'.projects |= with_entries(.value.data.source = "/safe_data/" + .key)'
}

@test "a template that means another directory is a difference" {
	old=$BATS_TEST_TMPDIR/old.json
	for n in "$one.data.source = \"/safe_data/nsh-2024-0002\"" "$one.data.source = \"/safe_data/nsh-2024-00010\"" \
		"$one.data.source = \"/safe_data/{user}\"" "$one.data.source = \"~/safe_data\"" "$one.data.source = \"/safe_data\""; do
		differs . "$n"
		[ "$status" -eq 1 ]
		says "+ WIDER project nsh-2024-0001: data are in"
	done
	# (any project that a group means, and not one: here the template has no second meaning)
	infer='.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}'
	differs "$infer" "$infer | .defaults.data.source = \"/safe_data/nsh-2024-0001\""
	[ "$status" -eq 1 ]
	says "+ WIDER any inferred project: data are in"
	says_not "project nsh-2024-0001: data"
}

@test "a place below the directory of a template is narrower, and a place above it wider" {
	old=$BATS_TEST_TMPDIR/old.json
	below="$one.data.source = \"/safe_data/nsh-2024-0001/part\""
	differs . "$below"
	[ "$status" -eq 0 ]
	says "- narrower project nsh-2024-0001: data are in /safe_data/nsh-2024-0001/part instead of /safe_data/{project}"
	differs "$below" .
	[ "$status" -eq 1 ]
	says "+ WIDER project nsh-2024-0001: data are in /safe_data/{project} instead of /safe_data/nsh-2024-0001/part"
}

@test "a directory within one that can be bound already is no gain" {
	old=$BATS_TEST_TMPDIR/old.json
	same_both "$one.binds = [\"~\", \"/opt/{project}\"]" "$one.binds = [\"~/x\", \"/opt/nsh-2024-0001/a\", \"~\", \"/opt/{project}\"]"
	differs "$one.binds = [\"/opt/{project}\"]" "$one.binds = [\"/opt/nsh-2024-0001/a\"]"
	[ "$status" -eq 0 ]
	says "- narrower project nsh-2024-0001 loses the bindable directory /opt/{project}"
	says "- narrower project nsh-2024-0001 keeps a part of it, /opt/nsh-2024-0001/a"
	differs "$one.binds = [\"/opt/nsh-2024-0001/a\"]" "$one.binds = [\"/opt/{project}\"]"
	[ "$status" -eq 1 ]
	says "+ WIDER project nsh-2024-0001 gains the bindable directory /opt/{project}"
	differs "$one.binds = [\"/opt/nsh-2024-0001\"]" "$one.binds = [\"/opt/nsh-2024-0002\"]"
	says "+ WIDER project nsh-2024-0001 gains the bindable directory /opt/nsh-2024-0002"
	says "- narrower project nsh-2024-0001 loses the bindable directory /opt/nsh-2024-0001"
}

@test "read-only data that a bind can reach as soon as they are no longer data are a gain" {
	old=$BATS_TEST_TMPDIR/old.json
	data() { echo "$one.data = {source: \"/d/p$1\", access: \"$2\"} | $one.binds = [\"$3\"]"; }
	for bind in /d/p /d /d/p/other; do
		differs "$(data '' read-only $bind)" "$(data /raw read-only $bind)"
		[ "$status" -eq 1 ]
		says "+ WIDER project nsh-2024-0001: /d/p was read-only, and can be bound for writing, by the bindable directory $bind"
		differs "$(data '' read-write $bind)" "$(data /raw read-only $bind)"
		[ "$status" -eq 0 ]
	done
	differs "$(data '' read-only /e)" "$(data /raw read-only /e)"
	[ "$status" -eq 0 ]
}

@test "a host with its default port written out makes no difference" {
	old=$BATS_TEST_TMPDIR/old.json
	registry() { echo ".registries[\"ghcr.io\"] |= (.endpoint = \"https://$1\" | .token_hosts = [\"$2\"])"; }
	same_both "$(registry a.loc/p b.loc)" "$(registry a.loc:443/p b.loc:443)"
	same_both "$(registry a.loc b.loc)" "$(registry a.loc:443 b.loc:443)"
	differs "$(registry a.loc b.loc)" "$(registry a.loc:4430 b.loc:4430)"
	[ "$status" -eq 1 ]
	says "+ WIDER registry ghcr.io: reached at https://a.loc:4430"
	says "+ WIDER registry ghcr.io gains the token host b.loc:4430"
	differs "$(registry a.loc/p b.loc)" "$(registry a.loc:443/q b.loc)"
	says "+ WIDER registry ghcr.io: reached at https://a.loc:443/q instead of https://a.loc/p"
}

@test "a check of outputs that is added, weaker, stronger or removed is reported" {
	old=$BATS_TEST_TMPDIR/old.json
	check='{types: ["csv", "png"], max_files: 5, csv: {forbidden_columns: ["dob"], min_count: {columns: ["n"], at_least: 10}}, forbidden_values: ["date"]}'
	jq "$one.outputs.check = $check" "$examples/desktop.json" > "$old"
	differs . "$one.outputs.check = $check"
	[ "$status" -eq 0 ]
	says "- narrower project nsh-2024-0001: outputs are checked: only files of the types csv, png; at most 5 files; no column dob; no date; counts in the columns n of at least 10"
	differs "$one.outputs.check = $check" .
	[ "$status" -eq 1 ]
	says "+ WIDER project nsh-2024-0001: outputs are no longer checked"
	differs "$one.outputs.check = $check" "$one.outputs.check = $check | $one.outputs.check |= (.types = [\"csv\", \"pdf\"] | del(.max_files) | .csv.min_count.at_least = 5 | .csv.forbidden_columns = [\"name\"])"
	says "+ WIDER project nsh-2024-0001: the check of outputs gains the type pdf"
	says "- narrower project nsh-2024-0001: the check of outputs loses the type png"
	says "+ WIDER project nsh-2024-0001: the check of outputs allows more files"
	says "+ WIDER project nsh-2024-0001: the check of outputs loses the forbidden column dob"
	says "- narrower project nsh-2024-0001: the check of outputs gains the forbidden column name"
	says "+ WIDER project nsh-2024-0001: the check of outputs asks for counts of at least 5 instead of 10"
	differs "$one.outputs.check = $check" "$one.outputs.check = ($check + {on_fail: \"withhold\", withhold: \"/srv/a\"})"
	[ "$status" -eq 0 ]
	says "- narrower project nsh-2024-0001: outputs that do not pass are withheld, in /srv/a"
	differs "$one.outputs.check = ($check + {on_fail: \"withhold\", withhold: \"/srv/a\"})" "$one.outputs.check = $check"
	[ "$status" -eq 1 ]
	says "+ WIDER project nsh-2024-0001: outputs that do not pass are no longer withheld"
	differs "$one.outputs.check = ($check + {on_fail: \"withhold\", withhold: \"/srv/a\"})" "$one.outputs.check = ($check + {on_fail: \"withhold\", withhold: \"/srv/b\"})"
	[ "$status" -eq 1 ]
	says "+ WIDER project nsh-2024-0001: outputs that do not pass are withheld, in /srv/b instead of /srv/a"
	same_both "$one.outputs.check = $check" "$one.outputs.check = ($check | to_entries | reverse | from_entries)"
}

@test "a user's totals that are added, removed or changed are reported" {
	jq '.host.user_limits = {memory: "64G", runs: 8}' "$old" > "$new"
	run policy diff "$old" "$new"
	[ "$status" -eq 0 ]
	says "- narrower all runs of a user: the sum of memory is now limited to 64 GiB"
	run policy diff "$new" "$old"
	[ "$status" -eq 1 ]
	says "+ WIDER all runs of a user: the number at once is no longer limited to 8"
	jq '.host.user_limits.memory = "128G"' "$new" > "$new.more"
	run policy diff "$new" "$new.more"
	[ "$status" -eq 1 ]
	says "+ WIDER all runs of a user: the sum of memory rises from 64 GiB to 128 GiB"
}

@test "a change of text that only people read leaves the status 0" {
	changed '.contact = "someone else" | .review_by = "2028-01-01"'
	[ "$status" -eq 0 ]
	says '* changed contact: "someone else" instead of "your research coordinator"'
	says '* changed review_by'
}

@test "widening changes are listed first" {
	changed "del($one.images[0]) | $one.members.users = [\"eve\"] | .contact = \"x\""
	[[ ${lines[0]} == "+ WIDER"* ]]
	[[ ${lines[1]} == "- narrower"* ]]
	[[ ${lines[2]} == "* changed"* ]]
}

@test "a project that is no longer written may be inferred" {
	jq '.infer_projects = {base: "/safe_data", group_prefixes: [""], images: [{allow: "ghcr.io/**"}]}' "$old" > "$BATS_TEST_TMPDIR/old.json"
	old=$BATS_TEST_TMPDIR/old.json
	wider 'del(.projects["nsh-2024-0002"])' "project nsh-2024-0002 is no longer written"
}

@test "a new project shows its members and all that it has more than the least" {
	new_one='{members: {groups: ["staff"], users: ["eve"]}, images: [], network: {proxy: "http://p.loc:1", publish: ["8888"]}, binds: ["~"],
		gpus: {max: 4}, display: true, data: {access: "read-write"}, limits: {memory: "1G"}, outputs: {source: "/out"}}'
	wider ".projects.new = $new_one" "project new is new: groups 1, users 1, data /safe_data/{project}, read-write"
	for line in " gains the member group staff" " gains the member eve" ": the proxy http://p.loc:1 is a way out" " gains the published port 8888" \
		" gains the bindable directory ~" ": runs may open windows on their user's display" ": GPUs of a run rises from 0 to 4" ": outputs are in /out"; do
		says "+ WIDER project new$line"
	done
	says_not narrower
	says_not "data becomes"
	jq ".projects.new = $new_one" "$old" > "$BATS_TEST_TMPDIR/old.json"
	old=$BATS_TEST_TMPDIR/old.json
	narrower 'del(.projects.new)' "project new loses the member group staff"
	says_not proxy
}

@test "defaults show what they give as soon as projects are inferred" {
	jq '.defaults.network.proxy = "http://p.loc:1" | .defaults.display = true | .defaults.data.access = "read-write"' "$old" > "$BATS_TEST_TMPDIR/old.json"
	old=$BATS_TEST_TMPDIR/old.json
	wider '.infer_projects = {base: "/safe_data", group_prefixes: [""], images: []}' "any inferred project: the proxy http://p.loc:1 is a way out"
	says "+ WIDER any inferred project: runs may open windows"
	says "+ WIDER any inferred project: data becomes read-write"
}

@test "the difference for machines is JSON" {
	jq "$one.members.users = [\"eve\"]" "$old" > "$new"
	run policy diff --format json "$old" "$new"
	[ "$status" -eq 1 ]
	jq -e '.[0].kind == "wider" and (.[0].text | contains("eve"))' <<< "$output"
	run policy diff --format json "$old" "$old"
	[ "$output" = "[]" ]
}

@test "a file that is no policy is an error, and is named" {
	echo '{' > "$new"
	run policy diff "$old" "$new"
	[ "$status" -eq 2 ]
	says new.json
	run policy diff "$new" "$old"
	[ "$status" -eq 2 ]
	run policy diff "$old"
	[ "$status" -eq 2 ]
}

@test "another GPU product for jobs of a cluster is a difference, but no widening" {
	cp "$examples/gpu-cluster.json" "$BATS_TEST_TMPDIR/cluster.json"
	old=$BATS_TEST_TMPDIR/cluster.json
	changed '.kubernetes.gpu_product = "A100"'
	[ "$status" -eq 0 ]
	says 'kubernetes: GPU product: "A100" instead of "none"'
	says_not WIDER
}

@test "who must have signed an image: more is narrower, fewer and others are wider" {
	by='.projects["nsh-2024-0001"].images[0].signed_by'
	narrower "$by = [\"a.pub\"]" "project nsh-2024-0001: ghcr.io/epcced/*: signed by a.pub instead of no signature"
	jq "$by = [\"a.pub\", \"b.pub\"]" "$examples/desktop.json" > "$BATS_TEST_TMPDIR/old.json"
	old=$BATS_TEST_TMPDIR/old.json
	wider "del($by)" "project nsh-2024-0001: ghcr.io/epcced/*: no signature instead of signed by one of a.pub, b.pub"
	narrower "$by = [\"a.pub\"]" "project nsh-2024-0001: ghcr.io/epcced/*: signed by a.pub instead of signed by one of a.pub, b.pub"
	narrower "$by = {keys: [\"a.pub\", \"b.pub\"], at_least: 2}" "project nsh-2024-0001: ghcr.io/epcced/*: signed by 2 of a.pub, b.pub"
	narrower "$by = {keys: [\"a.pub\", \"b.pub\", \"c.pub\"], at_least: 2}" "project nsh-2024-0001: ghcr.io/epcced/*: signed by 2 of"
	wider "$by = [\"a.pub\", \"b.pub\", \"c.pub\"]" "project nsh-2024-0001: ghcr.io/epcced/*: signed by one of"
	wider "$by = [\"c.pub\"]" "project nsh-2024-0001: ghcr.io/epcced/*: signed by c.pub"
	changed "$by = {keys: [\"b.pub\", \"a.pub\"], at_least: 1}"
	[ "$status" -eq 0 ]
	says "no difference in meaning"
}

@test "without the list of approved reports, a rule with a demand counts reports that nobody approved" {
	old=$BATS_TEST_TMPDIR/old.json
	e=sha256:$(printf '%064d' 8)
	rule() { echo "$one.images = [{allow: \"ghcr.io/lab/a\", digest: \"$e\" $1}]"; }
	for demand in ', scan: {max_age: "30d"}' ', sbom: true'; do
		differs "$(rule "$demand, evidence: \"$e\"")" "$(rule "$demand")"
		[ "$status" -eq 1 ]
		says "+ WIDER project nsh-2024-0001: ghcr.io/lab/a: evidence none instead of $e: reports count that nobody approved"
		differs "$(rule "$demand")" "$(rule "$demand, evidence: \"$e\"")"
		[ "$status" -eq 0 ]
		says "- narrower project nsh-2024-0001: ghcr.io/lab/a: evidence $e instead of none"
	done
	differs "$(rule ", evidence: \"$e\"")" "$(rule '')"
	[ "$status" -eq 0 ]
	says "* changed project nsh-2024-0001: ghcr.io/lab/a: evidence none instead of $e"
	# where such a rule goes, a later one without the list demands less
	scan='scan: {max_age: "30d"}'
	differs "$(rule ", $scan, evidence: \"$e\"") | $one.images += [{allow: \"ghcr.io/*/a\", digest: \"$e\", $scan}]" "$(rule '') | $one.images = [{allow: \"ghcr.io/*/a\", digest: \"$e\", $scan}]"
	[ "$status" -eq 1 ]
	says "ghcr.io/*/a decides in place of ghcr.io/lab/a at $e, and demands less"
}

@test "where a rule with a demand goes or ends earlier, a later rule that demands less is wider" {
	old=$BATS_TEST_TMPDIR/old.json
	d=sha256:$(printf '%064d' 7)
	rules() { jq "$one.images = $1" "$examples/desktop.json" > "$old"; }
	rules '[{allow: "ghcr.io/lab/*", signed_by: ["a.pub"], approval: "1", expires: "2090-01-01"}, {allow: "ghcr.io/**", approval: "2", expires: "2091-01-01"}]'
	wider "del($one.images[0])" "project nsh-2024-0001: ghcr.io/** decides in place of ghcr.io/lab/*, and demands less"
	says "- narrower project nsh-2024-0001 loses ghcr.io/lab/*"
	wider "$one.images[0].expires = \"2089-01-01\"" "project nsh-2024-0001: ghcr.io/** decides in place of ghcr.io/lab/*"
	narrower "$one.images[0].expires = \"2089-01-01\" | $one.images[1].expires = \"2088-01-01\"" "project nsh-2024-0001: ghcr.io/lab/* expires earlier"
	narrower "del($one.images[])" "project nsh-2024-0001 loses ghcr.io/lab/*"
	narrower "del($one.images[1])" "project nsh-2024-0001 loses ghcr.io/**"
	rules "[{allow: \"ghcr.io/lab/a\", digest: \"$d\", scan: {max_age: \"30d\"}}, {allow: \"ghcr.io/*/a\"}, {allow: \"ghcr.io/lab/b\"}]"
	wider "del($one.images[0])" "project nsh-2024-0001: ghcr.io/*/a decides in place of ghcr.io/lab/a at $d, and demands less"
	says_not "ghcr.io/lab/b decides"
	# a rule that demands as much, is about another image, or came first leaves it narrower
	rules '[{allow: "ghcr.io/lab/*", base: ["'"$d"'"]}, {allow: "ghcr.io/lab/b", base: ["'"$d"'"]}, {allow: "ghcr.io/x/b"}]'
	narrower "del($one.images[0])" "project nsh-2024-0001 loses ghcr.io/lab/*"
	rules '[{allow: "ghcr.io/lab/a"}, {allow: "ghcr.io/lab/*", signed_by: ["a.pub"]}]'
	narrower "del($one.images[1])" "project nsh-2024-0001 loses ghcr.io/lab/*"
	# a rule that has ended decided nothing
	rules '[{allow: "ghcr.io/lab/*", signed_by: ["a.pub"], expires: "2020-01-01"}, {allow: "ghcr.io/**"}]'
	narrower "del($one.images[0])" "project nsh-2024-0001 loses ghcr.io/lab/*"
}
