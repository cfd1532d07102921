#!/usr/bin/env bats
# -v: the caller's directories and files inside the container.

load ../lib/e2e.bash

setup_file()
{
	lab_policy '.defaults.binds = ["~"]'
	have alice tools user-number reserved hosts-dir
	pull bob $open/tools:1 -q
}
teardown_file() { lab_policy; }
setup()
{
	remember
	install -d -o alice -g alice -m 700 /home/alice/work
}
teardown()
{
	rm -rf /home/*/outputs_* /home/alice/work /home/alice/plain
	no compgen -G '/home/*/scratch_*' # also after a run that did not start
}

@test "a file written to a bound directory is the caller's, and stays" {
	run inside -v ./work:/work -- sh -c 'echo result > /work/f'
	[ "$status" -eq 0 ]
	[ "$(cat /home/alice/work/f)" = result ]
	[ "$(stat -c %U /home/alice/work/f)" = alice ]
}

@test "a bound directory with :ro cannot be written, nor mounted anew" {
	run inside -v ./work:/work:ro -- sh -c 'touch /work/f || mount -o remount,rw /work || touch /work/f'
	[ "$status" -ne 0 ]
	no test -e /home/alice/work/f
}

@test "a file can be bound by itself" {
	as alice sh -c 'echo "depth = 3" > plain'
	run inside -v ./plain:/app/settings.ini:ro -- cat /app/settings.ini
	[ "$output" = "depth = 3" ]
	run inside -v ./plain:/app/settings.ini -- sh -c 'echo "depth = 4" > /app/settings.ini'
	[ "$(cat /home/alice/plain)" = "depth = 4" ]
	run inside -v ./plain:/app/settings.ini:ro -- sh -c 'echo no > /app/settings.ini'
	[ "$status" -ne 0 ]
	[ "$(cat /home/alice/plain)" = "depth = 4" ]
	rm /home/alice/plain
	nothing_left_behind
}

@test "FIFOs, sockets and devices cannot be bound" {
	as alice mkfifo work/fifo
	as alice python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("/home/alice/work/socket")'
	mknod -m 666 /home/alice/work/null c 1 3
	for f in fifo socket null; do
		remember
		run --separate-stderr ces alice run -v ./work/$f:/x $open/tools:1 true
		echo "$f: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "*"/work/$f"* ]]
		nothing_left_behind
	done
}

@test "a directory that a service gave to its own user can be bound again, with what it holds" {
	inside -v ./work:/var/lib/db -- sh -c 'chown 999:999 /var/lib/db; chmod 700 /var/lib/db; echo kept > /var/lib/db/f; chown 999 /var/lib/db/f'
	no as alice ls /home/alice/work
	run inside -v ./work:/var/lib/db -- sh -c 'stat -c %u /var/lib/db /var/lib/db/f; cat /var/lib/db/f'
	[ "$output" = $'999\n999\nkept' ]
	nothing_left_behind
	# (and CES takes them back)
	inside -v ./work:/var/lib/db -- chown -R 0:0 /var/lib/db
	as alice cat /home/alice/work/f
}

@test "a bind owned by another user, or behind one, is refused" {
	chmod 711 /home/alice
	inside -v ./work:/w -- sh -c 'mkdir /w/deep; chown 999:999 /w; chmod 700 /w'
	lab_policy '.defaults.binds = ["/home"]'
	run ces bob run -v /home/alice/work:/w $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $output == *"does not exist or is not open to you"* ]]
	run ces alice run -v ./work/deep:/w $open/tools:1 true
	[ "$status" -eq 125 ]
	# root's own
	install -d -m 700 /home/alice/roots
	run ces alice run -v ./roots:/w $open/tools:1 true
	rmdir /home/alice/roots
	chmod 700 /home/alice
	lab_policy '.defaults.binds = ["~"]'
	[ "$status" -eq 125 ]
	[[ $output == *"does not exist or is not open to you"* ]]
}

@test "binds with names too long for the journal are refused, the message says what helps, and the refusal is recorded" {
	long=$(printf 'é%.0s' {1..120})
	dir=/home/alice/work/$long/$long/$long/$long
	as alice mkdir -p "$dir"
	binds=()
	for i in {1..20}; do binds+=(-v "$dir:/b$i"); done
	run inside "${binds[@]}" -- true
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"too long for the journal: use fewer binds, or shorter paths"* ]]
	journal_new -e 'select(.event == "decision" and .outcome == "denied") | .code == "limit"'
	run inside "${binds[@]:0:36}" -- true
	[ "$status" -eq 0 ]
	[ "$(journal_new -r 'select(.event == "decision" and .outcome == "allowed") | .mounts | length')" = 21 ]
	ces-policy audit verify
}

