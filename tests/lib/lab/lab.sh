#!/bin/bash
# A private copy of this machine to install CES into: tests/lib/lab/lab.sh [--ext4 SIZE] COMMAND [ARG...]
#
# COMMAND runs as root in mount, pid, network and uts namespaces of its own, but in the initial user namespace (the
# helper refuses any other). Its root is an overlay of / with a tmpfs as its upper half. So everything that is installed,
# added to /etc or made in /safe_data is gone at the end. All processes die with the pid namespace, also when this script
# is killed. It must never change a mount, a user or a cgroup setting of the machine itself.
#
# It uses pivot_root and not chroot, because the kernel refuses CLONE_NEWUSER to a process in a chroot.
# CES_LAB_BINDS names mounts below /usr and the like that the copy must show too.
# With --ext4 SIZE /var/lib/ces is a fresh ext4 in a sparse file and not a tmpfs; so it is on a kernel that cannot id-map
# a tmpfs.
set -euo pipefail
umask 022 # (what root makes here is for the lab's users too)

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd -P)

# An overlay of / does not show a mount below it (a separate /usr or /var), so each gets an overlay of its own.
overlay() # NAME LOWER TARGET
{
	mkdir -p "/mnt/$1.upper" "/mnt/$1.work"
	mount -t overlay ces-lab "$3" \
		-o "lowerdir=$2,upperdir=/mnt/$1.upper,workdir=/mnt/$1.work"
}

