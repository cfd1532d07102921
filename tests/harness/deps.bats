#!/usr/bin/env bats
# How packages are installed for tests (tests/lib/deps.sh).

setup()
{
	cd "$BATS_TEST_DIRNAME/../.." || return 1
	policy=/usr/sbin/policy-rc.d
}

# Runs deps.sh for no package, with an empty directory in the place of /usr/sbin, and with this file there. Prints whether
# the file stays.
with_policy() # TEXT
{
	# shellcheck disable=SC2016 # (the inner shell's)
	unshare --mount --propagation private bash -euc 'mount -t tmpfs none /usr/sbin; echo "$1" > "$2"; tests/lib/deps.sh --deb
		[ ! -e "$2" ] || echo stays' - "$1" $policy
}

@test "what forbids services to start, and a killed deps.sh left behind, is removed by the next one" {
	command -v apt-get || return 0
	[ "$(id -u)" = 0 ] || skip "needs root"
	local dead
	true & dead=$!
	wait $dead
	[ "$(with_policy $'#!/bin/sh\nexit 101')" = stays ] # (the machine's own)
	[ "$(with_policy $'#!/bin/sh\n# tests/lib/deps.sh '$$$'\nexit 101')" = stays ] # (of one that still runs)
	[ "$(with_policy $'#!/bin/sh\n# tests/lib/deps.sh '$dead$'\nexit 101')" = '' ]
	grep -q "# tests/lib/deps.sh %s" tests/lib/deps.sh
}
