#!/usr/bin/env bats
# An X display in a container, if the policy allows it. The server is Xvfb. The programs are Debian's, bound with their
# libraries into an image that has nothing of X.

load ../lib/e2e.bash

setup_file()
{
	local user
	have alice tools
	have bob tools
	install -d -m 1777 /tmp/.X11-unix
	programs
	for user in alice bob; do
		server $user
	done
}
teardown_file()
{
	xargs kill < $lab/servers || true
	rm -f /tmp/.X11-unix/X7?
	lab_policy '.defaults.binds = ["~"]'
}
setup()
{
	# (each lab has a /tmp of its own for the programs of a test file, and the servers make sockets in it)
	lab_policy '.defaults.display = true | .defaults.binds = ["~"]'
	remember
}
teardown()
{
	local r
	for r in $(ces alice ps --format json | jq -r '.[].run'); do ces alice stop -q --time 0 "$r" || true; done
	rm -rf /home/*/outputs_* /home/*/.local
}

declare -gA number=([alice]=71 [bob]=72)

# Starts the user's own X server. Like the server of a desktop, it does not restart when its last client ends.
server() # USER
{
	local n=${number[$1]} key
	key=$(mcookie)
	as "$1" xauth -qf "/home/$1/.Xauthority" add ":$n" . "$key"
	# (without `as`: a test would end the shell of `as` and not the server)
	setpriv --reuid="$1" --regid="$1" --init-groups --reset-env ${CES_AS_LABEL:+--selinux-label "$CES_AS_LABEL"} \
		Xvfb ":$n" -auth "/home/$1/.Xauthority" -noreset -nolisten tcp > "$lab/xvfb.$1" 2>&1 3>&- &
	echo $! >> $lab/servers
	eventually test -S "/tmp/.X11-unix/X$n"
}

# Copies X programs and the libraries that they need to ~/x.
programs()
{
	local program
	as alice mkdir -p /home/alice/x
	for program in xdpyinfo xwininfo xwd xlogo; do
		cp "$(command -v $program)" /home/alice/x
		ldd "/home/alice/x/$program" | grep -o '/[^ ]*' | xargs -I{} cp -Ln {} /home/alice/x
	done
}

# Runs WORD... as from a terminal of the user's desktop.
at_desktop() # USER WORD...
{
	as "$1" env DISPLAY=":${number[$1]}" XAUTHORITY="/home/$1/.Xauthority" "${@:2}"
}
with_display() # USER [OPTION...] -- COMMAND...
{
	local user=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	at_desktop "$user" ces-client run -q --display -v /home/alice/x:/x:ro "${options[@]}" $open/tools:1 "$@"
}
# Prints the command that starts an X program in the container.
x() { echo "/x/$(basename "$(ls /home/alice/x/ld-linux-*)") --library-path /x /x/$1"; }

@test "13.9: --display lets a program of the image open a window on the user's display" {
	# shellcheck disable=SC2046 # (words)
	at_desktop alice ces-client run -q -d --display -v /home/alice/x:/x:ro $open/tools:1 $(x xlogo)
	shown() { at_desktop alice xwininfo -root -tree | grep -i xlogo; }
	eventually shown
}

@test "Ctrl-C while the key is made leaves no key" {
	mkdir -p $lab/slow
	printf '#!/bin/sh\ntouch "$2" /tmp/ces-display-begun\nsleep 2\n' > $lab/slow/xauth
	chmod -R a+rX $lab/slow
	chmod a+x $lab/slow/xauth
	as alice env DISPLAY=:71 PATH="$lab/slow:$PATH" ces-client run -q --display $open/tools:1 true > $lab/out 2>&1 3>&- &
	eventually test -e /tmp/ces-display-begun
	rm -f /tmp/ces-display-begun
	pkill -TERM -u alice -x ces-client
	wait $! && status=0 || status=$?
	[ "$status" -eq 143 ]
	no compgen -G '/tmp/ces-display-*'
}

