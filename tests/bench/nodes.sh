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
	as_alice "${podman[@]}" --storage-driver overlay --root $shared/podman --runroot /run/user/4401/fill pull -q oci-archive:/srv/nodes.tar > $lab/nodes-id
	rm /srv/nodes.tar
	mkdir /srv/tree
	manifest=$dir/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$dir/index.json")
	for l in $(jq -r '.layers[].digest[7:]' "$manifest"); do tar -xf "$dir/blobs/sha256/$l" -C /srv/tree; done
	mksquashfs /srv/tree $shared/nodes.sqfs -quiet -no-progress > /dev/null
	podman_leaves
	umount $shared
}

# Waits until a pull is on the disk: until then its process also holds the node's mounts.
settled()
{
	while pgrep -x ces-settle > /dev/null; do sleep 0.1; done
	sync -f /srv/node
}

# Ends podman's pause process, which holds a mount namespace with file systems of a node in it.
podman_leaves() { as_alice "${podman[@]}" system migrate > /dev/null 2>&1; }

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
	podman) as_alice "${podman[@]}" --storage-driver overlay --root /srv/node/podman --runroot /run/user/4401/node \
		--storage-opt additionalimagestore=$shared/podman run --rm --network none --ulimit nofile=1024:1024 \
		--ulimit nproc=1024:1024 "$(cat $lab/nodes-id)" "${@:2}" ;;
	squashfs) as_alice sh -c 'squashfuse $0 /srv/node/image && bwrap --unshare-all --ro-bind /srv/node/image / --proc /proc --dev /dev "$@"
		status=$?; fusermount3 -u /srv/node/image; exit $status' $shared/nodes.sqfs "${@:2}" ;;
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
	mount -t tmpfs -o mode=700 ces-node /run/ces
	mount -o loop,ro /srv/shared.img $shared # (nobody else has it mounted: nothing of it is in memory)
	if [ "$1" = ces ]; then read_by as_alice ces-client pull -q $nodes_image; else echo 0 0 0 0; fi
	read_by in_node "$1" true
	settled
	read_by in_node "$1" true
	read_by in_node "$1" python3 -B /opt/tree/all.py
	[ "$1" != podman ] || podman_leaves
	umount $shared
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
			export -f node read_by in_node fresh as_alice shared_disk podman_leaves settled
			export lab shared nodes_image
			unshare --mount --net --propagation private bash -ec "podman=(${podman[*]}); node $subject" |
				awk -v s=$subject -v i=$i '{ split("pull first next import", w); print s, i, w[NR], $0 }' >> $lab/nodes
		done
	done
	nodes_rows
}

# Rows: the time on every node, and on nodes 1, 8 and 64; and what a node reads of the shared disk.
nodes_rows()
{
	local subject what i
	for what in pull first next import; do
		for subject in ces podman squashfs local; do
			[ $what != pull ] || [ $subject = ces ] || continue
			of_nodes $subject $what 4 | median "node: $what" $subject
		done
		for i in 1 8 64; do
			[ "$i" -gt "$NODES" ] || awk -v i="$i" '$2 == i' $lab/nodes | of_nodes ces $what 4 - | median "node: $what" "ces, node $i"
		done
	done
	for what in pull first next import; do
		for subject in ces podman squashfs; do
			[ $what != pull ] || [ $subject = ces ] || continue
			of_nodes $subject $what 6 | median "node: $what, reads of the shared disk (number)" $subject
			of_nodes $subject $what 7 | median "node: $what, read from the shared disk (KiB)" $subject
		done
	done
}

# Prints a column and the failures of the lines of a subject, as median wants them: in thousandths.
of_nodes() # SUBJECT WHAT COLUMN [FILE]
{
	awk -v s="$1" -v w="$2" -v c="$3" '$1 == s && $3 == w { print $c * (c > 4 ? 1000 : 1), $5 }' "${4:-$lab/nodes}"
}
