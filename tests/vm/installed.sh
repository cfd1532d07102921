#!/bin/bash
# Tests CES on a machine with systemd, as a site has it (site.sh). It goes from nothing to a first run by the lines of the
# manual. It breaks one thing after another, and checks that doctor finds it and that doctor's remedy mends it. While a run
# lives, it upgrades, logs out, starts the janitor and removes CES. `make vm-check` runs it on a machine of its own; alone:
# `make vm-check CES_TESTS=tests/vm/installed.sh`.
# shellcheck source=tests/vm/site.sh
. "$(dirname "${BASH_SOURCE[0]}")/site.sh"

broken_and_mended()
{
	local user remedy
	chmod 755 /usr/libexec/ces/ces-helper
	found_and_mended problem helper 'is not setuid'
	chmod 775 /usr/libexec/ces/ces-fetch
	found_and_mended problem workers 'ces-fetch can be changed by others'
	for user in ces-parse ces-store ces-fetch ces-resolve ces-unpack ces-relay; do
		userdel $user
		found_and_mended problem workers "there is no user $user"
	done
	chmod 666 /etc/ces/policy.json
	remedy=$(finds problem policy 'writable by others')
	mended "as root: ${remedy##*, and: }" # (the first half is to look)
	systemctl stop ces.service
	found_and_mended warning cgroups 'ces.service is not active'
	systemctl kill --signal=KILL --kill-who=all ces.service
	eventually systemctl is-failed ces.service
	found_and_mended warning cgroups 'ces.service is not active'
	systemctl disable --now ces-janitor.timer
	found_and_mended warning services 'the janitor is not enabled'
}

# Breaks things whose remedy is in words and not a command.
broken()
{
	local remedy
	mount --bind /usr/libexec/ces /usr/libexec/ces
	mount -o remount,bind,nosuid /usr/libexec/ces
	remedy=$(finds problem helper 'mounted nosuid')
	[[ $remedy == *"mount it without nosuid"* ]]
	umount /usr/libexec/ces
	mv /usr/bin/crun /usr/bin/crun.away
	remedy=$(finds problem runtime 'No such file')
	[[ $remedy == *"install crun"* ]]
	mv /usr/bin/crun.away /usr/bin/crun
	cp /etc/ces/policy.json /tmp/policy.json
	jq '.review_by = "2025-01-31" | .projects["nsh-2024-0001"].expires = "2025-02-28"' /tmp/policy.json > /etc/ces/policy.json
	finds warning policy 'nsh-2024-0001 ended on 2025-02-28'
	remedy=$(finds warning policy 'review was due by 2025-01-31')
	[[ $remedy == *"review the policy"* ]]
	mv /etc/ces/policy.json /tmp/away
	remedy=$(finds problem policy 'policy.json')
	[[ $remedy == *"man 7 ces"* ]]
	cp /tmp/policy.json /etc/ces/policy.json
	sysctl -q user.max_user_namespaces=0
	remedy=$(finds problem namespaces user)
	[[ $remedy == *max_user_namespaces* ]]
	sysctl -q user.max_user_namespaces=10000
	fit
}

delegated()
{
	local number
	number=$(long_run)
	grep "/system.slice/ces.service/ces/$(id -u ada)/$number" "/proc/$(long_pid)/cgroup"
	ends_well "$number"
}

# The host has a program for core dumps, as most distributions do. A limit of 0 would not keep them from it.
crashed()
{
	printf '#!/bin/sh\nexec cat > /var/tmp/core.of-pid-$1\n' > /usr/local/bin/keep-core
	chmod 755 /usr/local/bin/keep-core
	sysctl -q kernel.core_pattern='|/usr/local/bin/keep-core %P'
	as_ada sh -c 'ulimit -c 0; kill -SEGV $$' || true
	eventually compgen -G '/var/tmp/core.of-pid-*'
	rm /var/tmp/core.of-pid-*
	as_ada ces-client run -q ghcr.io/epcced/tools:1 sh -c 'sh -c "kill -SEGV \$\$"; [ $? = 139 ]'
	no compgen -G '/var/tmp/core.of-pid-*'
	sysctl -q kernel.core_pattern=core
}

upgraded()
{
	local number
	number=$(long_run)
	rpm_ -U "$next"
	rpm -q ces | grep next
	systemctl is-active ces.service ces-janitor.timer
	[ -e "/run/ces/$number" ]
	as_ada ces-client run -q ghcr.io/epcced/tools:1 true
	ends_well "$number"
}

