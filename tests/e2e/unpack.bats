#!/usr/bin/env bats
# The worker that unpacks, with tests/lib/drivers/unpack_driver.c in place of the helper. It refuses hostile layers, and its
# files have raw image ids. It needs root for id-mapped mounts, but no registry and no network.
bats_require_minimum_version 1.5.0

setup_file()
{
	cd "${CES_TOP:-$BATS_TEST_DIRNAME/../..}" || return 1
	export B=${B:-build}
	export layers=$BATS_FILE_TMPDIR/layers
	python3 tests/lib/images/hostile_layers.py "$layers"
}

setup()
{
	cd "${CES_TOP:-$BATS_TEST_DIRNAME/../..}" || return 1
	chmod 711 "$BATS_FILE_TMPDIR" "$BATS_TEST_TMPDIR"
	work=$BATS_TEST_TMPDIR/work
	mkdir -p "$work/canary-dir"
	echo alive > "$work/canary"
}

unpack() # KIND [OPTION...] < INPUT
{
	local kind=$1
	shift
	"$B/tests/unpack_driver" "$@" "$B/ces-unpack" "$kind"
}

layer() # NAME COMPRESSION SIZE DIGEST DIFF_ID
{
	rm -rf "$work/root"
	mkdir "$work/root"
	unpack layer --directory "$work/root" --compression "$2" --size "$3" --digest "$4" --diff-id "$5" \
		--max-bytes 1000000000 --max-entries 10000 < "$layers/$1"
}

# Unpacks the case of that name into $work/root.
good_case() # NAME
{
	local name how size digest diff_id expected
	read -r name how size digest diff_id expected < <(grep "^$1 " "$layers/cases")
	[ "$expected" = good ]
	layer "$name" "$how" "$size" "$digest" "$diff_id"
}

@test "every hostile layer is refused with its reason or contained, and leaves nothing outside" {
	local name how size digest diff_id expected bad=0
	while read -r name how size digest diff_id expected; do
		run layer "$name" "$how" "$size" "$digest" "$diff_id"
		if [ "$expected" = good ]; then
			[ "$status" -eq 0 ] || { echo "$name: $output"; bad=1; }
		else
			[[ $status -eq 1 && $output == error\ *"$expected"* ]] || { echo "$name: $status $output"; bad=1; }
		fi
		[ "$(cat "$work/canary")" = alive ] || { echo "$name: the canary"; bad=1; }
		[ "$(cd "$work" && find . -mindepth 1 -maxdepth 2 ! -path './root/*' | sort | xargs)" = "./canary ./canary-dir ./root" ] ||
			{ echo "$name: something outside"; bad=1; }
		[ -z "$(find "$work/root" \( -type b -o -type p -o -perm /6000 \) -print -quit)" ] || { echo "$name: a device"; bad=1; }
	done < "$layers/cases"
	for name in /canary /etc/canary /tmp/canary; do
		[ ! -e $name ] || { echo "$name is there"; bad=1; }
	done
	[ $bad -eq 0 ]
}

@test "files get raw image ids on disk, and large ids become nobody" {
	good_case huge-ids
	[ "$(stat -c %u:%g "$work/root/f")" = 65534:65534 ]
	good_case gzip-good
	[ "$(stat -c %u:%g "$work/root/f")" = 0:0 ]
	[ "$(wc -c < "$work/root/f")" -eq 8000 ]
}

@test "an error names the layer and what was wrong" {
	local name how size digest diff_id expected
	read -r name how size digest diff_id expected < <(grep "^name-up-0 " "$layers/cases")
	run layer "$name" "$how" "$size" "$digest" "$diff_id"
	[ "$output" = "error image layer ${digest:0:19}: entry \"../canary\": it leaves the image" ]
}

@test "a layer job on a directory that is not empty is refused" {
	mkdir -p "$work/root/left-over"
	run unpack layer --directory "$work/root" --size 1024 --digest "sha256:$(printf '%064d' 0)" \
		--diff-id "sha256:$(printf '%064d' 0)" < /dev/null
	[ "$status" -eq 1 ]
	[[ $output == *"not empty"* ]]
}

