# Two formats of a layer on one machine: a directory, as CES keeps it, and a file with a file system in it (EROFS) that the
# kernel mounts. measure.sh sources it. CES unpacks the image each time. A file is then made of each layer's directory:
# that is what a worker without privilege can do without the kernel having to believe what it read in an archive.
# shellcheck shell=bash disable=SC2154
formats_image=open.tre.test:5001/epcced/nodes:1
layers_dir=/var/lib/ces/layers/sha256
root=/srv/formats

# Prints microseconds and failures of a command, to the end of a sync after it.
synced() # COMMAND...
{
	local begin failed=0
	sync -f /var/lib/ces
	begin=$(date +%s%N)
	"$@" > $lab/formats.out 2>&1 < /dev/null || { failed=1; tail -n 3 $lab/formats.out >&2; }
	sync -f /var/lib/ces
	printf '%s %s\n' $((($(date +%s%N) - begin) / 1000)) $failed
}

# The same file system again, with nothing of it in memory.
cold() { umount /var/lib/ces; mount -o loop /srv/fresh.img /var/lib/ces; }

make_images() { local l; for l in $layers_dir/*; do mkfs.erofs --quiet "$l.erofs" "$l/root/fs" || return; done; }
remove_directories() { find $layers_dir -mindepth 1 -maxdepth 1 -type d -exec rm -rf {} +; }
remove_images() { rm $layers_dir/*.erofs; }

# Mounts all layers as a run does, read-only, and the whole image at its "all".
mount_layers() # FORMAT RUN
{
	local l n=0 lower=''
	mkdir -p $root/"$2"/all
	for l in $layers_dir/*; do
		n=$((n + 1))
		mkdir -p $root/"$2"/$n
		if [ "$1" = image ]; then "$CES_TOP/$B/layers" at "$l" $root/"$2"/$n; else mount --bind "$l/root/fs" $root/"$2"/$n; fi
		lower+=${lower:+:}$root/$2/$n
	done
	mount -t overlay -o "ro,lowerdir=$lower" overlay $root/"$2"/all
}

unmount_layers() { umount $root/"$1"/all; umount $root/"$1"/[1-9]*; } # RUN

# Prints what a command takes of the kernel's cache of files, in thousandths of KiB as median wants it.
cached_by() # COMMAND...
{
	local before after
	before=$(awk '/^Cached:/ { print $2 }' /proc/meminfo)
	"$@" > /dev/null
	after=$(awk '/^Cached:/ { print $2 }' /proc/meminfo)
	printf '%s 0\n' $(((after - before) * 1000))
}

# Reads all files of the image in two runs, while both live.
read_twice() # FORMAT
{
	mount_layers "$1" first
	mount_layers "$1" second
	find $root/{first,second}/all -xdev -type f -exec cat {} +
}

import_all() { bwrap --unshare-all --ro-bind $root/first/all / --proc /proc --dev /dev python3 -B /opt/tree/all.py; }

# What both formats are asked, each with nothing in memory.
ask() # FORMAT
{
	local l
	cold
	mount_layers "$1" first
	synced import_all >> "$lab/formats.import.$1"
	unmount_layers first
	cold
	cached_by read_twice "$1" >> "$lab/formats.cache.$1"
	unmount_layers first
	unmount_layers second
	l=$(find $layers_dir -mindepth 1 -maxdepth 1 | head -n 1)
	[ "$1" = image ] || l+=/root/fs
	"$CES_TOP/$B/layers" time "$ROUNDS" "$1" "$l" | cut -d' ' -f1,4 >> "$lab/formats.ready.$1"
	printf '%s 0\n' $(($(du -sk $layers_dir | cut -f1) * 1000)) >> "$lab/formats.disk.$1"
}

formats()
{
	echo "two formats of a layer, image of 1 GB in 31,000 files, $PULLS rounds, each on a fresh ext4"
	local i what format name
	skopeo --insecure-policy copy --quiet --dest-cert-dir $lab/trust "oci:$CES_TOP/build/bench/nodes" docker://$formats_image
	for ((i = 0; i < PULLS; i++)); do
		fresh /var/lib/ces
		chmod 700 /var/lib/ces
		synced as_alice ces-client pull -q $open/nodes:1 >> $lab/formats.pull.directory
		ask directory
		cold
		synced make_images >> $lab/formats.make
		synced remove_directories >> $lab/formats.remove.directory
		ask image
		cold
		synced remove_images >> $lab/formats.remove.image
		umount /var/lib/ces
	done
	paste -d' ' $lab/formats.pull.directory $lab/formats.make $lab/formats.remove.directory |
		awk '{ print $1 + $3 + $5, $2 + $4 + $6 }' > $lab/formats.pull.image
	for what in "pull:pull, synced" "ready:a layer can be mounted" "import:import of 1,000 modules, cold" \
		"remove:removal, synced" "disk:disk (KiB)" "cache:two runs read all, cache (KiB)"; do
		for format in directory image; do
			name=$format
			[ $format = image ] || name="ces, directory"
			median "format: ${what#*:}" "$name" < "$lab/formats.${what%%:*}.$format"
		done
	done
}
