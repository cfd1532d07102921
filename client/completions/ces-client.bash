# Completion of ces-client and of today's commands, for bash. What can be typed is asked of the programs themselves
# (--help, images, ps), so that nothing here can be out of date. Words are never expanded: they are only compared.
# shellcheck shell=bash

_ces_commands()
{
	ces-client --help 2> /dev/null | sed -nE '/^Commands:/,/^$/ s/^  ([a-z]+) .*/\1/p'
}

_ces_options() # PROGRAM [COMMAND]; long and short
{
	"$@" --help 2> /dev/null | sed -nE 's/^  (-., |    )(--[a-z-]+).*/\2/p; s/^  (-.), .*/\1/p'
}

_ces_takes_value() # OPTION PROGRAM [COMMAND]; the help writes "--name VALUE", and flags alone
{
	local option=$1
	shift
	"$@" --help 2> /dev/null | grep -qE -- "^  (-., |    )?($option|$option, --[a-z-]+) [^ ]"
}

_ces_images()
{
	ces-client images --format json 2> /dev/null | sed -nE 's/.*"reference":"([^"]*)".*/\1/p'
}

_ces_runs()
{
	ces-client ps --format json 2> /dev/null | sed -nE 's/.*"run":"([0-9]+)".*/\1/p'
	ces-client ps --format json 2> /dev/null | sed -nE 's/.*"name":"([^"]+)".*/\1/p'
}

_ces_profiles()
{
	local file
	for file in /etc/ces/profiles.d/*.json; do [[ ! -e $file ]] || basename "$file" .json; done
}

# Lines of stdin that begin with CUR. Bash cuts words at colons, and wants only what comes after.
_ces_reply() # CUR
{
	local cur=$1 cut='' word
	if [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]]; then cut=${cur%"${cur##*:}"}; fi
	while read -r word; do
		if [[ $word == "$cur"* ]]; then COMPREPLY+=("${word#"$cut"}"); fi
	done
}

_ces_files()
{
	compopt -o default 2> /dev/null
	COMPREPLY=()
}

_ces_value() # OPTION CUR
{
	case $1 in
	--format) _ces_reply "$2" < <(printf 'json\ntable\n') ;;
	--profile) _ces_reply "$2" < <(_ces_profiles) ;;
	--*-file | --output | -o | --volume | -v | --bind) _ces_files ;;
	esac
}

_ces_operand() # COMMAND CUR OPERANDS-BEFORE
{
	case $1 in
	run)
		if [[ $3 -gt 0 ]]; then _ces_files; else _ces_reply "$2" < <(_ces_images); fi
		;;
	pull | rmi) _ces_reply "$2" < <(_ces_images) ;;
	stop | wait | port | logs) _ces_reply "$2" < <(_ces_runs) ;;
	inspect) _ces_reply "$2" < <(_ces_runs; _ces_images) ;;
	esac
}

_ces_client()
{
	local line=${COMP_LINE:0:COMP_POINT} command i operands=0 before=''
	local -a words program
	COMPREPLY=()
	# Not COMP_WORDS: those are cut at colons.
	read -ra words <<< "$line"
	if [[ $line == *[[:space:]] ]]; then words+=(''); fi
	local last=$((${#words[@]} - 1)) next=1
	local cur=${words[last]}
	program=("${words[0]}")
	case ${words[0]##*/} in
	ces-client)
		if [[ ${words[1]} == explain && $last -gt 1 ]]; then next=2; fi
		command=${words[next]}
		if [[ $last -eq 1 ]]; then
			_ces_reply "$cur" < <(_ces_commands)
			return
		elif [[ $last -eq $next ]]; then
			_ces_reply "$cur" < <(printf 'pull\nrun\n')
			return
		fi
		program+=("$command")
		next=$((next + 1))
		;;
	*-pull) command=pull ;;
	*) command=run ;;
	esac
	case ${words[0]##*/} in
	ces-pull | ces-run)
		case ${words[1]} in
		podman | apptainer | k8s) if [[ $last -gt 1 ]]; then next=2; fi ;;
		esac
		if [[ $last -eq 1 ]]; then _ces_reply "$cur" < <(printf 'podman\napptainer\nk8s\n'); fi
		;;
	esac
	for ((i = next; i < last; i++)); do
		if [[ -n $before ]]; then
			before=''
		elif [[ ${words[i]} == -* && $operands -eq 0 ]]; then
			if [[ ${words[i]} != *=* ]] && _ces_takes_value "${words[i]}" "${program[@]}"; then
				before=${words[i]}
			fi
		else
			operands=$((operands + 1))
		fi
	done
	if [[ -n $before ]]; then
		_ces_value "$before" "$cur"
	elif [[ $cur == -* && $operands -eq 0 ]]; then
		_ces_reply "$cur" < <(_ces_options "${program[@]}")
	else
		_ces_operand "$command" "$cur" "$operands"
	fi
}

complete -F _ces_client ces-client ces-pull ces-run ces-pm-pull ces-pm-run ces-dk-run ces-app-pull ces-gpu-run
