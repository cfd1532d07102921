# The shared parts of the suites of real workloads: the desktop example policy as a site installs it, and the images of
# recipes/ in the registry that it names.
# shellcheck shell=bash disable=SC2034,SC2154 # (status and output are bats', n the tests')
load ../lib/e2e.bash

work=$CES_TOP/build/workloads/images

# Installs the policy as in the file, except for the days on which approvals end, and the runtime under test.
desktop_policy()
{
	jq --arg runtime "${CES_TEST_RUNTIME:-/usr/bin/crun}" '.host.runtime = $runtime | .review_by = "2099-01-01"
		| .projects[].expires = "2099-01-01" | .projects[].images[].expires = "2099-01-01"' \
		policy/examples/desktop.json > /etc/ces/policy.json.new
	chmod 644 /etc/ces/policy.json.new
	mv -f /etc/ces/policy.json.new /etc/ces/policy.json
}

# Alice, a member of the project, pulls the images with her token.
get() # NAME...
{
	local i
	for i; do
		lab_push "$work/$i" "epcced/$i:1"
		pull alice $image/$i:1 -q
	done
}

# Starts a detached run of alice's, which stop_all ends. Sets $n to its number.
start() # RUN-OPTION... IMAGE-NAME [ARG...]
{
	local options=()
	while [[ $1 == -* ]]; do
		case $1 in --*=*) options+=("$1") && shift ;; *) options+=("$1" "$2") && shift 2 ;; esac
	done
	n=$(ces alice run -q -d "${options[@]}" "$image/$1:1" "${@:2}")
}

stop_all()
{
	local r
	for r in $(ces alice ps --format json | jq -r '.[].run'); do
		[ -n "${BATS_TEST_COMPLETED:-}" ] || ces alice logs "$r" || true
		ces alice stop -q "$r" || true
	done
	rm -rf /home/alice/outputs_* /home/alice/.local
}
