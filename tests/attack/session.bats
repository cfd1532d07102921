#!/usr/bin/env bats
# The steps from ces-helper, which is setuid, to ces-admit, which decides, and to ces-session, which acts.

load ../lib/e2e.bash

session=/usr/libexec/ces/ces-session
admit=/usr/libexec/ces/ces-admit

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown() { for p in $admit $session; do [ ! -e $p.away ] || mv $p.away $p; done; rm -rf /home/*/outputs_* "$lab"/trace*; }

@test "no user can start ces-admit or ces-session, read it or trace it" {
	for program in $admit $session; do
		run as alice $program 0
		[ "$status" -eq 126 ]
		run as alice cat $program
		[[ $output == *"Permission denied"* ]]
		[ "$(stat -c '%a %U' $program)" = '700 root' ]
	done
}

@test "ces-admit that root starts by hand, without a caller, says who starts it, and does nothing" {
	before=$(wc -l < $journal)
	for line in '' 'x' '-1' '4294967296' '1 2' "''"; do
		run bash -c "$admit $line 3< /dev/null 4> >(cat >&2); echo \$?" 2>&1
		echo "$line: $output"
		[[ $output == *"ces-admit is started by ces-helper of the same version only"* ]]
		[[ $output == *125* ]]
	done
	[ "$(wc -l < $journal)" = "$before" ]
}

@test "when root starts ces-session by hand, it says who starts it, and does nothing" {
	before=$(wc -l < $journal)
	head -c 1000000 /dev/zero > $lab/order
	for order in /dev/null $lab/order; do
		run bash -c "$session 3< /dev/null 4> >(cat >&2) 5< $order; echo \$?" 2>&1
		echo "$order: $output"
		[[ $output == *"is started by ces-admit of the same version only"* ]]
		[[ $output == *125* ]]
	done
	[ "$(wc -l < $journal)" = "$before" ]
}

@test "without ces-admit or ces-session nothing is done: the answer says what is not installed" {
	before=$(wc -l < $journal)
	for program in $admit $session; do
		mv $program $program.away
		for line in "run $open/tools:1 true" "pull $open/tools:1" images ps; do
			# shellcheck disable=SC2086
			run --separate-stderr ces alice $line
			echo "$line: $stderr"
			[ "$status" -eq 125 ]
			[[ $stderr == *"$program; CES is not fully installed: No such file or directory"* ]]
		done
		mv $program.away $program
	done
	[ "$(wc -l < $journal)" = "$before" ]
}

# Prints the calls of ces-helper and ces-admit, from the first instruction to the last, that change something outside.
helper_calls()
{
	awk '
		/execve\("[^"]*\/ces-helper"/ { pid = $1 }
		$1 == pid && /execve\("[^"]*\/ces-session"/ { done = 1; exit }
		$1 == pid { print }
		END { exit !done }' "$1"
}

# (a build with sanitizers does not work under strace)
@test "the setuid program opens nothing but its own pipes and /dev/null, and starts ces-admit alone" {
	grep -aq __asan_init $session && skip "a build with sanitizers"
	strace -f -qq -u alice -e signal=none -o $lab/trace -e trace=%file,%process,%network,mount,unshare,setns,kill,pidfd_send_signal \
		ces-client run --dry-run $open/tools:1 true < /dev/null 3>&-
	awk '/execve\("[^"]*\/ces-helper"/ { pid = $1 }
		$1 == pid && /execve\("[^"]*\/ces-admit"/ { done = 1; print; exit }
		$1 == pid { print }
		END { exit !done }' $lab/trace > $lab/trace.setuid
	cat $lab/trace.setuid
	# (the loader's: its settings, and libc; waitid(2) only asks whether there are children)
	no grep -vE '"/etc/(suid-debug|ld\.so\.(preload|cache))"|/libc\.so\.6"|stat(at)?\([0-9]+, ""|arch_prctl|"/dev/null"|"/proc/self/(fd/[34]|ns/user)"|chdir\("/"\)|waitid\(P_ALL, 0, NULL, |execve\("[^"]*/ces-(helper|admit)"|<\.\.\. [a-z0-9_]+ resumed>' $lab/trace.setuid
}

@test "ces-helper and ces-admit open nothing for writing but their pipes, and start nothing but what reads for them, and ces-session" {
	grep -aq __asan_init $session && skip "a build with sanitizers"
	strace -f -qq -u alice -e signal=none -o $lab/trace -e trace=openat,openat2,open,creat,mkdir,mkdirat,unlink,unlinkat,rename,renameat,renameat2,link,linkat,symlink,mount,umount2,move_mount,open_tree,unshare,setns,clone,clone3,fork,vfork,execve,bind,chmod,fchmod,fchmodat,chown,fchown,fchownat,truncate,ftruncate,kill,pidfd_send_signal \
		ces-client run --dry-run $open/tools:1 true < /dev/null 3>&-
	helper_calls $lab/trace > $lab/trace.helper
	cat $lab/trace.helper
	grep -q 'policy.json' $lab/trace.helper
	# (strace may write a call as two lines)
	no grep -vE 'open(at2?)?\(|execve\("[^"]*/ces-(helper|admit)"|<\.\.\. [a-z0-9_]+ resumed>|clone3\(|pidfd_send_signal\(' $lab/trace.helper
	# (the programs that read for it; ces-client also asks which images there are)
	no grep -vE '/ces-(client|helper|admit|decode|parse|session|store)"' <(grep -E 'execve\("' $lab/trace)
	no grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC|APPEND)' <(grep -vE '"/dev/null"|"/proc/self/fd/4"' $lab/trace.helper)
}

@test "a denial goes the same way: ces-session records it, and reports it" {
	run --separate-stderr ces alice run --cpus 4000 $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"denied"* ]]
	tail -n 1 $journal | jq -e '.event == "decision" and .outcome == "denied" and .user == "alice" and .rule != null'
}
