#!/usr/bin/env bats
# Run profiles: `ces-client run --profile NAME` takes what the site keeps in /etc/ces/profiles.d.

load ../lib/e2e.bash

setup_file()
{
	lab_policy '.defaults.network.publish = ["8787"] | .defaults.binds = ["~"]'
	have alice tools
	install -o alice -g alice -d /home/alice/work
	echo kept > /home/alice/work/file
	chown alice: /home/alice/work/file
}

setup()
{
	remember
	rm -rf /etc/ces/profiles.d
	mkdir -p /etc/ces/profiles.d
}

teardown() { rm -rf /home/*/outputs_* /etc/ces/profiles.d; }

profile() # NAME JSON-MEMBERS
{
	printf '{"ces_profile": 1, %s}\n' "$2" > "/etc/ces/profiles.d/$1.json"
}

with() # NAME [WORD...]
{
	run --separate-stderr ces alice run -q --profile "$@"
	echo "status $status, stdout: $output, stderr: $stderr"
}

# Prints what the run would ask for.
asked() # NAME [WORD...]
{
	run --separate-stderr ces alice explain run --profile "$@"
	echo "status $status, stdout: $output, stderr: $stderr"
}

@test "a profile brings its image, its command, settings, mounts and limits" {
	profile work '"image": "'$open'/tools:1", "command": ["sh", "-c", "echo $WHERE; cat /work/file; nproc"],
		"env": ["WHERE=$HOME/x"], "mounts": ["~/work:/work:ro"], "cpus": 1, "memory": "300M", "workdir": "/tmp"'
	with work
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = /home/alice/x ]
	[ "${lines[1]}" = kept ]
	asked work
	[[ $output == *"1 cpu"* ]]
	[[ $output == *"300 MiB"* ]]
	[[ $output == *"/home/alice/work"*"read-only"* ]]
}

@test "words after a profile with an image are the command" {
	profile work '"image": "'$open'/tools:1", "command": ["false"]'
	with work echo these instead
	[ "$status" -eq 0 ]
	[ "$output" = "these instead" ]
}

@test "a profile without an image needs one on the command line" {
	profile small '"cpus": 1'
	with small
	[ "$status" -eq 125 ]
	[[ $stderr == *"type ces-client run IMAGE"* ]]
	with small $open/tools:1 echo run
	[ "$output" = run ]
}

@test "an option that the user types wins over the profile" {
	profile work '"image": "'$open'/tools:1", "env": ["A=profile", "B=profile"], "memory": "300M"'
	with work -e A=typed --memory 200M sh -c 'echo $A $B'
	[ "$output" = "typed profile" ]
	asked work --memory 200M
	[[ $output == *200* ]]
	[[ $output != *300* ]]
}

@test "a profile that asks for more than the policy allows is refused" {
	profile wide '"image": "'$open'/tools:1", "mounts": ["/etc:/mnt"]'
	with wide
	[ "$status" -eq 125 ]
	[[ $stderr == *"you may not bind /etc"* ]]
	profile other '"image": "docker.io/library/alpine"'
	with other
	[ "$status" -eq 125 ]
	[[ $stderr == *"denied"* || $stderr == *"no rule"* ]]
	journal_new -s -e 'length == 2 and all(.outcome == "denied")' > /dev/null
}

@test "an unknown profile is refused with the nearest name, or with every name" {
	profile jupyter '"cpus": 1'
	profile rstudio '"cpus": 1'
	with jupytr
	[ "$status" -eq 125 ]
	[[ $stderr == *"did you mean --profile jupyter?"* ]]
	with none
	[[ $stderr == *jupyter* && $stderr == *rstudio* ]]
	for name in ../policy /etc/passwd .hidden a/b "$(printf 'a\nb')" ''; do
		with "$name"
		[ "$status" -eq 125 ]
		[[ $stderr == *"type the name of a profile"* ]]
	done
	rm -r /etc/ces/profiles.d
	with jupyter
	[[ $stderr == *"this machine has no profiles"* ]]
}

@test "a profile that is a link, a FIFO, writable by others, or another user's is refused" {
	profile good '"image": "'$open'/tools:1", "command": ["true"]'
	cd /etc/ces/profiles.d
	ln -s good.json link.json
	mkfifo pipe.json
	install -m 664 good.json group.json
	install -m 646 good.json world.json
	install -m 644 -o alice good.json alice.json
	for name in pipe group world alice; do
		with $name
		[ "$status" -eq 125 ]
		[[ $stderr == *"not a file that only root can write"* ]]
	done
	with link
	[ "$status" -eq 125 ]
	chmod 777 .
	with good
	[ "$status" -eq 125 ]
	[[ $stderr == *"others than root can write to it"* ]]
	chmod 755 .
	with good
	[ "$status" -eq 0 ]
}

@test "a profile with a mistake is refused, with its line" {
	for text in '"imge": "x"' '"cpus": "many"' '"memory": 12' '"env": "A=1"' '"cpus": 1, "cpus": 2' '"command": ["a\u0000b"]' '"tty": "yes"'; do
		profile bad "$text"
		with bad
		[ "$status" -eq 125 ]
		[[ $stderr == *"profile bad: line 1"* ]]
	done
	echo '{"ces_profile": 2}' > /etc/ces/profiles.d/bad.json
	with bad
	[ "$status" -eq 125 ]
	head -c 100000 /dev/zero | tr '\0' ' ' > /etc/ces/profiles.d/bad.json
	with bad
	[ "$status" -eq 125 ]
	profile bad '"mounts": ["/srv/shared"]'
	with bad $open/tools:1
	[[ $stderr == *"type -v SRC:DST"* ]]
}

@test "an opt-file may name a profile, and its other options win" {
	profile work '"image": "'$open'/tools:1", "env": ["A=profile"]'
	printf -- '--profile work\n-e A=file\n' > /home/alice/work/opts
	run --separate-stderr ces alice run -q --opt-file /home/alice/work/opts sh -c 'echo $A'
	[ "$output" = file ]
	run --separate-stderr ces alice run -q --opt-file /home/alice/work/opts --profile work true
	[ "$status" -eq 125 ]
	[[ $stderr == *"a run can have only one profile"* ]]
}