@test "without --display a container has no display, whatever -e says" {
	run at_desktop alice ces-client run -q -v /home/alice/x:/x:ro -e DISPLAY $open/tools:1 \
		sh -c "ls -A /tmp; echo \$XAUTHORITY; $(x xdpyinfo)"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == $'\n'*"unable to open display"* ]]
}

@test "when a run of today's commands fails without a display that it may have, CES says how to get it" {
	as alice tee opts <<< "-v /home/alice/x:/x:ro" > /dev/null
	fails() { run --separate-stderr at_desktop alice ces-pm-run --opt-file opts $open/tools:1 "$@"; echo "$output $stderr"; }
	# shellcheck disable=SC2046 # (words)
	fails $(x xdpyinfo)
	[ "$status" -eq 1 ]
	[[ $stderr == *"ces: if this program opens windows, write --display into an --opt-file" ]]
	fails true
	[[ $stderr != *windows* ]]
	fails sh -c 'exit 126'
	[ "$status" -eq 126 ]
	[[ $stderr != *windows* ]]
	as alice tee -a opts <<< --display > /dev/null
	# shellcheck disable=SC2046 # (words)
	fails $(x xdpyinfo)
	[ "$status" -eq 0 ]
	fails false
	[ "$status" -eq 1 ]
	[[ $stderr != *windows* ]]
	lab_policy '.defaults.binds = ["~"]'
	sed -i '/^--display$/d' /home/alice/opts
	fails false
	[ "$status" -eq 1 ]
	[[ $stderr != *windows* ]]
	rm /home/alice/opts
}

@test "a project without \"display\" in the policy is refused a display" {
	lab_policy '.defaults.binds = ["~"]'
	run --separate-stderr with_display alice -- true
	refused 'this project may not use a display; leave out --display'
	journal_new -s -e '.[-1].rule == "defaults.display"'
	lab_policy '.defaults.display = true | .defaults.binds = ["~"] | .projects["nsh-2024-0001"].display = false'
	remember
	run --separate-stderr with_display alice -- true
	refused 'may not use a display'
	journal_new -s -e '.[-1].rule == "projects.nsh-2024-0001.display"'
}

@test "the X server does not trust the program: it cannot read other windows or send keys" {
	local logo id
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env DISPLAY=:71 XAUTHORITY=/home/alice/.Xauthority \
		xlogo > /dev/null 2>&1 3>&- &
	logo=$!
	logo_id() { at_desktop alice xwininfo -root -tree | awk '/xlogo/ { print $1; exit }' | grep .; }
	eventually logo_id
	id=$(logo_id)
	at_desktop alice xwd -silent -id "$id" > $lab/seen
	[ -s $lab/seen ]
	run with_display alice -- sh -c "$(x xwd) -silent -id $id | wc -c; $(x xdpyinfo)"
	kill $logo
	echo "$output"
	grep -qx 0 <<< "$output"
	[[ $output == *"number of extensions"* ]]
	[[ $output != *XTEST* && $output != *RECORD* ]]
	[[ $(at_desktop alice xdpyinfo) == *XTEST*RECORD* || $(at_desktop alice xdpyinfo) == *RECORD*XTEST* ]]
}

