#!/usr/bin/env bats
# ces-policy conform, of an image: its index, manifest and configuration.

load common.bash
load conform.bash

@test "an image that keeps all rules has no finding, with each compression and as skopeo writes it" {
	for how in none gzip zstd; do
		new
		base
		layer $how
		made
		jq -e '.findings == [] and .platform == "linux/amd64" and .layers == 1 and .size > 0 and .kind == "image"' <<< "$output"
	done
	skopeo copy -q oci:img dir:flat
	run conform --strict flat
	[ "$status" -eq 0 ]
	says "flat: 0 errors, 0 warnings, 0 notes; 1 layer"
	skopeo copy -q oci:img oci:again:1
	run conform --strict again
	[ "$status" -eq 0 ]
}

@test "a layout with several images needs --ref, which names one" {
	new
	base
	layer
	made
	skopeo copy -q oci:img oci:both:one
	made '.config.Entrypoint = ["bash"]'
	skopeo copy -q oci:img oci:both:two
	run conform both
	[ "$status" -eq 2 ]
	says "one, two"
	run conform --strict --ref one both
	[ "$status" -eq 0 ]
	run conform --ref two both
	[ "$status" -eq 0 ]
	says "CES-C013"
	run conform --ref three both
	[ "$status" -eq 2 ]
	says "no image has the name three"
}

@test "when an index is inside the index, the manifest for linux/amd64 or for the requested platform is read" {
	new
	base
	layer
	made '.architecture = "arm64" | .config.Entrypoint = ["arm"]'
	arm=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "arm64"}}' img/index.json)
	made
	amd=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "amd64"}}' img/index.json)
	jq -n --argjson a "$arm" --argjson b "$amd" '{schemaVersion: 2, manifests: [$a, {mediaType: $a.mediaType, digest: $a.digest, size: $a.size,
		platform: {os: "unknown", architecture: "unknown"}}, $b]}' > nested.json
	jq -n --argjson m "$(blob nested.json application/vnd.oci.image.index.v1+json)" '{schemaVersion: 2, manifests: [$m]}' > img/index.json
	run conform --format json img
	jq -e --argjson b "$amd" '.findings == [] and .digest == $b.digest' <<< "$output"
	run conform --format json --platform linux/arm64 img
	jq -e --argjson a "$arm" '.findings == [] and .digest == $a.digest' <<< "$output"
}

@test "an image for another platform is an error" {
	new
	base
	layer
	made '.architecture = "s390x"'
	found C103 '.severity == "error" and (.text | contains("linux/s390x, and not for linux/amd64"))'
	[ "$status" -eq 1 ]
	made '.os = "windows"'
	found C103
	made
	run conform --format json --platform linux/arm64 img
	found C103 '.write == "Build it with --platform linux/arm64."'
}

@test "an image without a command is an error, a bare shell a warning, a download an error" {
	new
	base
	layer
	made 'del(.config.Entrypoint)'
	found C011 '.severity == "error" and .path == "configuration"'
	made '.config.Entrypoint = ["/bin/bash"]'
	found C013
	made '.config.Entrypoint = ["/bin/sh", "-c", "python3"]'
	found C013
	made '.config.Entrypoint = ["/bin/sh", "-c"] | .config.Cmd = ["pip install x; python y"]'
	found C014
	made '.config.Entrypoint = ["/bin/bash"] | .config.Cmd = ["run.sh"]'
	found_not C013
}

@test "USER, passwords, labels and TMPDIR of an image are checked" {
	new
	base
	mkdir -p $tree/opt/{shared,mine}
	chmod 755 $tree/opt $tree/opt/mine
	chmod 1777 $tree/opt/shared
	layer
	for user in '""' '"root"' '"0:5"' null; do
		made ".config.User = $user"
		found C016 '.severity == "note"'
	done
	made '.config.Env = ["PATH=/bin", "DB_PASSWORD=hunter2"]'
	found C008 '.severity == "error"'
	[[ $output != *hunter2* ]]
	made '.history = [{created_by: "RUN |1 NPM_TOKEN=hunter2 /bin/sh -c npm ci # buildkit"}, {created_by: "ARG X"}, 3, {}]'
	found C008 '.path == "history" and .text == "step 1 holds a secret: NPM_TOKEN"'
	[[ $output != *hunter2* ]]
	made '.history = [{created_by: "/bin/sh -c #(nop)  ENV GPG_KEY=A035C8"}, {created_by: "RUN pip install x"}]'
	found_not C008
	made 'del(.config.Labels["org.opencontainers.image.version"])'
	found C107 '.severity == "note" and .text == "it has no label org.opencontainers.image.version"'
	made 'del(.config.Labels)'
	found C107 '.text | contains("source, org.opencontainers.image.licenses, ")'
	for dir in /none /opt/mine /scratch/x relative; do
		made ".config.Env = [\"TMPDIR=$dir\"]"
		found C108 '.severity == "warning"'
	done
	for dir in /tmp /scratch/ /opt/shared /dev/shm; do
		made ".config.Env = [\"TMPDIR=$dir\", \"TMP=$dir\"]"
		found_not C108
	done
}

@test "more than 127 layers are an error, and more than 10 GiB a note" {
	new
	base
	layer
	made . '.layers = [range(128) as $i | .layers[0]]'
	found C104 '.severity == "error" and (.text | contains("128 layers"))'
	[ "$status" -eq 1 ]
	made . '.layers[0].size = 11811160064'
	found C106 '.severity == "note" and (.text | contains("11 GiB"))'
	found C101
	made
	found_not C104
	found_not C106
}

