#!/usr/bin/env bats
# Usual tasks in a container of Debian's, and their errors where there is no network.

load desktop.bash

setup_file()
{
	desktop_policy
	get develop postgres
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown()
{
	[ ! -e /home/alice/tmux ] || tm kill-server || true
	rm -f /home/alice/tmux
	stop_all
}

in_debian() { ces alice run -q $image/develop:1 bash -c "$1"; } # SCRIPT

@test "pip works in a virtual environment in /scratch, and a download says that there is no network" {
	run in_debian 'python3 -m venv /scratch/venv && /scratch/venv/bin/python -c "import sys; print(sys.prefix)" &&
		/scratch/venv/bin/pip install --retries 1 requests'
	echo "$output"
	[ "$status" -ne 0 ]
	[ "${lines[0]}" = /scratch/venv ]
	[[ $output == *"name resolution"*"No matching distribution found for requests"* ]]
	nothing_left_behind
}

@test "apt says that there is no network, and removes packages" {
	run in_debian 'apt-get -o Acquire::Retries=0 update; apt-get -o Acquire::Retries=0 install -y cowsay'
	echo "$output"
	[ "$status" -ne 0 ]
	[[ $output == *"Temporary failure resolving"* ]]
	run in_debian 'dpkg --purge --force-depends git-man && ! dpkg -s git-man'
	[ "$status" -eq 0 ]
}

@test "tar restores the owners of files as root does; outside they are the caller's" {
	run in_debian 'mkdir /scratch/a && cd /scratch/a && touch high odd own && chown 1234:5678 odd && chown 65535:65535 high &&
		tar -cf ../a.tar . && mkdir /safe_outputs/b && tar -C /safe_outputs/b -xpf ../a.tar && stat -c "%n %u:%g" /safe_outputs/b/*'
	[ "$output" = $'/safe_outputs/b/high 65535:65535\n/safe_outputs/b/odd 1234:5678\n/safe_outputs/b/own 0:0' ]
	[ "$(find "$(outputs alice)" -printf '%u:%g\n' | sort -u)" = alice:alice ]
}

@test "tar of files whose owners a container cannot have says which, and goes on" {
	as alice mkdir in
	touch /home/alice/in/far
	tar -C /home/alice/in --owner=someone:3000000 --group=some:3000000 -cf /home/alice/in/far.tar far
	run ces alice run -q -v ./in:/in:ro $image/develop:1 bash -c 'cd /scratch; tar -xpf /in/far.tar; tar --no-same-owner -xf /in/far.tar && stat -c "owner %u" far'
	rm -r /home/alice/in
	[[ $output == *"Cannot change ownership to uid 3000000"* && $output == *"owner 0"* ]]
}

@test "git commits and clones between /scratch and /safe_outputs" {
	run in_debian 'set -e; git init -q /scratch/r; cd /scratch/r; git config user.email a@b.c; git config user.name A
		echo x > f; git add f; git commit -qm one; git clone -q . /safe_outputs/c; git -C /safe_outputs/c log --format=%s
		git clone https://github.com/x/y /scratch/y'
	[ "$status" -eq 128 ]
	[[ $output == $'one\n'*"Could not resolve host"* ]]
}

@test "a C program is compiled and run wherever the container can write" {
	run in_debian 'set -e; printf "#include <stdio.h>\nint main(void) { return puts(\"built\") < 0; }\n" > /scratch/p.c
		for d in /scratch /tmp /safe_outputs /root; do gcc -O2 -Wall -pthread -o $d/p /scratch/p.c && $d/p; done'
	[ "$status" -eq 0 ]
	[ "$output" = $'built\nbuilt\nbuilt\nbuilt' ]
}

@test "users are made, given passwords and groups, and removed" {
	run in_debian 'set -e; useradd -m ward; echo ward:secret | chpasswd; groupadd nurses; usermod -aG nurses ward
		id -nG ward; su - ward -c "id -un; pwd; mktemp > /dev/null && echo temporary"; su ward -c "mktemp -p \$TMPDIR > /dev/null && echo scratch"
		passwd -S ward | cut -d" " -f2; userdel ward'
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = $'ward nurses\nward\n/home/ward\ntemporary\nscratch\nP' ]
}

@test "su - postgres -c, gosu and setpriv change to the service's user, and nobody comes back" {
	run ces alice run -q --entrypoint bash $image/postgres:1 -c 'su - postgres -c "id -un; pwd"; gosu postgres id -un
		setpriv --reuid=postgres --regid=postgres --init-groups sh -c "id -un; su root -c true; chroot / true"'
	echo "$output"
	[ "$status" -ne 0 ]
	[ "${lines[0]} ${lines[1]} ${lines[2]} ${lines[3]}" = "postgres /var/lib/postgresql postgres postgres" ]
	[[ $output == *"Operation not permitted"* ]]
}

@test "a command that needs more than a container has is refused in words, and the rest of the script goes on" {
	run in_debian 'sudo id; mount -t tmpfs x /mnt; unshare -Ur true; dmesg; echo 1 > /proc/sys/kernel/panic; date -s 2001-01-01; echo done'
	echo "$output"
	[[ $'\n'$output == *$'\ndone'* ]] # (stderr may come after it)
	[[ $output == *"sudo: command not found"*"/mnt: permission denied"*"unshare failed"*"Read-only file system"* ]]
	nothing_left_behind
}

# Sends keys as typed to a bash on a terminal, by tmux, and reads the screen.
tm() { as alice tmux -S /home/alice/tmux "$@" 3>&-; }
type_() { tm send-keys "$@"; } # KEYS...
shows() { tm capture-pane -p | grep -qE -- "$1"; } # PATTERN

@test "bash with -it has job control, Ctrl-C, Ctrl-Z, the window's size and its exit status" {
	tm -f /dev/null new-session -d -x 90 -y 30 "ces-client run -q -it $image/develop:1 bash; echo ended with \$?; sleep 600"
	eventually shows '^root@.*#'
	type_ 'stty size' Enter
	eventually shows '^30 90$'
	type_ 'sleep 500' Enter
	type_ C-z
	eventually shows 'Stopped +sleep 500'
	type_ 'bg; jobs' Enter
	eventually shows 'Running +sleep 500'
	type_ 'kill %1; wait; sleep 600' Enter
	eventually shows 'sleep 600'
	type_ C-c
	type_ 'echo status $?' Enter
	eventually shows '^status 130'
	type_ 'exit 5' Enter
	eventually shows '^ended with 5'
	nothing_left_behind
}
