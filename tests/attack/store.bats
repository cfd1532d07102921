#!/usr/bin/env bats
# What one user's requests do to another user's images, runs and records.

load ../lib/e2e.bash

setup_file() { lab_policy; have alice tools; }
setup() { remember; }
teardown()
{
	rm -rf /home/*/outputs_*
	[ -z "${client:-}" ] || kill -KILL "$client" 2> /dev/null || true
	lab_policy
}

# Starts a run of USER's that goes on until it is stopped.
stays() # USER IMAGE [COMMANDS]
{
	rm -f $lab/up
	setpriv --reuid="$1" --regid="$1" --init-groups --reset-env env -C "/home/$1" \
		ces-client run -q "$2" sh -c "${3:-} echo up; exec sleep 600" > $lab/up 2> $lab/err 3>&- < /dev/null &
	client=$!
	eventually test -s $lab/up
}

goes()
{
	kill -TERM $client
	wait $client || true
	client=
}

layers() { ls $store/layers/sha256 | wc -l; }
# Succeeds if the collector that a request started has finished, with this many layers left.
left() { test "$(layers)" "$1" "$2"; } # OPERATOR NUMBER

@test "J04: a forgotten image leaves the disk, even while another user's run goes on" {
	pull bob $open/tools:1 -q
	stays bob $open/tools:1
	have alice stroke
	n=$(layers)
	ces alice rmi $open/stroke:1
	eventually left -lt "$n"
	goes
}

# Starts a pull of alice's that waits for the registry.
hangs() # IMAGE
{
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client pull -q "$1" > $lab/up 2>&1 3>&- < /dev/null &
	client=$!
	eventually compgen -G '/run/ces/pull-*'
}

@test "J04: a forgotten image leaves the disk, even while another user's pull goes on" {
	# (this registry accepts the connection and sends nothing)
	/usr/bin/python3 -c 'import socket, time; s = socket.create_server(("'$lab_address'", 5999)); time.sleep(60)' 3>&- &
	silent=$!
	lab_wait_port 5999 /dev/null
	have bob stroke
	n=$(layers)
	hangs down.tre.test/epcced/x:1
	ces bob rmi $open/stroke:1
	eventually left -lt "$n"
	goes
	kill -KILL $silent
}

@test "J04, F14: while a pull waits for a layer, the layers that it found in the store stay" {
	empty_store
	have alice tools
	rm -f $lab/go
	hangs bad.tre.test/bad-wait-layers/shared:good # the layer of tools, and a layer of its own
	eventually compgen -G "$store/staging/*"
	ces alice rmi $open/tools:1
	ces-client clean
	[ "$(layers)" -eq 1 ]
	compgen -G "$store/staging/*"
	touch $lab/go
	wait $client
	client=
	[ "$(layers)" -eq 2 ]
	ces alice run -q bad.tre.test/bad-wait-layers/shared:good
	ces alice rmi bad.tre.test/bad-wait-layers/shared:good
	eventually left -eq 0
	have alice tools
}

@test "J04: a store of 600 images with 127 layers each delays no user's request, nor the janitor" {
	empty_store
	have alice stroke # (this makes the store's directories)
	tests/lib/make_store.py $store 600 127 4402 bob
	n=$(layers)
	[ "$n" -gt 76000 ]
	have alice tools
	[ "$(inside -- echo ran)" = ran ]
	ces alice rmi $open/stroke:1
	ces-client clean
	# (only what alice removed has gone)
	[ "$(layers)" -ge 76200 ]
	[ "$(ces bob images --format json | jq length)" -eq 600 ]
	# (what bob removes goes in the end, a part at a time)
	rm -r $store/grants/4402
	ces-client clean
	[ "$(layers)" -eq 1 ]
}

@test "J04: a store that the disk is slow to read is still collected" {
	empty_store
	have alice tools
	tests/lib/make_store.py $store 300 2 4402 bob
	rm -r $store/grants/4401
	# (reading the first layers takes eight seconds: nobody may hold the store's lock for so long)
	run strace -f -qq -o /dev/null -e trace=openat2 -e inject=openat2:delay_enter=20000:when=1..400 ces-client clean
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(layers)" -eq 600 ]
	have alice tools
}

@test "J04: a forgotten image leaves the disk, even while another user waits for their run to stop" {
	pull bob $open/tools:1 -q
	stays bob $open/tools:1 'trap "" TERM;'
	as bob ces-client stop -q --time 600 "$(ces bob ps --format json | jq -r '.[0].run')" 3>&- > /dev/null 2>&1 &
	stopping=$!
	eventually pgrep -P $stopping
	have alice stroke
	n=$(layers)
	ces alice rmi $open/stroke:1
	eventually left -lt "$n"
	pkill -KILL -x 'ces-helper|ces-admit|ces-session' # bob's run and his stop
	wait $stopping "$client" || true
	client=
}

# Pulls tools as alice, on a disk that takes five seconds to write what the pull left. Sets $slow to what waits for the disk.
slow_disk()
{
	grep -aq __asan_init /usr/libexec/ces/ces-session && skip "a build with sanitizers" # (strace and they exclude each other)
	eventually no pgrep -x ces-settle
	empty_store
	strace -f -qq -u alice -e signal=none -o /dev/null -e trace=syncfs -e inject=syncfs:delay_exit=5000000 \
		ces-client pull -q $open/tools:1 < /dev/null 3>&- &
	slow=$!
	eventually pgrep -x ces-settle
}

@test "M03: a layer that was fetched again while the disk wrote the one before it still counts as torn after a power cut" {
	slow_disk
	ces alice rmi $open/tools:1
	ces-client clean
	[ "$(layers)" -eq 0 ]
	pull alice $open/tools:1 -q
	eventually no compgen -G "$store/layers/sha256/*/unsettled"
	# (as if the disk had not taken the second one either)
	touch "$(echo $store/layers/sha256/*)/unsettled"
	wait $slow
	compgen -G "$store/layers/sha256/*/unsettled"
}

