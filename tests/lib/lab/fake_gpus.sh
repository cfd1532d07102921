# Makes a fake GPU driver in a lab. Tests and benchmarks source it. The nodes have the numbers of real ones but no driver: an
# open that is allowed fails with ENXIO, and one that is denied fails with EPERM. The driver's files have the names in the
# specification. The machine has three devices: GPU 1, and two slices (MIG) of GPU 0.
# shellcheck shell=bash disable=SC2154,SC2046 # lab is of services.sh; a number is two words
driver=570.133.20
sample=$CES_TOP/tests/lib/lab/cdi/nvidia.json

# Covers /dev with another one: the lab must not change the machine's.
fake_dev()
{
	local d=/srv/dev n
	install -d $d
	mount -t tmpfs -o mode=755 ces-lab $d
	mkdir $d/pts $d/shm $d/dri $d/nvidia-caps
	for n in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 mem:1:1 \
		nvidia0:195:0 nvidia1:195:1 nvidia2:195:2 nvidiactl:195:255 nvidia-modeset:195:254 \
		nvidia-uvm:507:0 nvidia-uvm-tools:507:1 dri/card2:226:2 dri/renderD129:226:129 \
		nvidia-caps/nvidia-cap{1:237:1,2:237:2,12:237:12,13:237:13,21:237:21,22:237:22}; do
		mknod -m 666 "$d/${n%%:*}" c $(tr : ' ' <<< "${n#*:}")
	done
	mknod -m 666 $d/sda b 8 0
	mknod -m 600 $d/ram b 1 0
	touch $d/nvidia-file
	ln -s nvidia1 $d/nvidia-link
	ln -s pts/ptmx $d/ptmx
	for n in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
		ln -s "${n#*:}" "$d/${n%%:*}"
	done
	mount --bind /dev/pts $d/pts
	mount --bind /dev/shm $d/shm
	mount --move $d /dev
	{ printf 'Character devices:\n195 nvidia\n226 drm\n237 nvidia-caps\n507 nvidia-uvm\n511 kfd\n'; tail -n +2 /proc/devices; } > $lab/devices
	if lab_has_selinux; then
		restorecon -RF /dev
		chcon -t etc_t $lab/devices
	fi
	mount --bind $lab/devices /proc/devices
}

fake_driver()
{
	local f
	jq -r '.containerEdits.mounts[].hostPath | select(startswith("/usr/"))' "$sample" > $lab/driver-files
	while read -r f; do install -D /dev/null "$f"; done < $lab/driver-files
	printf '#!/bin/sh\necho the driver says $1\n' > /usr/bin/nvidia-smi
	install -m 755 "${B:-build}/tests/cuda_driver" /usr/lib64/libcuda.so.$driver
	# (ldconfig's links: nearly every library of the driver has version 1 in its name)
	for f in /usr/lib64/*.so.$driver; do ln -sf "${f##*/}" "${f%.$driver}.1"; done
	rm /usr/lib64/libnvidia-nvvm.so.1
	ln -sf libnvidia-nvvm.so.$driver /usr/lib64/libnvidia-nvvm.so.4
	printf '#!/bin/sh\ntouch %s/hook-ran\n' $lab > /usr/bin/nvidia-cdi-hook
	chmod 755 /usr/bin/nvidia-cdi-hook
	mkdir -p /run/nvidia-persistenced
	python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/run/nvidia-persistenced/socket")'
}

# Removes all of this.
fake_end()
{
	umount /proc/devices
	umount -l /dev
	xargs rm -f < $lab/driver-files
	rm -rf /etc/cdi /usr/bin/nvidia-cdi-hook /usr/lib64/lib{cuda,nvidia-nvvm}.so.[14] /run/nvidia-persistenced
}
