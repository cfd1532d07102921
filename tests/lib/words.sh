#!/bin/bash
# Checks for plain English, as far as a program can (CONTRIBUTING.md). It finds words that CES does not use, and sentences that
# open with "Who" or "Whoever", in messages, comments, pages and test names. words.sh prints each such line; status 1 if there
# is any.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
words='told|tells|tell|heeds?|amiss|lies|stands|whoever|of them|it that|one who|that which|to be had|at hand'

# Prints FILE:LINE:TEXT of what people read: the strings and comments of C, the comments of scripts, whole programs in Python,
# whole pages, the names of tests.
texts()
{
	local sources comments scripts programs pages suites units
	mapfile -t comments < <(git ls-files '*.c' '*.h')
	mapfile -t sources < <(git ls-files 'client/*.c' 'common/*.c' 'helper/*.c' 'policy/*.c')
	mapfile -t scripts < <(git ls-files '*.sh' '*.bash' '*.bats' '*.fish' .ci/run Makefile systemd selinux | grep -v '^tests/lib/words.sh$')
	mapfile -t programs < <(git ls-files '*.py' '*.rb')
	mapfile -t pages < <(git ls-files 'man/*' README.md SECURITY.md CONTRIBUTING.md tests/README.md 'doc/*.md')
	mapfile -t suites < <(git ls-files '*.bats')
	mapfile -t units < <(git ls-files 'tests/unit/*.c')
	grep -nHoE '"([^"\\]|\\.)*"' "${sources[@]}"
	grep -nHE '^[[:space:]]* \*|/\*' "${comments[@]}"
	grep -nHE '^[[:space:]]*#' "${scripts[@]}"
	grep -nH '' "${programs[@]}"
	grep -nH '' "${pages[@]}" | grep -v 'CONTRIBUTING.md:[0-9]*:.*never: '
	grep -nH '^@test ' "${suites[@]}"
	grep -nHoE 'START_TEST\([a-z0-9_]*' "${units[@]}" | tr _ ' '
}

status=0
if texts | grep -iE ":.*\b($words)\b"; then
	echo "words.sh: these words are not CES's (CONTRIBUTING.md)"
	status=1
fi
# ("Who controls what" introduces a list; a question ends in "?", and a label has no full stop)
if texts | grep -E '(:[0-9]+:([[:space:]]*(/\*|\*|#+))?[[:space:]]*|[.;] )Who [^?:]*\.' | grep -v 'Who controls'; then
	echo "words.sh: these sentences open with a relative clause (CONTRIBUTING.md)"
	status=1
fi
long=$(git log --format=%s -n 50 | awk 'length > 60')
[ -z "$long" ] || { printf 'a subject of more than 60 characters: %s\n' "$long"; status=1; }
exit $status
