#!/usr/bin/env bats
# A registry has taken over ces-resolve. It can ask ces-store for what wish.h lists, each in its turn, and for nothing else.

# bats file_tags=without-selinux
# (under SELinux a script cannot even start in the domain of ces-resolve)

load ../lib/e2e.bash

resolve=/usr/libexec/ces/ces-resolve
may_not='ces-resolve asked for what it may not have'

setup_file()
{
	lab_policy
	ces-client clean > /dev/null # (clears the run that another suite has killed)
	empty_store
}
setup() { lab_policy; remember; }
teardown()
{
	[ ! -e $resolve.away ] || mv -f $resolve.away $resolve
	pkill -KILL -U ces-resolve || true
}

# Replaces the program by one that plays a case of wishes.py.
plays() # CASE [DIRECTORY]
{
	local type
	type=$(sed -n "s/.*CES_FRAME_IMAGE_RECORD = \([0-9]*\).*/\1/p" "$CES_TOP/common/frame.h")
	[ -e $resolve.away ] || mv $resolve $resolve.away
	printf '#!/bin/bash\nexec %s/tests/attack/wishes.py %s %s %s\n' "$CES_TOP" "$1" "$type" "${2:-}" > $resolve
	chmod 755 $resolve
	if lab_has_selinux; then chcon --reference=$resolve.away $resolve; fi
}

workers() { pgrep -U ces-fetch,ces-resolve,ces-unpack; }

# A pull by that program is refused in these words, and leaves nothing.
ends() # CASE WORDS [IMAGE]
{
	echo "$1"
	remember
	plays "$1"
	run --separate-stderr pull alice "${3:-$open/tools:1}"
	refused "$2"
	no workers
	[ -z "$(find $store/staging $store/trash $store/layers/sha256 $store/images/sha256 $store/grants -mindepth 1 ! -path "$store/grants/[0-9]*")" ]
	[ -z "$(find $store/grants -type f)" ]
	[ -z "$(find /run/ces $store/locks -name 'layer-*' -o -name 'pull-*')" ]
}

@test "a wish out of turn, of an unknown kind, cut short or longer than it says ends the pull" {
	for c in phase kind zero short length document document-early unassembled; do ends $c "$may_not"; done
	ends empty 'ces-resolve ended unexpectedly'
}

@test "a document above 4 MiB ends the pull" { ends long "$may_not"; }

@test "a descriptor that comes with a wish is not accepted" { ends descriptor "$may_not"; }

@test "a job for ces-unpack that is not of this turn, or has a malformed digest, ends the pull" {
	for c in job job-digest; do ends $c "$may_not"; done
}

@test "a layer without two digests, or beyond the 127th, or of 1 TiB, and an image without a layer end the pull" {
	for c in digest diff-id layers layer layer-far layer-size look; do ends $c "$may_not"; done
	ends no-layers 'ces-store asked for what it may not have'
}

@test "a part that the documents do not name is refused: a manifest, a configuration, a layer, a diff_id" {
	for c in foreign-manifest foreign-config foreign-layer foreign-diff-id; do ends $c "$may_not"; done
}

@test "a layer that is unpacked twice, or a fourth layer at once, ends the pull" {
	for c in twice many; do ends $c "$may_not"; done
}

@test "a layer that ces-unpack has not unpacked and verified is not committed or marked" {
	for c in unstaged unstaged-mark lied running; do ends $c "$may_not"; done
}

@test "a mark on a directory outside the layer is refused" {
	for c in out absolute; do ends $c 'marking a directory of a layer'; done
}

@test "a record that is malformed, has other layers or a user beyond the container's is refused" {
	ends record 'image record'
	ends record-layers "$may_not"
	ends record-uid 'an id above 65535'
}

@test "what it says of an image counts for the user of that pull alone, and until they pull it again" {
	pull alice $open/entry:1 -q
	says=$(ces alice run -q $open/entry:1)
	rm -rf $lab/documents
	cp -r $store/images/sha256/* $lab/documents
	chmod -R a+rX $lab/documents
	plays record-lied $lab/documents
	pull bob $open/entry:1 -q
	mv $resolve.away $resolve
	[ "$(ces bob run -q $open/entry:1)" = 'taken over' ]
	pull carol $open/entry:1 -q --project nsh-2024-0001
	for user in alice carol; do [ "$(ces $user run -q --project nsh-2024-0001 $open/entry:1)" = "$says" ]; done
	pull bob $open/entry:1 -q
	[ "$(ces bob run -q $open/entry:1)" = "$says" ]
	for user in alice bob carol; do ces $user rmi $open/entry:1; done
	empty_store
}

@test "an image of another digest than was named, or approved, is refused" {
	digest=sha256:$(printf '%064d' 1)
	ends other "$may_not" $open/tools@$digest
	lab_policy '.projects["nsh-2024-0001"].images = [{"allow": "'$open/tools'", "digest": "'$digest'", "approval": "IG-1"}]'
	ends other 'not the one that was approved' $open/tools:1
}

@test "where signatures are wanted, nothing comes before they were found good" {
	for c in signed-early signed; do ends $c "$may_not"; done
	install -d -m 755 /etc/ces/keys
	openssl genpkey -algorithm ed25519 | openssl pkey -pubout -out /etc/ces/keys/lab.pub
	chmod 644 /etc/ces/keys/lab.pub
	lab_policy '.projects[].images[].signed_by = ["keys/lab.pub"]'
	for c in signed-early signed-skipped signed-layer signed-job signed-long; do ends $c "$may_not"; done
	ends signed-noise 'signed by none of keys/lab.pub'
	ends signed-words 'not all signatures could be read \(\?\[31mred\?ces: all is well.*signed by none of'
	rm -rf /etc/ces/keys
}

@test "when there is no room, root refuses the image, whatever comes after" { ends room 'no space for the image'; }

@test "an error that is not a pull's ends the pull; its words are made printable, and cannot pass for the policy's" {
	ends code "$may_not"
	ends words '\?\[31mred\?ces: all is well'
	ends progress "$may_not"
}

@test "a ces-resolve that reads no answers, or dies, ends the pull" {
	ends flood 'talking to ces-resolve'
	ends dead 'ces-resolve ended unexpectedly'
}

@test "a ces-resolve that does nothing is ended with the client" {
	plays silent
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice ces-client pull -q $open/tools:1 3>&- < /dev/null &
	client=$!
	eventually workers
	kill -TERM $client
	wait $client || true
	no workers
	[ -z "$(ls $store/staging)" ]
}

@test "when its own ces-resolve is back, the same image is pulled" {
	pull alice $open/tools:1 -q
	inside -- true
}
