#!/usr/bin/env bats
# ces-policy conform, of an image: the contents of its layers.

load common.bash
load conform.bash

@test "the directories of the service are found in the layers, even if a tar does not name them" {
	new
	base
	rm -r $tree/scratch
	layer
	made
	found C006 '.severity == "warning" and .text == "the image has no /scratch" and .write == "RUN mkdir /scratch"'
	new
	base
	rmdir $tree/scratch
	layer
	mkdir -p $tree/scratch
	: > $tree/scratch/x
	tar -C $tree --owner=0 --group=0 -cf layer.tar scratch/x
	packed none
	made
	found_not C006
	rm -r $tree/scratch
	: > $tree/.wh.scratch
	layer
	made
	found C006
}

@test "a secret in a layer is an error, even if a later layer removes it" {
	new
	base
	mkdir -p $tree/root/{.ssh,.aws,.docker} $tree/etc/ssl $tree/opt/tests
	for n in .ssh/id_rsa .ssh/id_ed25519 .netrc .aws/credentials .docker/config.json .env .pypirc; do echo x > "$tree/root/$n"; done
	printf -- '-----BEGIN CERTIFICATE-----\nx\n' > $tree/etc/ssl/ca.pem
	{ cat $tree/etc/ssl/ca.pem; printf -- '-----BEGIN EC PRIVATE KEY-----\nx\n'; } > $tree/etc/ssl/mine.pem
	cp $tree/etc/ssl/mine.pem $tree/opt/tests/
	layer
	: > $tree/.wh.root
	layer
	made
	[ "$status" -eq 1 ]
	for n in root/.ssh/id_rsa root/.ssh/id_ed25519 root/.netrc root/.aws/credentials root/.docker/config.json root/.env root/.pypirc; do
		found C007 ".severity == \"error\" and .layer == 1 and .path == \"/$n\" and .hidden_in == 2"
	done
	found C007 '.path == "/etc/ssl/mine.pem" and .text == "a private key" and .hidden_in == null'
	[ "$(jq '[.findings[] | select(.rule == "CES-C007")] | length' <<< "$output")" -eq 8 ]
	run conform img
	says "img: layer 1: /root/.netrc: error: a file that is a secret by its name; layer 2 hides it, and it stays in layer 1 [CES-C007]"
}

@test "a directory of git is one warning, even if an opaque directory hides it" {
	new
	base
	mkdir -p $tree/src/.git/objects/aa
	: > $tree/src/.git/HEAD
	: > $tree/src/.gitignore
	layer
	mkdir $tree/src
	: > $tree/src/.wh..wh..opq
	layer
	made
	[ "$(jq '[.findings[] | select(.rule == "CES-C009")] | length' <<< "$output")" -eq 1 ]
	found C009 '.severity == "warning" and .layer == 1 and .path == "/src/.git" and .hidden_in == 2'
	new
	base
	mkdir -p $tree/src/.git
	: > $tree/src/.git/HEAD
	tar -C $tree --owner=0 --group=0 -cf layer.tar src/.git/HEAD
	packed gzip
	made
	found C009
}

@test "setuid, setgid and world-writable files are notes, unless a later layer mends them" {
	new
	base
	mkdir $tree/bin $tree/open $tree/sticky $tree/set
	: > $tree/bin/su
	: > $tree/bin/wall
	: > $tree/bin/plain
	chmod 755 $tree/bin $tree/bin/plain
	chmod 4755 $tree/bin/su
	chmod 2755 $tree/bin/wall $tree/set
	chmod 777 $tree/open
	chmod 1777 $tree/sticky
	: > $tree/loose
	chmod 666 $tree/loose
	cp -a $tree again
	layer
	made
	found C109 '.severity == "note" and .path == "/bin/su" and .text == "a setuid program"'
	found C109 '.path == "/bin/wall" and .text == "a setgid program"'
	found C110 '.severity == "note" and .path == "/open"'
	found C110 '.path == "/loose"'
	[ "$(jq '[.findings[] | select(.rule == "CES-C109" or .rule == "CES-C110")] | length' <<< "$output")" -eq 4 ]
	[ "$status" -eq 0 ]
	mkdir -p $tree/bin $tree/open
	cp again/bin/su $tree/bin/
	chmod 755 $tree/bin/su $tree/open $tree/bin
	: > $tree/bin/.wh.wall
	: > $tree/.wh.loose
	layer
	made
	found_not C109
	found_not C110
}

@test "a licence in the layers is found in each place, and so is its removal" {
	for path in usr/share/licenses/x/LICENSE usr/share/doc/libc6/copyright LICENSE.md; do
		new
		base
		rm -r tree/usr
		mkdir -p "$tree/$(dirname "$path")"
		: > "$tree/$path"
		layer
		made
		found_not C017
		: > "$tree/.wh.${path%%/*}"
		layer
		made
		found C017 '.severity == "note"'
	done
}