@test "each run has a key of its own, and never the user's" {
	local first second own
	first=$(with_display alice -- od -An -tx1 -j28 /etc/ces.Xauthority | tr -d ' \n')
	second=$(with_display alice -- od -An -tx1 -j28 /etc/ces.Xauthority | tr -d ' \n')
	own=$(as alice xauth -f /home/alice/.Xauthority list | awk '{ print $3 }')
	echo "$first $second $own"
	[ ${#first} = 32 ]
	[ ${#second} = 32 ]
	[ "$first" != "$second" ]
	[ "$first" != "$own" ]
	[ "$second" != "$own" ]
	no ls /tmp/ces-display-*
}

@test "the display is one socket, read-only, and XAUTHORITY names the key" {
	run with_display alice -- sh -c 'echo $DISPLAY $XAUTHORITY; ls -A /tmp /tmp/.X11-unix; grep X11 /proc/self/mountinfo; rm /tmp/.X11-unix/X71'
	echo "$output"
	[ "${lines[0]}" = ":71 /etc/ces.Xauthority" ]
	[[ $output == *X71* && $output != *X72* ]]
	[[ $output == *" /tmp/.X11-unix/X71 ro,nosuid,nodev"* ]]
	[ -S /tmp/.X11-unix/X71 ]
}

@test "another user's display, a file that is no socket, a link and a missing display are refused" {
	run --separate-stderr as alice env DISPLAY=:72 XAUTHORITY=/home/alice/.Xauthority ces-client run -q --display $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"the display :72 makes no key for programs that it does not trust; it must be your own"* ]]
	# requests that did not come from the client
	for kind in bob file link none; do
		rm -f /tmp/.X11-unix/X99
		case $kind in
		bob) n=72 ;;
		file) as alice touch /tmp/.X11-unix/X99; n=99 ;;
		link) as alice ln -s X71 /tmp/.X11-unix/X99; n=99 ;;
		none) n=99 ;;
		esac
		remember
		run --separate-stderr as alice "$CES_TOP/tests/lib/frame.py" u64:1:2 field:3:$open/tools:1 field:11:true \
			u64:25:$((n + 1)) u64:26:1 u64:26:2 wrap:1
		echo "$kind: $output $stderr"
		[[ $output$stderr == *"/tmp/.X11-unix/X$n"* ]]
		[[ $output$stderr == *"is not the socket of your display"* || $output$stderr == *"symbolic link"* ]]
		nothing_left_behind
	done
	rm -f /tmp/.X11-unix/X99
}

@test "a DISPLAY that is unset, or no display of this machine, is refused with what to do" {
	for display in localhost:10.0 host:0 :0x :-1 :70000 'unix/:0' ''; do
		run --separate-stderr as alice env DISPLAY="$display" ces-client run --display $open/tools:1 true
		echo "$display: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: --display: DISPLAY is "*"terminal of"* ]]
	done
}

@test "a mount of the display's directory is refused, and the message names --display" {
	run --separate-stderr ces alice run -v /tmp/.X11-unix:/tmp/.X11-unix -e DISPLAY $open/tools:1 true
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: -v: /tmp/.X11-unix: type --display instead of a mount of the display" ]
}

@test "with a display, a bind of the home is refused: it would bring the user's own key" {
	for bind in '/home/alice:/mine:ro' '/home/alice/.Xauthority:/key:ro' '/home/alice:/safe_outputs'; do
		remember
		run --separate-stderr at_desktop alice ces-client run --display -v "$bind" $open/tools:1 true
		refused "holds your own key to the display"
	done
	# (without a display the policy decides)
	as alice ces-client run -q -v /home/alice:/mine:ro $open/tools:1 true
}

@test "with a display, nothing else can be mounted on /tmp" {
	run --separate-stderr with_display alice --mount type=tmpfs,destination=/tmp -- true
	refused "the display's socket is below /tmp"
	run --separate-stderr with_display alice -v /home/alice/x:/tmp/.X11-unix -- true
	[[ $stderr == *"the display's socket is below /tmp"* ]]
	with_display alice -v /home/alice/x:/tmp/other:ro -- test -e /tmp/other/xlogo
}

@test "explain, --dry-run, the journal and audit show name the display" {
	run at_desktop alice ces-client run --dry-run --display $open/tools:1
	[ "$status" -eq 0 ]
	[[ $output == *"display: :71 of this machine, which does not trust the run's programs"* ]]
	run --separate-stderr as alice env DISPLAY=:98 ces-client run --dry-run --display $open/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"/tmp/.X11-unix/X98 does not exist"* ]]
	remember
	with_display alice -- true
	journal_new -s -e 'map(select(.event == "decision"))[0] | .display == ":71"'
	[[ $(ces-policy audit show "$(journal_new -r .run | head -n 1)") == *"display"*":71"* ]]
	no grep -qi cookie <(journal_new .)
}

@test "an image that runs as another user can use the display too" {
	have alice user-number
	run at_desktop alice ces-client run -q --display -v /home/alice/x:/x:ro $open/user-number:1 sh -c "id -u; $(x xdpyinfo) | grep vendor"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" != 0 ]
}