@test "a bind or tmpfs below a directory of the image leaves that directory its owner and mode" {
	for mount in "-v ./work:/home/worker/work" "--mount type=tmpfs,destination=/home/worker/work"; do
		run inside $mount -- stat -c '%u:%g %a' /home/worker
		echo "$mount: $output"
		[ "$output" = "$(inside -- stat -c '%u:%g %a' /home/worker)" ]
	done
	[ "$(inside -v ./work:/tmp/work -- stat -c %a /tmp)" = 1777 ]
	from=user-number run inside -v ./work:/home/worker/work -- sh -c 'touch /home/worker/f /home/worker/work/f'
	[ "$status" -eq 0 ]
	[ "$(stat -c %U /home/alice/work/f)" = alice ]
}

@test "of two nested mounts the inner one is seen, in whatever order they are typed, and the container is as planned" {
	as alice sh -c 'mkdir -p work/outer/in work/inner; touch work/outer/in/hidden work/inner/seen'
	for mounts in "-v ./work/inner:/q/in -v ./work/outer:/q" "-v ./work/outer:/q -v ./work/inner:/q/in" \
		"-v ./work/inner:/q/in --mount type=tmpfs,destination=/q" "--mount type=tmpfs,destination=/q -v ./work/inner:/q/in"; do
		run inside $mounts -- ls /q/in
		echo "$mounts: $output"
		[ "$output" = seen ]
	done
	[ "$(journal_new -r 'select(.event == "proof") | .outcome' | uniq -c | xargs)" = "4 as planned" ]
}

@test "a home that comes with a bind above it is the caller's own, and none is needed there" {
	as alice touch work/mark
	lab_policy '.defaults.binds = ["/home", "~"]'
	echo '--volume=/home:/home' > /home/alice/work/above
	echo '--volume=/home/alice/work:/home' > /home/alice/work/without
	run as alice ces-run apptainer --opt-file work/above $open/tools:1 sh -c 'ls $HOME/work/mark'
	echo "$output"
	[[ $output == */home/alice/work/mark* ]]
	run as alice ces-run apptainer --opt-file work/without $open/tools:1 sh -c 'ls /home; echo $HOME'
	echo "$output"
	lab_policy '.defaults.binds = ["~"]'
	[ "$status" -eq 0 ]
	[[ $output == *mark* ]]
	no test -e /home/alice/work/alice
	[ "$(journal_new -r 'select(.event == "proof") | .outcome' | uniq -c | xargs)" = "2 as planned" ]
}

@test "a source outside what the policy allows, or behind a symbolic link, is refused" {
	for source in /etc /var/lib/ces /home/bob ..; do
		remember
		run --separate-stderr ces alice run -v $source:/x $open/tools:1 true
		refused 'you may not bind|\.\.'
	done
	as alice ln -s /etc work/link
	run --separate-stderr ces alice run -v ./work/link:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"symbolic link"* ]]
}

@test "a source that does not exist is refused by name, and nothing is made" {
	run --separate-stderr ces alice run -v ./missing:/x $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"/home/alice/missing does not exist"* ]]
	no test -e /home/alice/missing
}

@test "paths and values with letters of any language are accepted unchanged, and the journal holds them exactly" {
	install -d -o alice -g alice /home/alice/work/dätä
	run inside -v ./work/dätä:/ümlaut -w /ümlaut -e GRUSS=grüß -- sh -c 'pwd; echo $GRUSS $0 > f' 'łódź'
	[ "$output" = /ümlaut ]
	[ "$(cat /home/alice/work/dätä/f)" = 'grüß łódź' ]
	[ "$(journal_new -r 'select(.event == "decision") | .mounts[3].source')" = '/home/alice/work/d\303\244t\303\244' ]
	run inside --mount type=tmpfs,destination=/日本 -- sh -c '[ -w /日本 ] && echo there'
	[ "$output" = there ]
	run ces alice explain run -v ./work/dätä:/d $open/tools:1
	[[ $output == *'/d is /home/alice/work/dätä'* ]]
	run as alice env CES_SAFE_OUTPUTS=/home/alice/work/dätä ces-run -n ümlaut $open/tools:1 true
	[ "$status" -eq 125 ] # (a name is plain ASCII)
	run as alice env CES_SAFE_OUTPUTS=/home/alice/work/dätä ces-run $open/tools:1 sh -c 'echo > /safe_outputs/hier'
	[[ $output == *"outputs in /home/alice/work/dätä"* ]]
	[ -e /home/alice/work/dätä/hier ]
	run -127 --separate-stderr ces alice run --entrypoint /grün $open/tools:1
	[[ $stderr == *"/grün"* ]]
}

@test "a directory with {run} in its name is itself, in the container and in the journal" {
	install -d -o alice -g alice '/home/alice/work/a{run}b'
	run inside -v './work/a{run}b:/d' -v './work/a{run}b:/safe_outputs' -v './work/a{run}b:/scratch' -- \
		sh -c 'touch /d/one /safe_outputs/two /scratch/three'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(find '/home/alice/work/a{run}b' -mindepth 1 -not -name ces-run.json -printf '%f\n' | sort | paste -sd ' ')" = 'one three two' ]
	[ "$(journal_new -r 'select(.event == "decision") | .mounts[1:][].source' | sort -u)" = '/home/alice/work/a{run}b' ]
}