@test "X: while the disk writes what a pull left, the accounts of the pull's workers are free for the next pull" {
	slow_disk
	for worker in fetch resolve unpack; do flock -n /run/ces/.account-ces-$worker true; done
	ls -l "/proc/$(pgrep -n -x ces-settle)/fd"
	[ "$(find "/proc/$(pgrep -n -x ces-settle)/fd" -lname "$store*" -printf . | wc -c)" -le 3 ]
	wait $slow
	no compgen -G "$store/layers/sha256/*/unsettled"
}

@test "M03: an image whose pull ends while the collector works is kept" {
	empty_store
	rm -f $lab/go
	hangs bad.tre.test/bad-wait-layers/own:good
	eventually compgen -G "$store/locks/layer-*"
	entry=$(echo /run/ces/pull-*)
	cp "$entry/record" $lab/record
	touch $lab/go
	wait $client
	client=
	# (the same, just before its grant: another grant for the image has gone)
	grant=$(echo $store/grants/4401/*)
	mv "$grant" $lab/grant
	mkdir -m 700 /run/ces/0000000001 && mkfifo /run/ces/0000000001/record
	mkdir -m 700 "$entry" && cp $lab/record "$entry/record"
	mkdir -m 700 /run/ces/0000000002 && mkfifo /run/ces/0000000002/record
	flock "$entry" sleep 600 3>&- &
	holder=$!
	eventually no flock -n "$entry" true
	run timeout 60 "$CES_TOP/tests/attack/meanwhile.py" $store/locks "$entry" $lab/grant "$grant" /run/ces/000000000[12]/record
	pkill -KILL -P $holder || true
	rm -rf /run/ces/000000000[12] "$entry"
	echo "$output"
	[ "$status" -eq 0 ]
	ces alice run -q bad.tre.test/bad-wait-layers/own:good true
	empty_store
	have alice tools
}

@test "F13: a user who only names a layer does not get it: the registry of the pull must have it for them" {
	empty_store
	pull alice bad.tre.test/x/own:good -q
	for whole in yes no; do
		# (carol's own registry serves alice's manifest, or another one that names her layers)
		[ $whole = yes ] || rm -r $store/images/sha256/*
		run --separate-stderr ces carol pull --project nsh-2024-0001 bad.tre.test/bad-no-layers/own:good
		[ "$status" -eq 125 ]
		[[ $stderr == *"does not have a part of"* && $stderr != *"already here"* ]]
		run ces carol run --project nsh-2024-0001 bad.tre.test/bad-no-layers/own:good true
		[ "$status" -eq 125 ]
	done
	pull alice bad.tre.test/x/own:good -q
	pull carol bad.tre.test/x/own:good -q --project nsh-2024-0001
	ces carol run -q --project nsh-2024-0001 bad.tre.test/x/own:good true
	empty_store
	have alice tools
}

@test "F13: a user who may not have a layer gets no sign that another fetches it, and does not wait for it" {
	empty_store
	rm -f $lab/go
	hangs bad.tre.test/bad-wait-layers/own:good
	eventually compgen -G "$store/locks/layer-*"
	asked=$(grep -c '"HEAD".*bad-no-layers' $lab/bad.log || true)
	run --separate-stderr ces carol pull --project nsh-2024-0001 bad.tre.test/bad-no-layers/own:good
	[ "$status" -eq 125 ]
	[[ $stderr == *"does not have a part of"* ]]
	# (the registry was asked for it before anything else)
	[ "$(grep -c '"HEAD".*bad-no-layers' $lab/bad.log)" -gt "$asked" ]
	touch $lab/go
	wait $client
	client=
	empty_store
	have alice tools
}

@test "J04: layers of a pull that failed leave the disk" {
	empty_store
	run ces alice pull -q bad.tre.test/bad-small-layers/shared:good
	echo "$output"
	[ "$status" -eq 125 ]
	eventually left -eq 0
	have alice tools
}

@test "F13: an account that has the number of a removed one gets none of its images" {
	pull dave $open/tools:1 -q 2> /dev/null || pull bob $open/stroke:1 -q
	usermod --login robert bob # (for CES: another account with the uid)
	run --separate-stderr setpriv --reuid=4402 --regid=4402 --init-groups --reset-env ces-client run $open/stroke:1 true
	images=$(setpriv --reuid=4402 --regid=4402 --init-groups --reset-env ces-client images --format json)
	usermod --login bob robert
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have no image"* ]]
	[ "$images" = "[]" ]
	ces bob run -q $open/stroke:1 true
}

@test "M03: a damaged grant is nobody's, and its image is collected; one with damaged documents does not run" {
	empty_store
	have alice tools stroke
	n=$(layers)
	pull bob $open/suid:1 -q
	for file in $store/images/sha256/*/manifest; do
		[ "sha256:$(sha256sum < "$file" | cut -c 1-64)" != "$(ces bob inspect --format json $open/suid:1 | jq -r '.. | .digest? // empty' | head -n 1)" ] || printf '{}' > "$file"
	done
	run --separate-stderr ces bob run $open/suid:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"your copy of $open/suid:1 is damaged or gone: pull it again"* ]]
	pull bob $open/suid:1 -q
	ces bob run -q $open/suid:1 true
	for file in $store/grants/4402/*; do printf 'CES1' > "$file"; done
	ces-client clean
	[ "$(layers)" -eq "$n" ]
	run --separate-stderr ces bob run $open/suid:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have no image $open/suid:1 here; type: ces-client pull $open/suid:1"* ]]
	pull bob $open/suid:1 -q
	ces bob run -q $open/suid:1 true
	ces alice run -q $open/tools:1 true
	ces bob rmi $open/suid:1
}

@test "J04: while one user's grants are being changed, images that others have had long enough are removed" {
	empty_store
	have alice tools
	lab_policy '.defaults.retain_images = "1s"'
	have alice stroke
	pull bob $open/suid:1 -q
	[ "$(layers)" -eq 3 ]
	sleep 2.1 # they are kept for so long
	flock $store/grants/4401 sleep 600 3>&- &
	holder=$!
	ces-client clean
	pkill -KILL -P $holder # (flock's child has the lock too)
	[ "$(layers)" -eq 2 ]
	ces-client clean
	[ "$(layers)" -eq 1 ]
}

# The grant as it is when the clock was ten years ahead at the pull, and is right again.
future()
{
	python3 - $store/grants/4401/* <<-'PYTHON'
	import os, struct, sys
	path, ahead = sys.argv[1], 10 * 365 * 86400
	last = int(os.stat(path).st_mtime)
	data = open(path, "rb").read()
	found = [t for t in range(last - 60, last + 2) if struct.pack("<Q", t) in data]
	assert len(found) == 1, found
	open(path, "r+b").write(data.replace(struct.pack("<Q", found[0]), struct.pack("<Q", found[0] + ahead)))
	os.utime(path, (last + ahead, last + ahead))
	PYTHON
}

@test "M03: an image that was pulled while the clock was years ahead is kept from now on for as long as the policy says, and no longer" {
	empty_store
	lab_policy '.defaults.retain_images = "1h"'
	pull alice $open/stroke:1 -q
	future
	ces-client clean
	[ "$(layers)" -ge 1 ]
	ces alice run -q $open/stroke:1 true
	ces alice images --format json | jq -e --argjson now "$(date +%s)" '.[0].pulled | fromdate <= $now'
	touch -d '-50 minutes' $store/grants/4401/*
	ces-client clean
	[ "$(layers)" -ge 1 ]
	touch -d '-70 minutes' $store/grants/4401/*
	ces-client clean
	[ "$(layers)" -eq 0 ]
}

@test "J04: an image that a run uses for longer than unused images are kept stays for the next run" {
	lab_policy '.defaults.retain_images = "10m"'
	empty_store
	pull alice $open/tools:1 -q
	stays alice $open/tools:1
	touch -d '-20 minutes' $store/grants/4401/*
	ces-client clean
	goes
	ces-client clean
	ces alice run -q $open/tools:1 true
	touch -d '-20 minutes' $store/grants/4401/*
	ces-client clean
	[ "$(layers)" -eq 0 ]
	lab_policy
	have alice tools
}

@test "M02: a collection that cannot read everything removes nothing" {
	empty_store
	have alice stroke
	pull bob $open/suid:1 -q
	stays bob $open/suid:1
	ces bob rmi $open/suid:1 # from here on only the run keeps it
	contents() { find $store/images $store/layers -mindepth 2 -maxdepth 2 | sort; }
	all=$(contents)
	[ "$(wc -l <<< "$all")" -eq 5 ]
	for call in openat2 getdents64; do
		for ((n = 1; n <= 40; n++)); do
			strace -f -qq -o /dev/null -e trace=$call -e inject=$call:error=ENOMEM:when=$n ces-client clean > /dev/null 2>&1 || true
			[ "$(contents)" = "$all" ] || { echo "$call $n: $(contents)"; return 1; }
		done
	done
	ces alice run -q $open/stroke:1 true
	goes
}

@test "M02: a list of images of which not all can be read is a failure, and no list" {
	have alice tools
	chmod 755 $store/grants/4401 # (not as root left it)
	run --separate-stderr ces alice images
	chmod 700 $store/grants/4401
	echo "$output $stderr"
	[ "$status" -eq 125 ]
	[ -z "$output" ]
	[[ $stderr == *"not all of your images can be read"* ]]
	[[ $(ces alice images -q) == *$open/tools:1* ]]
}

@test "J04: a forgotten image leaves the disk, even while another user stops their collector before its turn" {
	have alice tools stroke
	n=$(layers)
	# (that of the 600 images above may take its time)
	timeout 120 bash -c 'while pgrep -x ces-collect; do sleep 0.5; done' > /dev/null
	flock $store/locks/next sleep 600 3>&- &
	holder=$!
	eventually no flock -n $store/locks/next true
	touch -d '-3 seconds' $store/locks/next # (no collector had its turn just now)
	ces alice rmi $open/stroke:1
	eventually left -lt "$n"
	pkill -KILL -P $holder
}

@test "J04: with retain_images run, the image is gone with its run, and its bytes with the next collection, even while another user's goes on" {
	pull bob $open/tools:1 -q
	lab_policy '.defaults.retain_images = "run"'
	have alice stroke
	n=$(layers)
	stays bob $open/tools:1
	ces alice run -q $open/stroke:1 true
	[[ $(ces alice images -q) != *stroke* ]]
	ces-client clean
	eventually left -lt "$n"
	lab_policy
	goes
}

@test "F05: a run that ends does not bring an older image back" {
	have alice tools
	lab_push tools epcced/moving:1
	pull alice $open/moving:1 -q
	old=$(ces alice inspect --format json $open/moving:1 | jq -r '.. | .digest? // empty')
	stays alice $open/moving:1
	lab_push stroke epcced/moving:1
	pull alice $open/moving:1 -q
	new=$(ces alice inspect --format json $open/moving:1 | jq -r '.. | .digest? // empty')
	[ "$old" != "$new" ]
	goes
	[ "$(ces alice inspect --format json $open/moving:1 | jq -r '.. | .digest? // empty')" = "$new" ]
}

@test "F13: a run that ends does not bring back an image that was forgotten meanwhile" {
	lab_push tools epcced/forgotten:1
	pull alice $open/forgotten:1 -q
	stays alice $open/forgotten:1
	ces alice rmi $open/forgotten:1
	goes
	run ces alice inspect $open/forgotten:1
	[ "$status" -ne 0 ]
}

@test "M01: another user's dead run, whose cleaning its owner stops, delays nobody" {
	pull bob $open/tools:1 -q
	stays bob $open/tools:1
	as bob sh -c 'cd scratch_* && seq 20000 | xargs touch'
	pkill -KILL -P $client -x 'ces-helper|ces-admit|ces-session'
	wait $client || true
	setpriv --reuid=bob --regid=bob --clear-groups bash -c 'while :; do kill -STOP -1; done' 2> /dev/null 3>&- &
	stopper=$!
	SECONDS=0
	run inside -- echo fine
	[ "$output" = fine ]
	run inside -- echo fine
	[ "$output" = fine ]
	[ $SECONDS -lt 8 ]
	kill -KILL $stopper
	wait $stopper || true
	# lets the stopped process go on
	as bob bash -c 'kill -CONT -1' || true
	eventually no compgen -G '/home/bob/scratch_*'
	tests/lib/chain.py $journal
}

@test "J03: of many starts for the last places, exactly as many win as there are places" {
	lab_policy '.defaults.limits.runs = 2'
	rm -f $lab/won $lab/lost /safe_data/nsh-2024-0001/go
	for i in {1..10}; do
		{ inside -- sh -c 'while [ ! -e /safe_data/go ]; do sleep 0.1; done; echo won' >> $lab/won || echo >> $lab/lost; } \
			2> /dev/null 3>&- &
		pids+=($!)
	done
	eventually bash -c "[ \$(wc -l < $lab/lost) -ge 8 ]"
	touch /safe_data/nsh-2024-0001/go
	wait "${pids[@]}"
	rm /safe_data/nsh-2024-0001/go
	[ "$(wc -l < $lab/won) $(wc -l < $lab/lost)" = "2 8" ]
}
