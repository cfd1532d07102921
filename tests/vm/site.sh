# CES from its package on a machine with systemd, as a site has it. Nobody needs the (virtual) machine afterwards: the
# scripts that source this run on the machine itself instead of in a lab. They print TAP and end with `finish`.
# shellcheck shell=bash disable=SC2154,SC2034 # (some are of services.sh, some for the scripts)
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export CES_LAB=1 CES_TOP=$PWD # (the machine is the lab)
. tests/lib/lab/services.sh
next=$(find build/vm-rpm -name 'ces-[0-9]*.next.*.rpm') n=0 failed=0
package=$(find build/vm-rpm -name 'ces-[0-9]*.rpm' -not -name '*.next.*' -not -name '*.src.rpm')
module=$(find build/vm-rpm -name 'ces-selinux-*.rpm' -not -name '*.next.*')

# Runs a check, never as a condition: there bash would go on after a command that failed.
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

# Waits until a condition holds: up to a minute, since the machine is emulated.
eventually() # COMMAND...
{
	local last=$((SECONDS + 60))
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

as_ada() { setpriv --reuid=ada --regid=ada --init-groups --reset-env env -C /home/ada "$@"; }

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

first_run() # [PACKAGE...]: more than ces
{
	tests/package/first_run.sh man/ces.7 $lab/ca.pem https://open.tre.test:5001 "$package" "$@"
	as_ada ces-client pull -q --username ada --token-file token ghcr.io/epcced/tools:1
}

# The command of a long run: it says that it is up, and ends when the project's data have a file `go`.
until_go='echo up > /safe_outputs/up; until [ -e /safe_data/go ]; do sleep 0.1; done; echo whole > /safe_outputs/end'

# Starts a detached run; its number is in $number. A COMMAND before it starts it.
long_run() # [COMMAND...]
{
	rm -f /safe_data/nsh-2024-0001/go
	"${@:-as_ada}" ces-client run -d ghcr.io/epcced/tools:1 sh -c "$until_go" > /tmp/number
	number=$(cat /tmp/number)
	is_up
}

is_up() { eventually test -e "/home/ada/outputs_$number/up"; }

# Prints the host's id of a long run's shell: the newest, since the client has the same words in its arguments.
long_pid() { pgrep --newest -U ada -f 'until \[ -e /safe_data/go'; }

ends_well()
{
	touch /safe_data/nsh-2024-0001/go
	eventually test -e "/home/ada/outputs_$number/end"
	eventually nothing_of_it
}

nothing_of_it()
{
	[ ! -e "/run/ces/$number" ] && [ ! -e "/home/ada/scratch_$number" ] &&
		[ -z "$(find /sys/fs/cgroup -type d -name "$number")" ]
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

# doctor finds the broken thing. $remedy is what it says to do; a remedy for root begins with "as root: ".
finds() # GRADE CHECK PATTERN
{
	as_ada ces-client doctor > /tmp/doctor || [ "$1" = problem ]
	grep -v '^ok' /tmp/doctor
	echo "(looking for: $*)"
	remedy=$(grep -A1 -E "^$1 +$2 +.*$3" /tmp/doctor | sed -n '2s/^ *-> //p')
	[ -n "$remedy" ]
}

# ... and the remedy, typed as it is printed, mends it.
mended()
{
	[[ $remedy == "as root: "* ]]
	bash -euc "${remedy#as root: }"
	eventually fit
}
