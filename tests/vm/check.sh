#!/bin/bash
# Runs the end-to-end tests, and CES from its package, on a host with systemd, with cgroup v2 alone, and with a kernel older
# than this one (`make vm-check`, after a build, as root). It starts a virtual machine for each line of tests/vm/suites, two
# at once, each with one processor. With CES_TESTS one machine runs these suites (with CES_RUNTIMES), or this one script of
# tests/vm. CES_ARRAY is the number of tasks in the job array of slurm.sh: 1000, or 15 without a KVM.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/machine.sh"

# A machine that needs more packages has a tree of its own. Most machines leave AppArmor out, because it makes starts slower.
name=vm parts=() modules=lockdown,yama
case ${CES_TESTS:-} in
tests/vm/slurm.sh) name=vm-slurm parts=(--slurm) ;;
tests/vm/storage.sh) name=vm-storage parts=(--storage) modules=lockdown,yama,apparmor ;;
esac
vm_begin $name
tests/vm/tree.sh $name "${parts[@]}"
vm_images
vm_packages
vm_checkout "CI=${CI:-}" "CES_EVERY=${CES_EVERY:-}" "CES_RUNTIMES=${CES_RUNTIMES:-crun}" "CES_TESTS=${CES_TESTS:-}" \
	"CES_ARRAY=${CES_ARRAY:-$([ "${CES_VM_ACCEL:-tcg}" = kvm ] && echo 1000 || echo 15)}" \
	"CES_SOAK=${CES_SOAK:-}" "CES_REGISTRIES=${CES_REGISTRIES:-open}" # one is enough for suites that only run what they pull
[ -n "${CES_TESTS:-}" ] && number=1 || number=$(tests/vm/shares.sh | wc -l)
for ((i = 0; i < number; i++)); do vm_start tests/vm/guest.sh lsm=$modules audit=0; done
vm_end
