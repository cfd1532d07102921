# Starts virtual machines for tests, in emulation. The check.sh of each kind of machine sources it. A machine has two disks:
# the system that a tree.sh made, and this checkout with its build, at the same path. Both are only read, and what the
# machine writes is thrown away. It has no network. A unit of its systemd runs one script of the checkout. The script sends
# the output of its tests, and at the end `vm-status: N`, through a port of its own. Then the machine switches off.
#
#	vm_begin NAME                       # disks and logs are in build/NAME; one of that name at a time
#	tests/.../tree.sh                   # makes build/NAME/root.img, vmlinuz and initrd.img
#	vm_images                           # where the tests pull
#	vm_packages                         # what they install, if they do
#	vm_checkout VARIABLE=VALUE...       # the second disk; the script finds these in build/vm.env
#	vm_start SCRIPT KERNEL-ARGUMENT...  # starts a machine, which gets its number as ces.machine=N. Two run at once: for
#	                                    # a third it waits until one ends
#	vm_end                              # waits, prints the sum of their counts, fails as they did
#
# CES_VM_SECONDS is the most time that a machine may take. CES_VM_ACCEL=kvm uses KVM. The functions share these variables,
# which vm_begin sets: $vm (the directory), and the process ids in $machines (all), $running (not ended) and $tails.
# shellcheck shell=bash
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$top" || exit 1

vm_begin() # NAME
{
	vm=build/$1 machines=() tails=() running=()
	vm_fit || exit 2
	mkdir -p build
	exec 9> "$vm.lock"
	flock 9
	mkdir -p "$vm"
	rm -f "$vm"/results-*.log "$vm"/console-*.log
	trap vm_stop EXIT
	trap 'exit 130' INT TERM HUP
}

vm_fit()
{
	local program
	if [ "$(id -u)" != 0 ]; then
		echo "$vm: must be root (sudo)" >&2
	elif [[ $top == *[!A-Za-z0-9_./-]* ]]; then
		echo "$vm: the path $top cannot go on a kernel's command line" >&2
	elif [ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" != bookworm ]; then
		echo "$vm: the virtual machine is Debian 12 and needs a build from Debian 12" >&2
	else
		for program in qemu-system-x86_64 mmdebstrap mke2fs; do
			command -v $program > /dev/null && continue
			echo "$vm: $program is missing; type: tests/lib/deps.sh --vm" >&2
			return 1
		done
		return 0
	fi
	return 1
}

vm_stop()
{
	[ ${#machines[@]} -eq 0 ] || kill "${machines[@]}" 2> /dev/null || true
	rm -rf "$vm/checkout"
}

# Makes and pushes the images on this machine: in emulation that takes minutes.
vm_images() { tests/lib/images/images.sh; }

# Builds the packages if all tests run, or a script. They are in build/vm-rpm.
vm_packages()
{
	rm -rf build/vm-rpm
	case ${CES_TESTS:-.sh} in
	tests/vm/soak.sh) ;;
	*.sh) CES_RPM_OUT=build/vm-rpm CES_RPM_NEXT=1 tests/lib/rpm.sh > /dev/null ;;
	esac
}

# Makes the second disk, from hard links that are then removed. It has the parts of the build that `make install` and the
# tests use.
vm_checkout() # VARIABLE=VALUE...
{
	local f copy=$vm/checkout
	rm -rf "$copy"
	mkdir -p "$copy/build"
	for f in * .clang-format; do [ "$f" = build ] || cp -al "$f" "$copy/"; done
	for f in build/*; do
		case $f in
		build/client | build/common | build/helper | build/policy | build/tests | build/images | build/selinux | build/vm-rpm) ;;
		*) [ -f "$f" ] || continue ;;
		esac
		cp -al "$f" "$copy/build/"
	done
	printf '%q ' export "$@" > "$copy/build/vm.env"
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 -L ces-checkout -d "$copy" "$vm/checkout.img" 1G > /dev/null
	rm -rf "$copy"
}

# Starts a machine. By timeout and pdeathsig no machine is left, however this script ends.
vm_start() # SCRIPT KERNEL-ARGUMENT...
{
	local n=$((${#machines[@]} + 1)) script=$1 ended i
	shift
	if [ ${#running[@]} -ge 2 ]; then
		wait -n -p ended "${running[@]}" || true
		for i in "${!running[@]}"; do [ "${running[i]}" != "$ended" ] || unset "running[i]"; done
	fi
	: > "$vm/results-$n.log"
	setpriv --pdeathsig TERM timeout --kill-after=10 "${CES_VM_SECONDS:-2000}" \
		qemu-system-x86_64 -nodefaults -no-user-config \
		-accel "${CES_VM_ACCEL:-tcg}" -machine q35 -cpu max -m 3072 -no-reboot \
		-display none -monitor none -nic none -serial "file:$vm/console-$n.log" \
		-kernel "$vm/vmlinuz" -initrd "$vm/initrd.img" \
		-append "$* ces.machine=$n root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests
			systemd.run=\"/bin/sh -c 'mkdir -p $top && mount /dev/vdb $top && exec $top/$script'\"
			systemd.run_success_action=poweroff-force systemd.run_failure_action=poweroff-force" \
		-drive "file=$vm/root.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-drive "file=$vm/checkout.img,format=raw,if=virtio,snapshot=on,cache=unsafe" \
		-device virtio-rng-pci -device virtio-serial-pci \
		-chardev "file,id=results,path=$vm/results-$n.log" -device virtserialport,chardev=results,name=ces.results \
		< /dev/null >> "$vm/console-$n.log" 2>&1 9>&- &
	machines+=($!) running+=($!)
	tail -n +1 -F -s 0.5 --pid=$! "$vm/results-$n.log" 2> /dev/null 9>&- |
		sed -u "/^vm-status: /d; s/^/[$n] /" &
	tails+=($!)
}

vm_end()
{
	local n count status passed=0 failed=0 before
	wait "${machines[@]}" "${tails[@]}" || true
	for ((n = 1; n <= ${#machines[@]}; n++)); do
		before=$failed
		while read -r count; do
			[[ $count =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]] || continue
			passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
		done < "$vm/results-$n.log"
		status=$(sed -n 's/^vm-status: \([0-9]*\)$/\1/p' "$vm/results-$n.log" | tail -n 1)
		if [ -z "$status" ]; then
			tail -n 40 "$vm/console-$n.log"
			echo "machine $n ended, or ran into its limit of ${CES_VM_SECONDS:-2000} s, before its tests did"
			failed=$((failed + 1))
		elif [ "$status" != 0 ] && [ "$failed" = "$before" ]; then
			echo "machine $n ended with status $status"
			failed=$((failed + 1))
		fi
	done
	machines=()
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
}
