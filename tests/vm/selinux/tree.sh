#!/bin/bash
# Makes the disk of the virtual machine with SELinux: that of tests/vm/tree.sh with Debian's reference policy, CES's module
# loaded into it, and every file labelled.
#
# Labelled last, and on this machine: a file that is written to the disk after setfiles is unlabeled, which an enforcing
# machine does not forgive, and labelling at boot would take minutes in software.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

vm=build/vm-selinux
module=build/selinux/ces.pp
tests/vm/tree.sh vm-selinux --enforcing
state=$(cat $vm/stamp $module tests/vm/selinux/lab.cil tests/vm/selinux/tree.sh | sha256sum)
[ "$(cat $vm/labelled 2> /dev/null)" != "$state" ] || exit 0
rm -f $vm/labelled

label() # in a mount namespace of its own: a killed one leaves no mount
{
	local tree=/mnt
	mount -o loop $vm/root.img $tree
	printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > $tree/etc/selinux/config
	# Every denial is on record: nothing held back by rate, and none of the audit daemon's own limits.
	printf -- '-D\n-b 65536\n-r 0\n' > $tree/etc/audit/rules.d/audit.rules
	cp $module tests/vm/selinux/lab.cil $tree/root/
	chroot $tree semodule --noreload --store default --install /root/ces.pp --install /root/lab.cil
	rm $tree/root/ces.pp $tree/root/lab.cil
	setfiles -F -r $tree $tree/etc/selinux/default/contexts/files/file_contexts $tree > /dev/null
	umount $tree
}

export vm module
unshare --mount --propagation private bash -euo pipefail -c "$(declare -f label); label"
echo "$state" > $vm/labelled
