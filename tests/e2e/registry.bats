#!/usr/bin/env bats
# Registries that are down, slow or hostile, and images that no registry should have. Each gives a clear line, 125 and one
# record, and leaves nothing behind. The first component of the repository says how tests/lib/lab/bad_registry.py misbehaves.

load ../lib/e2e.bash

setup_file() { lab_policy; empty_store; }
setup() { remember; }

bad=bad.tre.test

# Fails if the file exists that the hostile images aim at, or if something of these images was kept.
no_canary()
{
	[ ! -e /tmp/canary ]
	[ -z "$(find $store -name canary -o -name stolen 2> /dev/null)" ]
}

pull_refused() # IMAGE PATTERN
{
	remember
	run --separate-stderr timeout 150 setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client pull "$1"
	echo "$1"
	refused "$2"
	no_canary
}

# Prints how many connections reached the registry that plays another host.
strangers() { wc -l < $lab/open.log; }

@test "a registry that is down is refused" {
	pull_refused down.tre.test/epcced/tools:1 'down.tre.test'
}

@test "a registry with a certificate of an authority that the policy does not name is refused" {
	pull_refused stranger.tre.test/epcced/tools:1 'certificate'
}

@test "a registry with a certificate for another name is refused" {
	pull_refused othername.tre.test/epcced/tools:1 'certificate'
}

@test "a well-behaved registry serves the same image" {
	run --separate-stderr pull alice $bad/fine/image:good
	echo "$stderr"
	[ "$status" -eq 0 ]
	[ -n "$(ls $store/images/sha256)" ]
}

@test "a connection that drops is resumed at the same place" {
	empty_store
	: > $lab/bad.log
	run --separate-stderr pull alice $bad/bad-drop-once/resume:good
	echo "$stderr"
	[ "$status" -eq 0 ]
	jq -e 'select(.range != null and .range != "bytes=0-")' $lab/bad.log
}

@test "when the registry ignores or garbles the range, a connection that drops is resumed or refused" {
	for m in drop-norange drop-wrongrange; do
		empty_store
		run --separate-stderr pull alice $bad/bad-$m/x:good
		echo "$m: $status $stderr"
		[ "$status" -eq 0 ] || [ "$status" -eq 125 ]
		[ "$status" -eq 0 ] || [ -z "$(ls -A $store/images/sha256 2> /dev/null)" ]
	done
}

@test "a registry that is busy or fails once is asked again" {
	for m in error-once busy-once; do
		empty_store
		run --separate-stderr pull alice $bad/bad-$m/x:good
		echo "$m: $status $stderr"
		[ "$status" -eq 0 ]
	done
}

@test "a layer with the wrong digest, length or end is refused" {
	for m in digest longer shorter long-length short-length endless drop-always; do
		empty_store
		pull_refused $bad/bad-$m/x:good 'ces: '
		[ -z "$(ls -A $store/images/sha256 2> /dev/null)" ]
	done
}

@test "a manifest with the wrong bytes is refused" {
	digest=$(jq -r '.manifests[] | select(.annotations[] == "good") | .digest' build/images/bad/index.json)
	for m in digest wrong-tag; do
		pull_refused "$bad/bad-manifest-$m/x@$digest" 'digest'
	done
}

@test "a manifest of 100 MB, without end, or in a compression that was not asked for is refused" {
	for m in huge endless gzip transfer-gzip headers; do
		pull_refused $bad/bad-manifest-$m/x:good 'ces: '
	done
}

@test "a registry that answers nothing, garbage or errors is refused" {
	for m in silent garbage error-500 error-403 error-404; do
		pull_refused $bad/bad-manifest-$m/x:good 'ces: '
		[[ $stderr != *$'\e'* ]]
	done
}

@test "a registry that refuses every login is refused" {
	for m in login-never login-odd; do
		pull_refused $bad/bad-$m/x:good 'ces: '
	done
}

@test "a registry that redirects elsewhere is refused, and nobody connects there" {
	n=$(strangers)
	for m in redirect-elsewhere redirect-http redirect-file redirect-user redirect-metadata redirect-loop; do
		empty_store
		pull_refused $bad/bad-$m/x:good 'ces: '
	done
	[ "$(strangers)" -eq "$n" ]
}

@test "a redirect within the registry is followed" {
	empty_store
	run --separate-stderr pull alice $bad/bad-redirect/x:good
	echo "$stderr"
	[ "$status" -eq 0 ]
}

@test "a login server on another host gets no connection and no credential" {
	n=$(strangers)
	for m in realm-elsewhere realm-http realm-metadata realm-two; do
		remember
		run --separate-stderr timeout 150 setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
			ces-client pull --username $registry_user --token-stdin $bad/bad-$m/x:good <<< "$registry_token"
		echo "$m"
		refused 'ces: '
	done
	[ "$(strangers)" -eq "$n" ]
}

