# The shared parts of the suites of evidence: reports about one image, and a directory for them.
# shellcheck shell=bash disable=SC2034,SC2154

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	digest=sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef
	other=sha256:$(printf '%064d' 1)
	reports=$top/tests/policy/evidence
	folder=kept/sha256-${digest#sha256:}
}

evidence() { timeout 120 "$top/${B:-build}/ces-policy" evidence "$1" --evidence kept "${@:2}"; }
add() { evidence add "$@"; }

# refused FILE TEXT [ARG...]: fails unless adding FILE is an error with TEXT in one printable line, and keeps nothing.
refused()
{
	run add "${@:3}" "$1"
	[ "$status" -eq 2 ] || { echo "status $status"; echo "$output"; return 1; }
	says "$2"
	printable
	[ "${#lines[@]}" -eq 1 ] || { echo "$output"; return 1; }
	[ ! -e kept ] || { echo "something was kept"; return 1; }
}

# changed REPORT JQ-FILTER: makes report.json from the fixture with the filter.
changed() { jq "$2" "$reports/$1.json" > report.json; }

# shown JQ-CONDITION: fails unless the only record meets the condition.
shown()
{
	run evidence show --format json "$digest"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	jq -e ".[0] | $1" <<< "$output" > /dev/null || { echo "not so: $1"; echo "$output"; return 1; }
}

# enveloped FILE: prints a DSSE envelope around it.
enveloped()
{
	jq -n --arg p "$(base64 -w0 < "$1")" '{payloadType: "application/vnd.in-toto+json", payload: $p,
		signatures: [{keyid: "", sig: "MEUCIQDtYk=="}]}'
}

# redated DAY OTHER: the records that were made on the one day now say the other, under the names of their new digests.
redated()
{
	local record
	for record in $(grep -l "\"made\": \"$1" "$folder"/report-*); do
		sed "s/\"made\": \"$1/\"made\": \"$2/" "$record" > redated
		rm "$record"
		mv redated "$folder/report-$(sha256sum < redated | cut -d' ' -f1).json"
	done
}
