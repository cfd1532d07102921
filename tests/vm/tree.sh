#!/bin/bash
# Makes the disk of the virtual machine: a Debian 12 tree with systemd, a kernel and what the tests need, but not CES.
# tree.sh [NAME [PART...]]: kept under build/NAME (vm), with the packages of these parts of tests/lib/deps.sh too, and made
# again when the list or this recipe changes. Nothing of the machine itself is changed; needs root, since the files on the
# disk must belong to root.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

vm=build/${1:-vm}
shift || true
packages=$(tests/lib/deps.sh --list --test --tree "$@")
stamp=$({ echo "$packages"; cat tests/vm/tree.sh; } | sha256sum)
[ "$(cat "$vm/stamp" 2> /dev/null)" != "$stamp" ] || exit 0
. tests/lib/cache.sh
! cache_get "tree-$(basename "$vm")" "$stamp" "$vm" || exit 0

tree=$vm/tree
trap 'rm -rf --one-file-system "$tree" "$vm/root.img.new"' EXIT
rm -rf --one-file-system "$vm"
mkdir -p "$vm"

# The drivers of the disk and no others: a small first ramdisk, which is unpacked in software.
ramdisk='mkdir -p "$1/etc/initramfs-tools/conf.d" "$1/usr/share/initramfs-tools/modules.d"
	printf "MODULES=list\nCOMPRESS=lz4\n" > "$1/etc/initramfs-tools/conf.d/ces"
	printf "virtio_pci\nvirtio_blk\next4\n" > "$1/usr/share/initramfs-tools/modules.d/ces"'
# Mounted on a path nobody else uses, in a namespace that dies with the command: a killed one leaves no mount.
unshare --mount --propagation private \
	mmdebstrap --quiet --mode=root --variant=minbase --components=main --include="${packages//$'\n'/,}" \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/locale/*' --essential-hook="$ramdisk" \
	bookworm "$tree" ${CES_VM_MIRROR:+"$CES_VM_MIRROR"}
for f in vmlinuz initrd.img; do cp -L "$tree"/$f "$vm/$f"; done
mke2fs -q -F -t ext4 -O ^has_journal -m 0 -L ces-root -d "$tree" "$vm/root.img.new" 12G > /dev/null
mv "$vm/root.img.new" "$vm/root.img"
echo "$stamp" > "$vm/stamp"
cache_put "tree-$(basename "$vm")" "$stamp" "$vm"
