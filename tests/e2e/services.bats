#!/usr/bin/env bats
# systemd accepts the units, and they have no more rights than they need.

load ../lib/e2e.bash

units=/usr/lib/systemd/system

@test "systemd finds no fault in the units, accounts and directories" {
	run systemd-analyze verify --man=no $units/ces.service $units/ces-janitor.service $units/ces-janitor.timer
	echo "$output"
	[ "$status" -eq 0 ]
	no grep -E '/ces(-janitor)?\.(service|timer):' <<< "$output"
	run systemd-sysusers --dry-run /usr/lib/sysusers.d/ces.conf
	[ "$status" -eq 0 ]
	systemd-tmpfiles --create --dry-run /usr/lib/tmpfiles.d/ces.conf || systemd-tmpfiles --create /usr/lib/tmpfiles.d/ces.conf
}

# (so that a shutdown ends them while the directories are there: systemd stops in the reverse order)
@test "what works in users' directories is ordered after the mounts of file servers" {
	for unit in ces.service ces-janitor.service; do
		grep -xE 'After=(.* )?remote-fs\.target( .*)?' $units/$unit
	done
}

# systemd reports tenths: 100 is no hardening at all. No unit may exceed its ceiling.
@test "by systemd's own measure, ces.service has an exposure of 2.0 at most, and ces-janitor.service of 5.0" {
	for u in ces:20 ces-janitor:50; do
		run systemd-analyze security --offline=yes --threshold="${u#*:}" $units/${u%:*}.service
		echo "${lines[-1]}"
		[ "$status" -eq 0 ]
	done
}

@test "every worker user that the code names has an account in sysusers.d, and the other way round" {
	diff <(sed -nE 's/^#define CES_[A-Z]+_USER +"(.*)"/\1/p' common/*.h | sort) \
		<(awk '$1 == "u" { print $2 }' /usr/lib/sysusers.d/ces.conf | sed 's/-[2-4]$//' | sort -u)
	# (and three more for layers that several pulls want at once)
	[ "$(grep -cE '^u ces-(fetch|unpack)-[2-4] ' /usr/lib/sysusers.d/ces.conf)" -eq 6 ]
}

@test "the janitor does what its unit says, with the unit's own command" {
	[ "$(sed -n 's/^ExecStart=//p' $units/ces-janitor.service)" = "/usr/bin/ces-client clean" ]
	run --separate-stderr /usr/bin/ces-client clean
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
	run --separate-stderr ces alice clean
	[ "$status" -eq 125 ]
	[[ $stderr == *"clean is for root"* ]]
}

@test "the rights that the unit leaves to the janitor are enough to clear what a killed run left" {
	lab_policy
	have alice tools
	run=$(ces alice run -d $open/tools:1 sleep 300)
	pkill -KILL -x 'ces-helper|ces-admit|ces-session'
	eventually bash -c '! pgrep -x "ces-helper|ces-admit|ces-session|crun|runc"'
	[ -e "/run/ces/$run" ]
	[ -e "/home/alice/scratch_$run" ]
	keep=$(sed -n 's/^CapabilityBoundingSet=//p' $units/ces-janitor.service | tr 'A-Z' 'a-z' | sed 's/cap_/+/g; s/ /,/g')
	setpriv --no-new-privs --bounding-set="-all,$keep" /usr/bin/ces-client clean
	[ ! -e "/run/ces/$run" ]
	[ ! -e "/home/alice/scratch_$run" ]
	[ -z "$(find /sys/fs/cgroup -type d -name "$run")" ]
	rm -rf /home/alice/outputs_*
}
