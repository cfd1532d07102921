#!/bin/bash
# Checks the sources without running them (`make lint`): lint.sh COMPILER-FLAG... clang-tidy gets each file as the build
# does. gcc's analyzer gets it without optimization, because it takes inlining for faults. Every finding is a failure.
#
# The steps read the lists of files and flags below, which are constants. $failed becomes 1 when a step fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
failed=0
mapfile -t sources < <(git ls-files '*.c' | grep -v '^tests/')
mapfile -t tests < <(git ls-files 'tests/*.c')
mapfile -t scripts < <(git ls-files '*.sh' '*.bash' '*.sbatch' '.ci/run' 'packaging/debian/p*[mt]')
mapfile -t pages < <(git ls-files 'man/*.[1-9]')
flags=()
for f in "$@"; do
	case $f in -MMD | -MP | -fzero-call* | -W* | -pie) ;; *) flags+=("$f") ;; esac
done
plain=()
for f in "${flags[@]}"; do
	case $f in -O* | *_FORTIFY_SOURCE*) ;; *) plain+=("$f") ;; esac
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
		xargs -0 -n 1 -P "$(nproc)" gcc "${plain[@]}" -fanalyzer -Werror -c -o /dev/null
}

tidy()
{
	printf '%s\0' "${sources[@]}" | xargs -0 -I{} -P "$(nproc)" clang-tidy --quiet {} -- "${flags[@]}" 2> /dev/null
}

step "gcc -fanalyzer" analyze
step "clang-tidy" tidy
# (a suite's stand-in has the name of the function whose place it takes, and not all of its callers)
step "cppcheck" cppcheck --quiet --std=c11 --language=c -I. --inline-suppr --error-exitcode=1 \
	--enable=warning,portability --suppress=missingInclude --suppress=missingIncludeSystem \
	--suppress=ctunullpointer:'tests/unit/*' "${sources[@]}" "${tests[@]}"
step "shellcheck" shellcheck -x -S warning -s bash -e SC1091 "${scripts[@]}"
# (each in the shell that its first line names)
mapfile -t programs < <(git ls-files packaging/upgrade-store tests/workloads/recipes | xargs -d '\n' grep -lE '^#!.*/(ba)?sh$')
step "shellcheck, programs" shellcheck -x -S warning -e SC1091 "${programs[@]}"
mapfile -t suites < <(git ls-files '*.bats')
step "shellcheck, suites" shellcheck -x -S warning -e SC1091,SC2154,SC2034,SC2030,SC2031,SC1010 "${suites[@]}"
[ ${#pages[@]} -eq 0 ] || step "mandoc" mandoc -T lint -W warning "${pages[@]}"
step "selinux" tests/lib/lint_selinux.sh
step "words" tests/lib/words.sh
step "messages" tests/lib/messages.py --check
step "spelling" tests/lib/spelling.sh
step "clang-format" clang-format --dry-run --Werror "${sources[@]}" "${tests[@]}"
[ $failed = 0 ] && echo "lint: nothing found"
exit $failed