@test "bytes that are not UTF-8 are refused with 125, and the message names the value" {
	refused_by() # NAME OPTION...
	{
		local name=$1
		shift
		run --separate-stderr ces alice run -q "$@"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: $name has bytes that are not UTF-8 text"* ]]
		[ -z "$output" ]
	}
	printf 'B=secret\xff\n' > /home/alice/work/e
	printf '\xff\n' > /home/alice/work/a
	refused_by 'the variable A' -e $'A=secret\xff' $open/tools:1 true
	refused_by 'the variable B' --env-file ./work/e $open/tools:1 true
	[[ $stderr != *secret* ]]
	refused_by 'a word for the command' $open/tools:1 echo $'\xff'
	refused_by 'a word for the command' --arg-file ./work/a $open/tools:1
	refused_by 'a source of -v' -v $'./\xff:/d' $open/tools:1 true
	refused_by 'a destination of -v' -v ./work:$'/\xff' $open/tools:1 true
	refused_by 'a destination of --mount' --mount type=tmpfs,destination=$'/\xff' $open/tools:1 true
	refused_by -w -w $'/\xff' $open/tools:1 true
	refused_by --entrypoint --entrypoint $'/\xff' $open/tools:1
	nothing_left_behind
}

@test "ps and inspect show the name of an outputs directory unchanged, in any language" {
	install -d -o alice -g alice /home/alice/work/dätä
	n=$(as alice env CES_SAFE_OUTPUTS=/home/alice/work/dätä ces-client run -q -d -v ./work/dätä:/safe_outputs $open/tools:1 sleep 60)
	[ "$(ces alice ps --format json | jq -r '.[].outputs')" = /home/alice/work/dätä ]
	[ "$(ces alice inspect "$n" | jq -r '.[].outputs')" = /home/alice/work/dätä ]
	ces alice stop -q -t 0 "$n"
	[ "$(ces alice ps -a --format json | jq -r --arg n "$n" '.[] | select(.run == $n).outputs')" = /home/alice/work/dätä ]
}

@test "a home on a file system that CES does not use is refused, and nothing is made in it" {
	mount -t ramfs ces-lab /home/alice
	chown alice: /home/alice
	run ces alice run -q $open/tools:1 true
	made=$(find /home/alice -name 'outputs*' -o -name 'scratch*')
	umount -l /home/alice
	echo "$output, $made"
	[ "$status" -eq 125 ]
	# (SELinux lets no helper look into such a one)
	if [[ $output != *"is on a kind of file system"* ]]; then
		lab_has_selinux
		[[ $output == *"or is not open to you"* ]]
	fi
	[ -z "$made" ]
}

@test "what an image has in the way of CES's files goes in this run alone, and nothing else changes" {
	for i in 1 2; do
		from=reserved run inside -v ./work:/home/worker/bound:ro -v ./work:/srv/bound:ro -- sh -c 'cat /etc/hostname /etc/other; stat -c %A,%u:%g /tmp /home/worker /srv; wc -c < /etc/resolv.conf; test -L /etc/hosts || echo plain'
		echo "$output"
		[ "$status" -eq 0 ]
		[[ ${lines[0]} == ces-[0-9]* ]]
		[ "${lines[1]}" = mine ]
		[ "${lines[2]}" = drwxrwxrwt,0:0 ]
		[ "${lines[3]}" = drwx--x--x,1000:1000 ]
		[ "${lines[4]}" = drwxr-xr-x,0:0 ]
		[ "${lines[5]}" = 0 ]
		[ "${lines[6]}" = plain ]
		[[ $output != *bound* ]]
	done
	nothing_left_behind
}

@test "a file that is bound onto a directory of the image's is named, and the run does not start" {
	install -o alice -m 600 /dev/null /home/alice/work/file
	run -125 --separate-stderr inside -v ./work/file:/opt/file -v ./work/file:/bin -- ls
	[[ $stderr == "ces: mounting at /bin, in the image: Is a directory" ]]
	nothing_left_behind
}

@test "a mount inside read-only data, where there is no place for it, is no missing command" {
	as alice touch work/plain
	for source in work/plain work; do
		remember
		run --separate-stderr ces alice run -q -v ./$source:/safe_data/new $open/tools:1 true
		echo "$source: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"ces: cannot start true: "*/safe_data/new* ]]
		nothing_left_behind
	done
}

@test "an image with a directory at /etc/hosts does not start, and the message says why" {
	from=hosts-dir run -125 --separate-stderr inside -- ls
	[[ $stderr == *"setting up the container: a file of CES's in the image's /etc: Is a directory"* ]]
	nothing_left_behind
}