@test "a library of Hugging Face in a layer without HF_HUB_OFFLINE=1 is a warning" {
	new
	base
	mkdir -p $tree/usr/lib/python3/site-packages/transformers-4.41.2.dist-info
	layer
	made
	found C015 '.severity == "warning" and .layer == 1 and (.path | endswith("transformers-4.41.2.dist-info"))'
	made '.config.Env = ["HF_HUB_OFFLINE=1"]'
	found_not C015
	: > $tree/.wh.usr
	layer
	made
	found_not C015
}

@test "the packages of Debian and Alpine are counted and named with their versions" {
	new
	base
	mkdir -p $tree/var/lib/dpkg
	printf 'Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\nPackage: old\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: zlib1g\nStatus: install ok installed\nDescription: x\n y\nVersion: 1:1.2' > $tree/var/lib/dpkg/status
	layer
	made
	jq -e '.packages.kind == "debian" and .packages.count == 2 and .packages.list == [{name: "libc6", version: "2.36-9"}, {name: "zlib1g", version: "1:1.2"}]' <<< "$output"
	run conform img
	says "2 packages of debian"
	: > $tree/.wh.var
	layer
	made
	jq -e '.packages == null' <<< "$output"
	new
	base
	mkdir -p $tree/lib/apk/db
	printf 'C:x\nP:musl\nV:1.2.5-r0\n\nP:\033[31m\nV:\377\n\n' > $tree/lib/apk/db/installed
	layer zstd
	made
	jq -e '.packages.kind == "alpine" and .packages.count == 2 and .packages.list[0] == {name: "musl", version: "1.2.5-r0"}' <<< "$output"
}

@test "a layer that is no tar, or not of its compression, is an error, and the next layer is read" {
	for how in none gzip zstd; do
		new
		base
		head -c 3000 /dev/urandom > layer.tar
		packed $how
		mkdir $tree/root
		: > $tree/root/.netrc
		layer
		made
		[ "$status" -eq 1 ]
		found C102 '.layer == 1'
		found C007 '.layer == 2'
	done
	new
	base
	layer gzip
	layers=$(jq -c '.[0].mediaType |= sub("gzip"; "zstd")' <<< "$layers")
	made
	[ "$status" -eq 1 ]
	jq -e 'any(.findings[]; .layer == 1 and .severity == "error")' <<< "$output"
}

@test "a name in a layer that leads out of it is refused, and control characters in a name are shown as text" {
	new
	base
	python3 - <<- 'EOT'
		import io, tarfile
		with tarfile.open("layer.tar", "w", format=tarfile.PAX_FORMAT) as tar:
		    for name, mode in (("a\nb\x1b[31m\x07", 0o4755), ("\u202e\u00e9.pem", 0o666), ("x" * 200 + "/.netrc", 0o644)):
		        info = tarfile.TarInfo(name)
		        info.mode = mode
		        tar.addfile(info, io.BytesIO())
	EOT
	packed none
	layer
	made
	found C109 '.path == "/a\nb\u001b[31m\u0007"'
	found C007
	for format in text json sarif; do
		conform --format $format img > out || true
		[ "$(LC_ALL=C grep -cP '[^\n\x20-\x7e]' out)" -eq 0 ]
	done
	[ "$(conform img | grep -c 'a?b?\[31m?')" -eq 1 ]
	for name in ../x /a/../../x; do
		new
		python3 -c 'import sys, tarfile; t = tarfile.open("layer.tar", "w"); t.addfile(tarfile.TarInfo(sys.argv[1]))
t.close()' "$name"
		packed none
		made
		found C102 '.text | contains("it leaves the image")'
	done
}

@test "a layer that unpacks to a thousand times its size ends at once" {
	new
	base
	head -c 3G /dev/zero | zstd -q -o bomb.zst
	diff_ids='["sha256:0000000000000000000000000000000000000000000000000000000000000000"]'
	layers=$(jq -c --argjson l "$(blob bomb.zst application/vnd.oci.image.layer.v1.tar+zstd)" '. + [$l]' <<< "$layers")
	start=$SECONDS
	made
	[ "$status" -eq 1 ]
	jq -e 'any(.findings[]; .layer == 1 and .severity == "error")' <<< "$output"
	[ $((SECONDS - start)) -lt 20 ]
}

@test "layers that unpack to more than --max-size end with an error" {
	new
	base
	head -c 3M /dev/urandom > $tree/big
	layer
	made
	run conform --format json --max-size 2M img
	[ "$status" -eq 1 ]
	found C102 '.text | contains("--max-size")'
	run conform --max-size 20M img
	[ "$status" -eq 0 ]
}

@test "100,000 findings of one rule are counted, and 50 are shown" {
	new
	python3 - <<- 'EOT'
		import tarfile
		with tarfile.open("layer.tar", "w") as tar:
		    for n in range(100000):
		        info = tarfile.TarInfo("d/%d" % n)
		        info.mode = 0o666
		        tar.addfile(info)
	EOT
	packed gzip
	made
	jq -e '([.findings[] | select(.rule == "CES-C110")] | length) == 50 and .more["CES-C110"] == 99950' <<< "$output"
	run conform img
	says "99995 more of CES-C110"
	[ "$(grep -c 'everyone may write' <<< "$output")" -eq 5 ]
}
