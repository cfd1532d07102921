#!/usr/bin/env bats
# What a researcher gets from a run.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools stroke entry cmd nothing newdir missing notexec user-number user-name user-pair \
		volumes reserved bare
	pull bob $open/tools:1 -q
	for i in user-number user-name user-pair; do pull bob $open/$i:1 -q; done
}
setup() { remember; }
teardown() { rm -rf /home/*/outputs_*; }

@test "a run reads the project's data, prints on the terminal, and leaves its result in ~/outputs_<run>" {
	run --separate-stderr ces alice run $open/stroke:1
	[ "$status" -eq 0 ]
	[[ $output == *"stroke-model: mean age 68.25"* ]]
	[[ $(outputs alice) =~ ^/home/alice/outputs_[0-9]{10}$ ]]
	[ "$(tail -n 1 "$(outputs alice)/result.csv")" = 4,68.25 ]
	[ "$(stat -c %U "$(outputs alice)" "$(outputs alice)/result.csv" | uniq)" = alice ]
	nothing_left_behind
}

@test "scratch is TMP and TMPDIR, can be written, and is gone at the end" {
	run inside -- sh -c 'echo $TMP $TMPDIR; echo x > /scratch/x; mktemp -d > /dev/null; ls /scratch | wc -l'
	[ "${lines[0]}" = "/scratch /scratch" ]
	[ "${lines[1]}" -ge 1 ]
	no compgen -G '/home/alice/scratch_*'
}

@test "every user inside can write scratch, and outside only the caller can" {
	chmod 755 /home/alice
	run inside -- sh -c 'exec su worker -c "f=\$(mktemp -d) && touch \$f/x; id -u; stat -c %a /scratch; ls -A /scratch | wc -l"'
	echo "$output"
	[ "$output" = $'1000\n1777\n1' ]
	n=$(ces alice run -q -d $open/tools:1 sh -c 'touch /scratch/here; exec sleep 599')
	eventually test -e "/home/alice/scratch_$n/scratch/here"
	[ "$(stat -c '%U %a' "/home/alice/scratch_$n")" = "alice 700" ]
	no as bob ls "/home/alice/scratch_$n/scratch"
	ces alice stop -q "$n"
	chmod 700 /home/alice
	no compgen -G '/home/alice/scratch_*'
	rm -rf /home/alice/.local
}

@test "scratch is removed even when its files are closed to everybody" {
	run inside -- sh -c 'mkdir -p /scratch/a/b; touch /scratch/a/b/c; chmod 000 /scratch/a/b /scratch/a'
	[ "$status" -eq 0 ]
	no compgen -G '/home/alice/scratch_*'
}

@test "where the policy says so, /safe_data is read-only" {
	run inside -- sh -c 'echo x > /safe_data/new'
	[ "$status" -ne 0 ]
	[[ $output == *[Rr]ead-only* ]]
	run inside -- sh -c 'mount -o remount,rw /safe_data; echo x >> /safe_data/patients.csv'
	[ "$status" -ne 0 ]
	[ "$(wc -l < /safe_data/nsh-2024-0001/patients.csv)" -eq 5 ]
}

@test "a write to /safe_data of a read-write project belongs to the caller" {
	who=bob run inside -- sh -c 'echo x > /safe_data/from-root; mkdir /safe_data/dir'
	[ "$status" -eq 0 ]
	run stat -c '%U %G' /safe_data/nsh-2024-0002/from-root /safe_data/nsh-2024-0002/dir
	rm -r /safe_data/nsh-2024-0002/from-root /safe_data/nsh-2024-0002/dir
	[ "${lines[0]}" = "bob nsh-2024-0002" ]
	[ "${lines[1]}" = "bob nsh-2024-0002" ]
}

@test "files in /safe_outputs belong to the caller, for any user of the image" {
	for i in user-number user-name user-pair; do
		run ces alice run -q $open/$i:1 sh -c 'id -u; echo x > /safe_outputs/f; mkdir /safe_outputs/d; touch /safe_outputs/d/g'
		echo "$i: $output"
		[ "$status" -eq 0 ]
		[ "$output" = 1000 ]
		[ "$(find "$(outputs alice)" -printf '%u\n' | sort -u)" = alice ]
		rm -rf "$(outputs alice)"
	done
}

@test "when a service changes user, it writes where root of the container lets it, and its files are the caller's too" {
	run inside -- sh -c 'chmod 711 /safe_outputs; mkdir /safe_outputs/db; chown worker /safe_outputs/db; exec su worker -c "echo x > /safe_outputs/db/f; touch /safe_outputs/no"'
	[ "$status" -ne 0 ]
	[ "$(cat "$(outputs alice)/db/f")" = x ]
	[ "$(find "$(outputs alice)" -printf '%u\n' | sort -u)" = alice ]
}

@test "what a container makes setuid or setgid in /safe_outputs is so no more when it belongs to the caller" {
	run inside -- sh -c 'cd /safe_outputs; mkdir -m 2775 d; cp /bin/busybox d/own; cp /bin/busybox d/other; chown worker d/other
		cp /bin/busybox dead; chmod 6755 d/own d/other; chmod 2711 dead; ls -l d/own'
	[ "$status" -eq 0 ]
	[[ $output == *rwsr-sr-x* ]]
	[ -x "$(outputs alice)/d/own" ]
	[ -z "$(find "$(outputs alice)" -type f -perm /6000)" ]
	[ "$(stat -c %a "$(outputs alice)/d")" = 2775 ]
}

@test "when a program gives /safe_outputs itself away, or closes it, its user still reaches everything there" {
	for way in 'chmod 700 .; chown 5:5 .' 'chmod 0 .; chown worker .' 'chmod 0 .' 'mkdir d; chmod 0 d; chown 5:5 d; chmod 555 .; chown 5 .'; do
		run inside -- sh -c "cd /safe_outputs; echo x > f; $way"
		[ "$status" -eq 0 ]
		[ "$(as alice cat "$(outputs alice)/f")" = x ]
		[ "$(find "$(outputs alice)" -printf '%u\n' | sort -u)" = alice ]
		as alice jq -e '.manifest.files[] | select(.path == "f") | .sha256' "$(outputs alice)/ces-run.json"
		as alice chmod -R u+rwX "$(outputs alice)"
		as alice rm -r "$(outputs alice)"
	done
}

@test "where outputs are shared by the project's group, files keep that group: those that were there, and each user's of an image" {
	# (with the second, the group has the number of alice's own group inside)
	for option in '' --env=USERID=4401; do
		lab_policy '.defaults.outputs = {source: "~/results"}'
		as alice sh -c 'mkdir results; chgrp nsh-2024-0001 results; chmod 2777 results; echo old > results/old; mkdir results/d'
		run inside $option -- sh -c 'cd /safe_outputs; echo x > f; mkdir e; echo x > e/f; su worker -c "echo x > w"
			for g in 5 65534 65535; do echo x > own$g; chgrp $g own$g; done'
		lab_policy
		find /home/alice/results -printf '%P %u %g\n'
		[ "$status" -eq 0 ]
		[ "$(find /home/alice/results ! -user alice)" = '' ]
		[ "$(find /home/alice/results ! -group nsh-2024-0001 -printf '%P %g\n' | sort)" = $'own5 alice\nown65534 alice\nown65535 alice' ]
		rm -r /home/alice/results
	done
}

@test "where runs share outputs, the files of a service that runs on are the user's when it ends, and no sooner" {
	lab_policy '.defaults.outputs = {source: "~/results"}'
	as alice mkdir results
	ces alice run -q -d --name db $open/tools:1 sh -c 'cd /safe_outputs; mkdir -m 700 db; chown worker db; su worker -c "echo x > db/f"
		touch up; exec sleep 600'
	eventually test -e /home/alice/results/up
	run inside -- sh -c 'echo x > /safe_outputs/f; touch /scratch/f'
	[ "$status" -eq 0 ]
	[ "$(stat -c %U /home/alice/results/f)" = alice ]
	[ "$(stat -c %u /home/alice/results/db)" -ge 2000000000 ]
	[ "$(stat -c %u /home/alice/results/db/f)" -ge 2000000000 ]
	# (nor when the other run is killed, and the next start cleans up after it)
	number=$(ces alice run -q -d $open/tools:1 sleep 600)
	pkill -KILL -n -x ces-session
	run inside -- true
	eventually no test -e /run/ces/"$number"
	[ "$(stat -c %u /home/alice/results/db)" -ge 2000000000 ]
	ces alice stop db
	lab_policy
	find /home/alice/results -printf '%P %u\n'
	[ -z "$(find /home/alice/results ! -user alice)" ]
	rm -r /home/alice/results
}

@test "an image's user writes /safe_data of a read-write project as the caller" {
	run ces bob run -q $open/user-number:1 sh -c 'echo x > /safe_data/from-1000'
	[ "$status" -eq 0 ]
	owner=$(stat -c %U /safe_data/nsh-2024-0002/from-1000)
	rm -f /safe_data/nsh-2024-0002/from-1000
	[ "$owner" = bob ]
}

@test "USER is accepted by number, by name and as uid:gid" {
	run ces alice run -q $open/user-number:1
	[[ $output == "uid=1000"* ]]
	run ces alice run -q $open/user-name:1
	[[ $output == "uid=1000(worker) gid=1000(worker)"*data* ]]
	run ces alice run -q $open/user-pair:1
	[[ $output == "uid=1000(worker) gid=2000(data)"* ]]
}

@test "an image without users and without /tmp, whose USER is 65534, runs" {
	run --separate-stderr ces alice run -q $open/bare:1 sh -c \
		'id -u; echo "$HOME"; stat -c %a /tmp; touch /tmp/f $(mktemp) /safe_outputs/f && cat /safe_data/patients.csv | wc -l'
	echo "$output / $stderr"
	[ "$status" -eq 0 ]
	[ "$output" = $'65534\n/\n1777\n5' ]
	[ "$(stat -c %U "$(outputs alice)/f")" = alice ]
	nothing_left_behind
}

@test "an image whose USER is impossible is refused, and the message says so" {
	run --separate-stderr pull alice $open/user-high:1 -q
	refused 'user|USER'
}

@test "an image whose USER is nowhere in it is refused, and the message says so" {
	run --separate-stderr pull alice $open/user-unknown:1 -q
	refused 'nobody-here'
}

@test "root inside is the caller outside and holds no power over the host" {
	run inside -- sh -c 'id -u; cat /proc/self/uid_map; grep -E "NoNewPrivs|CapInh|CapAmb" /proc/self/status'
	[ "${lines[0]}" = 0 ]
	[[ ${lines[1]} =~ ^\ +0\ +4401\ +1$ ]]
	[[ $output != *" 0 1"$'\n'* ]]
	[[ $output == *"NoNewPrivs:"*1* ]]
}

@test "a container has no network but lo" {
	run inside -- ls /sys/class/net
	[ "$output" = lo ]
	/usr/bin/python3 -m http.server --bind $lab_outside 80 --directory /srv/empty > /dev/null 2>&1 3>&- &
	server=$!
	lab_wait_port 80 /dev/null $lab_outside
	curl -sSf -o /dev/null http://$lab_outside/
	run inside -- nc -w 3 $lab_outside 80
	kill $server
	[ "$status" -ne 0 ]
	[[ $output == *unreachable* ]]
	run inside -- nc -w 3 $lab_address 5001
	[ "$status" -ne 0 ]
}

@test "the image's ENTRYPOINT and CMD are the command" {
	run ces alice run -q $open/entry:1
	[ "$output" = "entry cmd" ]
	run ces alice run -q $open/cmd:1
	[ "$output" = "only cmd" ]
}

@test "arguments replace CMD, not ENTRYPOINT" {
	run ces alice run -q $open/entry:1 a 'b c' ''
	[ "$output" = "entry a b c " ]
	run ces alice run -q $open/cmd:1 echo other
	[ "$output" = other ]
}

@test "--entrypoint replaces ENTRYPOINT and drops CMD" {
	run ces alice run -q --entrypoint echo $open/entry:1
	[ -z "$output" ]
	run ces alice run -q --entrypoint echo $open/entry:1 hi
	[ "$output" = hi ]
}

@test "arguments reach the program unchanged: no shell, no expansion" {
	run ces alice run -q $open/cmd:1 printf '%s|' '$HOME' '$(id)' '*' ';' '-n' 'a"b' "c'd" $'e\nf' '--' ''
	[ "$output" = '$HOME|$(id)|*|;|-n|a"b|c'"'"'d|e'$'\n''f|--||' ]
}

@test "an image without a command is refused with what to do" {
	run --separate-stderr ces alice run $open/nothing:1
	refused 'command'
	run ces alice run -q $open/nothing:1 echo given
	[ "$output" = given ]
}

@test "the image's Env and WorkingDir hold" {
	run ces alice run -q --entrypoint sh $open/entry:1 -c 'echo $GREETING; pwd; echo $PATH'
	[ "${lines[0]}" = "from the image" ]
	[ "${lines[1]}" = /srv ]
	[ "${lines[2]}" = /bin ]
}

@test "a WorkingDir that the image lacks is made" {
	run ces alice run -q $open/newdir:1
	[ "$output" = /made/by/ces ]
}

@test "-w sets the working directory" {
	run inside -w /safe_outputs -- pwd
	[ "$output" = /safe_outputs ]
}

@test "-e sets a variable, and NAME alone takes the caller's value" {
	run as alice env MINE='my own' ces-client run -q -e A=1 -e 'B=two words' -e MINE $open/tools:1 \
		sh -c 'echo "$A|$B|$MINE"'
	[ "$output" = "1|two words|my own" ]
}

@test "--env-file accepts NAME=value, NAME and comments, and takes one pair of quotes off" {
	as alice tee vars > /dev/null <<- 'END'
	# a comment
	PLAIN=value with spaces

	QUOTED="in quotes"
	SINGLE='single'
	MINE
	DOLLAR=${PATH} $(id)
	HERE=${HOME}
	END
	run as alice env MINE=own ces-client run -q --env-file vars $open/tools:1 \
		sh -c 'echo "$PLAIN|$QUOTED|$SINGLE|$MINE|$DOLLAR|$HERE"'
	rm /home/alice/vars
	[ "$output" = 'value with spaces|in quotes|single|own|${PATH} $(id)|/home/alice' ]
}

@test "--env-file may be a pipe" {
	run as alice bash -c "ces-client run -q --env-file <(echo A=piped) $open/tools:1 sh -c 'echo \$A'"
	[ "$output" = piped ]
}

@test "--arg-file gives words for the command" {
	as alice sh -c 'printf "%s\n" "one two" three > args'
	run ces alice run -q --arg-file args $open/entry:1
	rm /home/alice/args
	[ "$output" = "entry one two three" ]
}

@test "the caller's environment does not reach the container" {
	run --separate-stderr as alice env LD_PRELOAD=/x.so SECRET=1 http_proxy=http://x/ \
		ces-client run -q $open/tools:1 env
	[[ $output != *SECRET* && $output != *LD_PRELOAD* && $output != *proxy* ]]
}

@test "stdin reaches the container only with -i" {
	run bash -c "echo hello | setpriv --reuid=alice --regid=alice --init-groups --reset-env ces-client run -q -i $open/tools:1 cat"
	[ "$output" = hello ]
	run bash -c "echo hello | setpriv --reuid=alice --regid=alice --init-groups --reset-env ces-client run -q $open/tools:1 cat"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "stdin, stdout and stderr pass every byte unchanged" {
	head -c 20000000 /dev/urandom > /home/alice/bytes
	as alice ces-client run -q -i $open/tools:1 sh -c 'tee /dev/stderr' < /home/alice/bytes \
		> $lab/stdout 2> $lab/stderr
	cmp /home/alice/bytes $lab/stdout
	cmp /home/alice/bytes $lab/stderr
	rm /home/alice/bytes $lab/stdout $lab/stderr
}

@test "a run whose output finds a full disk does not end with 0, and CES says so" {
	run --separate-stderr as alice sh -c "ces-client run -q $open/tools:1 echo result > /dev/full"
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: cannot write stdout: No space left on device" ]
	run as alice sh -c "ces-client run -q $open/tools:1 sh -c 'echo result >&2' 2> /dev/full"
	[ "$status" -eq 125 ]
	run as alice sh -c "ces-client run -q $open/tools:1 sh -c 'echo result; exit 3' > /dev/full"
	[ "$status" -eq 3 ]
	nothing_left_behind
}

@test "a limit on the size of files does not end a run: CES says what it could not write" {
	run --separate-stderr as alice sh -c "ulimit -S -f 8; ces-client run -q $open/tools:1 sh -c \"head -c 100000 /dev/zero; echo done > /safe_outputs/r\" > big"
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: cannot write stdout: File too large" ]
	[ "$(cat "$(outputs alice)/r")" = "done" ]
	rm /home/alice/big
	nothing_left_behind
}

@test "a reader that goes away ends the run as SIGPIPE does" {
	run as alice bash -c "set -o pipefail; ces-client run -q $open/tools:1 sh -c 'while echo y; do :; done' | head -n 1"
	[[ $output == y* ]]
	nothing_left_behind
}

@test "-t gives the container a terminal of its own, and its size" {
	run as alice script -qec "stty rows 33 cols 77; ces-client run -q -i -t $open/tools:1 sh -c 'tty; stty size'" /dev/null
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"/dev/"* ]]
	[[ $output == *"33 77"* ]]
}

@test "-t without a terminal is left out, and CES says so: batch jobs are started with -it" {
	run --separate-stderr ces alice run -it $open/tools:1 echo fine < /dev/null
	[ "$status" -eq 0 ]
	[ "$output" = fine ]
	[[ $stderr == "ces: "*terminal* ]]
}

@test "the exit status is the container's own" {
	for s in 0 1 42 125 255; do
		run inside -- sh -c "exit $s"
		[ "$status" -eq $s ]
	done
}

@test "when the entrypoint does not exist, the status is 127" {
	run -127 --separate-stderr ces alice run $open/missing:1
	[ "$(grep -c /no/such/program <<< "$stderr")" -eq 1 ]
	nothing_left_behind
	run -127 --separate-stderr ces alice run $open/tools:1 no-such-command
}

@test "when the entrypoint is not executable, the status is 126" {
	run --separate-stderr ces alice run $open/notexec:1
	[ "$status" -eq 126 ]
	[[ $stderr == *"ces: "*/plain* ]]
	nothing_left_behind
	run --separate-stderr ces alice run $open/tools:1 /bin
	[ "$status" -eq 126 ]
}

