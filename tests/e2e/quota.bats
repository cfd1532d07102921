#!/usr/bin/env bats
# One user's share of the image store, the space that stays free in it, and the journal's own space.

load ../lib/e2e.bash

setup_file() { empty_store; }
setup() { remember; }
teardown()
{
	[ -z "${client:-}" ] || kill -KILL "$client" 2> /dev/null || true
	lab_policy
}
teardown_file() { lab_policy; }

# Starts a pull of USER's that goes on until it is killed.
hangs() # USER IMAGE
{
	setpriv --reuid="$1" --regid="$1" --init-groups --reset-env env -C "/home/$1" \
		ces-client pull -q "$2" > /dev/null 2>&1 3>&- < /dev/null &
	client=$!
	eventually compgen -G '/run/ces/pull-*'
}

@test "a pull above the number that the policy allows a user is refused; another user's pulls go on" {
	lab_policy '.host.user_limits.pulls = 1'
	rm -f $lab/go
	hangs alice bad.tre.test/bad-wait-layers/one:good
	remember
	run --separate-stderr pull alice $open/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"pulls under way: you have 1, and may have 1 at once (rule host.user_limits.pulls)"* ]]
	journal_new -s -e 'length == 1 and .[0].outcome == "denied" and .[0].rule == "host.user_limits.pulls"'
	pull bob $open/tools:1 -q
	touch $lab/go
	wait $client
	client=
	pull alice $open/tools:1 -q
}

@test "an image above the number that the policy allows a user is refused; the same image again is not" {
	empty_store
	have alice tools
	lab_policy '.host.user_limits.images = 1'
	pull alice $open/tools:1 -q
	run --separate-stderr pull alice $open/stroke:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have 1 images already, and 1 are allowed"*"(rule host.user_limits.images)"* ]]
	[ "$(find $store/layers/sha256 -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
	pull bob $open/stroke:1 -q
	ces alice rmi $open/tools:1
	pull alice $open/stroke:1 -q
}

@test "an image above the space that the policy allows a user is refused, and nothing of it stays" {
	empty_store
	have alice tools
	lab_policy '.host.user_limits.store = "5M"'
	run --separate-stderr pull alice bad.tre.test/x/large:good # 8 MiB in one layer, besides the layer of tools
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"unpacks to more than the "*" that are left of the space for your images (host.user_limits.store)"* ]]
	run ces alice run bad.tre.test/x/large:good true
	[ "$status" -eq 125 ]
	ces-client clean
	[ "$(find $store/layers/sha256 -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]
	pull alice $open/tools:1 -q
	ces alice run -q $open/tools:1 true
}

@test "an image that unpacks to a thousand times its size is refused for that, whatever space the user has left" {
	/usr/bin/python3 -B - $lab/thousand <<-'PY'
	import sys
	sys.path.insert(0, "tests/lib/images")
	from images import Layer, Layout, manifest
	layout = Layout(sys.argv[1])
	layout.index(manifest(layout, [Layer().file("zeros", bytes(256 << 20))], {"Cmd": ["true"]}, "zstd"))
	PY
	lab_push $lab/thousand epcced/thousand:1
	lab_policy '.host.user_limits.store = "1G"'
	run --separate-stderr pull alice $open/thousand:1
	refused 'expands more than 1000 times'
	[[ $stderr != *"user_limits"* ]]
}

@test "an image whose layers together are above the space that the policy allows a user is refused before all are here" {
	empty_store
	lab_policy '.host.user_limits.store = "9M"'
	run --separate-stderr pull alice $open/big:1 # four layers of 6 MiB, besides the layer of tools
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"unpacks to more than the "*" that are left of the space for your images (host.user_limits.store)"* ]]
	eventually rmdir $store/layers/sha256
	install -d -m 700 -o ces-store -g ces-store $store/layers/sha256
}

@test "of two images that fit one by one, but not together, not both stay when their pulls end at once" {
	grep -aq __asan_init /usr/libexec/ces/ces-session && skip "a build with sanitizers" # (strace and they exclude each other)
	empty_store
	rm -f $lab/both
	lab_policy '.host.user_limits.store = "28M"'
	# (each pull waits for a while after its last check, before its grant)
	for image in big zeros; do
		strace -f -qq -u alice -e signal=none -o /dev/null -e trace=pidfd_send_signal \
			-e inject=pidfd_send_signal:delay_enter=2000000 ces-client pull -q $open/$image:1 < /dev/null 2>> $lab/both 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p" || true; done
	cat $lab/both
	[ "$(ces alice images --format json | jq length)" -le 1 ]
	grep -q "your images would take .*(rule host.user_limits.store)" $lab/both
}

@test "a layer counts once for a user, in however many images it is" {
	empty_store
	pull alice $open/shared-a:1 -q
	size=$(ces alice images --format json | jq '.[0].size')
	lab_policy ".host.user_limits.store = \"$(((size + size / 2) >> 10))K\""
	pull alice $open/shared-b:1 -q
	[ "$(ces alice images --format json | jq length)" -eq 2 ]
}

