#!/bin/bash
# Builds every tests/fuzz/*_fuzz.c with libFuzzer. Needs no root.
#   fuzz.sh run SECONDS     runs each for some seconds, with the sanitizers; 0: the kept inputs alone. Its last line counts.
#   fuzz.sh keep            puts what was found into tests/fuzz/corpus, minimised: one input for each thing that is reached
#   fuzz.sh coverage        a table: how many lines of each parser the kept inputs reach
# Words after these are names of fuzzers (policy, unpack_layer), all by default. What a fuzzer links beside common/ and policy/
# it names in a line `/* links: FILE.c ... */`; the files of the parser itself in a line `/* parses: FILE.c ... */`. Inputs
# come from tests/fuzz/<name>, tests/fuzz/corpus/<name>.tar.zst and tests/corpora; found ones are in build/fuzz/<name>_fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
top=$PWD
out=build/fuzz
largest=65536 # bytes of an input that is kept

named() # NAME WORD: the files of the lines `/* WORD: ... */`
{
	sed -n "s|^/\* $2: \(.*\) \*/\$|\1|p" "tests/fuzz/$1_fuzz.c" | tr ' ' '\n'
}

build() # NAME PROGRAM CLANG-OPTION...
{
	local files
	mapfile -t files < <(printf '%s\n' "tests/fuzz/$1_fuzz.c" common/*.c policy/*.c "$(named "$1" links)" | grep . | sort -u)
	clang -g -O1 -std=gnu17 -I. -D_GNU_SOURCE "${@:3}" -o "$2" "${files[@]}" \
		-ljson-c -lnettle -lcap -larchive -lisal -lz -lzstd -lcurl -lseccomp -lcrypto -lpthread
}

# The public samples that are of a fuzzer's kind. unpack_layer's inputs begin with a byte for the compression.
public() # NAME DIRECTORY
{
	local archive f
	case $1 in
	policy | cdi | journal) archive=json ;;
	fetch_tags) archive=oci ;;
	unpack_document) archive='json oci' ;;
	conform_layer) archive='tar oci' ;;
	unpack_layer) archive=tar ;;
	*) return 0 ;;
	esac
	for f in $archive; do zstd -dcq "tests/corpora/$f.tar.zst" | tar -x -C "$2"; done
	find "$2" -type f -size +$((largest / 1024))k -delete
	[ "$1" = unpack_layer ] || return 0
	find "$2" -type f ! -name '*.gz' ! -name '*.zst' | while read -r f; do { printf '\0'; cat "$f"; } > "$f.new" && mv "$f.new" "$f"; done
	find "$2" -type f -name '*.gz' | while read -r f; do { printf '\1'; cat "$f"; } > "$f.new" && mv "$f.new" "$f"; done
	find "$2" -type f -name '*.zst' | while read -r f; do { printf '\2'; cat "$f"; } > "$f.new" && mv "$f.new" "$f"; done
}

# Lays out all inputs of a fuzzer, and names their directories in $inputs.
inputs() # NAME
{
	local d=$out/inputs/$1
	rm -rf "$d"
	mkdir -p "$d/kept" "$d/public" "$out/$1_fuzz"
	[ ! -e "tests/fuzz/corpus/$1.tar.zst" ] || zstd -dcq "tests/fuzz/corpus/$1.tar.zst" | tar -x -C "$d/kept"
	public "$1" "$d/public"
	inputs=("$d/kept" "$d/public")
	[ ! -d "tests/fuzz/$1" ] || inputs+=("tests/fuzz/$1")
}

run() # SECONDS NAME...
{
	local name passed=0 failed=0 how=(-max_total_time="$1")
	[ "$1" != 0 ] || how=(-runs=0)
	for name in "${@:2}"; do
		build "$name" "$out/${name}_fuzz.run" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
		inputs "$name"
		echo "--- $name, $1 s"
		if "$out/${name}_fuzz.run" "${how[@]}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
			-artifact_prefix="$out/${name}_fuzz-" "$out/${name}_fuzz" "${inputs[@]}" 2> "$out/${name}_fuzz.log"; then
			grep -E 'stat::number_of_executed_units|stat::peak_rss' "$out/${name}_fuzz.log" || true
			passed=$((passed + 1))
		else
			tail -n 40 "$out/${name}_fuzz.log"
			echo "fuzz: $name FAILED"
			failed=$((failed + 1))
		fi
	done
	echo "$passed passed, $failed failed"
	[ $failed = 0 ]
}

# The same inputs make the same archive: names are digests, and there are no dates or owners.
keep() # NAME...
{
	local name d f
	mkdir -p tests/fuzz/corpus
	for name in "$@"; do
		# (without the sanitizers: what is reached does not depend on them)
		build "$name" "$out/$name.merge" -fsanitize=fuzzer
		inputs "$name"
		d=$out/merged/$name
		rm -rf "$d" "$d.short"
		mkdir -p "$d" "$d.short"
		"$out/$name.merge" -merge=1 -max_len=$largest -timeout=10 "$d" "$out/${name}_fuzz" "${inputs[@]}" 2> "$out/$name.merge.log" ||
			{ tail -n 20 "$out/$name.merge.log"; echo "fuzz: $name was not merged"; return 1; }
		for f in "$d"/*; do cp "$f" "$d.short/$(sha256sum < "$f" | cut -c1-16)"; done
		find "$d.short" -type f -printf '%f\0' | LC_ALL=C sort -z |
			tar -c --format=ustar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=644 -C "$d.short" --null -T - |
			zstd -19 -q -f -o "tests/fuzz/corpus/$name.tar.zst"
		echo "$name: $(find "$d.short" -type f | wc -l) inputs, $(stat -c %s "tests/fuzz/corpus/$name.tar.zst") bytes"
	done
}

coverage() # NAME...
{
	local name profile files
	printf '%-18s %7s %8s %8s  %s\n' PARSER INPUTS LINES REACHED FILES
	for name in "$@"; do
		build "$name" "$out/$name.coverage" -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping
		inputs "$name"
		profile=$out/$name.profile
		LLVM_PROFILE_FILE=$profile.raw "$out/$name.coverage" -runs=0 -timeout=10 "$out/${name}_fuzz" "${inputs[@]}" \
			2> "$out/$name.coverage.log" || { tail -n 20 "$out/$name.coverage.log"; return 1; }
		llvm-profdata merge -sparse "$profile.raw" -o "$profile"
		mapfile -t files < <(named "$name" parses)
		llvm-cov export -summary-only -instr-profile="$profile" "$out/$name.coverage" "${files[@]}" |
			jq -r --arg top "$top/" --arg name "$name" --arg inputs "$(find "${inputs[@]}" "$out/${name}_fuzz" -type f | wc -l)" '
			[.data[0].files[] | {name: (.filename | ltrimstr($top)), lines: .summary.lines}]
			| (map(.lines.count) | add) as $all | (map(.lines.covered) | add) as $reached
			| [$name, $inputs, $all, ($reached * 1000 / $all | round / 10 | tostring + "%"),
				(map("\(.name | sub(".*/"; "")) \(.lines.percent | round)") | join(", "))] | @tsv' |
			while IFS=$'\t' read -r a b c d e; do printf '%-18s %7s %8s %8s  %s\n' "$a" "$b" "$c" "$d" "$e"; done
	done
}

what=$1
shift
seconds=()
if [ "$what" = run ]; then
	seconds=("$1")
	shift
fi
if [ $# -eq 0 ]; then
	mapfile -t all < <(basename -a -s _fuzz.c tests/fuzz/*_fuzz.c)
	set -- "${all[@]}"
fi
for name in "$@"; do
	[ -e "tests/fuzz/${name}_fuzz.c" ] || { echo "fuzz: there is no fuzzer $name" >&2; exit 1; }
done
mkdir -p $out
case $what in
run | keep | coverage) "$what" "${seconds[@]}" "$@" ;;
*) echo "usage: fuzz.sh run SECONDS|keep|coverage [NAME...]" >&2; exit 2 ;;
esac
