#!/bin/bash
# Checks the British spelling of what a user reads: guides, README, manuals, messages. spelling.sh [--words] prints each
# word that is neither in aspell's British dictionary nor in tests/lib/spelling.txt; status 1 if there is any. It leaves out
# code, names and paths: text in backquotes, in a block of code, or in such a macro of a manual.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1

texts()
{
	sed -e '/^```/,/^```/d' -e '/^    /d' -e 's/`[^`]*`//g' -e 's/([^)]*\.\(md\|svg\|png\)[^)]*)//g' doc/*.md README.md SECURITY.md CONTRIBUTING.md
	grep -hvE '^\.(Fl|Ar|Cm|Nm|Pa|Ev|Li|Ql|Dl|Xr|It|Op|Ic|Dd|Dt|Os|Sh|Ss|Qq|Sx|Bl|El|Er|Va|Sy|Oo|Oc|Ns|\\")' man/*.[1-9] | sed -E 's/\\[&-]//g; s/^\..*//'
	sed -e 's/^[^:]*: //' -e 's/%[-.0-9]*[a-z]*//g' -e 's/--[a-z-]*//g' -e "s/ '[^']*'/ /g" -e 's/"[^"]*"//g' tests/messages
}

mapfile -t found < <(texts | sed -E 's#[A-Za-z0-9_.~-]*/[A-Za-z0-9_./*{}-]*# #g; s/[A-Za-z0-9_.-]*[_.:=][A-Za-z0-9_.:=-]+/ /g; s/\b[A-Z0-9_]{2,}s?\b//g' |
	aspell --lang=en_GB --encoding=utf-8 --ignore-case list | sort -fu | grep -vixFf <(grep -v '^#' tests/lib/spelling.txt))
[ "${1:-}" = --words ] && { printf '%s\n' "${found[@]}"; exit 0; }
[ ${#found[@]} -eq 0 ] && exit 0
printf 'spelling.sh: %s\n' "${found[@]}"
echo "spelling.sh: write these as British English does, or add a name of the field to tests/lib/spelling.txt"
exit 1
