# The shared parts of the tests of ces-policy. They need no lab and no root.
# shellcheck disable=SC2034,SC2154
top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
examples=$top/policy/examples
cd "$top" || exit 1
bats_require_minimum_version 1.5.0

policy() { "$top/${B:-build}/ces-policy" "$@"; }
journal() { "$top/tests/lib/make_journal.py" "$@"; }

# (status 1 is a finding, 2 an error) says TEXT: fails unless the output has TEXT.
says() { [[ $output == *"$1"* ]] || { echo "does not say: $1"; echo "$output"; return 1; }; }
says_not() { [[ $output != *"$1"* ]] || { echo "says: $1"; echo "$output"; return 1; }; }

# Fails if the output has control characters or bytes outside ASCII.
printable() { ! printf '%s' "$output" | LC_ALL=C grep -qP '[^\r\n\x20-\x7e]'; }