@test "diff_ids that do not match the layers are an error" {
	new
	base
	layer
	made '.rootfs.diff_ids += .rootfs.diff_ids'
	found C105 '.severity == "error" and .text == "it names 2 layers, the manifest 1"'
	made '.rootfs.diff_ids = ["x"]'
	found C105
	made '.rootfs.diff_ids[0] |= sub("...$"; "000")'
	found C101 '.layer == 1 and (.text | contains("diff_id"))'
}

@test "a blob that is missing, cut off, changed, a link or a FIFO is an error, and nothing hangs" {
	for what in layer config manifest; do
		for how in rm cut change link fifo directory; do
			new
			base
			layer
			made
			m=img/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' img/index.json)
			case $what in
			layer) b=img/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$m") ;;
			config) b=img/blobs/sha256/$(jq -r '.config.digest[7:]' "$m") ;;
			manifest) b=$m ;;
			esac
			cp "$b" saved
			case $how in
			rm) rm "$b" ;;
			cut) truncate -s -9 "$b" ;;
			change) printf x | dd of="$b" bs=1 seek=30 conv=notrunc status=none ;;
			link) ln -sf "$PWD/saved" "$b" ;;
			fifo) rm "$b" && mkfifo "$b" ;;
			directory) rm "$b" && mkdir "$b" ;;
			esac
			run conform --format json img
			echo "$what $how: $output"
			[ "$status" -eq 1 ]
			found C101 '.severity == "error"'
			found_not C006 # it says nothing of what it has not read
		done
	done
}

@test "an index or a version of the layout that cannot be understood ends with 2" {
	new
	base
	layer
	made
	cp img/index.json index
	while IFS= read -r text; do
		printf "$text" > img/index.json
		run conform img
		echo "$text: $output"
		[ "$status" -eq 2 ]
		printable
	done <<- 'EOT'

		x
		{}
		[]
		{"manifests": 3}
		{"manifests": []}
		{"manifests": [3]}
		{"manifests": [{"digest": "sha256:x"}]}
		{"manifests": [{"digest": "../../../etc/passwd"}]}
		{"manifests": [], "manifests": []}
		{"manifests": [], "Manifests": []}
		{"manifests": [{"digest": "\033[31m", "mediaType": "\\u001b[31m"}]}
	EOT
	truncate -s 200M img/index.json
	run timeout 5 "$top/${B:-build}/ces-policy" conform img
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
	rm img/index.json
	mkfifo img/index.json
	run conform img
	[ "$status" -eq 2 ]
	says "not a regular file"
	rm img/index.json
	ln -s "$PWD/index" img/index.json
	run conform img
	[ "$status" -eq 2 ]
	says "symbolic link"
	rm img/index.json
	cp index img/index.json
	echo '{"imageLayoutVersion": "2.0.0"}' > img/oci-layout
	run conform img
	[ "$status" -eq 2 ]
	rm img/oci-layout
	run conform img
	[ "$status" -eq 2 ]
}

@test "a manifest or configuration that CES refuses is an error with the reason" {
	new
	base
	layer
	made . '.schemaVersion = 1'
	found C102 '.severity == "error" and .path == "manifest"'
	made . '.config.mediaType = "application/vnd.x"'
	found C102 '.text | contains("not a container image")'
	made . '.layers[0].mediaType = "application/x"'
	found C102
	made . '.manifests = []'
	found C102 '.text | contains("an index and a manifest at once")'
	made '.config.WorkingDir = "/a/../b"'
	[ "$(uname -m)" != x86_64 ] || found C102 '.path == "configuration" and (.text | contains(".."))'
	made '.config.Env = 3'
	found C102
	made '.config.env = []'
	found C102
}

@test "a configuration with a key twice, and one of 200 MB, are errors" {
	new
	base
	layer
	made
	m=$(jq -r '.manifests[0].digest[7:]' img/index.json)
	printf '{"os": "linux", "os": "linux"}' > config.json
	jq --argjson c "$(blob config.json application/vnd.oci.image.config.v1+json)" '.config = $c' "img/blobs/sha256/$m" > manifest.json
	jq -n --argjson m "$(blob manifest.json application/vnd.oci.image.manifest.v1+json)" '{schemaVersion: 2, manifests: [$m]}' > img/index.json
	run conform --format json img
	[ "$status" -eq 1 ]
	found C102 '.text | contains("twice") or contains("key")'
	truncate -s 200M "img/blobs/sha256/$(jq -r '.config.digest[7:]' "img/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' img/index.json)")"
	run timeout 5 "$top/${B:-build}/ces-policy" conform --format json img
	[ "$status" -eq 1 ]
	found C101 '.text | contains("larger than 4 MiB")'
}

@test "conform prints the ChainIDs of the layers, for the base that a policy demands" {
	new
	base
	layer
	echo more > $tree/more
	layer
	made
	# by the image-spec: the first is the diff_id, each other the digest of the one below, a blank and the diff_id
	first=$(jq -r '.[0]' <<< "$diff_ids")
	second=sha256:$(printf '%s %s' "$first" "$(jq -r '.[1]' <<< "$diff_ids")" | sha256sum | cut -d' ' -f1)
	jq -e --arg a "$first" --arg b "$second" '.chain_ids == [$a, $b]' <<< "$output"
	run conform img
	says "img: as a base, its ChainID is $second"
}
