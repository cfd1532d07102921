#!/bin/bash
# Checks for plain English, as far as a program can (CONTRIBUTING.md): it finds words that CES does not use, in
# messages, comments, manuals and test names. words.sh [FILE...] prints each line that has one; status 1 if there is
# any.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
words='told|tells|tell|heeds?|amiss|lies|stands|whoever|of them|it that'

# Prints FILE:LINE:TEXT of what people read: the strings and comments of C, whole pages, the names of tests.
texts()
{
	local sources comments pages suites units
	mapfile -t comments < <(git ls-files '*.c' '*.h')
	mapfile -t sources < <(git ls-files 'client/*.c' 'common/*.c' 'helper/*.c' 'policy/*.c')
	mapfile -t pages < <(git ls-files 'man/*' README.md SECURITY.md CONTRIBUTING.md tests/README.md 'doc/*.md')
	mapfile -t suites < <(git ls-files '*.bats')
	mapfile -t units < <(git ls-files 'tests/unit/*.c')
	grep -nHoE '"([^"\\]|\\.)*"' "${sources[@]}"
	grep -nHE '^[[:space:]]* \*|/\*' "${comments[@]}"
	grep -nH '' "${pages[@]}" | grep -v 'CONTRIBUTING.md:[0-9]*:.*never: '
	grep -nH '^@test ' "${suites[@]}"
	grep -nHoE 'START_TEST\([a-z0-9_]*' "${units[@]}" | tr _ ' '
}

if texts | grep -iE ":.*\b($words)\b"; then
	echo "words.sh: these words are not CES's (CONTRIBUTING.md)"
	exit 1
fi
long=$(git log --format=%s -n 50 | awk 'length > 60')
[ -z "$long" ] || { printf 'a subject of more than 60 characters: %s\n' "$long"; exit 1; }