@test "a manifest with another digest is not parsed" {
	run unpack manifest --size 1000 --digest "sha256:$(printf '%064d' 0)" <<< '{"this":"is","this":"hostile"}'
	[ "$status" -eq 1 ]
	[[ $output == *"another digest"* ]]
}

@test "a manifest larger than its cap is refused without being read to its end" {
	run unpack manifest --size 100000 < <(yes '{"a":' | head -c 100000000)
	[ "$status" -eq 1 ]
	[[ $output == *"longer than 100000 bytes"* ]]
}

@test "USER is resolved by the layers' own files, the highest first" {
	mkdir -p "$work/low/etc" "$work/high/etc"
	echo "me:x:1000:1000::/home/low:" > "$work/low/etc/passwd"
	echo "video:x:44:me" > "$work/low/etc/group"
	run unpack user --directory "$work/low" --directory "$work/high" --user me < /dev/null
	[ "$status" -eq 0 ]
	[ "$output" = "$(printf 'uid 1000\ngid 1000\ngroup 44\nhome /home/low\nstop_signal 0')" ]
	echo "me:x:1001:1002::/home/high:" > "$work/high/etc/passwd"
	chmod 700 "$work/high/etc"
	run unpack user --directory "$work/low" --directory "$work/high" --user me:video < /dev/null
	[ "$output" = "$(printf 'uid 1001\ngid 44\nhome /home/high\nstop_signal 0')" ]
	run unpack user --directory "$work/low" --directory "$work/high" --user someone < /dev/null
	[ "$status" -eq 1 ]
	[[ $output == *'no user "someone"'* ]]
}

@test "sparse files come out whole, in each of the formats that tar has for them" {
	local format digest
	mkdir "$work/in"
	truncate -s 3M "$work/in/hole"
	{ head -c 100000 /dev/urandom; head -c 1000000 /dev/zero; head -c 7 /dev/urandom; } > "$work/in/middle"
	{ head -c 200000 /dev/zero; head -c 4096 /dev/urandom; head -c 300000 /dev/zero; } > "$work/in/ends"
	head -c 9000 /dev/urandom > "$work/in/full"
	for ((i = 0; i < 60; i++)); do head -c 4096 /dev/urandom; head -c 20000 /dev/zero; done > "$work/in/many"
	cp -r --sparse=always "$work/in" "$work/sparse"
	for format in gnu "posix --sparse-version=0.0" "posix --sparse-version=0.1" "posix --sparse-version=1.0"; do
		# shellcheck disable=SC2086
		tar -C "$work/sparse" --format=$format --sparse -cf "$work/tar" .
		[ "$(stat -c %s "$work/tar")" -lt 1000000 ]
		digest=sha256:$(sha256sum < "$work/tar" | cut -c 1-64)
		rm -rf "$work/root"
		mkdir "$work/root"
		unpack layer --directory "$work/root" --size "$(stat -c %s "$work/tar")" --digest "$digest" --diff-id "$digest" < "$work/tar"
		diff -r "$work/in" "$work/root"
	done
}

@test "a full disk is reported as this machine's fault" {
	truncate -s 12M "$work/disk"
	mkfs.ext4 -q "$work/disk"
	mkdir "$work/small"
	mount -o loop "$work/disk" "$work/small"
	mkdir "$work/small/root"
	head -c 20000000 /dev/urandom > "$work/f"
	tar -C "$work" -cf "$work/tar" f
	local digest size
	digest=sha256:$(sha256sum < "$work/tar" | cut -c 1-64)
	size=$(stat -c %s "$work/tar")
	run unpack layer --directory "$work/small/root" --size "$size" --digest "$digest" \
		--diff-id "$digest" < "$work/tar"
	umount "$work/small"
	[ "$status" -eq 1 ]
	[[ $output == "error host "*"No space left"* ]]
}
