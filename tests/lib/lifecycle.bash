# shellcheck shell=bash disable=SC2154,SC2034 # (bats and the lab set these; the suites use these)
# What the suites of runs that go on while their user does other things share. Loaded after e2e.bash.

setup_file()
{
	lab_policy
	have alice tools
	have carol tools
	pull bob $open/tools:1 -q
}
setup() { remember; }
teardown()
{
	local u
	for u in alice bob carol; do
		for r in $(ces $u ps --format json | jq -r '.[].run'); do ces $u stop -q "$r" || true; done
	done
	umount -q /home/alice/.local/state/ces || true
	rm -rf /home/*/outputs_* /home/*/.local
}

# Starts a detached run of USER. Prints its number.
detach() # USER [OPTION...] -- COMMAND...
{
	local user=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ces "$user" run -q -d "${options[@]}" "$open/tools:1" "$@"
}

# A shell that ends at once on TERM.
stays='trap "exit 0" TERM; echo up; while :; do sleep 0.1; done'

says() { [[ $(ces "$1" logs "$2") == *"$3"* ]]; }
# Fails unless the client itself refused `run --separate-stderr ...`, without the helper.
refused_by_client() # PATTERN
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* && $stderr =~ $1 ]]
	[ -z "$output" ]
}
