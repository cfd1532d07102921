#!/usr/bin/env bats
# A pull: logins, media types, digests, progress, and what it shares with others.

load ../lib/e2e.bash

setup_file() { lab_policy; empty_store; }
setup() { remember; }

# Prints how many GETs of blobs the open registry has answered so far.
blobs_served() { grep -c 'GET /v2/[^ ]*/blobs/sha256:' $lab/open.log || true; }

@test "when the registry needs no login, a pull without one works" {
	run --separate-stderr pull alice $open/tools:1
	[ "$status" -eq 0 ]
	run ces alice images
	[[ $output == *"$open/tools:1"* ]]
}

@test "a pull with user name and token from stdin works" {
	run --separate-stderr pull alice $image/tools:1
	[ "$status" -eq 0 ]
}

@test "a pull with a token from a file works" {
	as alice sh -c "umask 077; echo $registry_token > token"
	run --separate-stderr ces alice pull --username $registry_user --token-file token $image/cmd:1
	rm /home/alice/token
	[ "$status" -eq 0 ]
}

@test "a pull with a bearer token works, from an endpoint whose port the user does not write" {
	run --separate-stderr pull alice git.ecdf.ed.ac.uk/epcced/tools:1
	[ "$status" -eq 0 ]
	run inside -- true
	[ "$status" -eq 0 ]
}

@test "a wrong token is refused with the registry's name, and is on record" {
	run --separate-stderr ces alice pull --username $registry_user --token-stdin $image/tools:1 <<< wrong
	refused 'ghcr'
}

@test "a wrong token is refused by a token server too" {
	run --separate-stderr ces alice pull --username $registry_user --token-stdin \
		git.ecdf.ed.ac.uk/epcced/tools:1 <<< wrong
	refused 'git.ecdf.ed.ac.uk'
}

@test "a registry that requires a login is not asked without one" {
	run --separate-stderr ces alice pull $image/tools:1
	refused '--username|token|login|credential'
}

@test "a pull from an endpoint with a path in front works" {
	run --separate-stderr pull alice prefix.tre.test/epcced/tools:1
	[ "$status" -eq 0 ]
}

@test "the token is in no journal, store, command line, environment or log" {
	pull alice $image/entry:1 -q
	no grep -r "$registry_token" $journal $store /run/ces 2> /dev/null
}

@test "an index gives the image of this machine's platform" {
	have alice multi
	from=multi run inside --
	[ "$output" = "$(dpkg --print-architecture 2> /dev/null || uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/')" ]
}

@test "an image with Docker schema 2 media types works" {
	have alice docker
	from=docker run inside -- echo fine
	[ "$output" = fine ]
}

@test "nobody but root can reach the layers" {
	have alice tools
	run as alice ls $store
	[ "$status" -ne 0 ]
	run as alice ls $store/layers
	[ "$status" -ne 0 ]
	[ "$(stat -c '%U %a' $store)" = "root 700" ]
}

@test "a pull by digest works" {
	have alice tools
	digest=$(ces alice images --format json | jq -r '.. | objects | select(.digest?) | .digest' | head -n 1)
	[[ $digest == sha256:* ]]
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/cmd:1 | jq -r .Digest)
	run --separate-stderr pull alice "$open/cmd@$digest"
	[ "$status" -eq 0 ]
	run ces alice run -q "$open/cmd@$digest"
	[ "$output" = "only cmd" ]
}

@test "a digest that the registry does not have is refused" {
	run --separate-stderr pull alice "$open/cmd@sha256:$(printf '0%.0s' {1..64})"
	refused 'not found|no such|unknown|does not have|404'
}

@test "a layer shared by two images is fetched once" {
	empty_store
	pull alice $open/shared-a:1 -q
	before_blobs=$(blobs_served)
	pull alice $open/shared-b:1 -q
	# its configuration and its own layer, without the shared layer
	[ $(($(blobs_served) - before_blobs)) -eq 2 ]
}

