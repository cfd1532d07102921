# The amount of code that runs as root (make size).

@test "the three figures of make size are within their limits" {
	cd "$BATS_TEST_DIRNAME/../.."
	run make --no-print-directory size
	echo "$output"
	[ "$status" -eq 0 ]
	[ "${#lines[@]}" -eq 3 ]
}

@test "each file that the linker takes into the setuid program is counted, with each header that it includes" {
	top=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	cd "$BATS_TEST_TMPDIR"
	mkdir b
	cp -r "$top/common" .
	printf 'int main(void) { return 0; }\n' > plain.c
	printf '#include "common/schema.h"\n\nint b; /* c */\n' > more.c
	gcc -I. -c -o b/plain.o plain.c
	gcc -I. -c -o b/more.o more.c
	gcc -Wl,-Map=b/one.map -o b/one b/plain.o
	gcc -Wl,-Map=b/two.map -o b/two b/plain.o b/more.o
	[ "$("$top/tests/lib/size.sh" 1 1 0 b one | awk '{ print $1 }' | xargs)" = "1 1 0" ]
	run "$top/tests/lib/size.sh" -v 9999 9999 9999 b two
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"2 more.c  knows foreign forms"* && $output == *"common/schema.h  knows foreign forms"* ]]
	setuid=$(awk '/setuid program/ { print $1 }' <<< "$output")
	[ "$setuid" -gt 50 ]
	run "$top/tests/lib/size.sh" $((setuid - 1)) 9999 9999 b two
	[ "$status" -eq 1 ]
	# (in another program of root's it counts only for the second figure)
	run "$top/tests/lib/size.sh" 1 "$setuid" 9999 b one two
	[ "$status" -eq 0 ]
}
