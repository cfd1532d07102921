#!/bin/bash
# Everything that reads the sources without running them (`make lint`): lint.sh COMPILER-FLAG...
# gcc's analyzer and clang-tidy see each file as the build does; every finding fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
failed=0
mapfile -t sources < <(git ls-files '*.c' | grep -v '^tests/')
mapfile -t tests < <(git ls-files 'tests/*.c')
mapfile -t scripts < <(git ls-files '*.sh' '*.bash' '.ci/run')
mapfile -t pages < <(git ls-files 'man/*.[1-9]')
flags=()
for f in "$@"; do
	case $f in -MMD | -MP | -fzero-call* | -W* | -pie) ;; *) flags+=("$f") ;; esac
done

step() # NAME COMMAND...
{
	local name=$1
	shift
	printf -- '--- %s\n' "$name"
	"$@" || { failed=1; printf -- '--- %s: FAILED\n' "$name"; }
}

analyze()
{
	printf '%s\0' "${sources[@]}" |
		xargs -0 -n 1 -P "$(nproc)" gcc "${flags[@]}" -fanalyzer -Werror -c -o /dev/null
}

tidy()
{
	local f bad=0
	for f in "${sources[@]}"; do
		clang-tidy --quiet "$f" -- "${flags[@]}" 2> /dev/null || bad=1
	done
	return $bad
}

step "gcc -fanalyzer" analyze
step "clang-tidy" tidy
step "cppcheck" cppcheck --quiet --std=c11 --language=c -I. --inline-suppr --error-exitcode=1 \
	--enable=warning,portability --suppress=missingInclude --suppress=missingIncludeSystem "${sources[@]}" "${tests[@]}"
step "shellcheck" shellcheck -x -S warning -s bash -e SC1091 "${scripts[@]}"
mapfile -t suites < <(git ls-files '*.bats')
step "shellcheck, suites" shellcheck -x -S warning -e SC1091,SC2154,SC2034,SC2030,SC2031,SC1010 "${suites[@]}"
[ ${#pages[@]} -eq 0 ] || step "mandoc" mandoc -T lint -W warning "${pages[@]}"
step "clang-format" clang-format --dry-run --Werror "${sources[@]}" "${tests[@]}"
[ $failed = 0 ] && echo "lint: nothing found"
exit $failed
