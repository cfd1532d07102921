#!/bin/bash
# Tests CES on a host where SELinux is enforcing (`make vm-selinux`, after a build and `make selinux`, as root). CES is
# installed on the machine itself and not in a lab, because SELinux gives labels by real paths. CES_TESTS chooses suites, and
# CES_MACHINES=N the first N lines of the file `suites`. CES_ENFORCING=0 boots the machine permissive: then it shows every
# denial and not only the first.
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
# (`enforcing` comes first: systemd reads it only in the first line)
for ((i = 0; i < number; i++)); do
	vm_start tests/vm/selinux/guest.sh "enforcing=${CES_ENFORCING:-1}" selinux=1 security=selinux audit=1
done
vm_end
