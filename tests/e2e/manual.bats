#!/usr/bin/env bats
# The manuals and --help: the same options, neither less nor more.

load ../lib/e2e.bash

man=/usr/share/man/man1

# Every option of a help text, long and short.
of_help()
{
	grep -E '^  (-., |    )--' | grep -oE -- '(^|[ ,])(-[a-zA-Z]|--[a-z-]+)' | tr -d ' ,' | sort -u
}

# Every option that a manual has an entry for.
of_manual() # FILE
{
	grep '^\.It Fl' "$1" | grep -oE 'Fl (-[a-z-]+|[a-zA-Z])( |$)' | sed -E 's/^Fl //; s/ $//; s/^/-/' | sort -u
}

same_options() # FILE; the help texts on stdin
{
	local help
	help=$(of_help)
	[ "$(wc -l <<< "$help")" -ge 5 ]
	diff <(echo "$help") <(of_manual "$1")
}

@test "every option that ces-client --help lists is in its manual, and the other way round" {
	for command in $(ces-client --help | sed -nE '/^Commands:/,/^$/ s/^  ([a-z]+) .*/\1/p'); do
		[ "$command" = explain ] || ces-client "$command" --help
	done | same_options $man/ces-client.1
}

@test "every command that ces-client --help lists is in its manual, and the other way round" {
	diff <(ces-client --help | sed -nE '/^Commands:/,/^$/ s/^  ([a-z]+) .*/\1/p' | sort -u) \
		<(sed -n '/^The commands are/,/^\.El/ s/^\.It Cm \([a-z]*\)$/\1/p' $man/ces-client.1 | sort -u)
	diff <(ces-client --help | sed -nE '/^Commands:/,/^$/ s/^  ([a-z]+) .*/\1/p' | sort -u) \
		<(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/ s/^\.Cm \([a-z]*\)$/\1/p' $man/ces-client.1 | sort -u)
}

@test "the same of ces-pull and ces-run" {
	ces-pull --help | same_options $man/ces-pull.1
	ces-run --help | same_options $man/ces-run.1
}

@test "every name has a manual" {
	for name in ces-client ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run; do
		grep -q "^\.Nm $name\b" "$(readlink -f $man/$name.1)"
	done
}
