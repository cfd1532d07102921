# shellcheck shell=bash disable=SC2154 # (the lab sets journal and open)
# The functions of the suites of the packages, in addition to e2e.bash. `long_run` sets $number.

# Fails unless alice's image runs with the installed CES.
works()
{
	pull alice $open/tools:1 -q
	[ "$(ces alice run -q $open/tools:1 sh -c 'id -u; cat /sys/class/net/*/address')" = $'0\n00:00:00:00:00:00' ]
}

# Starts a run that lives until its project's data have the file `go`, and then writes to its outputs. Sets $number.
long_run()
{
	rm -f /safe_data/nsh-2024-0001/go
	number=$(ces alice run -d $open/tools:1 sh -c \
		'echo up > /safe_outputs/up; until [ -e /safe_data/go ]; do sleep 0.1; done; echo whole > /safe_outputs/end')
	eventually test -e "/home/alice/outputs_$number/up"
}

long_run_ends_well()
{
	touch /safe_data/nsh-2024-0001/go
	eventually test -e "/home/alice/outputs_$number/end"
	eventually bash -c "jq -e 'select(.event == \"end\" and .run == \"$number\" and .status == 0)' $journal"
	eventually test ! -e "/run/ces/$number"
	[ ! -e "/home/alice/scratch_$number" ]
}
