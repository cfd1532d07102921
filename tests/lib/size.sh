#!/bin/bash
# Lines of code of the given files, without blank lines and comments: size.sh LIMIT FILE...
# Fails above LIMIT. The preprocessor's own comment stripper counts, so no comment style escapes it.
set -euo pipefail
limit=$1 total=0
shift
for f in "$@"; do
	[ -e "$f" ] || continue
	n=$(gcc -fpreprocessed -dD -E -P "$f" 2>/dev/null | grep -c '[^[:space:]]' || true)
	printf '%6d %s\n' "$n" "$f"
	total=$((total + n))
done
printf '%6d lines of code in the setuid program (limit %d)\n' "$total" "$limit"
[ "$total" -le "$limit" ]