# Runs COMMAND in a login of ada's: PAM makes a session of systemd-logind.
login_() { su --login ada --shell /bin/bash --command "$(printf '%q ' "$@")"; }

logged_out() { [ -z "$(loginctl list-sessions --no-legend | grep -w ada)" ] && ! pgrep -U ada -f 'sleep [9]99'; }

# At a logout logind ends what it is set to end: a program of ada's that has left its terminal, and an attached run. A
# detached run goes on, and the next login sees it.
logged_in_and_out()
{
	local number attached
	mkdir -p /etc/systemd/logind.conf.d
	printf '[Login]\nKillUserProcesses=yes\n' > /etc/systemd/logind.conf.d/kill.conf
	systemctl restart dbus.socket systemd-logind
	rm -f /safe_data/nsh-2024-0001/go
	login_ sh -c "setsid sleep 999 > /dev/null 2>&1 &
		setsid ces-client run ghcr.io/epcced/tools:1 sh -c 'trap exit TERM; echo up > /safe_outputs/attached
			while :; do sleep 0.1; done' > /dev/null 2>&1 &
		ces-client run -d ghcr.io/epcced/tools:1 sh -c '$until_go'
		until [ -e outputs_*/attached ]; do sleep 0.2; done
		loginctl list-sessions --no-legend > session" > /tmp/number
	cat /home/ada/session
	grep -w ada /home/ada/session
	number=$(cat /tmp/number)
	is_up "$number"
	eventually logged_out
	attached=$(ls -d /home/ada/outputs_*/attached)
	attached=${attached%/attached} attached=${attached##*_}
	eventually nothing_of_it "$attached"
	ces-policy audit list --run "$attached" | tail -n 1 | grep -v 'helper died'
	[ -e "/run/ces/$number" ]
	[ -n "$(long_pid)" ]
	login_ ces-client ps --format json | jq -e --arg n "$number" 'map(.run) == [$n]'
	ends_well "$number"
	login_ ces-client logs "$number"
	ces-policy audit list --run "$number"
	rm /etc/systemd/logind.conf.d/kill.conf
	systemctl restart systemd-logind
}

# A login starts the detached run, so CES's own process is in the unit's cgroup too.
stopped()
{
	local number
	number=$(long_run login_)
	grep -r . /sys/fs/cgroup/system.slice/ces.service/ces/helpers/cgroup.procs
	systemctl stop ces.service
	nothing_of_it "$number"
	ces-policy audit list --run "$number" | tail -n 1 | grep -v 'helper died'
	systemctl start ces.service
}

# Starts the janitor by its unit, which takes many rights from it.
janitor()
{
	local number
	number=$(long_run)
	for p in $(pgrep -x 'ces-helper|ces-admit|ces-session'); do kill -KILL "$p" || true; done
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session'
	[ -e "/run/ces/$number" ]
	[ -e "/home/ada/scratch_$number" ]
	systemctl start ces-janitor.service
	systemctl show -p Result --value ces-janitor.service | grep -x success
	journalctl -u ces-janitor.service --no-pager | tail -n 3
	nothing_of_it "$number"
	ces-policy audit list --run "$number" | grep 'helper died'
	ces-policy audit verify
}

removed()
{
	local number
	number=$(long_run)
	rpm_ -e ces
	[ ! -e /usr/libexec/ces/ces-helper ]
	[ -e "/run/ces/$number" ]
	ends_well "$number"
	[ -n "$(ls -A /var/lib/ces/layers/sha256)" ]
	[ -s /var/log/ces/audit.jsonl ]
	[ -e /etc/ces/policy.json.rpmsave ]
}

site_registry
echo 1..10
check "from nothing to a first run, by the lines of ces(7)" first_run
check "after the installation doctor says fit, with an answer to each check" fit
check "when one thing is broken, doctor finds it, and its remedy mends it" broken_and_mended
check "a nosuid mount, a missing runtime or policy, past dates and a kernel setting are found by doctor, with advice" broken
check "a run is in the cgroup that systemd delegates" delegated
check "a program that crashes in a container leaves nothing with the host's program for core dumps" crashed
check "after an upgrade the run is alive, and the units are as they were" upgraded
check "a detached run goes on through a logout that ends all else (logind, KillUserProcesses)" logged_in_and_out
check "when ces.service stops, the runs in it end whole" stopped
check "the janitor, hardened by its unit, clears what a killed run left" janitor
check "after a removal the run goes on to its end, and store, journal and policy stay" removed
finish
