#!/usr/bin/env bats
# The guides of doc/: the test types each command in them, and compares the output.

load ../lib/e2e.bash

# Sets up the site of the guides: the example for desktops, with the lab's registry.
setup_file()
{
	jq --arg runtime "${CES_TEST_RUNTIME:-/usr/bin/crun}" --argjson r "$(jq '.registries["ghcr.io"]' tests/lib/lab/policy.json)" \
		'.host.runtime = $runtime | .registries["ghcr.io"] = $r' policy/examples/desktop.json > /etc/ces/policy.json.new
	chmod 644 /etc/ces/policy.json.new
	mv -f /etc/ces/policy.json.new /etc/ces/policy.json
	htpasswd -Bb $lab/htpasswd me "$registry_token" 2> /dev/null
	lab_push stroke epcced/stroke:1
	lab_push tools epcced/tools:1
}
teardown_file() { lab_policy; }
setup()
{
	empty_store
	rm -rf /home/alice/{outputs_*,scripts,settings,token,Dockerfile,.local}
}

typed() # GUIDE
{
	TOKEN=$registry_token run tests/lib/guide.py "doc/$1.md" alice
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the guide for researchers: each command prints what it shows" { typed researchers; }

@test "the guide for information governance: each command prints what it shows, and each rule is right" {
	# something to read
	pull alice ghcr.io/epcced/stroke:1 -q
	ces alice run -q ghcr.io/epcced/stroke:1
	run ces bob run -q ghcr.io/epcced/stroke:1
	typed governance
}

@test "the guide for administrators: each command prints what it shows, and each rule is right" { typed administrators; }