make_root()
{
	mount -t tmpfs -o mode=755,size=80% ces-lab /mnt
	mkdir /mnt/root
	overlay root / /mnt/root
	local d
	for d in usr var opt srv etc; do
		if mountpoint -q "/$d"; then overlay "$d" "/$d" "/mnt/root/$d"; fi
	done
	mount --rbind /sys /mnt/root/sys
	mount --rbind /dev /mnt/root/dev
	show_cgroups
	for d in run home tmp var/tmp; do
		mkdir -p "/mnt/root/$d"
		mount -t tmpfs -o mode=755 ces-lab "/mnt/root/$d"
	done
	chmod 1777 /mnt/root/tmp /mnt/root/var/tmp
	mkdir -p "/mnt/root/$top"
	mount --rbind "$top" "/mnt/root/$top"
	# (the way to a checkout below root's home; the modes of the machine's own directories stay)
	for ((d = ${#top}; d > 0; d--)); do [ "${top:d:1}" != / ] || chmod a+rx "/mnt/root${top:0:d}"; done
	for d in ${CES_LAB_BINDS:-}; do show "$d"; done
}

# Shows, read-only, a mount of the machine that the overlays hide, such as a driver's files.
show() # PATH
{
	mkdir -p "/mnt/root$(dirname "$1")"
	if [ -d "$1" ]; then mkdir -p "/mnt/root$1"; else touch "/mnt/root$1"; fi
	mount --bind "$1" "/mnt/root$1"
	mount -o remount,ro,bind "/mnt/root$1"
}

# Makes the store's file system. The kernel refuses an id-mapped mount of an overlay, and before 6.3 of a tmpfs: the
# store must be on neither.
make_store() # EXT4-SIZE (empty: on a tmpfs, if the kernel can)
{
	local store=/mnt/root/var/lib/ces size=$1
	if [ -z "$size" ] && [ "$(printf '%s\n' 6.3 "$(uname -r)" | sort -V | head -n 1)" != 6.3 ]; then size=2G; fi
	mkdir -p "$store" /mnt/root/var/log/ces /mnt/root/safe_data
	if [ -n "$size" ]; then
		truncate -s "$size" /mnt/store.img
		mkfs.ext4 -q -F -E lazy_itable_init=0,nodiscard /mnt/store.img
		mount -o loop /mnt/store.img "$store"
		rmdir "$store/lost+found"
	else
		mount -t tmpfs -o mode=700 ces-lab "$store"
	fi
	chmod 700 "$store"
	mount -t tmpfs -o mode=700 ces-lab /mnt/root/var/log/ces
	mount -t tmpfs -o mode=755 ces-lab /mnt/root/safe_data
}

enter_root()
{
	cd /mnt/root
	mkdir -p .old
	pivot_root . .old
	mount -t proc -o nosuid,nodev,noexec proc /proc
	umount -l /.old
	rmdir /.old
	cd "$top"
}

inside()
{
	local size=
	if [ "$1" = --ext4 ]; then
		size=$2
		shift 2
	fi
	make_root
	make_store "$size"
	enter_root
	ip link set lo up
	export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin CES_LAB=1 CES_TOP=$top HOME=/root
	# (a lab reaches no proxy, and its servers are near)
	unset TMPDIR {http,https,ftp,all,no}_proxy {HTTP,HTTPS,FTP,ALL,NO}_PROXY
	# Not exec: process 1 must reap, and must not be the command under test.
	"$@"
}

# Prints the hierarchies of cgroups. Cgroups are the machine's own and no copy. On v1 and hybrid hosts a lab works in a
# child of its own in every hierarchy. A cgroup namespace shows that child as the root, so that labs see nothing of each
# other. (With version 2 alone the child of a namespace's root cannot have controllers while it has processes.)
hierarchies()
{
	findmnt -rno TARGET,FSTYPE --types cgroup,cgroup2 | awk '$1 ~ "^/sys/fs/cgroup/" { print $1 }'
}

make_cgroups() # NAME
{
	local h
	for h in $(hierarchies); do
		mkdir "$h/$1"
		# (a child of cpuset takes no process before it has cpus and memory)
		if [ -e "$h/cpuset.cpus" ]; then
			cat "$h/cpuset.cpus" > "$h/$1/cpuset.cpus"
			cat "$h/cpuset.mems" > "$h/$1/cpuset.mems"
		fi
	done
}

show_cgroups() # inside, in the namespace
{
	local h options own
	own=$(hierarchies)
	[ -n "$own" ] || return 0
	mount -t tmpfs -o mode=755 tmpfs /mnt/root/sys/fs/cgroup # (the same file system is not mounted on itself)
	for h in $own; do
		mkdir "/mnt/root$h"
		if [ "$(stat -fc %T "$h")" = cgroup2fs ]; then
			mount -t cgroup2 cgroup2 "/mnt/root$h"
			continue
		fi
		options=$(findmnt -no FS-OPTIONS --mountpoint "$h" | tr , '\n' | grep -vxE 'rw|ro|xattr|clone_children|release_agent=.*' |
			paste -sd,)
		case $options in name=*) options=none,$options ;; esac
		mount -t cgroup -o "$options" cgroup "/mnt/root$h"
	done
}

# Removes the cgroups of a lab, the deepest first, also those that a killed test has left.
remove_cgroups() # NAME
{
	local h d
	for h in $(hierarchies); do
		find "$h/$1" -depth -type d 2> /dev/null | while read -r d; do
			rmdir "$d" 2> /dev/null || { sleep 0.2; rmdir "$d" 2> /dev/null; } || true
		done
	done
}

outside()
{
	[ "$(id -u)" = 0 ] || { echo "lab.sh: must be root (sudo)" >&2; exit 2; }
	local status=0 child name=ces-lab.$$
	make_cgroups "$name"
	trap 'remove_cgroups "$name"' EXIT
	# In the background, because bash acts on a signal only after a command in the foreground ends. SIGKILL of
	# unshare takes the whole pid namespace along (--kill-child). The shell that waits here stays where it is; the
	# one that becomes the lab moves first.
	(
		for h in $(hierarchies); do echo "$BASHPID" > "$h/$name/cgroup.procs"; own=--cgroup; done
		# (below nohup, or in the background, some signals are ignored: every program in the lab would keep
		# that)
		exec env --default-signal unshare ${own:-} --mount --propagation private --pid --fork --kill-child --net --uts \
			bash "${BASH_SOURCE[0]}" --inside "$@"
	) <&0 &
	child=$!
	trap 'kill -KILL $child 2>/dev/null' INT TERM HUP
	while kill -0 $child 2>/dev/null; do
		wait $child && status=0 || status=$?
	done
	exit "$status"
}

if [ "${1:-}" = --inside ]; then
	shift
	inside "$@"
else
	outside "$@"
fi
