#!/bin/bash
# Builds every tests/fuzz/*_fuzz.c with libFuzzer. It needs no root.
#   fuzz.sh run SECONDS     runs each fuzzer for SECONDS, with the sanitizers; 0: only the kept inputs. The last line counts.
#   fuzz.sh keep            minimises what was found, one input for each thing that is reached, into tests/fuzz/corpus
#   fuzz.sh coverage        prints how many lines of each parser the kept inputs reach
# The words after these name fuzzers (policy, unpack_layer); without a name it takes all. A fuzzer names what it links beside
# common/ and policy/ in a line `/* links: FILE.c ... */`, and the files of its parser in a line `/* parses: FILE.c ... */`.
# The inputs are tests/fuzz/<name>, tests/fuzz/corpus/<name>.tar.zst and tests/corpora; what a fuzzer finds is in
# build/fuzz/<name>_fuzz.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
top=$PWD
out=build/fuzz
largest=65536 # bytes of an input that is kept

# Prints the files that a fuzzer names in its lines `/* WORD: ... */`.
named() # NAME WORD
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

# Puts OCTAL, one byte, before the content of the files that the arguments of find choose.
begin_with() # OCTAL FIND-ARGUMENT...
{
	local f
	find "${@:2}" -type f | while read -r f; do { printf '%b' "\\0$1"; cat "$f"; } > "$f.new" && mv "$f.new" "$f"; done
}

# Copies the public samples that a fuzzer can read. The inputs of unpack_layer begin with a byte for the compression.
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
	begin_with 0 "$2" ! -name '*.gz' ! -name '*.zst'
	begin_with 1 "$2" -name '*.gz'
	begin_with 2 "$2" -name '*.zst'
}

# Lays out all inputs of a fuzzer.
lay_out() # NAME
{
	local d=$out/inputs/$1
	rm -rf "$d"
	mkdir -p "$d/kept" "$d/public" "$out/$1_fuzz"
	[ ! -e "tests/fuzz/corpus/$1.tar.zst" ] || zstd -dcq "tests/fuzz/corpus/$1.tar.zst" | tar -x -C "$d/kept"
	public "$1" "$d/public"
}

# Prints the directories of a fuzzer's inputs, after lay_out.
inputs_of() # NAME
{
	printf '%s\n' "$out/inputs/$1/kept" "$out/inputs/$1/public"
	[ ! -d "tests/fuzz/$1" ] || echo "tests/fuzz/$1"
}

run() # SECONDS NAME...
{
	local name passed=0 failed=0 inputs how=(-max_total_time="$1")
	[ "$1" != 0 ] || how=(-runs=0)
	for name in "${@:2}"; do
		build "$name" "$out/${name}_fuzz.run" -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
		lay_out "$name"
		mapfile -t inputs < <(inputs_of "$name")
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

# Merges what was found with the kept inputs. The same inputs make the same archive: names are digests, and there are no
# dates or owners.
keep() # NAME...
{
	local name inputs d f
	mkdir -p tests/fuzz/corpus
	for name in "$@"; do
		# (without the sanitizers: what is reached does not depend on them)
		build "$name" "$out/$name.merge" -fsanitize=fuzzer
		lay_out "$name"
		mapfile -t inputs < <(inputs_of "$name")
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
	local name inputs profile files
	printf '%-18s %7s %8s %8s  %s\n' PARSER INPUTS LINES REACHED FILES
	for name in "$@"; do
		build "$name" "$out/$name.coverage" -fsanitize=fuzzer -fprofile-instr-generate -fcoverage-mapping
		lay_out "$name"
		mapfile -t inputs < <(inputs_of "$name")
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
