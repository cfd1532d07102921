# shellcheck shell=bash disable=SC2154 # (bats and the lab set these)
# Functions of the suites of today's commands, beside e2e.bash.

file() # NAME; its text on stdin
{
	cat > "/home/alice/work/$1"
	chown alice: "/home/alice/work/$1"
}

client_refused() # PATTERN: status 125, and one line that begins with "ces: " and matches
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[ -z "$output" ]
	[[ $stderr == "ces: "* ]]
	[[ $stderr =~ $1 ]]
	nothing_left_behind
}