@test "a registry that is slow is given up soon" {
	SECONDS=0
	pull_refused $bad/bad-manifest-stall/x:good 'ces: '
	[ $SECONDS -lt 150 ]
}

# killed_in_a_layer PROGRAM PATTERN: fails unless a pull prints PATTERN when PROGRAM dies in the middle of a layer.
killed_in_a_layer()
{
	empty_store
	remember
	pull alice $bad/bad-drip-layers/x:good > $lab/drip.out 2> $lab/drip.err 3>&- &
	client=$!
	eventually bash -c "[ -n \"\$(find $store/staging -path '*/fs/*' -print -quit)\" ]"
	kill -KILL $(pgrep -x "$1")
	status=0
	wait $client || status=$?
	output=$(cat $lab/drip.out) stderr=$(cat $lab/drip.err)
	refused "$2"
}

@test "when a worker dies in the middle of a layer, its death is reported, not the effect on the other worker" {
	killed_in_a_layer ces-unpack 'unpacking ended without an answer'
	killed_in_a_layer ces-fetch 'ces-fetch ended unexpectedly'
	killed_in_a_layer ces-resolve 'ces-resolve ended unexpectedly'
}

@test "a manifest that is served as another type than it says is refused" {
	for m in index docker; do
		empty_store
		pull_refused $bad/bad-manifest-type-$m/x:good 'served as'
	done
	for m in two list; do pull_refused $bad/bad-manifest-type-$m/x:good 'two types'; done
	pull_refused $bad/bad-manifest-type-index/x:untyped 'served as'
}

@test "a type that says nothing, or the same in another way, is accepted" {
	for m in none json charset; do
		empty_store
		run --separate-stderr pull alice $bad/bad-manifest-type-$m/x:good
		echo "$m: $status $stderr"
		[ "$status" -eq 0 ]
	done
	for m in x bad-manifest-type-docker bad-manifest-type-none; do
		empty_store
		run --separate-stderr pull alice $bad/$m/y:untyped
		echo "$m: $status $stderr"
		[ "$status" -eq 0 ]
	done
}

@test "a manifest with both layers and manifests is refused" { pull_refused $bad/x/y:both 'index|manifest'; }
@test "an index without this machine's platform is refused" { pull_refused $open/foreign:1 'linux'; }
@test "a manifest that is not JSON, or too deep, is refused" {
	pull_refused $bad/x/y:garbage 'ces: '
	pull_refused $bad/x/y:deep-json 'ces: '
}

@test "a manifest or configuration with names that only some readers know is refused" {
	pull_refused $bad/x/y:case '"Manifests"'
	pull_refused $bad/x/y:case-twins 'only in case'
	pull_refused $bad/x/y:config-case '"user"'
}

@test "a manifest with impossible layers is refused" {
	for t in schema1 no-layers many-layers size-negative size-huge size-low size-high digest-odd digest-md5; do
		empty_store
		pull_refused $bad/x/y:$t 'ces: '
	done
}

@test "layers of a type that CES does not unpack are refused; their urls are never fetched" {
	pull_refused $bad/x/y:squashfs 'squashfs'
	pull_refused $bad/x/y:foreign-layer 'ces: '
}

@test "a configuration that does not fit its layers is refused" {
	for t in diffid diffid-missing diffid-extra config-array config-twice config-workdir arch; do
		empty_store
		pull_refused $bad/x/y:$t 'ces: '
	done
}

@test "a layer that is cut short, or has more bytes behind it, is refused" {
	for t in gzip-cut gzip-trailing; do
		empty_store
		pull_refused $bad/x/y:$t 'ces: '
	done
}

@test "a decompression bomb is refused" {
	pull_refused $bad/x/y:bomb 'ces: '
	[ "$(du -sm $store | cut -f1)" -lt 50 ]
}

@test "a layer with .. in a name is refused" {
	pull_refused $bad/x/y:layer-dotdot 'leaves'
	pull_refused $bad/x/y:layer-dotdot-inside 'leaves'
}

@test "a hard link out of the image is refused" {
	for t in hardlink-out hardlink-up; do
		pull_refused $bad/x/y:layer-$t 'ces: '
	done
}

@test "a layer that is refused ends the pull at once, even while another one still comes" {
	SECONDS=0
	pull_refused $bad/bad-drip-layers/refused:layer-hardlink-out 'stolen.*hard link'
	[ "$SECONDS" -lt 12 ]
}

