#!/usr/bin/env bats
# --mount type=tmpfs: empty directories in memory.

load ../lib/e2e.bash

setup_file() { have alice tools user-number; }
teardown_file() { lab_policy; }
setup() { remember; }
teardown() { rm -rf /home/alice/outputs_*; }

@test "a tmpfs is empty, writable by every user inside, and gone with the run" {
	run inside --mount type=tmpfs,destination=/run -- sh -c 'ls -A /run | wc -l; echo x > /run/f; stat -c %a /run; grep " /run " /proc/mounts'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = 1777 ]
	[[ ${lines[2]} == tmpfs*nosuid*nodev* ]]
	from=user-number run inside --mount type=tmpfs,destination=/var/lib/x -- sh -c 'echo x > /var/lib/x/f && cat /var/lib/x/f'
	[ "$output" = x ]
	run inside --mount type=tmpfs,destination=/run -- ls -A /run
	[ -z "$output" ]
	nothing_left_behind
}

@test "a tmpfs hides what the image has there, and works where the image has nothing" {
	run inside --mount type=tmpfs,destination=/home --mount type=tmpfs,dst=/made/by/ces -- sh -c 'ls -A /home | wc -l; touch /made/by/ces/f && echo fine'
	[ "$output" = $'0\nfine' ]
}

@test "a tmpfs is bounded by its size, or by the policy's if it has none" {
	run inside --mount type=tmpfs,destination=/t,size=1M -- sh -c 'head -c 2000000 /dev/zero > /t/f 2> /dev/null; stat -c %s /t/f'
	[ "${lines[-1]}" = 1048576 ]
	run inside --mount type=tmpfs,destination=/t -- sh -c 'df -m /t | tail -n 1'
	[[ $output =~ ^tmpfs\ +256\  ]]
}

@test "the contents of a tmpfs count as the run's memory" {
	run --separate-stderr ces alice run -q --memory 32M --mount type=tmpfs,destination=/t $open/tools:1 \
		sh -c 'head -c 100000000 /dev/zero > /t/f && echo held'
	[ "$status" -ne 0 ]
	[[ $output != *held* ]]
	nothing_left_behind
}

@test "a tmpfs where CES itself mounts, twice, too large or nowhere is refused, and the message says why" {
	for place in /safe_data /safe_outputs /scratch /etc /proc/x /dev/shm /sys / relative /a/../b; do
		run --separate-stderr ces alice run -q --mount "type=tmpfs,destination=$place" $open/tools:1 true
		echo "$place: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	remember
	run --separate-stderr ces alice run -q --mount type=tmpfs,destination=/t --mount type=tmpfs,destination=/t $open/tools:1 true
	refused 'two mounts have this destination'
	remember
	run --separate-stderr ces alice run -q --mount type=tmpfs,destination=/t,size=600M $open/tools:1 true
	refused 'more than the 512 MiB that is allowed'
	for odd in type=tmpfs type=tmpfs,destination=/t,size=0 type=tmpfs,destination=/t,size=x type=tmpfs,destination=/t,mode=777 type=nfs,destination=/t; do
		run --separate-stderr ces alice run -q --mount "$odd" $open/tools:1 true
		echo "$odd: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	nothing_left_behind
}

@test "explain says which memory a run would get" {
	run ces alice explain run --mount type=tmpfs,destination=/run,size=16M $open/tools:1
	[[ $output == *"/run is an empty directory in memory, at most 16 MiB"* ]]
}