# Pushes tools as epcced/heavy:NUMBER, with a configuration of its own of nearly 4 MiB.
push_heavy() # NUMBER
{
	/usr/bin/python3 - "$images/tools" $lab/heavy "$1" <<-'PY'
	import hashlib, json, shutil, sys
	own, out, number = sys.argv[1:]
	shutil.rmtree(out, ignore_errors=True)
	shutil.copytree(own, out)
	def blob(of): return f"{out}/blobs/sha256/{of['digest'][7:]}"
	def replace(of, what):
	    data = json.dumps(what).encode()
	    of.update(digest="sha256:" + hashlib.sha256(data).hexdigest(), size=len(data))
	    open(blob(of), "wb").write(data)
	index = json.load(open(out + "/index.json"))
	top = index["manifests"][0]
	manifest = json.load(open(blob(top)))
	config = json.load(open(blob(manifest["config"])))
	config["config"]["Labels"] = {"heavy": number * 4000000}
	replace(manifest["config"], config)
	replace(top, manifest)
	json.dump(index, open(out + "/index.json", "w"))
	PY
	lab_push $lab/heavy "epcced/heavy:$1" --preserve-digests
}

@test "images that differ in their configuration alone take the space of a user, and not the store's reserve" {
	empty_store
	have alice tools
	for n in 1 2; do push_heavy $n; done
	size=$(ces alice images --format json | jq '.[0].size')
	lab_policy ".host.user_limits.store = \"$(((size >> 10) + 6000))K\""
	pull alice $open/heavy:1 -q
	run --separate-stderr pull alice $open/heavy:2
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"your images would take"*"(rule host.user_limits.store)"* ]]
	# (on a disk of its own: a part of it fills up)
	empty_store
	truncate -s 48M $lab/store.img
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 $lab/store.img
	mount -o loop $lab/store.img $store
	rmdir $store/lost+found
	chmod 700 $store
	lab_label
	lab_policy '.host.store_reserve = "4M"'
	have alice tools
	head -c $(($(stat -f -c '%a * %S' $store) - (6 << 20))) /dev/zero > $store/filler
	run --separate-stderr pull alice $open/heavy:1
	eventually umount $store
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"no space for the image: its manifest and configuration take at least 3.8 MiB, and "* ]]
}

@test "a pull that would use up the store's reserve is refused before it starts, or stopped on the way" {
	empty_store
	free=$(($(stat -f -c '%a * %S' $store)))
	lab_policy ".host.store_reserve = \"$(((free >> 10) + 1))K\""
	run --separate-stderr pull alice $open/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"no space for the image"* ]]
	# (it fits compressed, but not unpacked)
	lab_policy ".host.store_reserve = \"$(((free - (24 << 20)) >> 10))K\""
	run --separate-stderr pull alice $open/zeros:1
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"keeps the rest of its image store free (rule host.store_reserve)"* && $stderr != *user_limits* ]]
	eventually rmdir $store/staging
	install -d -m 700 -o ces-store -g ces-store $store/staging
	lab_policy
	pull alice $open/zeros:1 -q
}

@test "when the journal's disk is full, a record is still written: it has space set aside" {
	mount -t tmpfs -o mode=700,size=12m ces-aside /var/log/ces
	lab_label
	have alice tools
	cat /dev/zero > /var/log/ces/filler 2> /dev/null || true
	[ "$(stat -f -c %a /var/log/ces)" -eq 0 ]
	for i in {1..10}; do inside -- true; done
	written=$(journal_lines)
	tests/lib/chain.py $journal
	umount /var/log/ces
	[ "$written" -ge 20 ]
}

@test "M03: the remains of a run are cleaned, and its end is recorded, also after a crash of the machine" {
	have alice tools
	rm -f $lab/up
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sh -c 'echo patient > /scratch/remains; echo up; exec sleep 600' > $lab/up 2>&1 3>&- < /dev/null &
	client=$!
	eventually grep -q up $lab/up
	run=$(ces alice ps --format json | jq -r '.[0].run')
	pkill -KILL -x 'ces-helper|ces-admit|ces-session'
	wait $client || true
	client=
	eventually no pgrep '^(ces-|crun|runc)'
	compgen -G "/home/alice/scratch_$run/*/remains"
	rm -r /run/ces # a reboot does so
	ces-client clean
	no compgen -G '/home/alice/scratch_*'
	journal_new -s -e --arg run "$run" 'map(select(.event == "end" and .run == $run)) | length == 1 and .[0].reason == "helper died"'
	[ -z "$(ls $store/runs)" ]
	ces-client clean
	journal_new -s -e --arg run "$run" 'map(select(.event == "end" and .run == $run)) | length == 1'
}

@test "when a run has ended, nothing of it is kept" {
	have alice tools
	inside -- true
	[ -z "$(ls $store/runs)" ]
}
