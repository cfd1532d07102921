#!/usr/bin/env bats
# The image store is ces-store's, and not root's. What an attacker can do who has taken ces-store over, and what they, and every
# other account of the machine, cannot do with a layer; a store of an older version; a machine without the account.

# bats file_tags=without-selinux
# (under SELinux a script cannot even start in the domain of ces-store)

load ../lib/e2e.bash

program=/usr/libexec/ces/ces-store
sanitized() { grep -aq __asan_init $program; }
may_not='ces-store asked for what it may not have'

setup_file() { lab_policy; empty_store; }
setup() { lab_policy; remember; }
teardown()
{
	[ ! -e $program.away ] || mv -f $program.away $program
	[ ! -e $lab/passwd ] || mv -f $lab/passwd /etc/passwd
	! mountpoint -q $store/staging || eventually umount $store/staging
	pkill -KILL -U ces-store || true
	rm -rf /home/*/outputs_*
}

# Replaces the program by one that plays a case of steps.py.
plays() # CASE
{
	[ -e $program.away ] || mv $program $program.away
	printf '#!/bin/bash\nexec %s/tests/attack/steps.py %s\n' "$CES_TOP" "$1" > $program
	chmod 755 $program
}

workers() { pgrep -U ces-store,ces-fetch,ces-resolve,ces-unpack; }

# A pull by that program is refused in these words. What it has staged itself goes with the next collection.
ends() # CASE WORDS
{
	echo "$1"
	remember
	plays "$1"
	run --separate-stderr pull alice $open/tools:1
	echo "status $status, stderr: $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* && $stderr =~ $2 ]]
	mv -f $program.away $program
	eventually no workers
	ces-client clean
	refused_on_record
	[ -z "$(find $store/staging $store/trash $store/layers/sha256 $store/images/sha256 $store/grants -mindepth 1 ! -path "$store/grants/[0-9]*")" ]
	[ -z "$(find /run/ces -name 'pull-*')" ]
}

@test "X: a step out of turn, of an unknown kind, cut short or longer than it says ends the pull" {
	for c in kind zero short length turn twice busy end; do ends $c "$may_not"; done
	for c in empty dead; do ends $c 'ces-store ended unexpectedly'; done
}

@test "X: a digest, a list of layers or a name of another form ends the pull" {
	for c in unfound need name empty-name; do ends $c "$may_not"; done
}

@test "X: a name that is not there, or not a directory, is nothing to unpack into" {
	for c in missing link file; do ends $c 'staging directory'; done
	ends again "$may_not"
	ends user 'layer sha256:.* is not in the store'
}

@test "X: a layer that ces-unpack has not unpacked and verified is not sealed, and none is marked afterwards" {
	for c in running lied unstaged sealed; do ends $c "$may_not"; done
	ends out 'marking a directory of a layer'
}

@test "X: names that change while root works on them lead nowhere else" {
	find /etc -printf '%p %s %T@ %U:%G %m\n' | sort > $lab/etc
	for _ in 1 2 3; do ends raced 'the race is over|staging directory|ces-store asked for what it may not have'; done
	diff $lab/etc <(find /etc -printf '%p %s %T@ %U:%G %m\n' | sort)
}

@test "X: an error that is not ces-store's ends the pull; its words are made printable, and cannot deny" {
	for c in code rule; do ends $c "$may_not"; done
	ends words '\?\[31mred\?ces: all is well'
}

several() { [ "$(pgrep -U ces-store -f silent | wc -l)" -ge 2 ]; }

@test "X: a ces-store that does nothing is ended with the client" {
	plays silent
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice ces-client pull -q $open/tools:1 3>&- < /dev/null &
	client=$!
	eventually several # (the other one is the collector's, which has a deadline)
	mv -f $program.away $program
	kill -TERM $client
	wait $client || true
	eventually no several
}

@test "X: the account of ces-store reaches no layer's content, no run, no journal, no register, no policy, no network" {
	pull alice $open/suid:1 -q
	plays tries
	run --separate-stderr pull alice $open/tools:1
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"list a layer: PermissionError"*"the network: "* ]]
	[[ $stderr != *": could"* ]]
	[ "$(grep -o ': [A-Za-z]*Error' <<< "$stderr" | wc -l)" -eq 14 ]
}

# The system calls after the filter, of a program that is started as ces-store is.
@test "X: ces-store itself makes no call but those of its work" {
	sanitized && skip "a build with sanitizers"
	strace -f -qq -o $lab/calls -e signal=none setpriv --reuid=alice --regid=alice --init-groups --reset-env ces-client images < /dev/null > /dev/null
	thread=$(grep -E "execve\(\"$program\"" $lab/calls | cut -d' ' -f1)
	[ -n "$thread" ]
	grep "^$thread " $lab/calls | sed '1,/SECCOMP_SET_MODE_FILTER/d' > $lab/after
	[ "$(wc -l < $lab/after)" -gt 3 ]
	no grep -E '^[0-9]+ +(execve|socket|connect|clone|fork|kill|mount|chmod|chown|open)\(' $lab/after
	grep "^$thread " $lab/calls | grep -q 'chroot'
}

@test "a directory of an image's that has come into the place of root's is no layer, nor one that is being emptied" {
	have alice tools
	layer=$(echo $store/layers/sha256/*)
	layer=${layer%% *}
	mv "$layer/root" $lab/root
	# (as an image can have it, with any owner and mode)
	install -d -m 700 "$layer/root" "$layer/root/fs"
	cp $lab/root/diff_id "$layer/root"
	for node in none 'c 0 0' p; do
		[ "$node" = none ] || mknod "$layer/root/sealed" $node
		run --separate-stderr ces alice run -q $open/tools:1 true
		echo "$node: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"is not in the store: pull the image again"* ]]
		rm -f "$layer/root/sealed"
	done
	# (a pull could not see it, so the administrator reads it here)
	run --separate-stderr /usr/libexec/ces/upgrade-store
	[ "$status" -eq 0 ]
	[ "$stderr" = "upgrade-store: no run can use the layer $layer; when no run is alive, remove it, and pull its images again" ]
	rm -r "$layer/root"
	mv $lab/root "$layer/root"
	ces alice run -q $open/tools:1 true
	chmod 710 "$layer/root"
	run -125 ces alice run -q $open/tools:1 true
	chmod 700 "$layer/root"
	ces alice run -q $open/tools:1 true
}

@test "O, X: no account of the machine reaches or executes what a layer has" {
	have alice suid tools
	mapfile -t programs < <(find $store/layers -path '*/root/fs/*' -name 'busybox*' -type f)
	[ ${#programs[@]} -ge 2 ]
	for user in alice bob nobody ces-store ces-unpack ces-resolve ces-fetch ces-parse; do
		for p in "${programs[@]}"; do
			no setpriv --reuid=$user --clear-groups test -e "$p"
			no setpriv --reuid=$user --clear-groups sh -c 'exec "$0"' "$p"
			no setpriv --reuid=$user --clear-groups ls "${p%%/root/*}/root"
		done
		[ $user = ces-store ] || no setpriv --reuid=$user --clear-groups ls $store/layers/sha256
	done
	# (the container's view is id-mapped and nosuid)
	ces alice run -q $open/suid:1 sh -c 'grep " / " /proc/self/mountinfo' | grep -q nosuid
}

@test "O, X: everything in the store but the content of layers, the runs and the ids is ces-store's, and closed" {
	have alice tools
	[ "$(find $store -mindepth 1 ! -path '*/root/*' ! -user ces-store -printf '%P\n' | grep -vE '^(layers|images)(/sha256/[0-9a-f]+/root)?$|^runs(/|$)|^subids$')" = '' ]
	[ "$(find $store -type d ! -path '*/root/fs*' -printf '%m\n' | sort -u)" = 700 ]
	for layer in $store/layers/sha256/*; do
		[ "$(stat -c %U:%a $layer/root)" = root:700 ]
		[ "$(cat $layer/root/diff_id)" = "sha256:${layer##*/}" ]
	done
}

