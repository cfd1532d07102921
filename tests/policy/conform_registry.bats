#!/usr/bin/env bats
# ces-policy conform, of an image in a registry: docker-registry with TLS, with a password and with tokens, and a registry
# that misbehaves.

load common.bash
load conform.bash
load ../lib/fetch.bash

# An image for two platforms, of which one keeps all rules, and one with a secret and an old tag, in three registries.
setup_file()
{
	export dir=$BATS_FILE_TMPDIR B=${B:-build}
	[ -x "$top/$B/ces-fetch" ] || env -u MAKEFLAGS make -s -C "$top" "$B/ces-fetch" B="$B" >&2
	cd "$dir" || return 1
	certificates
	images > images.out 2>&1 || { cat images.out >&2; return 1; }
	basic=$(free_port) anonymous=$(free_port) bearer=$(free_port)
	start tokens "$top/tests/lib/lab/token_server.py" --cert server.pem --key server.key --sign-cert sign.pem --sign-key sign.key \
		--user researcher --password s3cret --ready tokens.port --log tokens.log
	tokens=$(cat tokens.port)
	start bad "$top/tests/lib/lab/bad_registry.py" --cert server.pem --key server.key --layout img --ready bad.port --log bad.log
	bad=$(cat bad.port)
	htpasswd -Bbc htpasswd researcher s3cret 2> /dev/null
	registry anonymous "$anonymous"
	registry basic "$basic" "auth: { htpasswd: { realm: lab, path: $dir/htpasswd } }"
	registry bearer "$bearer" "auth: { token: { realm: 'https://auth.localhost:$tokens/token', service: 'test registry', issuer: 'test token server', rootcertbundle: $dir/sign.pem } }"
	skopeo --insecure-policy copy -q --all --dest-tls-verify=false oci:img "docker://localhost:$anonymous/lab/tool:1"
	skopeo --insecure-policy copy -q --dest-tls-verify=false oci:secret "docker://localhost:$anonymous/lab/secret:0.9"
	export basic anonymous bearer tokens bad
}

# The parts of conform.bash write the layout img of the directory that they are in.
images()
{
	new
	base
	mkdir $tree/root
	head -c 3000 /dev/urandom > $tree/root/.netrc
	layer
	made
	mv img secret
	new
	base
	layer
	base # (a second layer)
	layer zstd
	made '.architecture = "arm64"'
	arm=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "arm64"}}' img/index.json)
	made
	amd=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "amd64"}}' img/index.json)
	jq -n --argjson a "$arm" --argjson b "$amd" '{schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [$a, $b]}' > all.json
	jq -n --argjson m "$(blob all.json application/vnd.oci.image.index.v1+json)" \
		'{schemaVersion: 2, manifests: [$m + {annotations: {"org.opencontainers.image.ref.name": "1"}}]}' > img/index.json
	jq -r .digest <<< "$amd" > amd
	jq -r .digest <<< "$arm" > arm
	jq -r '.manifests[0].digest' img/index.json > index
}

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	unset REGISTRY_AUTH_FILE DOCKER_CONFIG XDG_CONFIG_HOME XDG_RUNTIME_DIR
	export HOME=$BATS_TEST_TMPDIR
	chmod 755 "$HOME"
}

asked() { run conform --ca "$dir/ca.pem" "$@"; }
good() { [ "$status" -eq 0 ] && says ": 0 errors, 0 warnings, 0 notes; 2 layers"; }
none() { [ "$status" -eq 2 ] && says "$1"; }

# login KEY USER PASSWORD: the document that podman login and docker login write.
login() { jq -n --arg k "$1" --arg a "$(printf '%s:%s' "$2" "$3" | base64 -w0)" '{auths: {"other.example": {auth: "x"}, ($k): {auth: $a}}}'; }

@test "an image in a registry is checked as it is in a directory, and no image is kept" {
	asked --strict "localhost:$anonymous/lab/tool:1"
	good
	asked "docker://localhost:$anonymous/lab/secret:0.9"
	[ "$status" -eq 1 ]
	says "layer 1: /root/.netrc"
	[ -z "$(ls -A)" ]
	asked --format json "localhost:$anonymous/lab/secret:0.9"
	of_registry=$(jq 'del(.file)' <<< "$output")
	run conform --format json "$dir/secret"
	[ "$(jq 'del(.file)' <<< "$output")" = "$of_registry" ]
}

