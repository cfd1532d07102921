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
bats --tap --print-output-on-failure "$@"
