#!/bin/bash
# Runs a command that ends with arguments of bats: again.sh COMMAND... In CI a failed test gets a second try, alone: other
# work on the same machine can make a test miss its deadline. The failure stays in the output. The line "# again: NAME" says
# that the second try passed; check.sh then counts the test as passed, and names it at the end. A test that fails twice has
# failed. If more than three tests fail, none gets a second try. again.sh --failed TAP-FILE prints the names of the failed
# tests, and again.sh --pattern NAME the pattern of bats that fits that test alone.
set -uo pipefail

failed() { sed -nE 's/^not ok [0-9]+ //; t name; d; :name; s/ # timeout after.*//; s/ in [0-9]+ms$//; p' "$1"; } # TAP-FILE
pattern() { sed 's/[][\.*^$+?(){}|]/\\&/g; s/.*/^&$/' <<< "$1"; } # NAME

case "${1:-}" in --failed) failed "$2"; exit ;; --pattern) pattern "$2"; exit ;; esac
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
"$@" | tee "$log"
status=${PIPESTATUS[0]}
mapfile -t failed < <(failed "$log")
[ "${CI:-}" = true ] && [ "$status" -ne 0 ] && [ ${#failed[@]} -gt 0 ] && [ ${#failed[@]} -le 3 ] || exit "$status"

status=0
for name in "${failed[@]}"; do
	echo "# a second try: $name"
	"$@" --filter "$(pattern "$name")" > "$log"
	sed 's/^/# /' "$log"
	if grep -q '^ok ' "$log" && ! grep -qE '^not ok |^ok .*# skip' "$log"; then
		echo "# again: $name"
	else
		status=1
	fi
done
exit $status
