#!/usr/bin/env bats
# Run profiles beside a policy: ces-policy check and report.

load common.bash

setup()
{
	t=$BATS_TEST_TMPDIR
	cp "$examples/desktop.json" "$t/policy.json"
	mkdir "$t/profiles.d"
	chmod 755 "$t" "$t/profiles.d"
}

profile() { printf '{"ces_profile": 1, %s}\n' "$2" > "$t/profiles.d/$1.json"; } # NAME JSON-MEMBERS

check()
{
	run policy check --no-host --on 2026-12-01 "$t/policy.json"
	echo "status $status: $output"
	[ "$status" -eq 0 ]
}

# Prints a row of the report's table.
row() # NAME
{
	rm -rf "$t/csv"
	policy report --no-host --on 2026-12-01 --csv "$t/csv" -o "$t/report.html" "$t/policy.json"
	grep "^$1," "$t/csv/profiles.csv"
}

@test "check is silent about a profile that a project may run" {
	profile rstudio '"image": "ghcr.io/epcced/rstudio", "publish": ["8787"], "cpus": 1'
	profile small '"cpus": 1'
	check
	[[ $output != *profile* ]]
}

@test "check warns of a profile that no project may run, and says why" {
	profile foreign '"image": "docker.io/x/y"'
	profile port '"image": "ghcr.io/epcced/rstudio", "publish": ["9999"]'
	profile bind '"image": "ghcr.io/epcced/tool:1", "mounts": ["/etc:/mnt"]'
	profile gpu '"image": "ghcr.io/epcced/tool:1", "gpu": "2"'
	profile late '"image": "ghcr.io/epcced/tool:1", "project": "nsh-2024-0001"'
	check
	for name in foreign port bind gpu; do
		[[ $output == *"a run profile that no project may run: $name: "* ]]
	done
	[[ $output == *"docker.io is not an allowed registry"* ]]
	[[ $output != *"late"* ]]
	run policy check --no-host --on 2027-12-01 "$t/policy.json"
	[[ $output == *"no project may run: late: "* ]]
}

@test "check warns of a profile that ces-client would refuse, with its line" {
	profile bad '"imge": "x"'
	ln -s bad.json "$t/profiles.d/link.json"
	mkfifo "$t/profiles.d/pipe.json"
	mkdir "$t/profiles.d/dir.json"
	head -c 100000 /dev/zero > "$t/profiles.d/large.json"
	check
	[[ $output == *"ces-client refuses: bad: line 1, column "*"imge is not a key"* ]]
	for name in link pipe dir large; do [[ $output == *"ces-client refuses: $name: "* ]]; done
}

@test "check warns of a profile that others than root can write" {
	profile mine '"cpus": 1'
	chmod 666 "$t/profiles.d/mine.json"
	run policy check "$t/policy.json"
	[[ $output == *"others than root can write: mine"* ]]
}

@test "check looks at inferred projects too" {
	cp "$examples/ondemand.json" "$t/policy.json"
	image=$(jq -r '.infer_projects.images[0].allow' "$t/policy.json" | sed 's/\*\*\?/tool/')
	profile known "\"image\": \"$image\""
	run policy check --no-host --on 2026-12-01 "$t/policy.json"
	echo "$image: $output"
	[[ $output != *"known"* ]]
}

@test "where no group infers a project, nobody may run a profile there" {
	jq 'del(.projects) | .infer_projects.group_prefixes = []' "$examples/ondemand.json" > "$t/policy.json"
	image=$(jq -r '.infer_projects.images[0].allow' "$t/policy.json" | sed 's/\*\*\?/tool/')
	profile known "\"image\": \"$image\""
	run policy check --no-host --on 2026-12-01 "$t/policy.json"
	[ "$status" -eq 0 ]
	says "has a run profile that no project may run: known: no group infers a project"
	says "infer_projects.group_prefixes is empty: no group infers a project"
	[[ $(row known) == *,none* ]]
}

@test "check warns of a directory of profiles that others than root can write" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	profile rstudio '"image": "ghcr.io/epcced/rstudio"'
	run policy check --on 2026-12-01 "$t/policy.json"
	says_not profile
	chmod 775 "$t/profiles.d"
	run policy check --on 2026-12-01 "$t/policy.json"
	says "has a directory of run profiles that others than root can write: profiles.d"
	check
	[[ $output != *profile* ]]
}


@test "the report lists profiles, what they ask for, and who may run them; never the value of a setting" {
	profile rstudio '"description": "RStudio <b>", "image": "ghcr.io/epcced/rstudio", "publish": ["8787"], "env": ["PASSWORD=canary"]'
	profile bad '"imge": "x"'
	[ "$(row rstudio)" = $'rstudio,RStudio <b>,ghcr.io/epcced/rstudio,"port 8787, setting PASSWORD",nsh-2024-0001\r' ]
	[ "$(row bad)" = $'bad,ces-client refuses it,,,none\r' ]
	grep -q 'RStudio &lt;b&gt;' "$t/report.html"
	run ! grep -rq canary "$t/report.html" "$t/csv"
}

@test "the report of a site without profiles says so" {
	rmdir "$t/profiles.d"
	policy report --no-host --on 2026-12-01 -o "$t/report.html" "$t/policy.json"
	grep -q 'This site has none' "$t/report.html"
}

@test "root is given up before a profile is read" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export ASAN_OPTIONS=detect_leaks=0
	profile small '"cpus": 1'
	run strace -f -o "$t/trace" -e trace=read,setresuid "$top/${B:-build}/ces-policy" check --no-host "$t/policy.json"
	sed -n '/setresuid/,$p' "$t/trace" | grep -q ces_profile
	run ! grep -q ces_profile <(sed '/setresuid/,$d' "$t/trace")
}

@test "the example and the manual's profile are profiles" {
	cp "$top/doc/examples/rstudio.profile.json" "$t/profiles.d/example.json"
	sed -n '/^.Sh RUN PROFILES/,/^.Sh ENVIRONMENT/p' "$top/man/ces-client.1" | sed -n '/^{/,/^}/p' > "$t/profiles.d/manual.json"
	grep -q ces_profile "$t/profiles.d/manual.json"
	check
	[[ $output != *"ces-client refuses"* ]]
}