@test "missing mount points are made, and hostile ones replaced" {
	run inside -- ls -d /safe_data /safe_outputs /scratch
	[ "$status" -eq 0 ]
	from=reserved run inside -- sh -c 'ls /safe_data; touch /safe_outputs/ok; ls -ld /dev/null; cat /etc/hosts'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = patients.csv ]
	[[ $output == *localhost* ]]
	[ -e "$(outputs alice)/ok" ]
	nothing_left_behind
}

@test "/etc/hosts names localhost and the container, and the hostname is set" {
	run --separate-stderr inside -- sh -c 'cat /etc/hosts; hostname; ping -c 1 -w 2 localhost > /dev/null; grep -c "$(hostname)" /etc/hosts'
	[[ $output == *127.0.0.1*localhost* ]]
	[ "${lines[-1]}" -ge 1 ]
	[[ $output != *"$(hostname)"* ]] || [ "$(hostname)" = "${lines[-2]}" ]
	run inside -- hostname
	[ -n "$output" ]
	[ "$output" != "$(hostname)" ]
}

@test "the container's own file system can be written, and vanishes" {
	run inside -- sh -c 'echo x > /new && rm /bin/busybox.old 2> /dev/null; cat /new'
	[ "$output" = x ]
	run inside -- ls /new
	[ "$status" -ne 0 ]
}

