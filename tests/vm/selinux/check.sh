#!/bin/bash
# Tests CES on a host where SELinux is enforcing: `make vm-selinux`, after a build and `make selinux`, as root. The
# machine has CES installed for good, not in a lab, since labels are given by path, to the real places. CES_TESTS
# narrows the tests down, or CES_MACHINES=N to the first N lines of suites. CES_ENFORCING=0 boots it permissive: then it
# shows every denial at once instead of the first.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../machine.sh"

for suite in tests/e2e/*.bats tests/attack/*.bats tests/cve/*.bats; do
	grep -qF "$suite" tests/vm/selinux/suites || { echo "tests/vm/selinux/suites: $suite is missing"; exit 1; }
done
vm_begin vm-selinux
tests/vm/selinux/tree.sh
vm_images
vm_packages
vm_checkout "CI=${CI:-}" "CES_TESTS=${CES_TESTS:-}" "CES_TEST_FILTER=${CES_TEST_FILTER:-}"
[ -n "${CES_TESTS:-}" ] && number=1 || number=${CES_MACHINES:-$(grep -vc '^#' tests/vm/selinux/suites)}
# First of all arguments: systemd reads only the first line for this one.
for ((i = 0; i < number; i++)); do
	vm_start tests/vm/selinux/guest.sh "enforcing=${CES_ENFORCING:-1}" selinux=1 security=selinux audit=1
done
vm_end
