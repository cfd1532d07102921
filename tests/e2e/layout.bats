#!/usr/bin/env bats
# A directory in place of a registry: an OCI image layout that skopeo filled, for machines that reach no registry.

load ../lib/e2e.bash

dir=/srv/images

setup_file() { keep "ghcr.io/epcced/tools:1" tools; cp -a $dir $lab/images; }
setup()
{
	rm -rf $dir
	cp -a $lab/images $dir
	empty_store
	labelled
	from_directory
	remember
}
teardown_file() { rm -rf $dir; }

# As an administrator fills the directory, for instance every night.
keep() # NAME IMAGE [OPTION...]
{
	local name=$1 image=$2
	shift 2
	skopeo --insecure-policy copy --quiet "$@" "oci:$images/$image" "oci:$dir:$name"
	labelled
}

labelled() { ! lab_has_selinux || chcon -R -t ces_registry_t $dir; }

from_directory() # [FILTER]
{
	lab_policy ".registries[\"ghcr.io\"] = {\"endpoint\": \"oci:$dir\"} | ${1:-.}"
}

pulled() { run --separate-stderr ces alice pull "$@" < /dev/null; }

# Prints the digest of an image in the directory, or with part "config" or "layers[0]" of that part.
digest_of() # NAME [PART]
{
	local manifest
	manifest=$(jq -r --arg name "$1" '.manifests[] | select(.annotations[] == $name).digest' $dir/index.json)
	if [ $# -eq 1 ]; then echo "$manifest"; else jq -r ".$2.digest" "$(blob "$manifest")"; fi
}

blob() { echo "$dir/blobs/sha256/${1#sha256:}"; }

@test "an image comes from the directory, without a login and without a registry" {
	local served
	served=$(cat $lab/*.log | wc -l)
	pulled ghcr.io/epcced/tools:1
	echo "$stderr"
	[ "$status" -eq 0 ]
	[[ $stderr == *"pulled ghcr.io/epcced/tools:1 ($(digest_of ghcr.io/epcced/tools:1))"* ]]
	run ces alice run -q ghcr.io/epcced/tools:1 echo here
	[ "$status" -eq 0 ]
	[ "$output" = here ]
	[ "$(cat $lab/*.log | wc -l)" = "$served" ]
	journal_new -s -e '.[0] | .event == "decision" and .image == "ghcr.io/epcced/tools:1"' > /dev/null
}

@test "when an image is for several machines, this machine's comes from the directory" {
	keep ghcr.io/epcced/multi:1 multi --all
	pulled ghcr.io/epcced/multi:1
	echo "$stderr"
	[ "$status" -eq 0 ]
	run ces alice run -q ghcr.io/epcced/multi:1 uname -m
	[ "$status" -eq 0 ]
}

@test "an image with many layers comes from the directory" {
	keep ghcr.io/epcced/layers64:1 layers64
	pulled ghcr.io/epcced/layers64:1
	echo "$stderr"
	[ "$status" -eq 0 ]
}

@test "an image is named by its digest, too" {
	pulled "ghcr.io/epcced/tools@$(digest_of ghcr.io/epcced/tools:1)"
	echo "$stderr"
	[ "$status" -eq 0 ]
}

@test "a second pull finds that the image is up to date" {
	pulled ghcr.io/epcced/tools:1
	[ "$status" -eq 0 ]
	pulled ghcr.io/epcced/tools:1
	[ "$status" -eq 0 ]
	[[ $stderr == *"up to date"* ]]
}

@test "a tag that is not in the directory is refused, with similar tags" {
	keep ghcr.io/epcced/tools:1.2 tools
	remember
	pulled ghcr.io/epcced/tools:1.3
	refused 'no such tag in the image layout: ghcr.io/epcced/tools:1.3 \(its tags: '
	[[ $stderr == *1.2* ]]
}

@test "an image of another name in the directory is refused, also by its digest" {
	keep ghcr.io/secret/cmd:1 cmd
	remember
	pulled "ghcr.io/epcced/tools@$(digest_of ghcr.io/secret/cmd:1)"
	refused 'ghcr.io/epcced/tools has no sha256:'
}

@test "an entry whose name only begins like the image's is another image" {
	keep ghcr.io/epcced/tools-private:1 cmd
	remember
	pulled "ghcr.io/epcced/tools@$(digest_of ghcr.io/epcced/tools-private:1)"
	refused 'ghcr.io/epcced/tools has no sha256:'
}

@test "a project's image rules hold for the directory, too" {
	keep ghcr.io/nobody/tools:1 tools
	remember
	pulled ghcr.io/nobody/tools:1
	refused 'ghcr.io/nobody/tools'
}

@test "a manifest, a configuration or a layer with other bytes than its digest is refused" {
	local part file
	for part in '' config 'layers[0]'; do
		rm -rf $dir
		cp -a $lab/images $dir
		file=$(blob "$(digest_of ghcr.io/epcced/tools:1 ${part:+"$part"})")
		# the same size, another byte
		printf '\x5b' | dd of="$file" bs=1 seek=$(($(stat -c %s "$file") / 2)) conv=notrunc status=none
		remember
		pulled ghcr.io/epcced/tools:1
		refused 'digest|other bytes|sha256'
	done
}

@test "a layer that is cut short, missing, a link, a FIFO or a directory is refused" {
	local file
	file=$(blob "$(digest_of ghcr.io/epcced/tools:1 'layers[0]')")
	truncate -s -1 "$file"
	pulled ghcr.io/epcced/tools:1
	refused 'in the image layout has [0-9]+ bytes, not [0-9]+'
	mv "$file" $dir/elsewhere
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'blobs/sha256/[0-9a-f]+ in the image layout: No such file'
	ln -s /etc/shadow "$file"
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'in the image layout: Too many levels of symbolic links'
	rm "$file"
	mkfifo -m 644 "$file"
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'in the image layout(: Permission denied| is not a file)' # (SELinux lets it open no FIFO)
	rm "$file"
	mkdir "$file"
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'in the image layout is not a file'
}

@test "a directory without an index, or with one that is no JSON or a link, is refused" {
	mv $dir/index.json $dir/kept
	pulled ghcr.io/epcced/tools:1
	refused 'index.json in the image layout: No such file'
	ln -s kept $dir/index.json
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'index.json in the image layout: Too many levels of symbolic links'
	rm $dir/index.json
	echo '{"manifests": [' > $dir/index.json
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'index.json in the image layout'
	echo '{"manifests": [1, {}, {"annotations": 3}, {"digest": "x", "annotations": {"org.opencontainers.image.ref.name": "ghcr.io/epcced/tools:1"}}]}' > $dir/index.json
	remember
	pulled ghcr.io/epcced/tools:1
	refused 'no such tag in the image layout: ghcr.io/epcced/tools:1 \(it has no tags\)'
}

@test "a directory that others may write, that is another user's, or that is not there, is refused" {
	chmod g+w $dir
	pulled ghcr.io/epcced/tools:1
	refused "the registry's endpoint: .*$dir"
	chmod g-w $dir
	chown bob $dir
	remember
	pulled ghcr.io/epcced/tools:1
	refused "the registry's endpoint: .*$dir"
	rm -rf $dir
	remember
	pulled ghcr.io/epcced/tools:1
	refused "$dir: no such directory"
	# root makes no link that leads to a directory of a user's
	as bob sh -c 'mkdir -p images'
	ln -s /home/bob/images $dir
	remember
	pulled ghcr.io/epcced/tools:1
	refused "the registry's endpoint: .*"
	rm -rf $dir /home/bob/images
}

@test "a directory that only root can read is refused: the worker is not root" {
	chmod 700 $dir/blobs
	pulled ghcr.io/epcced/tools:1
	refused 'in the image layout: Permission denied'
}

@test "signatures in the directory count as those of a registry do" {
	local digest
	mkdir -p /etc/ces/keys
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $lab/layout.key 2> /dev/null
	openssl pkey -in $lab/layout.key -pubout -out /etc/ces/keys/layout.pub
	chmod 644 /etc/ces/keys/layout.pub
	from_directory '(.projects[].images[] | select(.allow | startswith("ghcr.io/"))).signed_by = ["keys/layout.pub"]'
	pulled ghcr.io/epcced/tools:1
	refused 'sign'
	lab_push tools epcced/layout:1
	tests/lib/sign.py --ca $lab/ca.pem --key $lab/layout.key https://open.tre.test:5001 epcced/layout:1
	digest=$(digest_of ghcr.io/epcced/tools:1)
	skopeo --insecure-policy copy --quiet --src-cert-dir $lab/trust "docker://open.tre.test:5001/epcced/layout:${digest/:/-}.sig" \
		"oci:$dir:ghcr.io/epcced/tools:${digest/:/-}.sig"
	pulled ghcr.io/epcced/tools:1
	echo "$stderr"
	[ "$status" -eq 0 ]
	rm -rf /etc/ces/keys
}

@test "doctor looks at the directory, and says what to type" {
	run ces alice doctor
	[[ $output == *"ghcr.io comes from $dir"* ]]
	chmod o+w $dir
	run ces alice doctor
	[[ $output == *"ghcr.io: $dir: directory \"$dir\" is writable by others than root"* ]]
	[[ $output == *"chmod -R go-w,o+rX $dir"* ]]
	chmod o-w $dir
	chmod o+w /srv
	run ces alice doctor
	chmod o-w /srv
	[[ $output == *"ghcr.io: $dir: directory \"srv\" is writable by others than root"* ]]
	chmod o-r $dir/index.json
	run ces alice doctor
	[[ $output == *"ghcr.io: $dir is not readable by others"* ]]
	rm $dir/index.json
	run ces alice doctor
	[[ $output == *"ghcr.io: $dir/index.json: No such file"* ]]
	[[ $output == *"skopeo copy docker://ghcr.io/IMAGE oci:$dir:ghcr.io/IMAGE"* ]]
}

@test "doctor finds what ces-fetch cannot read or CES does not follow, for root too" {
	for closed in $dir/blobs /srv; do
		chmod o-x $closed
		pulled ghcr.io/epcced/tools:1
		[ "$status" -eq 125 ]
		run ces-client doctor
		chmod o+x $closed
		echo "$output"
		[ "$status" -eq 1 ]
		[[ $output == *"ghcr.io: $dir is not readable by others"*"chmod o+x each directory above it"* ]]
	done
	mv $dir $dir.here
	ln -s "$(basename $dir).here" $dir
	run ces-client doctor
	rm $dir
	mv $dir.here $dir
	echo "$output"
	[[ $output == *"symbolic link"*"name the directory itself, and no link"* ]]
	run ces-client doctor
	[[ $output == *"ghcr.io comes from $dir"* ]]
}

@test "when the directory's machine is an hour ahead, an image comes from it all the same" {
	find $dir -exec touch -d '+1 hour' {} +
	pulled ghcr.io/epcced/tools:1
	[ "$status" -eq 0 ]
	run ces alice run -q ghcr.io/epcced/tools:1 true
	[ "$status" -eq 0 ]
}

@test "explain and the plan of a pull name the directory" {
	run ces alice pull --dry-run ghcr.io/epcced/tools:1
	[ "$status" -eq 0 ]
	[[ $output == *"from oci:$dir"* ]]
}

# Ends each process of ces-layout at once. The kernel does that too when a file server does not answer.
end_layouts() { while :; do pkill -KILL -x ces-layout || true; done; }

@test "when nothing comes from the directory any more, the pull's error names it" {
	local ender
	end_layouts > /dev/null 2>&1 3>&- &
	ender=$!
	pulled ghcr.io/epcced/tools:1
	kill $ender
	wait $ender || true
	refused "$dir does not answer; its file server may be down"
}

# Mounts at DIRECTORY what answers nothing, as a directory of a file server that went away. The kernel gives up when fd 7 is
# closed.
silent_at() # DIRECTORY
{
	[ -c /dev/fuse ] || skip "this machine has no FUSE"
	local options=fd=7,rootmode=40000,user_id=0,group_id=0,allow_other
	! lab_has_selinux || options+=,context=system_u:object_r:ces_registry_t:s0
	exec 7<> /dev/fuse
	mount --internal-only -t fuse -o $options silent "$1"
}

answers_again() { exec 7>&-; umount "$1"; } # DIRECTORY

@test "when the directory does not answer, ces-client doctor and ces-policy check go on, and a pull can be interrupted" {
	local doctor check
	local alice=(setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice --default-signal=INT)
	silent_at $dir
	doctor=$(timeout 30 "${alice[@]}" ces-client doctor 2>&1) || [ $? -ne 124 ] || doctor=hangs
	check=$(timeout 10 ces-policy check /etc/ces/policy.json 2>&1) || [ $? -ne 124 ] || check=hangs
	run --separate-stderr timeout --signal INT --kill-after 30 2 "${alice[@]}" ces-client pull ghcr.io/epcced/tools:1 < /dev/null
	answers_again $dir
	echo "$doctor"
	echo "$check"
	echo "$status: $stderr"
	[[ $doctor == *"ghcr.io is not reached at oci:$dir: no answer in 3 seconds"* ]]
	[ "$check" != hangs ]
	[[ $status != 137 ]]
	nothing_left_behind
}
