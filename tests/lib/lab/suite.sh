#!/bin/bash
# Sets up a lab with users, registries and images, and runs the given bats files (see check.sh). Runs inside the lab.
set -Eeuo pipefail
cd "$CES_TOP"
trap 'echo "the lab was not set up: $BASH_COMMAND failed (${BASH_SOURCE[0]}, line $LINENO)"' ERR
. tests/lib/lab/services.sh
lab_begin
lab_registries
lab_push_all
lab_policy
# A test that hangs fails after a minute. The slowest test takes 20 seconds on a quiet machine.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}
# Leaves out the tests that cannot run on this machine: cgroup version 1 on a machine with version 2 alone, "without
# SELinux" on one with SELinux, Debian's package on one without apt. Any other test that cannot run is skipped, and in CI
# a skip counts as a failure.
trap - ERR
tags=()
[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || tags+=('!cgroup-v1')
# (in some containers root may not raise limits)
prlimit --nproc=100:100 prlimit --nproc=200:200 true 2> /dev/null || tags+=('!cap-sys-resource')
command -v apt-get > /dev/null || tags+=('!debian')
command -v lintian > /dev/null || tags+=('!lintian')
[ -e build/bare/tree.tar ] || tags+=('!bare') # `make check-all` makes it
! lab_has_selinux || tags+=('!without-selinux')
[ -z "${CES_TAG:-}" ] || tags+=("$CES_TAG")
[ -z "${CES_FILTER:-}" ] || set -- --filter "$CES_FILTER" "$@"
[ ${#tags[@]} -eq 0 ] || set -- --filter-tags "$(IFS=,; echo "${tags[*]}")" "$@"
tests/lib/again.sh tests/lib/lab/watch.sh $((BATS_TEST_TIMEOUT + 30)) --tap ${CES_TIMING:+--timing} --print-output-on-failure "$@"