@test "with --read-only, only data, outputs and scratch can be written" {
	run inside --read-only -- sh -c 'touch /new'
	[ "$status" -ne 0 ]
	run inside --read-only -- sh -c 'touch /safe_outputs/f /scratch/f /dev/shm/f && echo fine'
	[ "$output" = fine ]
}

@test "--dry-run decides, explains and does nothing" {
	run --separate-stderr ces alice run --dry-run $open/tools:1 true
	[ "$status" -eq 0 ]
	[[ $output$stderr == */safe_data/nsh-2024-0001* ]]
	nothing_left_behind
	[ "$(homes)" = "$before_homes" ]
}

@test "explain --help says what explain does" {
	run ces alice explain --help
	[ "$status" -eq 0 ]
	[[ $output == *"ces-client explain run [OPTION...] IMAGE"* ]]
}

@test "explain says by which rule a run would be allowed or denied" {
	run --separate-stderr ces alice explain run $open/tools:1
	[ "$status" -eq 0 ]
	[[ $output$stderr == *"projects.nsh-2024-0001.images[1]"* ]]
	run --separate-stderr ces alice explain run ghcr.io/other/tools:1
	[ "$status" -eq 125 ]
	[[ $output$stderr == *nsh-2024-0001* ]]
}

@test "--project chooses among several" {
	pull carol $open/tools:1 -q --project nsh-2024-0002
	run ces carol run -q --project nsh-2024-0002 $open/tools:1 sh -c 'touch /safe_data/carol'
	[ "$status" -eq 0 ]
	[ "$(stat -c %U /safe_data/nsh-2024-0002/carol)" = carol ]
	rm /safe_data/nsh-2024-0002/carol
	run ces carol run -q --project nsh-2024-0001 $open/tools:1 sh -c 'touch /safe_data/carol'
	[ "$status" -ne 0 ]
}

