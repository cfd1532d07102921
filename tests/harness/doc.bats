#!/usr/bin/env bats
# The pages of the guides: doc/site.py.

cd "${BATS_TEST_DIRNAME}/../.." || exit 1

@test "the guides become pages without a script, a link outside, or a link that leads nowhere" {
	run doc/site.py "$BATS_TEST_TMPDIR/out"
	echo "$output"
	[ "$status" -eq 0 ]
	for page in index researchers governance administrators how-it-works security; do
		grep -q '<html lang="en-GB">' "$BATS_TEST_TMPDIR/out/$page.html"
	done
	run grep -rlE '<script|https?://[^"]*"' "$BATS_TEST_TMPDIR/out" --include=*.html
	[ "$status" -eq 1 ]
	grep -q '<svg' "$BATS_TEST_TMPDIR/out/pictures/processes.svg"
	# each picture has a description
	run grep -rhoE '<img [^>]*alt=""[^>]*>|<img src[^>]*>' "$BATS_TEST_TMPDIR/out" --include=*.html
	[ "$status" -eq 1 ]
}

@test "a missing page, a missing anchor, and a link outside are reported" {
	cp -r doc SECURITY.md "$BATS_TEST_TMPDIR"
	cd "$BATS_TEST_TMPDIR"
	echo '[a](nowhere.md) [b](governance.md#nowhere) [c](https://example.org/)' >> doc/researchers.md
	run doc/site.py out
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"nothing is at nowhere.md"* ]]
	[[ $output == *"there is no governance.html#nowhere"* ]]
	[[ $output == *"https://example.org/ is outside"* ]]
}

@test "each package that a guide or a manual names is built" {
	for name in $(grep -rhoE 'package (`|\.Li )?ces-[a-z]+' doc man README.md ondemand/README.md | grep -o 'ces-.*' | sort -u); do
		grep -qE "^%package ${name#ces-}\$" ces.spec || { echo "there is no package $name"; false; }
	done
}

@test "each word of the tables in the source is in its manual, and each message in a guide is one of a program" {
	run tests/harness/pages.py .
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a word that no manual has, and a message that no program prints, are reported" {
	cp -r client common doc helper man policy systemd "$BATS_TEST_TMPDIR"
	sed -i 's/"not found"/"not anywhere"/' "$BATS_TEST_TMPDIR/common/error_name.c"
	sed -i 's/^| `refused the login` |/| `did not like the login` |/' "$BATS_TEST_TMPDIR/doc/researchers.md"
	run tests/harness/pages.py "$BATS_TEST_TMPDIR"
	echo "$output"
	[ "$status" -eq 1 ]
	[ "${lines[*]}" = "ces-audit.5 does not have 'not anywhere' of common/error_name.c researchers.md: no program prints 'did not like the login'" ]
}