@test "the manifest of an index for linux/amd64, or for the requested platform, is read" {
	asked --format json "localhost:$anonymous/lab/tool:1"
	[ "$(jq -r .digest <<< "$output")" = "$(cat "$dir/amd")" ]
	asked --format json --platform linux/arm64 "localhost:$anonymous/lab/tool@$(cat "$dir/index")"
	[ "$(jq -r .digest <<< "$output")" = "$(cat "$dir/arm")" ]
	jq -e '.findings == []' <<< "$output"
	asked --format json --platform linux/arm64 "localhost:$anonymous/lab/tool@$(cat "$dir/amd")"
	found C103
}

@test "a registry that wants a login gets the login of the command line" {
	asked "localhost:$basic/lab/tool:1" < /dev/null
	none "https://localhost:$basic needs a login for lab/tool: give --username and --token-stdin"
	asked --username researcher --token-stdin "localhost:$basic/lab/tool:1" <<< s3cret
	good
	asked --username researcher --token-stdin "localhost:$basic/lab/tool:1" <<< wrong
	none "refused the login for lab/tool: user name or token is wrong"
	asked --username researcher --token-stdin "localhost:$basic/lab/tool:1" < /dev/null
	none "the token is empty"
	asked --username researcher "localhost:$basic/lab/tool:1"
	none "--username and --token-stdin belong together"
}

@test "the login comes from the files that podman, skopeo and Docker write, in their order" {
	login "localhost:$basic" researcher s3cret > mine.json
	REGISTRY_AUTH_FILE=$PWD/mine.json asked "localhost:$basic/lab/tool:1"
	good
	mkdir -p .docker .config/containers run/containers
	login "https://localhost:$basic/v2/" researcher s3cret > .docker/config.json
	asked "localhost:$basic/lab/tool:1"
	good
	login "localhost:$basic/lab" researcher s3cret | jq --arg k "localhost:$basic" '.auths[$k] = {auth: "d3JvbmcK"} | .credsStore = "pass"' > .config/containers/auth.json
	asked "localhost:$basic/lab/tool:1"
	good
	login "localhost:$basic/lab/tool" researcher wrong > run/containers/auth.json
	XDG_RUNTIME_DIR=$PWD/run asked "localhost:$basic/lab/tool:1"
	none "user name or token is wrong"
	rm -r .docker .config
	login "localhost:$basic/lab/too" researcher s3cret > mine.json
	REGISTRY_AUTH_FILE=$PWD/mine.json asked "localhost:$basic/lab/tool:1"
	none "needs a login"
	echo '{"auths": {"x": {}, "x": {}}}' > mine.json
	REGISTRY_AUTH_FILE=$PWD/mine.json asked "localhost:$basic/lab/tool:1"
	none "the file of logins: "
	REGISTRY_AUTH_FILE=$PWD/absent asked "localhost:$basic/lab/tool:1"
	none "absent: No such file"
}

@test "what podman login writes is read" {
	echo s3cret | skopeo login --tls-verify=false --authfile "$PWD/auth.json" -u researcher --password-stdin "localhost:$basic"
	REGISTRY_AUTH_FILE=$PWD/auth.json asked "localhost:$basic/lab/tool:1"
	good
}

@test "a token server gets the login only when --token-host names it" {
	before=$(count "$dir/tokens.log")
	asked --username researcher --token-stdin "localhost:$bearer/lab/tool:1" <<< s3cret
	none "https://auth.localhost:$tokens, which is not among this registry's token_hosts; if you trust it, type --token-host HOST"
	[ "$(count "$dir/tokens.log")" = "$before" ]
	asked --token-host "auth.localhost:$tokens" --username researcher --token-stdin "localhost:$bearer/lab/tool:1" <<< s3cret
	good
}

