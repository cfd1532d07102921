#!/bin/bash
# The end-to-end tests on a host with cgroup v2 alone and systemd: `make vm-check`, after a build, as root.
#
# A virtual machine, in software (CES_VM_ACCEL=kvm where there is a KVM that works), with two disks: Debian (tree.sh) and this checkout with its
# build, at the same path. Both are only read; what the machine writes is thrown away. It has no network. What its
# tests print comes back through a port of its own, and this script ends as they did. CES_RUNTIMES and CES_TESTS narrow
# it down, as for tests/lib/check.sh.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$top"
vm=build/vm
limit=${CES_VM_SECONDS:-900}

[ "$(id -u)" = 0 ] || { echo "vm-check: must be root (sudo)" >&2; exit 2; }
[[ $top != *[!A-Za-z0-9_./-]* ]] || { echo "vm-check: the path $top cannot go on a kernel's command line" >&2; exit 2; }
if [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" != bookworm ]; then
	echo "vm-check: the virtual machine is Debian 12 and needs a build from Debian 12" >&2
	exit 2
fi

qemu='' copy=$vm/checkout
finish()
{
	[ -z "$qemu" ] || kill "$qemu" 2> /dev/null || true
	rm -rf $copy
}
trap finish EXIT
trap 'exit 130' INT TERM HUP

# Hard links: the disk is made from them and they go.
checkout()
{
	local f tests=${CES_TESTS:-} registries=${CES_REGISTRIES:-all}
	rm -rf $copy
	mkdir -p $copy/build
	for f in * .clang-format; do [ "$f" = build ] || cp -al "$f" $copy/; done
	for f in build/*; do
		case $f in build/vm | build/bench | build/fuzz | build/sanitize) ;; *) cp -al "$f" $copy/build/ ;; esac
	done
	# The suites of tests/vm/suites need one registry only.
	[ -n "${CES_TESTS:-}" ] || { tests=$(tr '\n' ' ' < tests/vm/suites); registries=open; }
	printf '%q ' export "CI=${CI:-}" "CES_RUNTIMES=${CES_RUNTIMES:-crun}" \
		"CES_TESTS=$tests" "CES_REGISTRIES=$registries" > $copy/build/vm.env
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 -L ces-checkout -d $copy $vm/checkout.img 1G > /dev/null
	rm -rf $copy
}

# timeout and pdeathsig: nothing of it is left, however this script ends.
boot()
{
	setpriv --pdeathsig TERM timeout --kill-after=10 "$limit" qemu-system-x86_64 -nodefaults -no-user-config \
		-accel "${CES_VM_ACCEL:-tcg,thread=multi}" -machine q35 -cpu max -smp 2 -m 3072 -no-reboot \
		-display none -monitor none -nic none -serial "file:$vm/console.log" \
		-kernel $vm/vmlinuz -initrd $vm/initrd.img \
		-append "root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests apparmor=0 audit=0
			systemd.run=\"/bin/sh -c 'mkdir -p $top && mount /dev/vdb $top && exec $top/tests/vm/guest.sh'\"
			systemd.run_success_action=poweroff-force systemd.run_failure_action=poweroff-force" \
		-drive "file=$vm/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-drive "file=$vm/checkout.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=results,path=$vm/results.log" -device virtserialport,chardev=results,name=ces.results \
		< /dev/null 2> $vm/qemu.log 9>&- &
	qemu=$!
}

# One at a time: they would share the disks.
mkdir -p build
exec 9> build/vm.lock
flock 9
tests/vm/tree.sh
checkout
: > $vm/results.log
boot
tail -n +1 -F -s 0.5 --pid=$qemu $vm/results.log 2> /dev/null | grep --line-buffered -v '^vm-status: ' || true
wait $qemu || true
qemu=
status=$(sed -n 's/^vm-status: \([0-9]*\)$/\1/p' $vm/results.log | tail -n 1)
if [ -z "$status" ]; then
	tail -n 40 $vm/console.log $vm/qemu.log
	echo "vm-check: the machine ended, or ran into its limit of $limit s, before its tests did"
	exit 1
fi
exit "$status"
