#!/bin/bash
# Inside a lab: users, registries and images once, then the given bats files (see check.sh).
set -euo pipefail
cd "$CES_TOP"
. tests/lib/services.sh
lab_begin
lab_registries
lab_push_all
lab_policy
# A test that hangs is a failed test.
export BATS_TEST_TIMEOUT=${BATS_TEST_TIMEOUT:-60}
# Tests of what version 1 alone has are none of a machine's that has version 2 alone; what else cannot be tested is skipped,
# which counts as a failure in CI.
[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || set -- --filter-tags '!cgroup-v1' "$@"
bats --tap --print-output-on-failure "$@"
