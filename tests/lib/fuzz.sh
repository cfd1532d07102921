#!/bin/bash
# Builds every tests/fuzz/*_fuzz.c with libFuzzer and the sanitizers, and runs each for some seconds: fuzz.sh SECONDS.
# It needs no root. A fuzzer names what it links beside common/ and policy/ in a line `/* links: FILE.c ... */`. Inputs
# that it finds are kept under build/fuzz/<name>.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
seconds=$1
mkdir -p build/fuzz
shopt -s nullglob
fuzzers=(tests/fuzz/*_fuzz.c)
[ ${#fuzzers[@]} -gt 0 ] || { echo "fuzz: there are no fuzzers" >&2; exit 1; }

for source in "${fuzzers[@]}"; do
	name=$(basename "$source" .c)
	mapfile -t links < <(sed -n 's|^/\* links: \(.*\) \*/$|\1|p' "$source" | tr ' ' '\n')
	mapfile -t files < <(printf '%s\n' "$source" common/*.c policy/*.c "${links[@]}" | grep . | sort -u)
	clang -g -O1 -std=gnu17 -I. -D_GNU_SOURCE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
		-o "build/fuzz/$name.run" "${files[@]}" \
		-ljson-c -lnettle -lcap -larchive -lisal -lz -lzstd -lcurl -lseccomp -lpthread
	mkdir -p "build/fuzz/$name"
	seeds=()
	[ ! -d "tests/fuzz/${name%_fuzz}" ] || seeds=("tests/fuzz/${name%_fuzz}")
	echo "--- $name, $seconds s"
	"build/fuzz/$name.run" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
		-artifact_prefix="build/fuzz/$name-" "build/fuzz/$name" "${seeds[@]}" 2> "build/fuzz/$name.log" ||
		{ tail -n 40 "build/fuzz/$name.log"; echo "fuzz: $name FAILED"; exit 1; }
	grep -E 'stat::number_of_executed_units|stat::peak_rss' "build/fuzz/$name.log" || true
done
