#!/usr/bin/env bats
# ces-policy audit, where a journal is several files: rotated, compressed, renamed, or begun anew.

load common.bash

setup()
{
	j=$BATS_TEST_TMPDIR/audit.jsonl
	journal 40 > "$j"
}

# shellcheck disable=SC2120 # (they are, through run)
verify() { policy audit verify --journal "$j" "$@"; }
list() { policy audit list --journal "$j" "$@"; }

@test "rotated and compressed files are read in order, as one chain" {
	mv "$j" "$BATS_TEST_TMPDIR/all"
	sed -n 1,10p "$BATS_TEST_TMPDIR/all" | gzip > "$j.10.gz"
	sed -n 11,20p "$BATS_TEST_TMPDIR/all" | gzip > "$j.2.gz"
	sed -n 21,30p "$BATS_TEST_TMPDIR/all" > "$j.1"
	sed -n '31,$p' "$BATS_TEST_TMPDIR/all" > "$j"
	run verify
	[ "$status" -eq 0 ]
	says "40 records in 4 files, numbers 1 to 40"
	diff <(list --format json | jq -c .[]) <(jq -c . "$BATS_TEST_TMPDIR/all")
	rm "$j.2.gz"
	run verify
	[ "$status" -eq 1 ]
	says "audit.jsonl.1, line 1"
}

@test "a journal without a record since its rotation is whole, and a note says so" {
	mv "$j" "$j.1"
	run --separate-stderr verify
	[ "$status" -eq 0 ]
	says "40 records in 1 file"
	[[ $stderr == *"audit.jsonl: not there: no record since it was rotated"* ]]
	run list --format json
	[ "$status" -eq 0 ]
	rm "$j.1"
	run --separate-stderr verify
	[ "$status" -eq 2 ]
	[[ $stderr == *"audit.jsonl: No such file"* ]]
}

@test "a journal that is renamed while it is opened is read once" {
	ln "$j" "$j.1"
	run verify
	[ "$status" -eq 0 ]
	says "40 records in 1 file"
}

@test "a file that is being compressed is read once, from the file that is whole" {
	sed -n 1,20p "$j" > "$j.1"
	gzip -c < "$j.1" | head -c 300 > "$j.1.gz"
	sed -i 1,20d "$j"
	run verify
	[ "$status" -eq 0 ]
	says "40 records in 2 files, numbers 1 to 40"
	mv "$j.1" "$j-20261001" && mv "$j.1.gz" "$j-20261001.gz"
	run verify
	[ "$status" -eq 0 ]
	# (another file is not left out)
	gzip -c < "$j-20261001" > "$j-20261002.gz"
	run verify
	says "60 records in 3 files"
}


@test "files rotated by date are read in order" {
	mv "$j" "$BATS_TEST_TMPDIR/all"
	sed -n 1,10p "$BATS_TEST_TMPDIR/all" > "$j-20260930"
	sed -n 11,20p "$BATS_TEST_TMPDIR/all" | gzip > "$j-20261001.gz"
	sed -n '21,$p' "$BATS_TEST_TMPDIR/all" > "$j"
	run verify
	[ "$status" -eq 0 ]
	says "40 records in 3 files"
}

# logrotate.conf holds for every file of logrotate.d that does not say otherwise.
@test "whatever logrotate.conf says for other logs, the journal's rotation leaves files that are read, and loses none" {
	local conf=$BATS_TEST_TMPDIR/logrotate.conf
	chmod 700 "$BATS_TEST_TMPDIR"
	mkdir "$BATS_TEST_TMPDIR/old"
	printf '%s\n' dateext 'dateformat -%Y-%m-%d' 'compresscmd /usr/bin/xz' 'uncompresscmd /usr/bin/unxz' 'compressext .xz' \
		'compressoptions -T1' "olddir $BATS_TEST_TMPDIR/old" copytruncate create copy 'maxage 1' > "$conf"
	sed "s|/var/log/ces|$BATS_TEST_TMPDIR|" systemd/logrotate >> "$conf"
	mv "$j" "$BATS_TEST_TMPDIR/all"
	sed -n 1,20p "$BATS_TEST_TMPDIR/all" > "$j-20260901"
	sed -n 21,30p "$BATS_TEST_TMPDIR/all" > "$j"
	touch -d '2026-09-01' "$j-20260901"
	/usr/sbin/logrotate --force --state "$BATS_TEST_TMPDIR/state" "$conf"
	ls "$BATS_TEST_TMPDIR"
	[ ! -e "$j" ]
	[ -z "$(ls "$BATS_TEST_TMPDIR/old")" ]
	[ -e "$j-20260901.gz" ]
	sed -n '31,$p' "$BATS_TEST_TMPDIR/all" > "$j"
	run --separate-stderr verify
	echo "$stderr"
	[ "$status" -eq 0 ]
	says "40 records in 3 files"
	[ -z "$stderr" ]
}

