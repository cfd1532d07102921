#!/bin/bash
# Makes build/bare/tree.tar: Debian 12 as bare as it can be installed, and beside it, in /debs, the packages that apt will
# want for CES's there: the suite of the package has no network. tests/package/bare.sh, as root; made again when this
# changes. It is made in memory, in a mount namespace that takes it along; nothing of the machine is changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
stamp=$(sha256sum < tests/package/bare.sh)
bare=build/bare
wanted="crun ca-certificates logrotate systemd libcap2 libseccomp2 libcurl4 libjson-c5 libnettle8 libarchive13 libisal2
	zlib1g libzstd1"

if [ "${1:-}" = --inside ]; then
	mount -t tmpfs -o mode=755 ces-bare /mnt
	mmdebstrap --quiet --mode=root --variant=minbase --components=main --skip=cleanup/apt/lists \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='chroot "$1" apt-get -qq install --no-install-recommends --download-only '"${wanted//$'\n'/ }" \
		--customize-hook='mkdir "$1/debs" && mv "$1"/var/cache/apt/archives/*.deb "$1/debs"' \
		bookworm /mnt/tree ${CES_VM_MIRROR:+"$CES_VM_MIRROR"} < /dev/null >&2
	tar -C /mnt/tree --numeric-owner --exclude='./dev/*' -cf "$2" .
	exit
fi
[ "$(cat $bare/stamp 2> /dev/null)" != "$stamp" ] || exit 0
. tests/lib/cache.sh
! cache_get bare "$stamp" $bare || exit 0
[ "$(id -u)" = 0 ] || { echo "bare.sh: must be root (sudo)" >&2; exit 2; }
rm -rf --one-file-system $bare
mkdir -p $bare
unshare --mount --propagation private bash "${BASH_SOURCE[0]}" --inside $bare/tree.tar
echo "$stamp" > $bare/stamp
cache_put bare "$stamp" $bare