@test "a layer of an image that is there is not fetched again, even for another user" {
	pull alice $open/tools:1 -q
	before_blobs=$(blobs_served)
	pull carol $open/tools:1 -q --project nsh-2024-0001
	pull alice $open/tools:1
	# its configuration, once for each
	[ $(($(blobs_served) - before_blobs)) -eq 2 ]
}

@test "an image that one user pulled is absent for another" {
	pull alice $image/tools:1 -q
	run --separate-stderr ces carol run --project nsh-2024-0001 $image/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *pull* ]]
	run ces bob images
	[[ $output != *"$image/tools:1"* ]]
}

@test "without a terminal, progress is plain lines" {
	empty_store
	run --separate-stderr pull alice $open/shared-a:1
	[ "$status" -eq 0 ]
	[[ $stderr != *$'\r'* && $stderr != *$'\e'* ]]
	while IFS= read -r line; do [[ $line == "ces: "* ]]; done <<< "$stderr"
}

@test "on a terminal, there is a progress line for each layer" {
	empty_store
	run as alice script -qec "ces-client pull $open/big:1" /dev/null
	[ "$status" -eq 0 ]
	[[ $output == *$'\e['* || $output == *$'\r'* ]]
}

@test "-q silences progress" {
	run --separate-stderr pull alice $open/shared-b:1 -q
	[ "$status" -eq 0 ]
	[ -z "$stderr" ]
}

@test "an image of 64 layers works" {
	have alice layers64
	from=layers64 run inside -- cat /layer00 /layer62
	[ "$output" = 062 ]
}

@test "when ten users pull one image at once, all succeed" {
	lab_policy '.host.user_limits.pulls = 10'
	empty_store
	pids=()
	for i in {1..10}; do
		pull alice $open/big:1 -q 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	lab_policy
	nothing_left_behind
}

@test "when several users pull images at once, each layer is fetched once" {
	empty_store
	layers=$(jq '.layers | length' "$images/big/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' "$images/big/index.json")")
	before_blobs=$(blobs_served)
	pids=()
	for u in alice alice bob bob carol carol; do
		project=()
		[ $u != carol ] || project=(--project nsh-2024-0001)
		pull $u $open/big:1 -q "${project[@]}" 3>&- &
		pids+=($!)
	done
	for p in "${pids[@]}"; do wait "$p"; done
	# and a configuration for each
	echo "$layers layers, $(($(blobs_served) - before_blobs)) blobs"
	[ $(($(blobs_served) - before_blobs)) -eq $((6 + layers)) ]
	[ -z "$(find $store/locks -name 'layer-*')" ]
	from=big inside -- true
	nothing_left_behind
}

# Starts a pull of alice's that stops in the middle of a layer. Sets $standing to the pid of its session.
standing_pull()
{
	empty_store
	rm -f $store/locks/layer-* # (of a killed pull)
	pull alice $open/big:1 -q 3>&- &
	alices=$!
	eventually bash -c "compgen -G '$store/locks/layer-*'"
	pkill -STOP -x ces-fetch
	standing=$(pgrep -x ces-session -P "$(pgrep -x ces-client)") # (and not one that waits for the disk after an earlier pull)
	kill -STOP "$standing"
}

@test "a pull waits for another's layer, and fetches it itself when that pull dies" {
	standing_pull
	pull bob $open/big:1 -q 3>&- &
	bobs=$!
	sleep 2
	kill -0 $bobs
	kill -KILL "$standing"
	wait $bobs
	pkill -KILL -x ces-fetch || true
	wait $alices || true
	from=big who=bob inside -- true
}