@test "X: a layer in another one's place does not run, nor one that root has not sealed" {
	have alice tools stroke
	mapfile -t layers < <(ls -d $store/layers/sha256/*)
	mv ${layers[0]} $lab/away && mv ${layers[1]} ${layers[0]} && mv $lab/away ${layers[1]}
	run --separate-stderr ces alice run $open/tools:1 true
	mv ${layers[0]} $lab/away && mv ${layers[1]} ${layers[0]} && mv $lab/away ${layers[1]}
	[ "$status" -eq 125 ]
	[[ $stderr == *"is not in the store: pull the image again"* ]]
	ces alice run -q $open/tools:1 true
	for layer in "${layers[@]}"; do mv $layer/root/diff_id $layer/root/other; done
	run ces alice run $open/tools:1 true
	for layer in "${layers[@]}"; do mv $layer/root/other $layer/root/diff_id; done
	[ "$status" -eq 125 ]
}

@test "X: an image whose manifest or configuration is not the one of its digest does not run, and the next pull mends it" {
	have alice tools
	for part in manifest config; do
		for file in $store/images/sha256/*/$part; do echo '{}' > "$file"; done
		run --separate-stderr ces alice run $open/tools:1 true
		[ "$status" -eq 125 ]
		[[ $stderr == *"is damaged or gone: pull it again"* ]]
		pull alice $open/tools:1 -q
		ces alice run -q $open/tools:1 true
	done
}

@test "without the account of ces-store nothing is allowed, and doctor says so" {
	have alice tools
	cp /etc/passwd $lab/passwd.good
	sed '/^ces-store:/d' $lab/passwd.good > /etc/passwd
	for c in "run $open/tools:1 true" "pull $open/tools:1" images "rmi $open/tools:1" "inspect $open/tools:1"; do
		run --separate-stderr ces alice $c
		echo "$stderr" >> $lab/said
		[ "$status" -eq 125 ] || { cat $lab/passwd.good > /etc/passwd; return 1; }
	done
	run ces alice doctor
	cat $lab/passwd.good > /etc/passwd
	echo "$output"
	[ "$(grep -c 'the system user ces-store is missing' $lab/said)" -eq 5 ]
	[[ $output == *"ces-store"* ]]
	ces alice run -q $open/tools:1 true
}

@test "when the directory of ces-store is full, the message says so, and what is there still runs" {
	empty_store
	have alice tools
	mount -t tmpfs -o "mode=700,size=64k,nr_inodes=1,uid=$(id -u ces-store),gid=$(id -g ces-store)$(lab_label_option $store/staging)" ces-full $store/staging
	run --separate-stderr ces alice pull $open/stroke:1
	echo "$stderr"
	eventually umount $store/staging
	[ "$status" -eq 125 ]
	[[ $stderr == *"No space left on device"* ]]
	ces alice run -q $open/tools:1 true
}

@test "a store of an older version is refused with what to do; after that its images run without a pull, and a live run goes on" {
	have alice tools stroke
	tree=$(find $store/layers -path '*/fs/*' -printf '%f %m %U:%G %s\n' | sort | sha256sum)
	rm -f /safe_data/nsh-2024-0001/go
	number=$(ces alice run -d $open/tools:1 sh -c 'until [ -e /safe_data/go ]; do sleep 0.1; done; ls /bin | wc -l > /safe_outputs/end')
	old_store
	# (what a pull of that version leaves that is killed at a bad moment, and two grants that a power cut has torn)
	: > "$(echo $store/grants/4401/* | cut -d' ' -f1).4711"
	: > $store/grants/4401/"$(printf '%064d' 1)"
	printf 'CES13' > $store/grants/4401/"$(printf '%064d' 2)"
	run --separate-stderr ces alice run $open/stroke:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"must belong to ces-store"*"/usr/libexec/ces/upgrade-store"* ]]
	for n in 1 2 3; do
		# (it is interrupted in the middle, and goes on)
		timeout -s KILL 0.0$n /usr/libexec/ces/upgrade-store || true
	done
	/usr/libexec/ces/upgrade-store
	/usr/libexec/ces/upgrade-store
	[ "$(find $store/layers -path '*/fs/*' -printf '%f %m %U:%G %s\n' | sort | sha256sum)" = "$tree" ]
	[ -z "$(find $store/grants -name '*.*')" ]
	[ -z "$(find $store -maxdepth 2 \( -name '*.new' -o -name '*.old' -o -name lock -o -name next \) ! -path '*/locks/*')" ]
	ces alice run -q $open/stroke:1 true
	[ "$(ces alice images -q | wc -l)" -eq 2 ]
	touch /safe_data/nsh-2024-0001/go
	eventually test -s "/home/alice/outputs_$number/end"
	eventually test ! -e "/run/ces/$number"
	pull alice $open/suid:1 -q
	ces alice rmi $open/suid:1
	ces-client clean
	[ "$(find $store/layers/sha256 -mindepth 1 -maxdepth 1 | wc -l)" -eq 2 ]
}

@test "when the account of ces-store was made anew, a start says what to do, and after that the images are there" {
	have alice tools
	before=$(id -u ces-store)
	owners=$(find $store/layers -path '*/root*' -printf '%p %U:%G\n' | sort | sha256sum)
	usermod --uid 5987 ces-store
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"must belong to ces-store"*"/usr/libexec/ces/upgrade-store"* ]]
	/usr/libexec/ces/upgrade-store
	inside -- true
	pull alice $open/suid:1 -q
	ces alice rmi $open/suid:1
	ces-client clean
	[ "$(find $store/layers -path '*/root*' -printf '%p %U:%G\n' | sort | sha256sum)" = "$owners" ]
	usermod --uid "$before" ces-store
	/usr/libexec/ces/upgrade-store
	inside -- true
}

@test "when its own ces-store is back, the same image is pulled" {
	empty_store
	pull alice $open/tools:1 -q
	inside -- true
}
