#!/usr/bin/env bats
# A pull on a terminal of 80 columns: how it looks, and what keys do. tmux is the terminal.

load ../lib/e2e.bash

setup_file() { lab_policy; }
setup()
{
	empty_store
	have alice tools
	remember
}
teardown() { tmux -L ces kill-server 2> /dev/null || true; }

# Starts a shell of alice's on a terminal.
terminal() # [COLUMNS]
{
	tmux -L ces -f /dev/null new-session -d -x "${1:-80}" -y 24 \
		"setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice PS1='> ' sh" 3>&-
	eventually on_screen '^> *$'
}

type_line() # TEXT
{
	tmux -L ces send-keys -l "$1"
	tmux -L ces send-keys Enter
}

screen() { tmux -L ces capture-pane -p; }

on_screen() { screen | grep -qE -- "$1"; }

shows() # PATTERN
{
	if eventually on_screen "$1"; then return 0; fi
	screen >&2
	return 1
}

@test "a pull's bar, rate and time left fit 80 columns, and stay on one line" {
	terminal
	type_line 'ces-client pull bad.tre.test/bad-stall-layers/x:good'
	shows '^ces: [0-9a-f]{12} \[=+> *\] +[0-9]+%  +[0-9.]+/[0-9.]+ [KM]?i?B +[0-9.]+ [KM]?i?B/s +[0-9hms]+ left$'
	[ "$(screen | grep -c '^ces: [0-9a-f]\{12\} ')" -eq "$(screen | grep -oE '^ces: [0-9a-f]{12}' | sort -u | wc -l)" ]
	[ "$(screen | awk 'length > 79' | wc -l)" -eq 0 ]
	tmux -L ces send-keys C-c
	shows '^> *$'
}

@test "in 40 columns a line still says something" {
	terminal 40
	type_line 'ces-client pull -q x; ces-client pull bad.tre.test/bad-stall-layers/x:good'
	shows '^ces: [0-9a-f]{12} +[0-9]+%  '
	[ "$(screen | grep -c '^ces: [0-9a-f]\{12\} ')" -eq "$(screen | grep -oE '^ces: [0-9a-f]{12}' | sort -u | wc -l)" ]
}

@test "Ctrl-C in a pull leaves nothing behind" {
	terminal
	remember # the terminal's own processes are there now
	type_line 'ces-client pull bad.tre.test/bad-stall-layers/x:good'
	shows '^ces: [0-9a-f]{12} .*%'
	tmux -L ces send-keys C-c
	shows '^ces: the pull was interrupted; nothing was kept$'
	[ -z "$(ls -A $store/staging)" ] # at once, not some time later
	eventually no pgrep '^ces-'
	nothing_left_behind
	type_line 'echo status $?'
	shows '^status 130$'
}

@test "when a registry wants a login, the client asks for it, does not show the token, and the pull goes on" {
	terminal
	type_line "ces-client pull $image/tools:1"
	shows 'user name: *$'
	type_line $registry_user
	shows 'token \(it is not shown\): *$'
	type_line $registry_token
	shows "^ces: pulled $image/tools:1|up to date"
	screen | grep -q "user name: $registry_user"
	no on_screen "$registry_token"
	type_line 'stty -a | grep -ow echo'
	shows '^echo$'
}

@test "when a private image may want a login, the client asks for it" {
	lab_policy '.registries["ghcr.io"].credentials = "optional"'
	terminal
	type_line "ces-client pull $image/cmd:1"
	shows 'user name: *$'
	type_line $registry_user
	shows 'not shown'
	type_line $registry_token
	shows "^ces: pulled $image/cmd:1"
	lab_policy
}

@test "an empty line, or Ctrl-C, at the question gives up, and the echo is back" {
	terminal
	type_line "ces-client pull $image/tools:1; echo status \$?"
	shows 'user name: *$'
	tmux -L ces send-keys Enter
	shows '^status 125$'
	shows 'no login was given'
	type_line "ces-pull $registry_user '' $image/tools:1; echo then \$?"
	shows 'not shown\): *$'
	tmux -L ces send-keys -l secret
	tmux -L ces send-keys C-c
	shows '^then 125$'
	no on_screen secret
	type_line 'stty -a | grep -ow echo'
	shows '^echo$'
	nothing_left_behind
}

@test "a token is taken on a terminal that has no key for an interrupt" {
	terminal
	type_line "stty intr undef; ces-client pull $image/tools:1"
	shows 'user name: *$'
	type_line $registry_user
	shows 'not shown'
	type_line $registry_token
	shows "^ces: pulled $image/tools:1|up to date"
}