@test "the policy's limit of memory holds" {
	run --separate-stderr ces alice run --memory 64M $open/tools:1 sh -c 'head -c 200m /dev/zero | tail'
	[ "$status" -ne 0 ]
	[[ $stderr == *memory* ]]
	nothing_left_behind
}

@test "the policy's limit of time holds" {
	run --separate-stderr ces alice run --time 1s $open/tools:1 sleep 60
	[ "$status" -ne 0 ]
	[[ $stderr == *time* ]]
	nothing_left_behind
}

@test "the policy's limit of processes holds" {
	lab_policy '.defaults.limits.pids = 20'
	run inside -- sh -c 'i=0; while [ $i -lt 60 ]; do sleep 5 & i=$((i+1)); done; wait'
	lab_policy
	[[ $output == *fork* ]]
	nothing_left_behind
}

@test "a limit above the policy's is refused" {
	run --separate-stderr ces alice run --memory 64G $open/tools:1 true
	refused 'memory'
}

@test "two runs at once do not see each other" {
	ces alice run -q $open/tools:1 sh -c 'hostname; sleep 3' > $lab/first 3>&- &
	eventually test -s $lab/first
	run inside -- sh -c 'ps -o args | grep -c "[s]leep 3"; ls /proc | grep -cE "^[0-9]+$"'
	wait $!
	[ "${lines[0]}" = 0 ]
}

