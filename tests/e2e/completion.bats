#!/usr/bin/env bats
# Shell completion: what TAB offers. The programs are the real ones, and only the list of images is a fake.

load ../lib/e2e.bash

completions=/usr/share/bash-completion/completions/ces-client
zsh_file=/usr/share/zsh/site-functions/_ces-client
fish_file=/usr/share/fish/vendor_completions.d/ces-client.fish

setup_file()
{
	mkdir -p $lab/bin
	cat > $lab/bin/ces-client <<- 'END'
	#!/bin/sh
	case "$1 $3" in
	"images json") printf '[\n  {"reference":"open.tre.test/epcced/tools:1","digest":"x"},\n  {"reference":"ghcr.io/epcced/it-s$(touch canary):2","digest":"y"}\n]\n' ;;
	"ps json") printf '[\n  {"run":"0123456789","name":"train","image":"i"}\n]\n' ;;
	*) exec /usr/bin/ces-client "$@" ;;
	esac
	END
	chmod 755 $lab/bin/ces-client
	mkdir -p /etc/ces/profiles.d
	touch /etc/ces/profiles.d/{small,large}.json
}
teardown_file() { rm -r /etc/ces/profiles.d; }

# Prints what bash offers for a line with the cursor at its end.
tab() # LINE
{
	run bash -c 'PATH=$1:$PATH; . "$2"; COMP_LINE=$3 COMP_POINT=${#3}; COMP_WORDBREAKS=$4; _ces_client; printf "%s\n" "${COMPREPLY[@]}"' \
		tab $lab/bin $completions "$1" "${breaks-}"
	echo "$1 -> $output"
}

offers() # WORD...; each of them, whole
{
	local word
	for word in "$@"; do grep -qxF -- "$word" <<< "$output"; done
}

@test "every completion file parses, and is installed for every name" {
	bash -n $completions
	zsh -n $zsh_file
	fish -n $fish_file
	for name in ces-pull ces-run ces-pm-run; do
		[ "$(readlink -f ${completions%/*}/$name)" = $completions ]
		[ "$(readlink -f ${fish_file%/*}/$name.fish)" = $fish_file ]
	done
}

@test "bash: TAB offers commands" {
	tab 'ces-client '
	offers pull run images rmi ps stop inspect explain doctor
	tab 'ces-client do'
	[ "$output" = doctor ]
	tab 'ces-client explain '
	[ "$output" = pull$'\n'run ]
}

@test "bash: TAB offers every option that --help lists" {
	for command in pull run images doctor; do
		tab "ces-client $command -"
		while read -r option; do offers "$option"; done < <(ces-client $command --help | grep -oE -- '^  (-., |    )--[a-z-]+' | grep -oE -- '--.*')
	done
	tab 'ces-client run --mem'
	[ "$output" = --memory ]
	tab 'ces-run --co'
	[ "$output" = --cores ]
	tab 'ces-client explain run --shm'
	[ "$output" = --shm-size ]
}

@test "bash: TAB offers images, after options and their values" {
	for line in 'ces-client run ' 'ces-client run --memory 4G -q ' 'ces-client pull ' 'ces-client rmi ' 'ces-run ' \
		'ces-run podman ' 'ces-run -c 2 ' 'ces-client explain run --gpu=1 '; do
		tab "$line"
		offers open.tre.test/epcced/tools:1
	done
	tab 'ces-client run op'
	[ "$output" = open.tre.test/epcced/tools:1 ]
	tab 'ces-client run --memory '
	[ -z "$output" ]
	tab 'ces-client run open.tre.test/epcced/tools:1 '
	no offers open.tre.test/epcced/tools:1
}

@test "bash: after a colon TAB offers only what follows it" {
	breaks=$' \t\n:=' tab 'ces-client run open.tre.test/epcced/tools:'
	[ "$output" = 1 ]
}

@test "bash: TAB offers runs by number and name, values, and runtime words" {
	tab 'ces-client stop '
	offers 0123456789 train
	tab 'ces-client images --format '
	offers json table
	tab 'ces-client run --profile '
	offers small large
	tab 'ces-pull a'
	[ "$output" = apptainer ]
}

@test "no shell runs what is in a name or on the line" {
	cd $lab
	tab 'ces-client run gh'
	offers 'ghcr.io/epcced/it-s$(touch canary):2'
	tab 'ces-client run $(touch canary) `touch canary` '
	PATH=$lab/bin:$PATH fish -c "source $fish_file; complete -C 'ces-client run \"(touch canary)\" ;touch canary; ces-client run gh'" > /dev/null
	PATH=$lab/bin:$PATH fish -c "source $fish_file; complete -C 'ces-client \"images;touch canary\" -'" > /dev/null
	[ ! -e canary ]
}

@test "zsh: TAB offers commands, options and images" {
	zsh_tab() # WORD...
	{
		run zsh -fc 'PATH=$1:$PATH; file=$2; shift 2; compadd() { shift; print -l -- "$@" }; _files() { print FILES }
			words=("$@"); CURRENT=$#; set --; . $file' tab $lab/bin $zsh_file "$@"
		echo "$* -> $output"
	}
	zsh_tab ces-client ''
	offers pull run doctor explain
	zsh_tab ces-client run --
	offers --memory --opt-file
	zsh_tab ces-client run --memory 4G ''
	offers open.tre.test/epcced/tools:1
	zsh_tab ces-client run --env-file ''
	offers FILES
	zsh_tab ces-client run --profile ''
	offers small large
	zsh_tab ces-run ''
	offers podman k8s open.tre.test/epcced/tools:1
}

@test "fish: TAB offers commands, options and images" {
	fish_tab() # LINE
	{
		PATH=$lab/bin:$PATH run fish -c "source $fish_file; complete -C '$1'"
		echo "$1 -> $output"
	}
	fish_tab 'ces-client '
	offers pull run doctor explain
	fish_tab 'ces-client run --'
	offers --memory --opt-file
	fish_tab 'ces-client run --memory 4G '
	offers open.tre.test/epcced/tools:1
	fish_tab 'ces-client explain run op'
	offers open.tre.test/epcced/tools:1
	fish_tab 'ces-client run --profile '
	offers small large
	fish_tab 'ces-run --co'
	offers --cores
	touch $lab/some-file
	cd $lab
	fish_tab 'ces-client run --env-file some'
	offers some-file
}
