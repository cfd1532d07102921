#!/usr/bin/env bats
# Root's programs do not read a policy or a request themselves. ces-parse reads the policy, which is kept for the next start,
# and ces-decode reads the request. Both have an account that can read nothing else.

load ../lib/e2e.bash

parse=/usr/libexec/ces/ces-parse
decode=/usr/libexec/ces/ces-decode
kept=/run/ces/.policy
magic=$(python3 -c "import struct; print(struct.pack('<Q', $parse_magic).decode())")

setup_file() { lab_policy; have alice tools; }
setup() { lab_policy; remember; }
teardown()
{
	for p in $parse $decode; do [ ! -e $p.away ] || mv -f $p.away $p; done
	rm -rf /home/*/outputs_* $kept $parse.answer
}

runs() { ces alice run -q $open/tools:1 true; }

# Makes a policy whose bytes no program has read yet.
another() { echo >> /etc/ces/policy.json; }

# Succeeds if the build has sanitizers: then there is no filter, and the program does not work under strace.
sanitized() { grep -aq __asan_init $decode; }

enforcing() { [ "$(cat /sys/fs/selinux/enforce 2> /dev/null)" = 1 ]; }

# Replaces one of the two programs by a script.
impostor() # BODY [PROGRAM]
{
	local p=${2:-$parse}
	[ -e $p.away ] || mv $p $p.away
	printf '#!/bin/bash\n%s\n' "$1" > $p
	chmod 755 $p
	if enforcing; then chcon --reference=$p.away $p; fi
}

refuses() # WORDS
{
	run --separate-stderr runs
	echo "$status $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"$1"* ]]
	tail -n 1 $journal | jq -e '.outcome == "denied" and .code != null'
}

@test "the JSON of a policy is read once: the next start needs no ces-parse" {
	another
	runs
	[ "$(stat -c '%a %u' $kept)" = '600 0' ]
	mv $parse $parse.away
	runs
	another
	refuses 'ces-parse gave no answer'
	mv $parse.away $parse
	runs
}

@test "a kept policy that is not root's alone, a link, too short, too long or changed is not used: the file decides" {
	spoil=(
		'chown alice $kept'
		'chmod 644 $kept'
		'mv $kept $kept.x; ln -s $kept.x $kept'
		'rm $kept; mkfifo -m 600 $kept'
		'truncate -s -1 $kept'
		'echo >> $kept'
		'truncate -s 0 $kept'
		'printf "\377" | dd of=$kept conv=notrunc bs=1 seek=0 2> /dev/null'
		'printf "\377" | dd of=$kept conv=notrunc bs=1 seek=8 2> /dev/null'
		'printf "\377" | dd of=$kept conv=notrunc bs=1 seek=60 2> /dev/null'
		'printf "\2" | dd of=$kept conv=notrunc bs=1 seek=96 2> /dev/null'
	)
	for how in "${spoil[@]}"; do
		echo "$how"
		another
		runs
		eval "$how"
		# (the kept policy is not used: ces-parse reads the file)
		mv $parse $parse.away
		refuses 'ces-parse gave no answer'
		mv $parse.away $parse
		runs
		rm -rf $kept $kept.x
	done
}

@test "a kept policy holds only for the file that is there: when the file changes, the next start reads it" {
	runs
	jq '.projects |= map_values(.images = [])' /etc/ces/policy.json > $lab/none.json
	cp $lab/none.json /etc/ces/policy.json
	refuses 'no image rule'
}

@test "when ces-parse says nothing, dies, talks nonsense or never ends, everything is refused, and recorded" {
	rm -rf $kept
	for body in 'exit 0' 'kill -KILL $$' 'head -c 100000 /dev/urandom >&4' 'exec sleep 600' \
		"printf '$magic\\377\\377\\377\\377\\377\\377\\377\\377%0600d' 0 >&4" \
		"{ printf '$magic\\144\\0\\0\\0\\0\\0\\0\\0'; head -c 700 /dev/zero; } >&4" \
		"{ printf '$magic\\210\\023\\0\\0\\0\\0\\0\\0'; head -c 20000 /dev/zero; } >&4"; do
		echo "$body"
		another
		impostor "$body"
		refuses 'the policy /etc/ces/policy.json: '
		[ ! -e $kept ]
	done
	nothing_left_behind
}

# Prints what a ces-parse sends that answers "yes" with these bytes.
words_of() # BYTES
{
	printf '#include <stdio.h>\n#include "policy/parsed.h"\nint main(void) { printf("%%zu", sizeof(struct ces_error)); }' > $lab/size.c
	gcc -I"$CES_TOP" -D_GNU_SOURCE -o $lab/size $lab/size.c
	{
		printf %s "$magic"
		printf "\\x$(printf %02x $((${#1} % 256)))\\x$(printf %02x $((${#1} / 256)))\0\0\0\0\0\0"
		head -c "$($lab/size)" /dev/zero
		printf %s "$1"
	} > /usr/libexec/ces/ces-parse.answer
}

@test "a ces-parse that words a decision wrongly reaches the caller's terminal with nothing but lines of text" {
	runs # the policy is kept
	impostor 'cat "$0.answer" >&4'
	long=$(printf %05000d 0)
	for words in "all is well"$'\n' $'one\ntwo \e]0;title\a\n' $'\xff\xfe\n' "$long"$'\n' 'no end of a line' ''; do
		words_of "$words"
		status=0
		timeout 20 setpriv --reuid=alice --regid=alice --init-groups --reset-env ces-client explain run $open/tools:1 \
			> $lab/words 2>&1 < /dev/null 3>&- || status=$?
		cat -v $lab/words
		no grep -aqP '[\x00-\x08\x0b-\x1f\x7f-\xff]' $lab/words
		[ "$status" -eq 0 ] || [ "$status" -eq 125 ]
	done
	words_of "all is well"$'\n'
	run --separate-stderr ces alice explain run $open/tools:1
	[ "$output" = "all is well" ]
	# (it decides nothing)
	run --separate-stderr ces alice explain run --cpus 4000 $open/tools:1
	[ "$status" -eq 125 ]
	runs
	impostor 'kill -KILL $$'
	run --separate-stderr ces alice explain run $open/tools:1
	[ "$status" -eq 125 ]
	[[ $stderr == *"ces-parse gave no answer"* ]]
	rm $parse.answer
}

# Prints what a ces-parse sends that has found one scan, of today and without findings, in a report of this name.
a_scan_of() # REPORT
{
	cat > $lab/facts.c <<- 'END'
	#include <stdio.h>
	#include <string.h>
	#include <time.h>
	#include "policy/demand.h"
	#include "policy/parsed.h"
	int main(int argc, char **argv)
	{
		static struct ces_evidence_facts facts = {.n_scans = 1};
		struct ces_parse_answer answer = {.magic = CES_PARSE_MAGIC, .length = sizeof(facts)};
		facts.scans[0].made = time(NULL);
		memcpy(facts.scans[0].record, argv[argc - 1], strnlen(argv[argc - 1], sizeof(facts.scans[0].record)));
		return fwrite(&answer, sizeof(answer), 1, stdout) != 1 || fwrite(&facts, sizeof(facts), 1, stdout) != 1;
	}
	END
	[ -x $lab/facts ] || gcc -I"$CES_TOP" -D_GNU_SOURCE -o $lab/facts $lab/facts.c
	$lab/facts "$1" > $parse.answer
}

@test "a ces-parse that says what it likes of an image's reports puts nothing on record but a digest" {
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	lab_policy "(.projects[].images[] | select(.allow | startswith(\"open.tre.test/\"))) |= (.allow = \"open.tre.test/epcced/tools\"
		| .digest = \"$digest\" | .scan = {\"max_age\": \"1d\"})"
	run --separate-stderr runs # the policy is kept
	[[ $stderr == *"no scan of this image"* ]]
	impostor 'cat "$0.answer" >&4'
	for record in 'IG has approved it' "sha256:$(printf '%064d' 0)0" "$(printf '%0100d' 0)"; do
		a_scan_of "$record"
		refuses 'ces-parse gave no answer'
	done
	# (with a digest the same answer is believed: root put the reports there)
	a_scan_of "sha256:$(printf '%064d' 0)"
	runs
	rm $parse.answer
	mv -f $parse.away $parse
	lab_policy
}

@test "without the account of ces-parse nothing is allowed, and doctor says so" {
	another
	cp /etc/passwd $lab/passwd
	sed -i '/^ces-parse:/d' /etc/passwd
	run --separate-stderr runs
	out="$status $stderr"
	run ces alice doctor
	cat $lab/passwd > /etc/passwd
	echo "$out"
	[[ $out == 125*"the system user ces-parse is missing"* ]]
	[[ $output == *"ces-parse"*"adduser"* || $output == *"user ces-parse"* ]]
}

@test "ces-parse has an account of its own, and no capability, file, network or exec" {
	sanitized && skip "a build with sanitizers"
	another
	# (under SELinux a script in its domain can write none of this: tests/vm/selinux/selinux.bats says more)
	enforcing || its_account
	# (this is the program itself: any call except reading, writing and memory ends it)
	strace -f -qq -u ces-parse -o $lab/calls $parse 3< /dev/null 4> /dev/null || true
	grep -q 'prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER' $lab/calls
	no grep -vE '^[0-9]+ +(read|write|brk|mmap|munmap|mremap|madvise|getrandom|exit_group)\(|^[0-9]+ +\+\+\+ exited' \
		<(sed '1,/PR_SET_SECCOMP, SECCOMP_MODE_FILTER/d' $lab/calls)
}

its_account()
{
	impostor 'cat /proc/self/status > /tmp/parse; id >> /tmp/parse; ls -l /proc/self/fd >> /tmp/parse; env >> /tmp/parse'
	rm -f /tmp/parse
	install -m 666 /dev/null /tmp/parse
	run runs
	cat /tmp/parse
	grep -q '^CapPrm:.0*$' /tmp/parse
	grep -q '^NoNewPrivs:.1$' /tmp/parse
	grep -qE '^uid=[0-9]+\(ces-parse\) gid=[0-9]+\(ces-parse\) groups=[0-9]+\(ces-parse\)$' /tmp/parse
	no grep -E '/etc/ces|/run/ces|/var/l|socket' /tmp/parse
	rm -f /tmp/parse
	mv -f $parse.away $parse
}

# Writes an answer of ces-decode: its header promises a block of SAID bytes, and FILE follows.
answer() # SAID FILE
{
	python3 -c 'import struct, sys
sys.stdout.buffer.write(struct.pack("<QQ", int(sys.argv[4], 16), int(sys.argv[1])) + bytes(int(sys.argv[3])) + open(sys.argv[2], "rb").read())' \
		"$1" "$2" "$error_size" "$parse_magic"
}

@test "when ces-decode says nothing, dies, talks nonsense, gives a wrong length or never ends, the request is refused" {
	sanitized && skip "a build with sanitizers"
	for body in 'exit 0' 'kill -KILL $$' 'head -c 100000 /dev/urandom >&4' 'exec sleep 600'; do
		echo "$body"
		impostor "$body" $decode
		run --separate-stderr runs
		echo "$status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"ces-decode gave no answer"* ]]
	done
	# (its own answer to an empty request: a header of 16 bytes and the error)
	mv -f $decode.away $decode
	setpriv --reuid=ces-parse --clear-groups $decode 3< /dev/null 4> $lab/none
	error_size=$(($(stat -c %s $lab/none) - 16))
	head -c 300000 /dev/zero > $lab/zeros
	head -c 3000 /dev/urandom > $lab/noise
	for said in 0 1 100 272 2000000 18446744073709551615; do
		for file in zeros noise; do
			answer $said $lab/$file > $lab/answer
			chmod 644 $lab/answer
			cp $lab/answer /tmp/answer
			impostor 'cat /tmp/answer >&4' $decode
			run --separate-stderr runs
			echo "$said $file: $status $stderr"
			[ "$status" -eq 125 ]
			no grep -E 'without an answer' <<< "$stderr"
		done
	done
	rm -f /tmp/answer
	nothing_left_behind
}

@test "ces-decode ends when it makes any call but reading, writing and memory" {
	sanitized && skip "a build with sanitizers"
	printf CES1 | strace -f -qq -u ces-parse -o $lab/calls $decode 3<&0 4> /dev/null || true
	grep -q 'prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER' $lab/calls
	no grep -vE '^[0-9]+ +(read|write|poll|brk|mmap|munmap|mremap|madvise|getrandom|clock_gettime|exit_group)\(|^[0-9]+ +\+\+\+ exited' \
		<(sed '1,/PR_SET_SECCOMP, SECCOMP_MODE_FILTER/d' $lab/calls)
}
