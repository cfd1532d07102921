# SECURITY.md lists everything that goes from one process of CES to another, who could have forged it, and what stops a
# forgery.

setup() { top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd); }

@test "each value that crosses a wall has its line in SECURITY.md, and each line its value" {
	run "$top/tests/harness/walls.py" "$top"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a field without a line in SECURITY.md is reported" {
	mkdir -p "$BATS_TEST_TMPDIR/common" "$BATS_TEST_TMPDIR/helper" "$BATS_TEST_TMPDIR/policy"
	cp -r "$top/common/." "$BATS_TEST_TMPDIR/common"
	cp -r "$top/helper/core" "$top/helper/resolve" "$top/helper/store" "$top/helper/verify" "$BATS_TEST_TMPDIR/helper"
	cp "$top"/policy/*.h "$BATS_TEST_TMPDIR/policy"
	cp "$top/SECURITY.md" "$BATS_TEST_TMPDIR"
	sed -i 's/^\tchar \*gpu; .*/&\n\tuint64_t capabilities;/' "$BATS_TEST_TMPDIR/common/request.h"
	run "$top/tests/harness/walls.py" "$BATS_TEST_TMPDIR"
	echo "$output"
	[ "$status" -eq 1 ]
	[[ $output == *"no line: ces_request.capabilities"* ]]
}