@test "a volume, label or port of the image changes nothing" {
	run ces alice run -q $open/volumes:1 ls /
	[ "$status" -eq 0 ]
	[[ $output != *vol* ]]
	[ ! -e /tmp/canary ]
}

@test "the hardening is as documented: seccomp, no new namespaces, no mounts, no devices" {
	run inside -- sh -c 'grep Seccomp: /proc/self/status; unshare -U true; unshare -m true; mount -t tmpfs x /srv; mknod /dev/x c 1 1; chroot / true; cat /proc/kcore | head -c 1'
	[[ $output =~ Seccomp:[[:space:]]*2 ]]
	[[ $output == *unshare*unshare*mount* ]]
	run inside -- sh -c 'ls /dev | tr "\n" " "'
	[[ $output != *sda* && $output != *vda* && $output != *kvm* && $output != *fuse* && $output != *mem* ]]
	run inside -- grep "Max core file size" /proc/self/limits
	[[ $output =~ size\ +1\ +1\ +bytes ]]
	run inside -- sh -c 'echo x > /proc/sys/kernel/core_pattern'
	[ "$status" -ne 0 ]
	nothing_left_behind
}

@test "no process, mount or socket of the host is visible inside" {
	run inside -- sh -c 'cat /proc/1/comm; wc -l < /proc/net/unix; cat /proc/mounts'
	[[ $output != *ces-helper* && $output != *bats* ]]
	[[ $output != *"/var/lib/ces"* && $output != *"/home/"* && $output != *"/mnt/"* ]]
}
