#!/usr/bin/env bats
# Gives public corpora to CES's readers: JSONTestSuite, the tars of Go and libarchive, the documents of OCI. README.md has
# their sources. It needs no lab, but root for the owners in the tars.
bats_require_minimum_version 1.5.0

setup_file()
{
	cd "${CES_TOP:-$BATS_TEST_DIRNAME/../..}" || return 1
	local archive
	for archive in json tar oci; do
		mkdir "$BATS_FILE_TMPDIR/$archive"
		zstd -dcq "tests/corpora/$archive.tar.zst" | tar -x -C "$BATS_FILE_TMPDIR/$archive"
	done
}

setup()
{
	cd "${CES_TOP:-$BATS_TEST_DIRNAME/../..}" || return 1
	export B=${B:-build}
	work=$BATS_TEST_TMPDIR
	chmod 711 "$BATS_FILE_TMPDIR" "$work"
}

# Fails, and shows the difference, unless a file matches the table. Lines with # are for people.
as_expected() # TABLE FILE
{
	diff <(grep -v '^#' "tests/corpora/$1.expected") "$2"
}

read_json()
{
	"$B/tests/corpus_driver" json "$BATS_FILE_TMPDIR"/json/*.json | sed 's/(line 1, /(/' > "$work/json"
}

@test "invalid JSON is refused by both readers" {
	read_json
	[ "$(grep -ac '^n_' "$work/json")" -eq 188 ]
	run -1 grep -a '^n_.* taken' "$work/json"
}

@test "valid JSON is accepted by both readers, or refused for a reason in the table" {
	read_json
	[ "$(grep -ac '^y_' "$work/json")" -eq 95 ]
	grep -a '^y_' "$work/json" | grep -av ' taken taken$' > "$work/refused"
	diff <(grep '^y_' tests/corpora/json.expected) "$work/refused"
}

@test "JSON that the standard leaves open is treated as the table says" {
	read_json
	[ "$(grep -ac '^i_' "$work/json")" -eq 35 ]
	diff <(grep '^i_' tests/corpora/json.expected) <(grep -a '^i_' "$work/json")
}

@test "a tar of Go's or libarchive's gives the same files as with bsdtar, or is refused for a reason in the table" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	mkdir "$work/trees"
	tests/corpora/compare.py "$B" "$BATS_FILE_TMPDIR/tar" "$work/trees" > "$work/all"
	# (libarchive's own reasons change with its version)
	sed -E 's/(tar is broken: )(Unrecognized archive format|Special header too large|Damaged tar archive|Tar size attribute is negative|unknown)$/\1libarchive says so/' \
		"$work/all" > "$work/tar"
	[ "$(grep -c '^[a-z]*/' "$work/tar")" -eq 112 ]
	as_expected tar "$work/tar"
	[ -z "$(ls -A "$work/trees")" ]
}

@test "a document of OCI's specifications is accepted, or refused for a reason in the table" {
	[ "$(uname -m)" = x86_64 ] || skip "the table is of images for amd64"
	(cd "$BATS_FILE_TMPDIR/oci" && "$OLDPWD/$B/tests/corpus_driver" oci ./*/*.json) > "$work/oci"
	[ "$(wc -l < "$work/oci")" -eq 53 ]
	as_expected oci "$work/oci"
}