@test "a client that is ended at the question gives the echo back" {
	terminal
	type_line "ces-pull $registry_user '' $image/tools:1; echo status \$?"
	shows 'not shown\): *$'
	pkill -TERM -u alice -x 'ces-pull|ces-client'
	shows '^status 143$|status 143$'
	type_line "stty -a | tr ' ' '\\n' | grep -x echo"
	shows '^echo$'
}

@test "a wrong token is asked for once, and then refused with the registry's word" {
	terminal
	type_line "ces-client pull $image/tools:1; echo status \$?"
	shows 'user name: *$'
	type_line $registry_user
	shows 'not shown'
	type_line wrong
	shows '^status 125$'
	[ "$(screen | grep -c 'user name')" -eq 1 ]
	screen | grep -qiE 'ces: .*(login|token|unauthorized)'
}

@test "without a terminal the client asks nothing" {
	run --separate-stderr ces alice pull $image/tools:1 < /dev/null
	[ "$status" -eq 125 ]
	[[ $stderr == *"wants a login"* ]]
	[[ $stderr != *"user name"* ]]
	run --separate-stderr ces alice pull --username $registry_user $image/tools:1 < /dev/null
	[ "$status" -eq 125 ]
	[[ $stderr == *"--token-file F or --token-stdin"* ]]
}

# Starts a run of alice's on this terminal, which prints what stty and a handler of WINCH see.
@test "a program on the terminal sees the size from its first instruction, and each change of it" {
	have alice tools
	terminal 90
	type_line "ces-client run -q -it $open/tools:1 sh -c 'stty size; trap \"stty size\" WINCH; while :; do read x; done'"
	shows '^24 90$'
	tmux -L ces resize-window -x 101 -y 33
	shows '^33 101$'
	tmux -L ces resize-window -x 70 -y 20
	shows '^20 70$'
}

@test "CES's own lines begin at the left edge while the program has the terminal" {
	have alice tools
	terminal
	type_line "ces-client run -it --time 1s $open/tools:1 sh -c 'echo begun; read x'; echo status \$?"
	shows '^ces: run [0-9]{10} \(1s at most\), outputs in '
	shows '^begun$'
	shows '^ces: .*time'
	shows '^status [0-9]+$'
	[ "$(screen | grep -c '^ *ces: ')" -eq "$(screen | grep -c '^ces: ')" ]
	type_line 'stty -a | grep -ow opost'
	shows '^opost$'
}

# (as a server does for which HUP means to read its configuration again)
@test "when the terminal is gone, the run ends, also if HUP does not end its program" {
	have alice tools
	for program in yes wc; do
		terminal
		type_line "ces-client run -q -it $open/tools:1 sh -c 'trap \"\" HUP; $program'"
		eventually pgrep -x $program
		tmux -L ces kill-server
		eventually no pgrep -x "$program|ces-client|ces-session"
	done
	nothing_left_behind
}

@test "ps and images fit 80 columns, and a terminal of any other width; through a pipe they are whole" {
	have alice tools missing
	ces alice run -d --name a-name-that-is-much-longer-than-any-column-of-a-listing "$open/tools:1" sleep 60
	terminal
	type_line 'clear; ces-client ps; ces-client images; echo "end $?"'
	shows '^end 0$'
	shows '^RUN  .*NAME  .*IMAGE  .*STATUS  .*OUTPUTS$'
	[ "$(screen | grep -c '^[0-9]\{10\} ')" -eq 1 ] # (a line of 81 would go on in the next)
	[ "$(screen | grep -cE '^[^ ]+/tools:1 +[0-9a-f]{12} ')" -eq 1 ]
	[ "$(screen | sed -n '/^RUN/,/^end/p' | wc -l)" -eq 6 ]
	type_line 'clear; COLUMNS=160 ces-client ps | cat; echo "end $?"'
	shows 'a-name-that-is-much-longer-than-any-column-of-a-listing'
	tmux -L ces resize-window -x 200 -y 24
	type_line 'clear; ces-client ps; echo "end $?"'
	shows '^[0-9]{10}  a-name-that-is-much-longer-than-any-column-of-a-listing  '
	type_line 'clear; COLUMNS=90 ces-client ps; echo "end $?"'
	shows '^end 0$'
	[ "$(screen | awk 'length > 90' | wc -l)" -eq 0 ]
	[[ $(ces alice ps) == *a-name-that-is-much-longer-than-any-column-of-a-listing* ]]
	ces alice stop -t 0 a-name-that-is-much-longer-than-any-column-of-a-listing
}
