#!/usr/bin/env bats
# Completion of ces-policy: what TAB offers in bash.

load common.bash

# Prints what bash offers for the words. The last word is incomplete.
tab() # WORD...
{
	run bash -c 'PATH=$1:$PATH; . policy/completions/ces-policy.bash; shift
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _ces_policy; printf "%s\n" "${COMPREPLY[@]}"' tab "$top/${B:-build}" "$@"
	echo "$* -> $output"
}

@test "the first word is completed from the commands" {
	tab ces-policy ''
	for command in check explain test diff report conform evidence approve revoke what-if receipt audit; do grep -qx $command <<< "$output"; done
	tab ces-policy con
	[ "$output" = conform ]
	tab ces-policy evidence s
	[ "$output" = show ]
	tab ces-policy what-if p.json ex
	[ "$output" = expire ]
	tab ces-policy audit v
	[ "$output" = verify ]
	tab ces-policy audit h
	[ "$output" = head ]
	tab ces-policy receipt v
	[ "$output" = verify ]
}

@test "every option that a command's help has is offered" {
	for command in check explain test diff report conform evidence approve revoke what-if receipt; do
		tab ces-policy $command --
		diff <(policy $command --help | grep -oE -- '--[a-z][a-z-]*' | sort -u) <(echo "$output")
	done
}

@test "the formats of a command are offered after --format" {
	tab ces-policy conform --format ''
	[ "$output" = text$'\n'json$'\n'sarif ]
	tab ces-policy audit export --format ''
	[ "$output" = csv$'\n'ocsf$'\n'cef ]
	tab ces-policy audit list --format j
	[ "$output" = json ]
	tab ces-policy audit r
	[ "$output" = review ]
	tab ces-policy check --format j
	[ "$output" = json ]
	tab ces-policy conform --platform linux/ar
	[ "$output" = linux/arm64 ]
}
