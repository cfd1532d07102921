#!/bin/bash
# Makes the disk of the virtual machine with SELinux: that of tests/vm/tree.sh with Debian's reference policy, CES's module
# loaded into it, and every file labelled.
#
# The labels come last, and on this machine: a file that is written to the disk after setfiles has no label, which an
# enforcing machine refuses, and labelling at boot takes minutes in emulation.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

vm=build/vm-selinux
module=build/selinux/ces.pp
tests/vm/tree.sh vm-selinux --enforcing
state=$(cat $vm/stamp $module tests/vm/selinux/lab.cil tests/vm/selinux/tree.sh | sha256sum)
[ "$(cat $vm/labelled 2> /dev/null)" != "$state" ] || exit 0
rm -f $vm/labelled

# Labels the disk in DIRECTORY. It runs in a mount namespace of its own, so that it leaves no mount when it is killed.
label() # DIRECTORY MODULE
{
	local vm=$1 module=$2 tree=/mnt
	mount -o loop $vm/root.img $tree
	printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' > $tree/etc/selinux/config
	# (so that the audit daemon records every denial, at any rate)
	printf -- '-D\n-b 65536\n-r 0\n' > $tree/etc/audit/rules.d/audit.rules
	# (and keeps the first ones, however many there are)
	sed -i 's/^max_log_file_action *=.*/max_log_file_action = IGNORE/' $tree/etc/audit/auditd.conf
	grep -qx 'max_log_file_action = IGNORE' $tree/etc/audit/auditd.conf
	cp $module tests/vm/selinux/lab.cil $tree/root/
	chroot $tree semodule --noreload --store default --install /root/ces.pp --install /root/lab.cil
	rm $tree/root/ces.pp $tree/root/lab.cil
	setfiles -F -r $tree $tree/etc/selinux/default/contexts/files/file_contexts $tree > /dev/null
	umount $tree
}

unshare --mount --propagation private bash -euo pipefail -c "$(declare -f label); label \"\$@\"" - $vm $module
echo "$state" > $vm/labelled