@test "an unknown tag is reported with the existing ones" {
	asked "localhost:$anonymous/lab/secret:1.0"
	none "no such tag at https://localhost:$anonymous: lab/secret:1.0 (its tags: 0.9)"
	asked "localhost:$anonymous/lab/absent:1"
	none "no such image or tag"
}

@test "a registry is trusted by the named authority, or else by the machine's" {
	run conform "localhost:$anonymous/lab/tool:1"
	none "the certificate of https://localhost:$anonymous "
	asked "localhost:$(free_port)/lab/tool:1"
	none "cannot reach https://localhost:"
	run conform --ca "$dir/absent.pem" "localhost:$anonymous/lab/tool:1"
	none "absent.pem: No such file"
}

@test "a proxy in the environment is ignored, and one on the command line is used" {
	https_proxy=http://127.0.0.1:1 ALL_PROXY=http://127.0.0.1:1 asked "localhost:$anonymous/lab/tool:1"
	good
	asked --proxy http://127.0.0.1:1 "localhost:$anonymous/lab/tool:1"
	none "cannot reach the proxy http://127.0.0.1:1"
}

@test "a registry that sends other bytes, fewer, more, or none to the end is an error" {
	asked --format json "localhost:$bad/bad-digest/a:1"
	found C101 '.severity == "error" and (.text | contains("another digest"))'
	[ "$status" -eq 1 ]
	asked --format json "localhost:$bad/bad-manifest-digest/a@$(cat "$dir/index")"
	found C101
	for mode in endless longer long-length huge headers gzip redirect-metadata redirect-http error-403 no-layers; do
		asked "localhost:$bad/bad-$mode/a:1"
		[ "$status" -eq 2 ] || { echo "$mode: $status: $output"; return 1; }
		says_not errors,
	done
	asked "localhost:$bad/bad-manifest-huge/a:1"
	none "more than"
	asked "localhost:$bad/bad-drop-once/a:1"
	good
}

@test "a manifest that the registry serves as another type is refused" {
	asked --format json "localhost:$bad/bad-manifest-type-docker/a@$(cat "$dir/amd")"
	found C102 '.text | contains("which it is not")'
	asked --format json "localhost:$bad/bad-manifest-type-json/a:1"
	jq -e '.findings == []' <<< "$output"
}

@test "layers that are larger than --max-size are not fetched" {
	asked --format json --max-size 2K "localhost:$anonymous/lab/secret:0.9"
	found C102 '.text == "the layers are larger than --max-size allows"'
	found_not C007
}

@test "the program that speaks with a registry is ces-fetch, and ces-policy has no code for it" {
	run ldd "$top/$B/ces-policy"
	says libjson-c
	says_not libcurl
	says_not libssl
	mkdir alone
	cp "$top/$B/ces-policy" alone
	chmod 755 alone
	run alone/ces-policy conform --ca "$dir/ca.pem" "localhost:$anonymous/lab/tool:1"
	[ -x /usr/libexec/ces/ces-fetch ] || none "to ask a registry, ces-policy needs ces-fetch, of the package ces: /usr/libexec/ces/ces-fetch"
}

@test "a name that is neither a path nor an image says what to type" {
	run conform absent
	none "absent: No such file or directory"
	run conform ./absent/tool:1
	none "./absent/tool:1: No such file or directory"
	run conform tool:1
	none "there is no file or directory tool:1: the image 'tool:1' names no registry"
	run conform oci:stroke
	none "type the directory alone: stroke"
	run conform docker://Ghcr.io/X
	none "is not an image name"
}

@test "when ces-policy is ended, ces-fetch ends" {
	for signal in TERM KILL; do
		"$top/$B/ces-policy" conform --ca "$dir/ca.pem" "localhost:$bad/bad-stall/a:1" > out 2>&1 3>&- < /dev/null &
		pid=$!
		eventually pgrep -P $pid -x ces-fetch > /dev/null
		worker=$(pgrep -P $pid -x ces-fetch)
		kill -$signal $pid
		eventually ended "$worker"
		wait $pid || true
	done
}
ended() { [ ! -d "/proc/$1" ] || grep -q '^State:.*Z' "/proc/$1/status"; }
