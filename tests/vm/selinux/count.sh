# Functions that count what a machine with SELinux has shown. guest.sh sources it.
# shellcheck shell=bash

# The reasons for which a test may be skipped there.
may_skip="strace is in no domain of CES's|its job cannot be kept"

# Prints the denials of CES's among records of the audit daemon. It leaves out the denials that tests provoke: the probe of
# selinux.bats, a user's runcon, and in tests/attack what a hostile container makes and a FIFO that a hostile client passes
# on.
denied()
{
	grep --line-buffered -E 'type=(AVC|SELINUX_ERR).*(ces_|container_t)' |
		grep --line-buffered -vE 'comm="(busybox-probe|runcon|marks|kit)"|path="/srv/fifo"'
}

# Prints the counts. Fails if there is a denial in any file of the log, if nothing was recorded at all, or if a test was
# skipped for another reason than these.
count() # TAP-FILE DIRECTORY-OF-AUDIT-LOGS
{
	local denials passed failed skips odd status=0
	grep -qs . "$2"/audit.log* || { echo "the audit daemon has recorded nothing, so no denial can be seen"; status=1; }
	denials=$(cat "$2"/audit.log* 2> /dev/null | denied | wc -l)
	echo "# $denials denials of CES's"
	[ "$denials" = 0 ] || status=1
	skips=$(grep -cE '^ok .*# skip' "$1")
	odd=$(grep -E '^ok .*# skip' "$1" | grep -vcE "# skip ($may_skip)\$")
	passed=$(($(grep -c '^ok' "$1") - skips)) failed=$(($(grep -c '^not ok' "$1") + odd))
	[ "$odd" = 0 ] || { echo "these tests were skipped:"; grep -E '^ok .*# skip' "$1" | grep -vE "# skip ($may_skip)\$"; status=1; }
	echo "$passed passed, $failed failed, $((skips - odd)) skipped"
	return $status
}
