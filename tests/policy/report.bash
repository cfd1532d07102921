# The shared parts of the suites of ces-policy report: the policy $p, the journal $j, the page $r, the tables in $c.
# shellcheck shell=bash disable=SC2154 # (status, output, top and examples come from bats and common.bash)

setup()
{
	p=$BATS_TEST_TMPDIR/p.json
	r=$BATS_TEST_TMPDIR/report.html
	j=$BATS_TEST_TMPDIR/audit.jsonl
	c=$BATS_TEST_TMPDIR/csv
	cp "$examples/desktop.json" "$p"
	journal 401 > "$j"
}

# page [OPTION...]: writes the page and its tables again. Sets $output to the page.
page()
{
	rm -rf "$c"
	run policy report --on 2026-12-01 --csv "$c" -o "$r" "$@" "$p"
	echo "$output"
	[ "$status" -eq 0 ]
	output=$(cat "$r")
}
