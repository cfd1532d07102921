#!/usr/bin/env bats
# The manuals and --help have the same options.

load ../lib/e2e.bash

man=/usr/share/man/man1

# Lists every option of a help text, long and short.
of_help()
{
	grep -E '^  (-., |    )--' | grep -oE -- '(^|[ ,])(-[a-zA-Z]|--[a-z-]+)' | tr -d ' ,' | sort -u
}

# Lists every option that has an entry in a manual.
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

@test "every option of ces-pull and ces-run is in its manual, and the other way round" {
	ces-pull --help | same_options $man/ces-pull.1
	ces-run --help | same_options $man/ces-run.1
}

# Lists the options in the synopsis of a command of ces-policy, and the filters that it only names.
of_synopsis() # COMMAND
{
	{
		awk -v c="$1" '$1 == ".Nm" { on = 0 } $1 == ".Cm" && $2 == c { on = 1 } /^\.Sh DESC/ { exit } on' $man/ces-policy.1
		[ "$1" != audit ] || sed -n '/^\.Ss Audit/,/^\.Sh/p' $man/ces-policy.1 | grep '^\.It Fl'
	} | grep -oE 'Fl -?[a-z-]+' | sed 's/^Fl /-/' | sort -u
}

@test "every option that a command of ces-policy lists is in its synopsis, and the other way round; all are explained" {
	for command in check explain test diff report conform audit; do
		help=$(ces-policy $command --help | grep -oE -- '(^|[^a-z-])(--[a-z-]+|-o)' | grep -oE -- '-.*' | sort -u)
		[ -n "$help" ]
		diff <(echo "$help") <(of_synopsis $command)
	done
	no grep . <(comm -13 <(sed -n '/^\.Sh DESCRIPTION/,$p' $man/ces-policy.1 | grep -oE 'Fl -?[a-z-]+' | sort -u) \
		<(sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESCRIPTION/p' $man/ces-policy.1 | grep -oE 'Fl -?[a-z-]+' | sort -u))
}

@test "the programs that nobody types take no option, as their manual says" {
	for program in ces-helper ces-admit ces-session ces-decode ces-parse ces-verify ces-store ces-fetch ces-resolve ces-unpack ces-relay; do
		# (fds 3 and 4, where they would speak, are bats' own)
		run --separate-stderr as alice /usr/libexec/ces/$program --help < /dev/null 3>&- 4>&-
		[ "$status" -ne 0 ]
		[ -z "$output" ]
	done
	grep -q 'takes no argument, no option' /usr/share/man/man8/ces-helper.8
}

@test "every manual has examples, exit status, files and security considerations, and mandoc finds nothing in it" {
	for page in $man/ces-client.1 $man/ces-pull.1 $man/ces-run.1 $man/ces-policy.1 $man/../man5/ces-policy.json.5 \
		$man/../man5/ces-audit.5 $man/../man8/ces-helper.8 $man/../man7/ces.7; do
		for section in EXAMPLES 'EXIT STATUS' FILES 'SECURITY CONSIDERATIONS' 'SEE ALSO'; do
			grep -q "^\.Sh $section\$" "$page" || { echo "$page: $section" >&2; false; }
		done
		mandoc -T lint -W warning "$page"
	done
}

@test "every manual fits 80 columns, as man prints it" {
	for page in $man/ces*.1 $man/../man[578]/ces*; do
		run groff -mdoc -Tutf8 -rLL=78n "$page"
		[ "$status" -eq 0 ]
		no grep "can't break line" <<< "$output"
	done
}

@test "every manual that another names exists" {
	for name in $(cat $man/ces*.1 $man/../man[578]/ces* | sed -n 's/^\.Xr \(ces[a-z.-]*\) \([0-9]\).*/\1.\2/p' | sort -u); do
		[ -e "$man/../man${name##*.}/$name" ] || { echo "$name" >&2; false; }
	done
}

@test "every name has a manual" {
	for name in ces-client ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run; do
		grep -q "^\.Nm $name\b" "$(readlink -f $man/$name.1)"
	done
}