@test "two pulls at once have workers of different accounts, if the site has them" {
	for a in ces-fetch-2 ces-resolve-2 ces-unpack-2; do
		getent passwd $a > /dev/null || useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin $a
	done
	standing_pull
	workers() { ps -C ces-fetch,ces-resolve -o uid= | sort -u | xargs -n 1 id -nu | sort | xargs; }
	[ "$(workers)" = "ces-fetch ces-resolve" ]
	pull bob $open/big:1 -q 3>&- &
	bobs=$!
	both() { [ "$(workers)" = "ces-fetch ces-fetch-2 ces-resolve ces-resolve-2" ]; }
	eventually both
	kill -KILL "$standing"
	pkill -KILL -U ces-fetch -x ces-fetch || true # (it may have ended with its parent)
	wait $alices || true
	wait $bobs
	from=big who=bob inside -- true
	# a third pull at once shares an account: it is not refused
	standing_pull
	(flock 8; pull bob $open/tools:1 -q) 8> /run/ces/.account-ces-fetch-2
	pkill -KILL -x 'ces-fetch|ces-session'
	wait $alices || true
	for a in ces-fetch-2 ces-resolve-2 ces-unpack-2; do userdel $a; done
	who=bob inside -- true
}

@test "a pull that makes no progress delays other pulls of its layer by seconds only" {
	standing_pull
	SECONDS=0
	pull bob $open/big:1 -q
	[ "$SECONDS" -ge 10 ]
	pkill -KILL -x 'ces-fetch|ces-session'
	wait $alices || true
	from=big who=bob inside -- true
}

@test "when a pull is killed, only staging is left, and the next one clears it" {
	empty_store
	pull alice $open/big:1 -q 3>&- &
	eventually bash -c "compgen -G '$store/staging/*'"
	pkill -KILL -x 'ces-helper|ces-admit|ces-session' || true
	wait $! || true
	eventually bash -c '! pgrep "^ces-"'
	[ -z "$(ls -A $store/images/sha256 2> /dev/null)" ]
	pull alice $open/big:1 -q
	eventually rmdir $store/staging
	install -d -m 700 -o ces-store -g ces-store $store/staging
}

# Pulls as alice, and interrupts the pull while the disk takes its time for the grant. (strace delays it.)
interrupt_at_grant() # IMAGE
{
	strace -f -qq -u alice -e signal=none -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=1200000 \
		ces-client pull -q "$1" < /dev/null > $lab/up 2>&1 3>&- &
	eventually bash -c "compgen -G '$store/staging/*/grant'"
	pkill -TERM -x ces-client # (a shell starts it with INT ignored)
	wait $! || true
	cat $lab/up
}

@test "a pull that is interrupted at its last step takes no image away" {
	grep -aq __asan_init /usr/libexec/ces/ces-session && skip "a build with sanitizers" # (strace and they exclude each other)
	lab_push tools epcced/moving:1
	pull alice $open/moving:1 -q
	lab_push stroke epcced/moving:1
	interrupt_at_grant $open/moving:1
	remember
	[[ $(ces alice images -q) == *"$open/moving:1"* ]]
	from=moving run inside -- true
	[ "$status" -eq 0 ]
	nothing_left_behind
}

@test "a disk that needs six seconds for each record fails no pull" {
	grep -aq __asan_init /usr/libexec/ces/ces-session && skip "a build with sanitizers" # (strace and they exclude each other)
	ces alice rmi $open/entry:1 || true
	strace -f -qq -u alice -e signal=none -o /dev/null -e trace=fdatasync -e inject=fdatasync:delay_enter=6000000 \
		ces-client pull -q $open/entry:1 < /dev/null
	[[ $(ces alice images -q) == *"$open/entry:1"* ]]
}

# Makes a small store. (ext4: not every kernel can id-map a tmpfs)
small_store() # SIZE
{
	rm -f $lab/store.img
	truncate -s "$1" $lab/store.img
	mke2fs -q -F -t ext4 -O ^has_journal -m 0 $lab/store.img
	mount -o loop $lab/store.img $store
	rmdir $store/lost+found
	chmod 700 $store
	lab_label
}

@test "an image that cannot fit is refused before anything is fetched, and the message has the figures" {
	lab_policy '.host.store_reserve = "1M"'
	small_store 8M
	remember
	before_blobs=$(blobs_served)
	run --separate-stderr pull alice $open/big:1
	eventually umount $store # an earlier pull may still wait for the disk
	lab_policy
	refused 'no space for the image: its missing layers take at least 25 MiB, .* has [0-9.]+ MiB free'
	[ $(($(blobs_served) - before_blobs)) -eq 1 ] # the configuration
}

