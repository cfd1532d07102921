#!/bin/bash
# On a machine with systemd that nobody needs afterwards (the virtual one): CES from its package, as a site has it. From
# nothing to a first run by the manual's own lines; an upgrade, the janitor and the removal, each with a run alive.
# `CES_RPM_NEXT=1 make rpm`, then `make vm-check CES_TESTS=tests/vm/installed.sh`. Prints TAP; ends with the number of
# failures.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export CES_LAB=1 CES_TOP=$PWD # (the machine is the lab)
. tests/lib/services.sh
next=$(find build/rpm -name 'ces-[0-9]*.next.*.rpm') n=0 failed=0
package=$(find build/rpm -name 'ces-[0-9]*.rpm' -not -name '*.next.*' -not -name '*.src.rpm')
rpm_() { rpm --force-debian --nodeps "$@"; }

check() # PROMISE FUNCTION
{
	n=$((n + 1))
	if (set -e; "$2") > "/tmp/check.$n" 2>&1; then
		echo "ok $n $1"
	else
		echo "not ok $n $1"
		sed 's/^/# /' "/tmp/check.$n"
		failed=$((failed + 1))
	fi
}

eventually() # COMMAND...
{
	local i
	for ((i = 0; i < 300; i++)); do
		if "$@" > /dev/null 2>&1; then return 0; fi
		sleep 0.2
	done
	echo "never came true: $*"
	return 1
}

as_ada() { setpriv --reuid=ada --regid=ada --init-groups --reset-env env -C /home/ada "$@"; }

# A detached run that lives until the project's data have a file `go`; its number is in $number.
long_run()
{
	rm -f /safe_data/nsh-2024-0001/go
	as_ada ces-client run -d ghcr.io/epcced/tools:1 sh -c \
		'echo up > /safe_outputs/up; until [ -e /safe_data/go ]; do sleep 0.1; done; echo whole > /safe_outputs/end' > /tmp/number
	number=$(cat /tmp/number)
	eventually test -e "/home/ada/outputs_$number/up"
}

ends_well()
{
	number=$(cat /tmp/number)
	touch /safe_data/nsh-2024-0001/go
	eventually test -e "/home/ada/outputs_$number/end"
	eventually test ! -e "/run/ces/$number"
	[ ! -e "/home/ada/scratch_$number" ]
}

first_run()
{
	tests/package/first_run.sh man/ces.7 "$package" $lab/ca.pem https://open.tre.test:5001
	as_ada ces-client pull -q --username ada --token-file token ghcr.io/epcced/tools:1
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

delegated()
{
	long_run
	grep -q "/system.slice/ces.service/" /proc/"$(pgrep -f 'until \[ -e /safe_data/go' | head -n 1)"/cgroup
	ends_well
}

upgraded()
{
	long_run
	rpm_ -U "$next"
	rpm -q ces | grep -q next
	systemctl is-active ces.service ces-janitor.timer
	[ -e "/run/ces/$number" ]
	as_ada ces-client run -q ghcr.io/epcced/tools:1 true
	ends_well
}

# By its unit, with all that the unit takes away from it.
janitor()
{
	long_run
	pkill -KILL -P "$(pgrep -u root -x ces-helper | head -n 1)" || true
	for p in $(pgrep -x ces-helper); do kill -KILL "$p"; done
	eventually bash -c "! pgrep -x ces-helper"
	[ -e "/run/ces/$number" ]
	[ -e "/home/ada/scratch_$number" ]
	systemctl start ces-janitor.service
	systemctl show -p Result --value ces-janitor.service | grep -x success
	journalctl -u ces-janitor.service --no-pager | tail -n 3
	[ ! -e "/run/ces/$number" ]
	[ ! -e "/home/ada/scratch_$number" ]
	[ -z "$(find /sys/fs/cgroup -type d -name "$number")" ]
	ces-policy audit list --run "$number" | grep -q 'helper died'
	ces-policy audit verify
}

removed()
{
	long_run
	rpm_ -e ces
	[ ! -e /usr/libexec/ces/ces-helper ]
	[ -e "/run/ces/$number" ]
	ends_well
	[ -n "$(ls -A /var/lib/ces/layers/sha256)" ]
	[ -s /var/log/ces/audit.jsonl ]
	[ -e /etc/ces/policy.json.rpmsave ]
}

install -d -m 755 $lab
printf '127.0.0.1 localhost\n%s open.tre.test\n' $lab_address > /etc/hosts
ip link set lo up
ip addr add $lab_address/32 dev lo
lab_certificates
lab_registry open 5001
lab_push stroke epcced/stroke:1
lab_push tools epcced/tools:1
rm -rf /etc/ces

echo 1..6
check "from nothing to a first run, by the lines of ces(7)" first_run
check "doctor says fit, with every check of the package's answered" fit
check "runs are in the cgroup that systemd delegates" delegated
check "an upgrade leaves the run alive, and the units as they were" upgraded
check "the janitor, hardened by its unit, clears what a killed run left" janitor
check "removal leaves the run to its end, and keeps store, journal and policy" removed
exit $failed