@test "a size or a first number in logrotate.conf changes neither when the journal is rotated nor its files' names" {
	local conf=$BATS_TEST_TMPDIR/logrotate.conf
	chmod 700 "$BATS_TEST_TMPDIR"
	printf '%s\n' 'maxsize 1' 'start 0' > "$conf"
	sed "s|/var/log/ces|$BATS_TEST_TMPDIR|" systemd/logrotate >> "$conf"
	printf 'logrotate state -- version 2\n"%s" %s\n' "$j" "$(date +%Y-%-m-%-d-%-H:0:0)" > "$BATS_TEST_TMPDIR/state"
	/usr/sbin/logrotate --state "$BATS_TEST_TMPDIR/state" "$conf"
	ls "$BATS_TEST_TMPDIR"
	[ -e "$j" ]
	/usr/sbin/logrotate --force --state "$BATS_TEST_TMPDIR/state" "$conf"
	[ -e "$j.1" ]
}

# The first of these was rotated while the clock was a year ahead.
@test "after a clock was set back, files rotated by date are read in the order of their records" {
	mv "$j" "$BATS_TEST_TMPDIR/all"
	sed -n 1,10p "$BATS_TEST_TMPDIR/all" | gzip > "$j-20271001.gz"
	sed -n 11,20p "$BATS_TEST_TMPDIR/all" > "$j-20261101"
	sed -n 21,30p "$BATS_TEST_TMPDIR/all" > "$j-20261201"
	sed -n '31,$p' "$BATS_TEST_TMPDIR/all" > "$j"
	run verify
	[ "$status" -eq 0 ]
	says "40 records in 4 files, numbers 1 to 40"
	diff <(list --format json | jq -c .[]) <(jq -c . "$BATS_TEST_TMPDIR/all")
	# no order makes up for a file that is gone
	rm "$j-20261201"
	run verify
	[ "$status" -eq 1 ]
	says "audit.jsonl, line 1"
}

@test "files rotated by number before they were rotated by date are read first" {
	mv "$j" "$BATS_TEST_TMPDIR/all"
	sed -n 1,10p "$BATS_TEST_TMPDIR/all" | gzip > "$j.2.gz"
	sed -n 11,20p "$BATS_TEST_TMPDIR/all" > "$j.1"
	sed -n 21,30p "$BATS_TEST_TMPDIR/all" > "$j-20261201"
	: > "$j"
	run verify
	[ "$status" -eq 0 ]
	says "30 records in 4 files, numbers 1 to 30"
}

@test "a compressed file that was cut or damaged is reported, and not read as a short journal" {
	gzip < "$j" > "$j.1.gz"
	truncate -s -30 "$j.1.gz"
	: > "$j"
	run verify
	[ "$status" -eq 1 ]
	says "cut off"
	run list
	[ "$status" -eq 2 ]
}

@test "a rotated file that cannot be read is reported" {
	touch "$j.1.zst"
	run --separate-stderr verify
	[[ $stderr == *"audit.jsonl.1.zst"* ]]
}

@test "older records that are gone are a note, and the rest is intact" {
	sed -i 1,5d "$j"
	run verify
	[ "$status" -eq 0 ]
	says "before number 6 are not here"
}

@test "a new chain in a later file is a note, and a finding with --strict" {
	cp "$j" "$j.1"
	run verify
	[ "$status" -eq 0 ]
	says "1 file begins a new chain: nothing proves that no record is missing before it"
	run verify --strict
	[ "$status" -eq 1 ]
}

@test "a new chain in the middle of a file is a break" {
	journal 3 >> "$j"
	run verify
	[ "$status" -eq 1 ]
	says "line 41"
}
