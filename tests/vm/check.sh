#!/bin/bash
# The end-to-end tests on a host with cgroup v2 alone, systemd and a kernel older than this one: `make vm-check`, after a
# build, as root. Two machines share the suites (tests/vm/suites), each with one processor. CES_TESTS, with CES_RUNTIMES,
# has one machine run these instead.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

vm_begin vm
tests/vm/tree.sh
vm_checkout "CI=${CI:-}" "CES_RUNTIMES=${CES_RUNTIMES:-crun}" "CES_TESTS=${CES_TESTS:-}" \
	"CES_REGISTRIES=${CES_REGISTRIES:-open}" # one registry is enough for suites that only run what they pull
[ -n "${CES_TESTS:-}" ] && number=1 || number=$(grep -vc '^#' tests/vm/suites)
for ((i = 0; i < number; i++)); do vm_start tests/vm/guest.sh apparmor=0 selinux=0 audit=0; done
vm_end
