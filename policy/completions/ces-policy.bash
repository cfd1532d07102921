# Completion of ces-policy for bash. It asks the program itself what can be typed (--help), so that nothing here can be
# out of date. Only the manual has the words of --format and the filters of audit.
# shellcheck shell=bash

_ces_policy_words() # TEXT CUR: the lines of TEXT that begin with CUR
{
	local word
	while read -r word; do
		if [[ -n $word && $word == "$2"* ]]; then COMPREPLY+=("$word"); fi
	done <<< "$1"
}

_ces_policy()
{
	local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=${COMP_WORDS[1]} program=${COMP_WORDS[0]}
	COMPREPLY=()
	if [[ $COMP_CWORD -eq 1 ]]; then
		_ces_policy_words "$("$program" --help 2> /dev/null | sed -nE 's/^  ces-policy ([a-z-]+) .*/\1/p')" "$cur"
	elif [[ $command == audit && $COMP_CWORD -eq 2 ]]; then
		_ces_policy_words $'verify\nhead\nlist\nshow\nexport\nreview' "$cur"
	elif [[ $command == evidence && $COMP_CWORD -eq 2 && $cur != -* ]]; then
		_ces_policy_words $'add\nlist\nshow\nprune' "$cur"
	elif [[ $command == what-if && $COMP_CWORD -eq 3 && $cur != -* && $before != --* ]]; then
		_ces_policy_words $'package\ncve\nexpire\nremove-user' "$cur"
	elif [[ $command == receipt && $COMP_CWORD -eq 2 && $cur != -* ]]; then
		_ces_policy_words verify "$cur"
	elif [[ $before == --format ]]; then
		case $command in
		conform) _ces_policy_words $'text\njson\nsarif' "$cur" ;;
		audit) _ces_policy_words "$([[ ${COMP_WORDS[2]} == export ]] && echo $'csv\nocsf\ncef' || echo $'text\njson')" "$cur" ;;
		*) _ces_policy_words $'text\njson' "$cur" ;;
		esac
	elif [[ $command == conform && $before == --platform ]]; then
		_ces_policy_words $'linux/amd64\nlinux/arm64' "$cur"
	elif [[ $cur == -* ]]; then
		_ces_policy_words "$("$program" "$command" --help 2> /dev/null | grep -oE -- '--[a-z][a-z-]*' | sort -u)" "$cur"
	else
		compopt -o default 2> /dev/null
	fi
}

complete -F _ces_policy ces-policy
