#!/bin/bash
# Runs gpu.sh with fake devices on a machine that lacks what gpu.sh brings: bare.sh ARCHIVE, as root. In a mount namespace of its
# own it covers /usr with an overlay, and removes the programs and libraries there. It must not change the machine's /usr.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [ "${1:-}" != --inside ]; then
	exec unshare --mount --propagation private bash "${BASH_SOURCE[0]}" --inside "$1"
fi
mount -t tmpfs ces-bare /mnt
mkdir /mnt/upper /mnt/work
mount -t overlay ces-bare /usr -o lowerdir=/usr,upperdir=/mnt/upper,workdir=/mnt/work
# (a driver's file may be a mount of its own)
cp /usr/bin/true /mnt/file
touch /usr/lib/libces-mounted.so.1
mount --bind /mnt/file /usr/lib/libces-mounted.so.1
rm -f /usr/bin/{crun,docker-registry,jq,openssl,make,skopeo} /usr/sbin/runc /usr/{s,}bin/ip /bin/ip
find /usr/lib /usr/lib64 -maxdepth 2 -regextype posix-extended \
	-regex '.*/lib(json-c|nettle|archive|isal|seccomp|yajl|curl|jq|onig|mnl|bpf|elf)\.so.*' -delete
cp /etc/ld.so.cache /mnt/cache
mount --bind /mnt/cache /etc/ld.so.cache
/sbin/ldconfig -C /mnt/new
cp /mnt/new /etc/ld.so.cache
for gone in crun jq openssl ip; do
	if command -v $gone > /dev/null; then echo "bare.sh: $gone is still there" >&2; exit 1; fi
done
tests/device/gpu.sh check "$2" --fake
