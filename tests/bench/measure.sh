#!/bin/bash
# Makes the measurements of bench.sh, inside a lab.
set -euo pipefail
cd "$CES_TOP"
. tests/lib/lab/services.sh
. tests/bench/nodes.sh
. tests/bench/formats.sh
timeit=$CES_TOP/$B/timeit
result=$CES_TOP/build/bench/result
open=open.tre.test/epcced
peer=/srv/peer # the peers work on this

row() # MEASURE SUBJECT MILLISECONDS FAILURES
{
	printf '%s\t%s\t%s\t%s\n' "$@" >> $result.tsv
	printf '  %-28s %-24s %10s ms  %s failed\n' "$1" "$2" "$3" "$4"
}

# Prints timeit's lines as rows, in the order of the names given.
rows() # MEASURE NAME... < lines
{
	local measure=$1 name median failed
	shift
	for name in "$@"; do
		read -r median _ _ failed
		row "$measure" "$name" "$(printf '%d.%03d' $((median / 1000)) $((median % 1000)))" "$failed"
	done
}

podman=(podman --runtime runc --cgroup-manager=cgroupfs)
podman_run=("${podman[@]}" run --rm --network none --ulimit nofile=1024:1024 --ulimit nproc=1024:1024)

prepare()
{
	lab_begin
	lab_registry open 5001
	lab_policy '.defaults.limits.runs = 500 | .defaults.limits.memory = "256M"'
	lab_push tools epcced/tools:1
	lab_push layers64 epcced/layers64:1
	as_alice ces-client pull -q $open/tools:1
	usermod --add-subuids 300000-365535 --add-subgids 300000-365535 alice
	install -d -o alice -g alice -m 700 /run/user/4401
	# Gives the peers the same root file system, open to all.
	mkdir -p $peer/rootfs/{proc,sys,dev} $peer/bundle
	tar -xzf "$(layer_of tools)" -C $peer/rootfs
	(cd $peer/bundle && crun spec && jq --arg root $peer/rootfs '.process.terminal = false
		| .process.args = ["true"] | .root = {path: $root, readonly: true}' config.json > c && mv c config.json)
}

as_alice()
{
	setpriv --reuid=alice --regid=alice --init-groups --reset-env \
		env -C /home/alice XDG_RUNTIME_DIR=/run/user/4401 "$@"
}

layer_of() # IMAGE: the blob of its first layer
{
	local dir=$images/$1 manifest
	manifest=$dir/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$dir/index.json")
	printf '%s/blobs/sha256/%s' "$dir" "$(jq -r '.layers[0].digest[7:]' "$manifest")"
}

# Sets namespace. crun 1.8 refuses hybrid cgroups, also when ordered to leave them alone, unless it sees one kind only:
# a process holds a mount namespace that shows it one kind.
crun_namespace()
{
	local bind=true
	[ ! -d /sys/fs/cgroup/unified ] || bind='mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup'
	unshare --mount --propagation private sh -c "$bind; echo > $peer/ready; exec sleep infinity" &
	namespace=/proc/$!/ns/mnt
	while [ ! -s $peer/ready ]; do sleep 0.01; done
}

# Makes the same container by hand: CES's filter, id maps, limits on cgroups of its own, the directories of a run. A
# small shell does it, which costs a fork and an exec.
same_work()
{
	install -d -o alice -g alice $peer/{outputs,scratch}
	chmod 755 $peer/rootfs
	jq --rawfile filter /usr/libexec/ces/seccomp.bpf.base64 --arg peer $peer 'del(.linux.seccomp)
		| .annotations = {"run.oci.seccomp_bpf_data": ($filter | rtrimstr("\n"))}
		| .linux.namespaces += [{type: "user"}]
		| .linux.uidMappings = [{containerID: 0, hostID: 4401, size: 1}, {containerID: 1, hostID: 2000000000, size: 65535}]
		| .linux.gidMappings = .linux.uidMappings
		| del(.mounts[] | select(.type == "cgroup"))
		| .mounts += [{destination: "/safe_data", type: "bind", source: "/safe_data/nsh-2024-0001", options: ["rbind", "ro", "nosuid", "nodev"]},
			{destination: "/safe_outputs", type: "bind", source: ($peer + "/outputs"), options: ["rbind", "nosuid", "nodev"]},
			{destination: "/scratch", type: "bind", source: ($peer + "/scratch"), options: ["rbind", "nosuid", "nodev"]}]
		' $peer/bundle/config.json > $peer/same.json
	install -d $peer/same-bundle
	mv $peer/same.json $peer/same-bundle/config.json
	mkdir -p $peer/rootfs/{safe_data,safe_outputs,scratch}
	cat > $peer/same <<-'SH'
	#!/bin/sh
	set -e
	for c in memory cpu pids; do
		d=/proc/1/root/sys/fs/cgroup/$c/bench-same # (where crun sees its one kind alone)
		[ -d ${d%/*} ] || d=/proc/1/root/sys/fs/cgroup/bench-same
		mkdir -p $d
		case $c in
		memory) echo 268435456 > $d/memory.limit_in_bytes 2> /dev/null || echo 268435456 > $d/memory.max ;;
		cpu) echo 100000 > $d/cpu.cfs_quota_us 2> /dev/null || echo '100000 100000' > $d/cpu.max ;;
		pids) echo 256 > $d/pids.max ;;
		esac
		echo $$ > $d/cgroup.procs
	done
	exec crun --cgroup-manager=disabled run --no-new-keyring --bundle "$1" bench-same
	SH
	chmod 755 $peer/same
}

start()
{
	echo "start to exit of true, $ROUNDS rounds"
	podman_has_image
	crun_namespace
	same_work
	"$timeit" "$ROUNDS" \
		-- @alice ces-client run -q $open/tools:1 true \
		-- %$namespace crun --cgroup-manager=disabled run --bundle $peer/bundle bench-crun \
		-- %$namespace $peer/same $peer/same-bundle \
		-- runc run --bundle $peer/bundle bench-runc \
		-- @alice bwrap --unshare-all --ro-bind $peer/rootfs / --proc /proc --dev /dev true \
		> $lab/start
	"$timeit" $((ROUNDS / 10 + 1)) -- @alice "${podman_run[@]}" open.tre.test:5001/epcced/tools:1 true >> $lab/start
	find /sys/fs/cgroup -maxdepth 2 -name bench-same -exec rmdir {} + || true
	rows "start of true" ces "crun as root" "crun as root, same work" "runc as root" "bwrap" "podman rootless" < $lab/start
}

layers()
{
	echo "64 layers"
	as_alice ces-client pull -q $open/layers64:1
	"$timeit" "$ROUNDS" -- @alice ces-client run -q $open/tools:1 true \
		-- @alice ces-client run -q $open/layers64:1 true > $lab/layers
	rows "start by layers" "ces, 1 layer" "ces, 64 layers" < $lab/layers
}

# Measures what a GPU adds to a start: its specification, its nodes in the device program, its driver's files.
gpus()
{
	echo "a GPU"
	. tests/lib/lab/fake_gpus.sh
	fake_dev
	fake_driver
	install -D -m 644 "$sample" /etc/cdi/nvidia.json
	lab_policy '.defaults.limits.runs = 500 | .defaults.limits.memory = "256M" | .defaults.gpus.max = 1'
	"$timeit" "$ROUNDS" -- @alice ces-client run -q $open/tools:1 true \
		-- @alice ces-client run -q --gpu $open/tools:1 true \
		-- @alice ces-client run -q --cpus 0.5 --memory 128M --shm-size 8M --gpu $open/tools:1 true > $lab/gpus
	rows "start with a GPU" "ces, none" "ces, one GPU" "ces, one GPU and limits" < $lab/gpus
	umount /proc/devices
	umount -l /dev
}

at_once() # SUBJECT COMMAND...
{
	local begin end failed=0 pids=() p i subject=$1
	shift
	begin=$(date +%s%N)
	for ((i = 0; i < 200; i++)); do
		as_alice "$@" < /dev/null &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || failed=$((failed + 1)); done
	end=$(date +%s%N)
	row "200 runs at once" "$subject" $(((end - begin) / 1000000)) $failed
}

podman_has_image()
{
	as_alice "${podman[@]}" pull -q --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 > /dev/null
}

many()
{
	echo "200 runs at once"
	at_once ces ces-client run -q $open/tools:1 true
	podman_has_image
	at_once "podman rootless" "${podman_run[@]}" open.tre.test:5001/epcced/tools:1 true 2> $lab/podman-many
	tail -n 1 $lab/podman-many
}

# Measures the PSS of podman's processes that stay with a container.
podman_memory()
{
	local pid kb total=0
	podman_has_image
	as_alice "${podman_run[@]}" -d --name idle open.tre.test:5001/epcced/tools:1 sleep 1000 > /dev/null
	for pid in $(pgrep -u alice '^conmon|^podman|^catatonit'); do
		kb=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
		printf '  %-16s %6d KiB PSS\n' "$(cat "/proc/$pid/comm")" "$kb"
		total=$((total + kb))
	done
	printf 'memory of an idle run\tpodman: conmon, pause (KiB PSS)\t%s\t0\n' $total >> $result.tsv
	as_alice "${podman[@]}" kill idle > /dev/null
}

# Writes 2 GB of a container's output into a file, on a tmpfs so that no disk is measured. podman also writes a log,
# unless it is ordered not to.
stream()
{
	echo "2 GB of output to a file"
	local name times i to=$lab/stream words=(dd if=/dev/zero bs=1M count=2048)
	podman_has_image
	install -d -m 777 $to
	mount -t tmpfs -o mode=777 ces-bench $to
	for name in ces podman "podman, no log"; do
		times=''
		for ((i = 0; i < 3; i++)); do
			case $name in
			ces) times+=$(written ces-client run -q $open/tools:1 "${words[@]}")$'\n' ;;
			podman) times+=$(written "${podman_run[@]}" open.tre.test:5001/epcced/tools:1 "${words[@]}")$'\n' ;;
			*) times+=$(written "${podman_run[@]}" --log-driver none open.tre.test:5001/epcced/tools:1 "${words[@]}")$'\n' ;;
			esac
		done
		median "2 GB of output" "$name" < <(printf %s "$times")
	done
	umount $to
}

written() # COMMAND...; microseconds and failures
{
	local begin end failed=0
	rm -f $lab/stream/out
	begin=$(date +%s%N)
	as_alice "$@" > $lab/stream/out 2> $lab/stream/err < /dev/null || failed=1
	end=$(date +%s%N)
	[ "$(stat -c %s $lab/stream/out)" -eq $((2 << 30)) ] || failed=1
	printf '%s %s' $(((end - begin) / 1000)) $failed
}

# Runs ps while 200 runs live.
listing()
{
	echo "ps with 200 live runs, $ROUNDS rounds"
	local i pids=() p
	for ((i = 0; i < 200; i++)); do
		as_alice ces-client run -q -d $open/tools:1 sleep 1000 > /dev/null < /dev/null &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	"$timeit" "$ROUNDS" -- @alice ces-client ps > $lab/listing
	rows "ps with 200 live runs" ces < $lab/listing
	as_alice sh -c 'ces-client stop -q --time 0 $(ces-client ps -q)'
}

# Measures the PSS of all processes of an idle run but the container's own.
memory()
{
	echo "memory of an idle run"
	local pid kb client total=0 runtime=0
	as_alice ces-client run -q $open/tools:1 sh -c 'echo up; exec sleep 1000' > $lab/up < /dev/null &
	client=$!
	while [ ! -s $lab/up ]; do sleep 0.05; done
	for pid in $(pgrep '^ces-|^crun|^runc'); do
		kb=$(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")
		printf '  %-16s %6d KiB PSS\n' "$(cat "/proc/$pid/comm")" "$kb"
		case $(cat "/proc/$pid/comm") in
		ces-*) total=$((total + kb)) ;;
		*) runtime=$((runtime + kb)) ;;
		esac
	done
	printf 'memory of an idle run\tces (KiB PSS)\t%s\t0\n' $total >> $result.tsv
	printf 'memory of an idle run\truntime (KiB PSS)\t%s\t0\n' $runtime >> $result.tsv
	kill -KILL $client # (the helper sees it go and ends the run)
	wait $client || true
	podman_memory
}

# Sends a stream through ces-relay in each direction, beside socat and beside nothing in between. Each round takes all
# in turn.
relay()
{
	local bytes=$((2 << 30)) round subject direction
	echo "2 GiB through a relay, $RELAYS rounds"
	lab_policy '.defaults.network = { publish: ["8080"], proxy: "http://127.0.0.1:18099" } | .defaults.binds = ["~"]'
	install -o alice -m 755 "$B/stream" /home/alice/stream
	"$B/stream" serve 18099 > $lab/relay.outside &
	local servers=($!)
	socat TCP-LISTEN:18098,bind=127.0.0.1,fork,reuseaddr TCP:127.0.0.1:18099 2> /dev/null &
	servers+=($!)
	as_alice ces-client run -q -v ./stream:/stream -p 18097:8080 $open/tools:1 /stream serve 8080 > $lab/relay.inside < /dev/null &
	servers+=($!)
	while [ ! -s $lab/relay.outside ] || [ ! -s $lab/relay.inside ]; do sleep 0.05; done
	: > $lab/relays
	for ((round = 0; round < RELAYS; round++)); do
		for direction in put get; do
			for subject in "ces, a port:18097" "socat:18098" "no relay:18099"; do
				streamed "${subject%:*}" $direction as_alice ./stream $direction "${subject##*:}" $bytes
			done
			streamed "ces, the proxy" $direction as_alice ces-client run -q -v ./stream:/stream $open/tools:1 /stream $direction 3128 $bytes
		done
	done
	kill "${servers[@]}"
	wait "${servers[@]}" || true
	for direction in put get; do
		for subject in "ces, a port" "ces, the proxy" socat "no relay"; do
			awk -F'\t' -v s="$subject" -v d=$direction '$1 == s && $2 == d { print $3, $4 }' $lab/relays |
				median "2 GiB $([ $direction = put ] && echo towards || echo from) the server" "$subject"
		done
	done
	lab_policy '.defaults.limits.runs = 500 | .defaults.limits.memory = "256M"'
}

streamed() # SUBJECT DIRECTION COMMAND...; the command prints microseconds
{
	local us failed=0
	us=$("${@:3}" < /dev/null) || failed=1
	printf '%s\t%s\t%s\t%s\n' "$1" "$2" "${us:-0}" $failed >> $lab/relays
}

# Makes a fresh ext4 each time: one that has just lost as many files is several times slower.
fresh() # DIRECTORY
{
	rm -f /srv/fresh.img
	truncate -s 8G /srv/fresh.img
	mkfs.ext4 -q -F -E lazy_itable_init=0,nodiscard /srv/fresh.img
	mkdir -p "$1"
	mount -o loop /srv/fresh.img "$1"
	rmdir "$1/lost+found"
}

timed() # SUBJECT DIRECTORY COMMAND...; time to the end, and to the end of a sync after it
{
	local subject=$1 directory=$2 begin end synced failed=0
	shift 2
	sync
	begin=$(date +%s%N)
	"$@" > $lab/out 2>&1 || { failed=1; tail -n 3 $lab/out >&2; }
	end=$(date +%s%N)
	sync -f "$directory"
	synced=$(date +%s%N)
	printf '%s\t%d\t%d\t%d\n' "$subject" $(((end - begin) / 1000)) $(((synced - begin) / 1000)) $failed >> $lab/pulls
}

untar_layers() # DIRECTORY
{
	local manifest=$big/blobs/sha256/ l
	manifest+=$(jq -r '.manifests[0].digest[7:]' $big/index.json)
	for l in $(jq -r '.layers[].digest[7:]' "$manifest"); do
		igzip -dc < "$big/blobs/sha256/$l" | tar -x -C "$1"
	done
}

pull()
{
	echo "pull of 1 GB in 30,000 files, $PULLS rounds, each onto a fresh ext4"
	big=$CES_TOP/build/bench/image
	skopeo --insecure-policy copy --quiet --dest-cert-dir $lab/trust "oci:$big" docker://open.tre.test:5001/epcced/big1g:1
	local i
	: > $lab/pulls
	for ((i = 0; i < PULLS; i++)); do
		fresh /var/lib/ces
		chmod 700 /var/lib/ces
		timed ces /var/lib/ces as_alice ces-client pull -q $open/big1g:1
		umount /var/lib/ces
		fresh $peer/tar
		timed "igzip -dc, tar -x" $peer/tar untar_layers $peer/tar
		umount $peer/tar
		fresh $peer/podman
		chown alice: $peer/podman
		# Podman's pause process holds a mount namespace without the new file system.
		as_alice "${podman[@]}" system migrate > /dev/null 2>&1
		timed "podman rootless" $peer/podman as_alice "${podman[@]}" --root $peer/podman/s --runroot /run/user/4401/bench \
			pull -q --cert-dir $lab/trust docker://open.tre.test:5001/epcced/big1g:1
		as_alice "${podman[@]}" --root $peer/podman/s --runroot /run/user/4401/bench unshare umount -a > /dev/null 2>&1 || true
		umount -l $peer/podman
	done
	local s
	for s in ces "igzip -dc, tar -x" "podman rootless"; do
		awk -F'\t' -v s="$s" '$1 == s { print $2, $4 }' $lab/pulls | median "pull 1 GB" "$s"
		awk -F'\t' -v s="$s" '$1 == s { print $3, $4 }' $lab/pulls | median "pull 1 GB, synced" "$s"
	done
}

median() # MEASURE SUBJECT < lines of microseconds and failures
{
	local m
	m=$(sort -n | awk '{ v[NR] = $1; f += $2 } END { printf "%.3f %d", v[int((NR + 1) / 2)] / 1000, f }')
	row "$1" "$2" "${m% *}" "${m#* }"
}

# Prints every row beside ces in the same measure.
report()
{
	{
		printf '# Measured on %s, kernel %s, %s cpus\n\n' "$(date -u +%F)" "$(uname -r)" "$(nproc)"
		printf '| measure | subject | median ms (memory: KiB) | failures | times ces |\n| --- | --- | ---: | ---: | ---: |\n'
		awk -F'\t' '{ if ($2 ~ /^ces/ && !($1 in base)) base[$1] = $3
			printf "| %s | %s | %s | %s | %s |\n", $1, $2, $3, $4, base[$1] ? sprintf("%.2f", $3 / base[$1]) : "" }' \
			$result.tsv
	} > $result.md
	jq -R -s 'split("\n") | map(select(. != "") | split("\t") | {measure: .[0], subject: .[1], median: (.[2] | tonumber),
		failures: (.[3] | tonumber)})' $result.tsv > $result.json
	echo
	cat $result.md
}

: > $result.tsv
prepare
for b in $BENCH; do $b; done
report
