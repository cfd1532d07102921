#!/usr/bin/env bats
# The files of an image. A package manager uses the container's file system: files of the image can be removed, moved and
# replaced, on every kernel, and their owners and modes still count. And what layers show and hide.

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

listing='find /d /o /h /replaced /dir-to-file /link-to-dir | sort; cat /d/kept /o/new /replaced /dir-to-file /link-to-dir/real'
rules() { from=$1 inside -- sh -c "$listing"; }

@test "whiteouts and opaque directories hide what is below, and only that" {
	have alice rules
	run rules rules
	[ "$status" -eq 0 ]
	[[ $output != *gone* && $output != *hidden* && $output != *deep* && $output != *.wh.* ]]
	[[ $output == *lowmidmidfile"now a directory" ]]
}

@test "zstd and uncompressed layers give the same files as gzip" {
	have alice rules rules-zstd rules-plain
	expected=$(rules rules)
	[ "$(rules rules-zstd)" = "$expected" ]
	[ "$(rules rules-plain)" = "$expected" ]
}

@test "hard links stay one file" {
	have alice rules
	from=rules run inside -- sh -c 'stat -c %i /h/one /h/two | uniq | wc -l'
	[ "$output" = 1 ]
}

@test "owners and modes are the image's, as numbers" {
	have alice rules
	from=rules run inside -- stat -c '%u:%g %a' /h/owned /h/closed
	[ "${lines[0]}" = "1000:2000 640" ]
	[ "${lines[1]}" = "1000:0 700" ]
}

@test "long, odd and non-ASCII names come out unchanged" {
	have alice rules
	from=rules run inside -- sh -c 'ls /h'
	[[ $output == *"$(printf 'n%.0s' {1..150})"* ]]
	[[ $output == *"space and 'quote"* ]]
	from=rules run inside -- sh -c 'cat /h/$(printf "\303\251t\303\251")'
	[ "$output" = "utf-8 name" ]
}

@test "extended attributes of a layer are dropped" {
	have alice rules
	mapfile -t found < <(find $store/layers -path '*/h/xattr')
	[ ${#found[@]} -gt 0 ]
	# (under SELinux every file has a label, and these have CES's)
	for f in "${found[@]}"; do
		attributes=$(/usr/bin/python3 -c 'import os, sys; print(*os.listxattr(sys.argv[1]))' "$f")
		echo "$f: $attributes"
		[ -n "$attributes" ] || continue
		[ "$attributes" = security.selinux ]
		[[ $(stat -c %C "$f") == *:ces_layer_t:s0 ]]
	done
}

@test "a setuid bit of an image is inert" {
	have alice suid
	from=suid run inside -- id -u
	[ "$output" = 1000 ]
	from=suid run inside -- /busybox.suid su root -c 'id -u'
	[ "$status" -ne 0 ]
	[[ $output != 0 ]]
}
