#!/usr/bin/env bats
# Image rules that demand a scan or an SBOM: each pull and run reads the records of the very digest that would run.

load ../lib/e2e.bash

reports=$BATS_TEST_DIRNAME/../policy/evidence
kept=/etc/ces/evidence.d

setup_file()
{
	lab_policy
	have alice tools
	d=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	export d folder=/etc/ces/evidence.d/sha256-${d#sha256:}
}
setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	rm -rf $kept
	demands '{"max_age": "30d", "no": ["critical"]}'
	remember
}
teardown_file() { rm -rf $kept; lab_policy; }
teardown() { rm -rf /home/*/outputs_* $kept; }

# demands SCAN [JQ-FILTER of the rule]: alice's project has one rule, which demands this scan.
demands()
{
	lab_policy ".projects[\"nsh-2024-0001\"].images = [({\"allow\":\"open.tre.test/epcced/tools\",\"digest\":\"$d\",\"scan\":$1} | ${2:-.})]"
}

# reported NAME WHEN JQ-FILTER...: makes NAME.json, the report of that format about the image at that time.
reported()
{
	sed "s/5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef/${d#sha256:}/g" "$reports/$1.json" |
		jq --arg t "$(date -u -d "$2" +%FT%TZ)" "(.CreatedAt, .timestamp, .creationInfo.created | select(.)) |= \$t | ${3:-.}" > "$1.json"
}

harmless='del(.Results[].Vulnerabilities[]? | select(.Severity == "CRITICAL"))'

# added NAME WHEN [JQ-FILTER]: makes such a report and keeps it.
added() { reported "$@"; ces-policy evidence add --digest "$d" "$1.json"; }

allowed()
{
	run --separate-stderr inside -- echo done
	[ "$status" -eq 0 ] || { echo "$stderr"; return 1; }
	[ "$output" = done ]
}

# denied KEY TEXT [VERB]: fails unless a run (or that command) is denied by that key of the rule, with this text.
denied()
{
	run --separate-stderr ces alice "${3:-run}" $open/tools:1
	refused "$2"
	[[ $stderr == *"your research coordinator"* ]]
	journal_new -s -e --arg r "projects.nsh-2024-0001.images[0].$1" '.[0].rule == $r'
	remember
}

@test "a recent scan without what the rule forbids lets an image run, and the journal names the report" {
	added trivy '2 days ago' "$harmless"
	allowed
	report=$(basename $folder/report-* .json)
	journal_new -s -e --arg e "sha256:${report#report-}" 'any(.[]; .event == "decision" and .evidence == $e)'
	run ces alice explain run $open/tools:1
	[[ $output == *"demands a scan at most 30d old without critical; met by report sha256:"* ]]
	ces alice pull $open/tools:1
}

@test "without a scan, with a stale one, and with one of the future, nothing is pulled or run" {
	denied scan 'no scan of this image'
	denied scan 'no scan of this image' pull
	added spdx '1 day ago'
	denied scan 'no scan of this image'
	added trivy '41 days ago' "$harmless"
	denied scan.max_age 'is 41 days old, and its rule allows 30d'
	denied scan.max_age 'is 41 days old, and its rule allows 30d' pull
	added grype '2 days ago' "del(.matches[] | select(.vulnerability.severity == \"Critical\")) | .descriptor.timestamp = \"$(date -u +%FT%TZ)\"
		| (.descriptor.db | .. | .built? // empty) |= \"$(date -u -d '50 days ago' +%FT%TZ)\""
	denied scan.max_age 'is 41 days old'
	rm -r $kept
	# (kept when the clock was wrong)
	added trivy '20 hours' "$harmless"
	sed "s/\"made\": \"[^\"]*\"/\"made\": \"$(date -u -d '3 days' +%FT%TZ)\"/" $folder/report-* > ahead
	rm $folder/report-*
	install -m 644 ahead "$folder/report-$(sha256sum < ahead | cut -d' ' -f1).json"
	denied scan.max_age 'a date in the future'
}

@test "a critical finding denies, unless the rule takes VEX and a statement about this image excuses it" {
	added trivy '1 day ago'
	denied scan.no 'finds 1 critical, and its rule allows none'
	denied scan.no 'finds 1 critical' pull
	added openvex '1 hour ago'
	denied scan.no 'finds 1 critical'
	demands '{"max_age": "30d", "no": ["critical"], "unless_vex": true}'
	allowed
	demands '{"max_age": "30d", "no": ["critical", "high"], "unless_vex": true}'
	remember
	denied scan.no 'finds 1 high'
	demands '{"max_age": "30d", "no": ["critical", "fixable high"], "unless_vex": true}'
	allowed
}

@test "more evidence than CES reads denies with the command that removes old scans, and check says so before" {
	added trivy '2 days ago' "$harmless"
	allowed
	remember
	truncate -s 40M $folder/report-1.json $folder/report-2.json
	denied scan 'more than 64 MiB: type ces-policy evidence prune'
	mv $folder/report-1.json "$folder/report-$(printf '%064d' 1).json" && mv $folder/report-2.json "$folder/report-$(printf '%064d' 2).json"
	run ces-policy check --no-host /etc/ces/policy.json
	[[ $output == *"denies its image now"*"more than 64 MiB: type ces-policy evidence prune"* ]]
}


@test "an SBOM that the rule demands must be kept" {
	demands null 'del(.scan) | .sbom = true'
	denied sbom 'no SBOM of this image'
	added trivy '1 day ago'
	denied sbom 'no SBOM of this image'
	added spdx '900 days ago'
	allowed
}

@test "a missing or changed approved record denies; of later reports only scans count" {
	added trivy '2 days ago'
	lab_policy '.projects["nsh-2024-0001"].images = []'
	ces-policy approve --project nsh-2024-0001 --approval IG-9 --expires 2090-01-01 /etc/ces/policy.json "$open/tools@$d"
	set=$(jq -r '.projects["nsh-2024-0001"].images[] | .evidence // empty' /etc/ces/policy.json)
	demands '{"max_age": "30d", "no": ["critical"], "unless_vex": true}' ".evidence = \"$set\""
	remember
	denied scan.no 'finds 1 critical'
	added openvex 'now'
	denied scan.no 'finds 1 critical'
	added trivy '1 hour ago' "$harmless"
	allowed
	for f in $folder/approved-*; do mv "$f" gone; done
	remember
	denied evidence 'approved-.* is missing'
	mv gone $folder/approved-${set#sha256:}.json
	allowed
	mv $folder/report-* .
	found=$(grep -l '"critical": {"fixable": 0, "other": 0}, "high": {"fixable": 0, "other": 1}' report-*)
	mv "$found" $folder
	remember
	denied evidence 'report-.*, which was approved, is missing'
}

@test "a record that was changed, cut short, or is of another image, denies" {
	added trivy '2 days ago'
	report=$(echo $folder/report-*) name=$(basename "$(echo $folder/report-*)")
	cp "$report" good
	sed -i 's/"severity": "critical"/"severity": "low"/' "$report"
	denied scan "$name was changed"
	head -c 1000 good > "$report"
	denied scan "$name was changed"
	# (the right name for the wrong bytes: not as ces-policy writes, a duplicate key, escapes of terminals, another
	# image)
	for bad in 's/"secrets": /&0/' 's/"secrets": [0-9]*/"secrets": 1, "secrets": 1/' 's/"tool": "/&\x1b[31m/' 's/"tool": "/&\\u001b[31m/' \
		"s/\"digest\": \"$d\"/\"digest\": \"sha256:$(printf '%064d' 1)\"/"; do
		rm $folder/*
		sed "$bad" good > bad
		cp bad "$folder/report-$(sha256sum < bad | cut -d' ' -f1).json"
		echo "with $bad"
		no cmp -s good bad
		denied scan 'the evidence about this image cannot be used'
		[[ $stderr != *$'\e'* ]]
	done
}

@test "a record, or its directory, that is a link, not root's, writable or no file denies" {
	added trivy '2 days ago' "$harmless"
	report=$(echo $folder/report-*)
	allowed
	remember
	chmod 666 "$report"
	denied scan 'writable by others than root'
	chmod 644 "$report"
	chown alice "$report"
	denied scan 'not owned by root'
	chown root "$report"
	mv "$report" good
	ln -s "$PWD/good" "$report"
	denied scan 'a symbolic link'
	rm "$report"
	mkfifo "$report"
	denied scan 'not a regular file|cannot open it' # (SELinux lets no pipe be opened)
	rm "$report"
	truncate -s 200M "$report"
	denied scan 'cannot read it'
	rm "$report"
	cp good "$report"
	chmod 777 $kept
	denied scan 'writable by others than root'
	chmod 755 $kept
	chmod 777 $folder
	denied scan 'writable by others than root'
	chmod 755 $folder
	mv $folder real
	ln -s "$PWD/real" $folder
	denied scan 'a symbolic link'
	rm $folder
	denied scan 'no scan of this image'
}

@test "for a job of a cluster, too, the scan is looked at, and a base that nothing shows is refused" {
	cluster='.kubernetes = {"namespace": "nsh-gpu", "data_claim": "pvc-{project}-shared", "outputs_claim": "pvc-{project}-users"}'
	job() { run --separate-stderr as alice ces-run k8s $open/tools:1; }
	lab_policy "$cluster | .projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/tools\",\"digest\":\"$d\",\"scan\":{\"max_age\":\"30d\"}}]"
	job
	[ "$status" -eq 125 ]
	[[ $stderr == *"no scan of this image"* && -z $output ]]
	added trivy '40 days ago'
	job
	[[ $stderr == *"is 40 days old"* ]]
	added trivy '1 day ago'
	job
	[ "$status" -eq 0 ]
	[[ $output == *"@$d"* ]]
	lab_policy "$cluster | .projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/tools\",\"base\":[\"$d\"]}]"
	job
	[ "$status" -eq 125 ]
	[[ $stderr == *"demands a base"* && -z $output ]]
}

# chain IMAGE N: prints the ChainID of its first N layers, by the image-spec.
chain()
{
	local c='' d
	while read -r d; do
		c=${c:+sha256:$(printf '%s %s' "$c" "$d" | sha256sum | cut -d' ' -f1)}
		c=${c:-$d}
	done < <(skopeo inspect --config --no-tags --cert-dir $lab/trust "docker://open.tre.test:5001/epcced/$1:1" | jq -r ".rootfs.diff_ids[:$2][]")
	echo "$c"
}

@test "an image runs if its first layers are those of a base that the rule allows, and is not even fetched otherwise" {
	other=sha256:$(printf '%064d' 7)
	base() { lab_policy ".projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/*\",\"base\":$(jq -nc '$ARGS.positional' --args "$@")}]"; }
	base "$(chain stroke 1)"
	ces alice pull $open/stroke:1
	run ces alice run -q $open/stroke:1
	[ "$status" -eq 0 ]
	base "$other" "$(chain stroke 2)"
	run ces alice run -q $open/stroke:1
	[ "$status" -eq 0 ]
	run ces alice explain run $open/stroke:1
	[[ $output == *"only on the base with ChainID $other"*"or $(chain stroke 2)"* ]]
	# (the digest of the second layer, a stack that does not begin at the bottom, another one)
	for wrong in "$(skopeo inspect --config --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/stroke:1 | jq -r '.rootfs.diff_ids[1]')" \
		"$(chain layers64 3)" "$other"; do
		base "$wrong"
		remember
		run --separate-stderr ces alice run $open/stroke:1
		refused 'this image is not built on a base'
		journal_new -s -e '.[0].rule == "projects.nsh-2024-0001.images[0].base"'
	done
	ces alice rmi $open/stroke:1
	remember
	n=$(grep -c '/epcced/stroke/blobs/' $lab/open.log)
	run --separate-stderr ces alice pull $open/stroke:1
	refused 'this image is not built on a base'
	# the manifest's configuration alone
	[ "$(grep -c '/epcced/stroke/blobs/' $lab/open.log)" -le "$((n + 1))" ]
}

@test "a rule without demands does not look at evidence" {
	added trivy '2 days ago'
	chmod 777 $kept $folder
	denied scan 'writable by others than root'
	demands null 'del(.scan)'
	allowed
}
