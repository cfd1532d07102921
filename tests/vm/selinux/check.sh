#!/bin/bash
# CES on a host where SELinux is enforcing: `make vm-selinux`, after a build and `make selinux`, as root. In the machine CES
# is installed for good, not in a lab: labels are given by path, to the real places. CES_TESTS narrows the tests down,
# CES_ENFORCING=0 boots it permissive, which tells every denial at once instead of the first.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../machine.sh"

vm_begin vm-selinux
tests/vm/selinux/tree.sh
vm_images
vm_checkout "CI=${CI:-}" "CES_TESTS=${CES_TESTS:-}" "CES_TEST_FILTER=${CES_TEST_FILTER:-}" \
	"CES_REGISTRIES=${CES_REGISTRIES:-open}"
[ -n "${CES_TESTS:-}" ] && number=1 || number=$(grep -vc '^#' tests/vm/selinux/suites)
# First of all arguments: for this one systemd reads the first line only.
for ((i = 0; i < number; i++)); do
	vm_start tests/vm/selinux/guest.sh "enforcing=${CES_ENFORCING:-1}" selinux=1 security=selinux audit=1
done
vm_end
