# Many machines with one shared directory. measure.sh sources it. A node is a mount and a network namespace without a
# link: it has a fresh disk, nothing in memory of the shared directory, and no way to a registry. Nodes come one after the
# other, since they would otherwise measure how they share these processors.
# shellcheck shell=bash disable=SC2154
shared=/srv/shared        # an ext4 of its own: the kernel counts what is read from it
nodes_image=open.tre.test/epcced/nodes:1

shared_disk() { losetup --noheadings --output NAME --associated /srv/shared.img | sed 's|/dev/||'; }

# Fills the shared directory for each way: once, and that is all that comes from the registry.
nodes_prepare()
{
	local dir=$CES_TOP/build/bench/nodes manifest l
	truncate -s 8G /srv/shared.img
	mkfs.ext4 -q -F -E lazy_itable_init=0,nodiscard /srv/shared.img
	mkdir -p $shared /srv/node
	mount -o loop /srv/shared.img $shared
	skopeo --insecure-policy copy --quiet "oci:$dir" "oci:$shared/images:$nodes_image"
	chmod -R go-w,o+rX $shared/images
	install -d -o alice -g alice $shared/podman
	skopeo --insecure-policy copy --quiet "oci:$dir" oci-archive:/srv/nodes.tar:nodes
	as_alice "${podman[@]}" --root $shared/podman --runroot /run/user/4401/fill pull -q oci-archive:/srv/nodes.tar > $lab/nodes-id
	rm /srv/nodes.tar
	mkdir /srv/tree
	manifest=$dir/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$dir/index.json")
	for l in $(jq -r '.layers[].digest[7:]' "$manifest"); do tar -xf "$dir/blobs/sha256/$l" -C /srv/tree; done
	mksquashfs /srv/tree $shared/nodes.sqfs -quiet -no-progress > /dev/null
	umount $shared
}

# Runs a command, and prints microseconds, failures, and how often and how many KiB the shared disk was read.
read_by() # COMMAND...
{
	local begin end failed=0 before after stat
	stat=/sys/block/$(shared_disk)/stat
	read -ra before < "$stat"
	begin=$(date +%s%N)
	"$@" > $lab/node.out 2>&1 < /dev/null || { failed=1; tail -n 3 $lab/node.out >&2; }
	end=$(date +%s%N)
	read -ra after < "$stat"
	printf '%s %s %s %s\n' $(((end - begin) / 1000)) $failed $((after[0] - before[0])) $(((after[2] - before[2]) / 2))
}

# How a subject runs a command in the image; $1 says which.
in_node() # SUBJECT COMMAND...
{
	case $1 in
	ces) as_alice ces-client run -q $nodes_image "${@:2}" ;;
	podman) as_alice "${podman[@]}" --root /srv/node/podman --runroot /run/user/4401/node \
		--storage-opt additionalimagestore=$shared/podman run --rm --network none --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "$(cat $lab/nodes-id)" "${@:2}" ;;
	squashfs) as_alice sh -c 'squashfuse $0 /srv/node/image && bwrap --unshare-all --ro-bind /srv/node/image / --proc /proc --dev /dev "$@"
		status=$?; fusermount -u /srv/node/image; exit $status' $shared/nodes.sqfs "${@:2}" ;;
	*) as_alice bwrap --unshare-all --ro-bind /srv/tree / --proc /proc --dev /dev "${@:2}" ;;
	esac
}

# One node from its first run on. Prints a line for each of: first run, next run, import.
node() # SUBJECT
{
	fresh /srv/node
	install -d -o alice -g alice /srv/node/podman /srv/node/image
	mkdir -m 700 /srv/node/ces
	mount --bind /srv/node/ces /var/lib/ces
	mount -t tmpfs -o mode=755 ces-node /run/ces
	mount -o loop,ro /srv/shared.img $shared # (nobody else has it mounted: nothing of it is in memory)
	if [ "$1" = ces ]; then read_by as_alice ces-client pull -q $nodes_image; else echo 0 0 0 0; fi
	read_by in_node "$1" true
	read_by in_node "$1" true
	read_by in_node "$1" python3 -B /opt/tree/all.py
}

nodes()
{
	echo "$NODES nodes with one shared directory, image of 1 GB"
	local i subject count
	nodes_prepare
	lab_policy ".defaults.limits.runs = 500 | .defaults.limits.memory = \"256M\" | .registries[\"open.tre.test\"] = {endpoint: \"oci:$shared/images\"}"
	: > $lab/nodes
	for subject in ces podman squashfs local; do
		count=$NODES
		[ $subject = ces ] || count=$(((NODES + 7) / 8))
		for ((i = 1; i <= count; i++)); do
			export -f node read_by in_node fresh as_alice shared_disk
			export lab shared nodes_image
			unshare --mount --net --propagation private bash -ec "podman=(${podman[*]}); node $subject" |
				awk -v s=$subject -v i=$i '{ split("pull first next import", w); print s, i, w[NR], $0 }' >> $lab/nodes
		done
	done
	nodes_rows
}

# Rows: the time of nodes 1, 8 and 64, the median of all, and what a node reads of the shared directory.
nodes_rows()
{
	local subject what name
	for what in pull first next import; do
		name="node: $what"
		for subject in ces podman squashfs local; do
			[ $what != pull ] || [ $subject = ces ] || continue
			awk -v s=$subject -v w=$what '$1 == s && $3 == w { print $4, $5 }' $lab/nodes | median "$name" "$subject"
			[ $subject = ces ] || continue
			for i in 1 8 64; do
				awk -v w=$what -v i=$i '$1 == "ces" && $2 == i && $3 == w { print $4, $5 }' $lab/nodes | median "$name, number $i" ces
			done
		done
	done
	for what in pull first next import; do
		for subject in ces podman squashfs; do
			awk -v s=$subject -v w=$what '$1 == s && $3 == w { print $6 * 1000, $5 }' $lab/nodes | median "node: reads of the shared disk, $what (number)" $subject
			awk -v s=$subject -v w=$what '$1 == s && $3 == w { print $7 * 1000, $5 }' $lab/nodes | median "node: read from the shared disk, $what (KiB)" $subject
		done
	done
}
