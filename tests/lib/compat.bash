# shellcheck shell=bash disable=SC2154 # (bats and the lab set these)
# The functions of the suites of today's commands, in addition to e2e.bash.

# Writes stdin to a file of alice's.
file() # NAME
{
	cat > "/home/alice/work/$1"
	chown alice: "/home/alice/work/$1"
}

# Fails unless the client refused: status 125, and one line that begins with "ces: " and matches PATTERN.
client_refused() # PATTERN
{
	echo "status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[ -z "$output" ]
	[[ $stderr == "ces: "* ]]
	[[ $stderr =~ $1 ]]
	nothing_left_behind
}
