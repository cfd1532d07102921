# Sets up CES from its package on a machine with systemd, as a site has it. The scripts that source this run on the
# (virtual) machine itself, which nobody needs afterwards, and not in a lab. They print TAP and end with `finish`.
#
# $package, $next (a later release) and $module (SELinux) are the packages, and $n and $failed count the checks. Each check
# runs in a subshell: a variable that it sets is gone after it. The number of a run and a remedy are arguments.
# shellcheck shell=bash disable=SC2154,SC2034 # (some are of services.sh, some for the scripts)
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export CES_LAB=1 CES_TOP=$PWD # (the machine is the lab)
. tests/lib/lab/services.sh
next=$(find build/vm-rpm -name 'ces-[0-9]*.next.*.rpm') n=0 failed=0
package=$(find build/vm-rpm -name 'ces-[0-9]*.rpm' -not -name '*.next.*' -not -name '*.src.rpm')
module=$(find build/vm-rpm -name 'ces-selinux-*.rpm' -not -name '*.next.*')

# Runs FUNCTION in a subshell with errexit, and prints its output if it fails. It must not be a condition: there bash goes
# on after a command that failed.
check() # PROMISE FUNCTION
{
	local status
	n=$((n + 1))
	(set -e; "$2") > "/tmp/check.$n" 2>&1
	status=$?
	if [ $status = 0 ]; then
		echo "ok $n $1"
	else
		echo "not ok $n $1"
		sed 's/^/# /' "/tmp/check.$n"
		failed=$((failed + 1))
	fi
}

finish()
{
	echo "$((n - failed)) passed, $failed failed"
	exit $((failed > 0))
}

# Waits until COMMAND succeeds, for at most a minute, or $patience seconds: the machine is emulated.
eventually() # COMMAND...
{
	local last=$((SECONDS + ${patience:-60}))
	while [ "$SECONDS" -lt "$last" ]; do
		if "$@" > /tmp/tried 2>&1; then return 0; fi
		sleep 0.2
	done
	cat /tmp/tried
	echo "never came true: $*"
	return 1
}

# Negates a command so that it can end a check: bash's own `!` cannot.
no() # COMMAND...
{
	if "$@"; then
		echo "should have failed: $*"
		return 1
	fi
}

rpm_() { rpm --force-debian --nodeps "$@"; }

as_ada() { as ada "$@"; }

site_registry()
{
	install -d -m 755 $lab
	printf '127.0.0.1 localhost\n%s open.tre.test\n' $lab_address > /etc/hosts
	ip link set lo up
	ip addr add $lab_address/32 dev lo
	lab_certificates
	lab_registry open 5001
	lab_push stroke epcced/stroke:1
	lab_push tools epcced/tools:1
	rm -rf /etc/ces
}

# Goes from nothing to a first run. It installs ces and the PACKAGEs.
first_run() # [PACKAGE...]
{
	tests/package/first_run.sh man/ces.7 $lab/ca.pem https://open.tre.test:5001 "$package" "$@"
	as_ada ces-client pull -q --username ada --token-file token ghcr.io/epcced/tools:1
}

# The command of a long run: it makes the file `up` in its outputs, and ends when the project's data have a file `go`.
until_go='echo up > /safe_outputs/up; until [ -e /safe_data/go ]; do sleep 0.1; done; echo whole > /safe_outputs/end'

# Starts a detached run by COMMAND (as_ada), waits until it is up, and prints its number.
long_run() # [COMMAND...]
{
	local number
	rm -f /safe_data/nsh-2024-0001/go
	number=$("${@:-as_ada}" ces-client run -d ghcr.io/epcced/tools:1 sh -c "$until_go") && is_up "$number" >&2 && echo "$number"
}

is_up() { eventually test -e "/home/ada/outputs_$1/up"; } # NUMBER

# Prints the host's process id of a long run's shell. It takes the newest match: the client has the same words in its
# arguments.
long_pid() { pgrep --newest -U ada -f 'until \[ -e /safe_data/go'; }

# Lets a long run end, and waits until nothing of it is left.
ends_well() # NUMBER
{
	touch /safe_data/nsh-2024-0001/go
	eventually test -e "/home/ada/outputs_$1/end"
	eventually nothing_of_it "$1"
}

nothing_of_it() # NUMBER
{
	[ ! -e "/run/ces/$1" ] && [ ! -e "/home/ada/scratch_$1" ] &&
		[ -z "$(find /sys/fs/cgroup -type d -name "$1")" ]
}

fit()
{
	as_ada ces-client doctor > /tmp/doctor
	cat /tmp/doctor
	for c in helper workers policy answer kernel namespaces cgroups services runtime directories journal; do
		grep -qE "^ok +$c" /tmp/doctor
	done
	grep -q '^ok *cgroups *runs are in .*/system.slice/ces.service' /tmp/doctor
}

# Fails unless doctor finds the broken thing. Prints what doctor says to do; a remedy for root begins with "as root: ".
finds() # GRADE CHECK PATTERN
{
	local remedy
	as_ada ces-client doctor > /tmp/doctor || [ "$1" = problem ] || return 1
	{ grep -v '^ok' /tmp/doctor; echo "(looking for: $*)"; } >&2
	remedy=$(grep -A1 -E "^$1 +$2 +.*$3" /tmp/doctor | sed -n '2s/^ *-> //p')
	[ -n "$remedy" ] && echo "$remedy"
}

# Types the remedy as doctor prints it. Fails unless that mends the machine.
mended() # REMEDY
{
	[[ $1 == "as root: "* ]]
	bash -euc "${1#as root: }"
	eventually fit
}

# Fails unless doctor finds the broken thing, and its remedy mends it.
found_and_mended() # GRADE CHECK PATTERN
{
	local remedy
	remedy=$(finds "$@")
	mended "$remedy"
}
