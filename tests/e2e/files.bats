#!/usr/bin/env bats
# A package manager uses the container's file system: files of the image can be removed, moved and replaced, on every kernel,
# and their owners and modes still count.

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools rules opaque-root twice user-number; }
setup() { remember; }
teardown() { rm -rf /home/*/outputs_* /safe_data/nsh-2024-0001/watch*; }

# In the image `rules`, /d has a file of the lowest layer, /o hides the files of lower layers, and /h belongs to the top one.
changed() # SCRIPT
{
	from=rules run inside -- sh -ec "exec 2>&1; $1"
	echo "status $status: $output"
	[ "$status" -eq 0 ]
}

@test "a directory of the image can be removed with all its files" {
	changed 'rm -rf /d /o /h /usr; ls /'
	[[ " ${output//$'\n'/ } " != *" d "* && " ${output//$'\n'/ } " != *" o "* && " ${output//$'\n'/ } " != *" h "* &&
		" ${output//$'\n'/ } " != *" usr "* && " ${output//$'\n'/ } " == *" etc "* ]]
	nothing_left_behind
}

@test "a directory of the image that was emptied can be removed with rmdir" {
	changed 'rm /d/kept; rmdir /d; [ ! -e /d ] && echo gone'
	[ "$output" = gone ]
}

@test "a directory of the image can be moved with all its files" {
	changed 'mv /d /moved; [ ! -e /d ]; cat /moved/kept; mv /moved /d; cat /d/kept; mv /etc /etc.old; cat /etc.old/hostname'
	[[ $output == lowlowces-* ]]
}

@test "a directory that is made anew in the place of an image's is empty" {
	changed 'rm -rf /d /o; mkdir /d /o; ls -A /d /o; echo new > /o/file; cat /o/*'
	[ "$output" = $'/d:\n\n/o:\nnew' ]
}

@test "a directory of the image can be replaced by a file, and a file by a directory" {
	changed 'rm -r /d; echo file > /d; cat /d; rm /replaced; mkdir /replaced; echo in it > /replaced/x; cat /replaced/x'
	[ "$output" = $'file\nin it' ]
}

@test "a directory of the image can be filled again under its own name, as an upgrade does" {
	changed 'cp -a /h /h.new; mv /h /h.old; mv /h.new /h; rm -rf /h.old; cat /h/one; ls / | grep -c h.old || true'
	[ "$output" = "same inode0" ]
}

@test "a program that is put among the image's files runs" {
	changed 'cp /bin/busybox /usr/busybox; /usr/busybox echo ran
		printf "#!/bin/sh\necho interpreted\n" > /etc/script; chmod +x /etc/script; /etc/script'
	[ "$output" = $'ran\ninterpreted' ]
}

@test "a program can watch directories: the image's, outputs, scratch and /tmp" {
	install -m 755 "${B:-build}/tests/watch_driver" /safe_data/nsh-2024-0001/watch
	for d in / /etc /safe_outputs /scratch /tmp /dev/shm; do
		run inside -- /safe_data/watch $d
		echo "$d: $output"
		[ "$output" = seen ]
	done
}

@test "a file that a layer hides stays hidden when its directory is changed" {
	changed 'echo x > /o/more; chmod 700 /o; ls /o; rm /o/new; ls /o; touch /o/hidden; cat /o/hidden'
	[ "$output" = $'more\nnew\nmore' ]
}

@test "when a layer hides everything below it, it stays hidden" {
	from=opaque-root run inside -- ls /
	echo "$output"
	[[ $'\n'$output == *$'\ntop'* ]]
	[[ $'\n'$output != *$'\nold'* && $output != *home* && $output != *srv* ]]
	from=opaque-root run inside -- cat /etc/passwd
	[ "$output" = "root:x:0:0:root:/:/bin/sh" ]
}

@test "an image that has a layer twice runs, and the higher copy counts" {
	from=twice run inside -- sh -c 'cat /d/f /d/kept /d/mid'
	echo "$output"
	[ "$output" = herelowmid ]
}

@test "with --read-only nothing of the image changes" {
	from=rules run inside --read-only -- sh -c 'exec 2>&1; rm -rf /d /o; mv /h /moved; rmdir /srv; echo x > /replaced; echo; cat /d/kept /o/new; ls -d /h /srv'
	echo "$output"
	[[ $output == *"Read-only"* ]]
	[[ $output == *$'\nlowmid/h\n/srv' ]]
}

@test "a user of the image can change that user's files, and nothing else of it" {
	from=user-number run inside -- sh -c 'exec 2> /dev/null; echo mine > /home/worker/f; cat /home/worker/f; rm /bin/busybox; echo x > /etc/new
		mv /srv /srv.old; chmod 777 /etc; chown 1000 /etc; rm -rf /usr; ls -ld /bin/busybox /srv /usr/bin; ls /etc; stat -c "%a %u" /etc'
	echo "$output"
	[[ $output == "mine"* ]]
	[[ $output == *"/bin/busybox"*"/srv"*"/usr/bin"*"755 0" ]]
	[[ $output != *new* ]]
}