@test "absolute names and links out stay inside the image, or are refused" {
	for t in absolute link-out link-up; do
		remember
		run --separate-stderr pull alice $bad/x/y:layer-$t
		echo "$t: $status $stderr"
		[ "$status" -eq 0 ] || refused 'ces: '
		[ ! -e /tmp/canary ]
		nothing_left_behind
	done
}

@test "devices and FIFOs of a layer do not exist in the container" {
	for t in device fifo; do
		remember
		run --separate-stderr pull alice $bad/x/y:layer-$t
		echo "$t: $status $stderr"
		[ "$status" -eq 0 ] || refused 'ces: '
		[ -z "$(find $store/layers/sha256/*/root/fs -type b -o -type c -o -type p 2> /dev/null)" ]
	done
}

@test "malformed whiteouts and absurd depths are refused" {
	empty_store
	for t in whiteout-up deep; do
		pull_refused $bad/x/y:layer-$t 'ces: '
	done
}

# Starts a forward proxy of the site. It resolves names that this machine cannot.
forward_proxy() # HOSTS-FILE
{
	unshare --mount sh -c 'mount --bind "$1" /etc/hosts && exec tests/lib/lab/little_proxy.py "$2" 8200 "$3"' - \
		"$1" $lab_address $lab/forward.log > $lab/forward 2>&1 3>&- &
	forward=$!
	lab_wait_port 8200 $lab/forward
}

@test "a pull goes through the policy's forward proxy: CES connects to it alone, and it looks up the names" {
	local through='.registries["elsewhere.tre.test"] = (.registries["open.tre.test"] | .endpoint = "https://elsewhere.tre.test:5001")
		| .projects["nsh-2024-0001"].images += [{allow: "elsewhere.tre.test/epcced/*"}]'
	cp /etc/hosts $lab/hosts
	sed -i '/elsewhere/d' /etc/hosts
	forward_proxy $lab/hosts
	lab_policy "$through"
	run ces alice pull elsewhere.tre.test/epcced/tools:1
	[ "$status" -eq 125 ]
	[[ $output == *"its name cannot be resolved"* ]]
	through+=' | .registries[].proxy = "http://'$lab_address':8200"'
	lab_policy "$through"
	run ces alice explain pull elsewhere.tre.test/epcced/tools:1
	[[ $output == *"from https://elsewhere.tre.test:5001 through the proxy http://$lab_address:8200"* ]]
	run ces alice pull elsewhere.tre.test/epcced/tools:1
	echo "$output"
	[ "$status" -eq 0 ]
	journal_new -se --arg p "http://$lab_address:8200" 'map(select(.verb == "pull" and .outcome == "allowed")) | last.proxy == $p'
	# (the registry's tokens come from another host)
	pull alice git.ecdf.ed.ac.uk/epcced/tools:1
	[ "$(cut -d' ' -f1,2 $lab/forward.log | sort -u)" = "$(printf 'CONNECT %s\n' elsewhere.tre.test:5001 git.ecdf.ed.ac.uk:505{0,1})" ]
	# a name that the proxy does not know, and a proxy that is not there
	cp /etc/hosts $lab/hosts # (now it does not know the name either)
	run ces alice pull elsewhere.tre.test/epcced/cmd:1
	echo "$output"
	[ "$status" -eq 125 ]
	[[ $output == *"the proxy http://$lab_address:8200 refuses to connect to https://elsewhere.tre.test:5001 (status 502)"* ]]
	kill $forward
	run ces alice pull elsewhere.tre.test/epcced/cmd:1
	[ "$status" -eq 125 ]
	[[ $output == *"cannot reach the proxy http://$lab_address:8200: connection refused"* ]]
	ces alice rmi elsewhere.tre.test/epcced/tools:1 git.ecdf.ed.ac.uk/epcced/tools:1
	printf '%s elsewhere.tre.test\n' $lab_address >> /etc/hosts
	lab_policy
}

@test "diff, explain and report of a policy name a forward proxy" {
	jq '.registries["ghcr.io"].proxy = "http://proxy.tre.test:3128"' tests/lib/lab/policy.json > $lab/new.json
	run ces-policy diff tests/lib/lab/policy.json $lab/new.json
	[ "$status" -eq 1 ]
	[[ $output == *"WIDER registry ghcr.io: reached through http://proxy.tre.test:3128 instead of no proxy"* ]]
	run ces-policy explain $lab/new.json
	[[ $output == *"at https://ghcr-proxy.tre.test:5000 through the proxy http://proxy.tre.test:3128, login required"* ]]
	ces-policy report $lab/new.json | grep -q 'ghcr-proxy.tre.test:5000, through the proxy http://proxy.tre.test:3128'
}