@test "when the disk fills up while an image unpacks, the message says so, and nothing is left behind" {
	lab_policy '.host.store_reserve = "1M"'
	small_store 12M
	remember
	run --separate-stderr pull alice $open/zeros:1
	used=$(df --output=used -k $store | tail -n 1)
	eventually umount $store
	lab_policy
	[ "$status" -eq 125 ]
	[[ $stderr == *"ces: "*[Nn]"o space"* ]]
	[ "$used" -lt 1024 ]
}

@test "a missing tag is reported with the nearest ones" {
	run --separate-stderr pull alice $open/tools:2
	refused 'no such tag at .*: epcced/tools:2 \(its tags: 1\)'
	remember
	run --separate-stderr pull alice $image/tools:latest
	refused 'no such tag at .*: epcced/tools:latest \(its tags: 1\)'
}

@test "when an image is there already, a pull says that it is up to date" {
	have alice tools
	run --separate-stderr pull alice $open/tools:1
	[ "$status" -eq 0 ]
	[[ $stderr == "ces: $open/tools:1 is up to date (sha256:"* ]]
}

@test "a login that the registry refuses is reported with the age of the token's file" {
	as alice sh -c "umask 077; echo expired > token; touch -d 2026-01-02T12:00 token"
	run --separate-stderr ces alice pull --username $registry_user --token-file token $image/tools:1
	as alice rm token
	refused 'refused the login for epcced/tools: user name or token is wrong, or the token has expired'
	[[ $stderr == *"ces: the token is from token, written on 2026-01-02"* ]]
}

@test "when a private image wants a login, and the policy leaves that open, the message says so" {
	lab_policy '.registries["ghcr.io"].credentials = "optional"'
	run --separate-stderr ces alice pull $image/tools:1
	refused 'needs a login for epcced/tools: give --username and --token-stdin'
	lab_policy
}

@test "a registry that the policy gives no login gets none, whatever the caller says" {
	lab_policy '.registries["ghcr.io"].credentials = "none"'
	run --separate-stderr ces alice pull --username $registry_user --token-stdin $image/tools:1 <<< "$registry_token"
	lab_policy
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"needs a login"* ]]
}

@test "images lists name, digest and size; rmi forgets an image" {
	have alice tools cmd
	run ces alice images
	[[ $output =~ "$open/tools:1 "\ *[0-9a-f]{12}\ +[0-9.]+\ MiB ]]
	ces alice images --format json | jq -e .
	ces alice rmi $open/cmd:1
	run ces alice images
	[[ $output != *"$open/cmd:1"* ]]
	[[ $output == *"$open/tools:1"* ]]
	run --separate-stderr ces alice run $open/cmd:1
	[ "$status" -eq 125 ]
}

@test "when one user removes an image, the other keeps it" {
	have alice cmd
	pull carol $open/cmd:1 -q --project nsh-2024-0001
	ces alice rmi $open/cmd:1
	run ces carol run -q --project nsh-2024-0001 $open/cmd:1
	[ "$output" = "only cmd" ]
}

@test "a layer that a power cut may have torn is fetched again, and does not run meanwhile" {
	empty_store
	pull alice $open/tools:1 -q
	eventually bash -c "! compgen -G '$store/layers/sha256/*/unsettled'"
	layer=$(ls -d $store/layers/sha256/*)
	printf 00000000-0000-0000-0000-000000000000 > "$layer/unsettled"
	truncate -s 0 "$layer/root/fs/bin/busybox"
	run --separate-stderr ces alice run -q $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *pull* ]]
	run --separate-stderr ces alice inspect $open/tools:1 # (a Slurm job asks so whether to pull)
	[ "$status" -eq 125 ]
	[[ $stderr == *"type: ces-client pull $open/tools:1"* ]]
	pull alice $open/tools:1
	ces alice run -q $open/tools:1 true
}

@test "an image whose ces-settle was killed is settled by its next pull, which is up to date" {
	empty_store
	pull alice $open/tools:1 -q
	eventually bash -c "! compgen -G '$store/layers/sha256/*/unsettled'"
	for layer in $store/layers/sha256/*; do printf %s "$(cat /proc/sys/kernel/random/boot_id)" > "$layer/unsettled"; done
	run --separate-stderr pull alice $open/tools:1
	[ "$status" -eq 0 ]
	[[ $stderr == *"is up to date"* ]]
	eventually bash -c "! compgen -G '$store/layers/sha256/*/unsettled'"
}

@test "rmi frees the space, even while another image runs, and never removes what runs" {
	empty_store
	have alice tools stroke
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q $open/tools:1 sleep 30 3>&- < /dev/null &
	client=$!
	eventually pgrep -fx "sleep 30"
	layers=$(ls $store/layers/sha256 | wc -l)
	ces alice rmi $open/stroke:1
	ces alice rmi $open/tools:1
	eventually bash -c "[ \$(ls $store/layers/sha256 | wc -l) -lt $layers ]"
	[ -e "$(ls -d $store/layers/sha256/*/root/fs/bin/busybox)" ]
	[ -z "$(ls -A $store/staging)" ]
	kill -TERM $client
	wait $client || true
	pull alice $open/stroke:1 -q
	ces alice rmi $open/stroke:1
	eventually rmdir $store/layers/sha256
	install -d -m 700 -o ces-store -g ces-store $store/layers/sha256
}

@test "an image that names the diff_id of a layer that it does not bring gets nothing of it" {
	have alice tools
	forged=$BATS_TEST_TMPDIR/forged
	/usr/bin/python3 - "$images/tools" "$images/stroke" "$forged" <<-'PY'
	import hashlib, json, os, sys
	victim, own, out = sys.argv[1:]
	os.makedirs(out + "/blobs/sha256")
	def blob(layout, digest): return open(f"{layout}/blobs/sha256/{digest[7:]}", "rb").read()
	def add(data):
	    digest = hashlib.sha256(data).hexdigest()
	    open(f"{out}/blobs/sha256/{digest}", "wb").write(data)
	    return {"digest": "sha256:" + digest, "size": len(data)}
	def manifest_of(layout):
	    index = json.load(open(layout + "/index.json"))
	    return json.loads(blob(layout, index["manifests"][0]["digest"]))
	manifest, mine = manifest_of(victim), manifest_of(own)
	layer = dict(mine["layers"][-1], **add(blob(own, mine["layers"][-1]["digest"])))
	manifest["layers"] = [layer] * len(manifest["layers"])
	manifest["config"].update(add(blob(victim, manifest["config"]["digest"])))
	top = dict(mediaType=manifest["mediaType"], **add(json.dumps(manifest).encode()))
	top["annotations"] = {"org.opencontainers.image.ref.name": "latest"}
	json.dump({"schemaVersion": 2, "manifests": [top]}, open(out + "/index.json", "w"))
	open(out + "/oci-layout", "w").write('{"imageLayoutVersion": "1.0.0"}')
	PY
	skopeo --insecure-policy copy --quiet --preserve-digests --dest-cert-dir $lab/trust \
		"oci:$forged" docker://open.tre.test:5001/epcced/forged:1
	remember
	run --separate-stderr ces alice pull -q $open/forged:1
	refused 'layer'
}

@test "when the helper is killed after it recorded a pull's end, the journal has no second end" {
	local entry
	standing_pull
	entry=$(cd /run/ces && echo pull-*)
	cp -a /run/ces/"$entry" $lab/entry
	kill -CONT "$standing"
	pkill -CONT -x ces-fetch
	wait $alices
	# what is there if the helper is killed a moment before it leaves the register
	cp -a $lab/entry /run/ces/"$entry"
	have alice tools
	[ ! -e /run/ces/"$entry" ]
	journal_new -s -e --arg pull "$entry" 'map(select(.event == "end" and .pull == $pull)) | length == 1 and .[0].status == 0' > /dev/null
	rm -rf $lab/entry
}
