#!/usr/bin/env bats
# Published ports lead into the container, for the run's own user, and nowhere else.

load ../lib/e2e.bash

setup_file()
{
	lab_policy '.defaults.network = { "publish": ["8080", "8888"] }'
	have alice tools
	have carol tools
	pull bob $open/tools:1 -q
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown()
{
	local u r
	for u in alice bob; do
		for r in $(ces $u ps --format json | jq -r '.[].run'); do ces $u stop -q "$r" || true; done
	done
	# the program is a child of the function that ran it
	[ -z "${squatter:-}" ] || pkill -P "$squatter" || kill "$squatter" || true
	rm -rf /home/*/outputs_* /home/*/.local
}

# Starts a detached run of USER that answers each connection to 8080 with one line, and then runs `cat`.
echoes='trap "exit 0" TERM; nc -ll -p 8080 -e cat & touch /safe_outputs/up; while :; do sleep 0.1; done'
serve() # USER HOST-PORT
{
	n=$(ces "$1" run -q -d -p "$2:8080" $open/tools:1 sh -c "$echoes")
	eventually test -e "/home/$1/outputs_$n/up"
	# the server inside listens a moment later
	eventually said "$1" "$2" up up
}

# Prints the answer to a line sent as USER.
talk() # USER PORT LINE
{
	as "$1" timeout 5 bash -c 'exec 3<> /dev/tcp/127.0.0.1/$0 && printf "%s\n" "$1" >&3 && read -r line <&3 && echo "$line"' "$2" "$3" 2> /dev/null
}
said() { [ "$(talk "$1" "$2" "$3")" = "$4" ]; } # USER PORT LINE ANSWER

# Sends LINE as USER to 18080, from a port that the next connection uses too, and waits for the end, or resets the
# connection.
from_port() # USER LINE [reset]
{
	as "$1" python3 - "$2" "${3:-}" <<-'PY'
	import socket, struct, sys
	s = socket.socket()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	s.bind(("127.0.0.1", 28080))
	s.connect(("127.0.0.1", 18080))
	s.sendall(sys.argv[1].encode() + b"\n")
	if sys.argv[2] == "reset":
	    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
	else:
	    s.shutdown(socket.SHUT_WR)
	    s.settimeout(20)
	    s.recv(1)
	s.close()
	PY
}

queued() { [ "$(ss -Hltn 'sport = :18080' | awk '{ print $2 }')" = "$1" ]; } # CONNECTIONS that wait to be accepted

holds_nothing() # PID
{
	[ "$(find /proc/"$1"/fd -lname 'socket:*' | wc -l)" -eq 3 ] &&
		[ "$(find /proc/"$1"/fd -not -lname 'socket:*' -type l -not -lname '*/null' | wc -l)" -eq 0 ]
}
relay() { pgrep -x ces-relay; }

@test "a published port leads to the container's, and back" {
	serve alice 18080
	[ "$(talk alice 18080 hello)" = hello ]
	[ "$(talk alice 18080 again)" = again ]
}

@test "the ports that a run publishes are on record before it starts" {
	ces alice run -q -p 18080:8080 -p 18888:8888 $open/tools:1 true
	journal_new -s -e '.[0].ports == 2 and .[0].published == ["18080:8080", "18888:8888"]'
	run ces-policy audit show "$(journal_new -s -r '.[0].run')"
	[[ $output == *"18080:8080"*"18888:8888"* ]]
	ces alice run -q $open/tools:1 true
	journal_new -s -e 'map(select(.event == "decision")) | .[1].published == []'
}

@test "bytes pass unchanged, in both directions at once, and so does their end" {
	serve alice 18080
	head -c 20000000 /dev/urandom > $lab/sent
	as alice bash -c 'exec 3<> /dev/tcp/127.0.0.1/18080; exec 4<&0; cat <&4 >&3 & timeout 20 head -c 20000000 <&3' < $lab/sent > $lab/back
	cmp $lab/sent $lab/back
}

@test "another user's connection is closed at once, without a byte reaching the container, and is on record" {
	serve alice 18080
	run talk bob 18080 stranger
	[ "$status" -ne 0 ]
	[ -z "$output" ]
	run talk carol 18080 stranger
	[ -z "$output" ]
	run timeout 5 bash -c 'exec 3<> /dev/tcp/127.0.0.1/18080 && echo root >&3 && read -r line <&3 && echo "$line"'
	[[ $output != root ]]
	journal_new -s -e 'map(select(.event == "stranger")) | length == 1 and .[0].uid == 4401 and .[0].stranger == 4402
		and .[0].port == 18080 and .[0].count == 1'
	ces alice stop "$n"
	journal_new -s -e 'map(select(.event == "stranger") | .count) | add == 3'
	[ -z "$(talk alice 18080 x)" ]
}

@test "when a stranger sends and goes at once, nothing arrives" {
	n=$(ces alice run -q -d -p 18080:8080 $open/tools:1 sh -c 'nc -ll -p 8080 -e sh -c "cat >> /safe_outputs/got" & sleep 60')
	eventually test -d "/home/alice/outputs_$n"
	eventually bash -c "$(declare -f as); as alice bash -c 'echo mine > /dev/tcp/127.0.0.1/18080; sleep 0.1'; grep -q mine /home/alice/outputs_$n/got"
	for i in {1..50}; do
		as bob bash -c 'echo stranger > /dev/tcp/127.0.0.1/18080' || true
	done
	as alice bash -c 'exec 3> /dev/tcp/127.0.0.1/18080; echo last >&3; sleep 0.5'
	eventually grep -q last "/home/alice/outputs_$n/got"
	no grep -q stranger "/home/alice/outputs_$n/got"
}

@test "when the owner gets the port of a stranger after them, the stranger's bytes do not arrive" {
	n=$(ces alice run -q -d -p 18080:8080 $open/tools:1 sh -c 'nc -ll -p 8080 -e sh -c "cat >> /safe_outputs/got" & sleep 60')
	eventually test -d "/home/alice/outputs_$n"
	eventually bash -c "$(declare -f as); as alice bash -c 'echo first > /dev/tcp/127.0.0.1/18080; sleep 0.1'; grep -q first /home/alice/outputs_$n/got"
	# while the relay is stopped, bob's connection is reset and alice's takes its place
	kill -STOP "$(relay)"
	from_port bob stranger reset
	from_port alice mine 3>&- &
	eventually queued 2
	kill -CONT "$(relay)"
	wait $!
	as alice bash -c 'exec 3> /dev/tcp/127.0.0.1/18080; echo last >&3; sleep 0.5'
	eventually grep -q last "/home/alice/outputs_$n/got"
	eventually grep -q mine "/home/alice/outputs_$n/got"
	no grep -q stranger "/home/alice/outputs_$n/got"
}

@test "strangers do not fill the journal" {
	serve alice 18080
	since=$SECONDS
	# (each connection stays until it is closed: one that ends before the relay can ask does not count)
	for i in {1..200}; do as bob bash -c 'read -t 10 < /dev/tcp/127.0.0.1/18080' || true; done 2> /dev/null
	[ "$(talk alice 18080 still)" = still ]
	ces alice stop "$n"
	# one at once, one in ten seconds, one at the end
	most=$((2 + (SECONDS - since + 10) / 10))
	journal_new -s -e --argjson most $most 'map(select(.event == "stranger")) | length <= $most and (map(.count) | add) == 200'
}

@test "when nobody reads the reports of strangers, the owner's connections go on" {
	serve alice 18080
	helper=$(pgrep -x ces-session)
	kill -STOP $helper
	as bob python3 - <<-'PY'
	import socket
	for i in range(1000):
	    s = socket.create_connection(("127.0.0.1", 18080), timeout=1)
	    try:
	        s.recv(1)
	    except TimeoutError:
	        break
	    except ConnectionResetError:
	        pass
	    s.close()
	PY
	still=$(talk alice 18080 still) || true
	kill -CONT $helper
	[ "$still" = still ]
}

@test "nothing leads outwards: the container reaches no address but its own" {
	lab_wait_port 5001 /dev/null
	n=$(ces alice run -q -d -p 18080:8080 $open/tools:1 sh -c "
		for a in $lab_address:5001 $lab_outside:80 127.0.0.1:18080 127.0.0.1:5001; do
			nc -w 2 \${a%:*} \${a#*:} < /dev/null > /dev/null 2>&1 && echo reached \$a; done; ip -o link | wc -l; echo done")
	ces alice wait "$n"
	[ "$(ces alice logs "$n")" = $'1\ndone' ]
}

@test "the relay holds nothing: it has its own user, no capability, a filter, and the container's network" {
	serve alice 18080
	pid=$(relay)
	[ "$(stat -c %U /proc/"$pid")" = ces-relay ] || [ "$(ps -o user= -p "$pid")" = ces-relay ]
	grep -q '^CapPrm:.*0000000000000000$' /proc/"$pid"/status
	grep -q '^CapEff:.*0000000000000000$' /proc/"$pid"/status
	grep -q '^NoNewPrivs:.*1$' /proc/"$pid"/status
	grep -q '^Seccomp:.*2$' /proc/"$pid"/status
	grep -q '^Groups:[[:space:]]*$' /proc/"$pid"/status
	[ "$(readlink /proc/"$pid"/ns/net)" != "$(readlink /proc/self/ns/net)" ]
	# the channel, one netlink socket, one listener; the other fds are null
	eventually holds_nothing "$pid"
	for s in KILL STOP; do no as alice kill -$s "$pid"; done
}

@test "a port in use is refused with what to do" {
	as bob bash -c 'exec python3 -c "
import socket, time
s = socket.socket(); s.bind((\"127.0.0.1\", 18081)); s.listen(); time.sleep(60)"' 3>&- &
	squatter=$!
	lab_wait_port 18081 /dev/null 127.0.0.1
	remember
	run --separate-stderr ces alice run -p 18081:8080 $open/tools:1 true
	refused 'port 18081 of this machine is in use; choose another'
	serve alice 18080
	remember
	run --separate-stderr ces bob run -p 18080:8080 $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"port 18080 of this machine is in use"* ]]
	nothing_left_behind
}

@test "another user cannot have the port at ::1, where localhost may lead first" {
	hold() { as bob python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_INET6); s.bind(("::1", 18080)); s.listen(); print("has it", flush=True); time.sleep(float(sys.argv[1]))' "$1"; }
	hold 60 > "$BATS_TEST_TMPDIR/has" 3>&- &
	squatter=$!
	eventually test -s "$BATS_TEST_TMPDIR/has"
	remember
	run --separate-stderr ces alice run -p 18080:8080 $open/tools:1 true
	refused 'port 18080 of this machine is in use; choose another'
	kill $squatter
	pkill -u bob -f '::1.*18080'
	eventually no pgrep -u bob -f '::1.*18080'
	serve alice 18080
	run hold 0
	[ "$status" -ne 0 ]
	[[ $output == *"Address already in use"* ]]
	said alice 18080 hello hello
	ces alice stop "$n"
	hold 0
}

@test "privileged ports, ranges, other addresses and ports outside the policy's list are refused" {
	for p in 80:8080 1023:8080 8080-8090:8080 0.0.0.0:18080:8080 ::1:18080:8080 18080:22 \
		18080:8080/udp 65536:8080 18080:0 '18080:8080 '; do
		run --separate-stderr ces alice run -p "$p" $open/tools:1 true
		echo "$p: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "* ]]
	done
	nothing_left_behind
}

@test "the port listens on loopback alone" {
	serve alice 18080
	[ "$(ss -Hltn 'sport = :18080' | awk '{ print $4 }')" = 127.0.0.1:18080 ]
	no as alice timeout 2 bash -c ": < /dev/tcp/$lab_address/18080"
}

@test "when the run ends, the port is free and the relay has ended" {
	serve alice 18080
	[ "$(relay | wc -l)" -eq 1 ]
	ces alice stop "$n"
	no relay
	[ -z "$(ss -Hltn 'sport = :18080')" ]
	nothing_left_behind
	serve alice 18080
	said alice 18080 anew anew
}

@test "when the helper is killed, the relay ends too" {
	serve alice 18080
	pkill -KILL -x 'ces-helper|ces-admit|ces-session'
	eventually no relay
	[ -z "$(ss -Hltn 'sport = :18080')" ]
	inside -- true
	nothing_left_behind
}

@test "when the relay is killed, the port ends, and the run goes on" {
	serve alice 18080
	kill -KILL "$(relay)"
	eventually bash -c '[ -z "$(ss -Hltn "sport = :18080")" ]'
	ces alice ps --format json | jq -e --arg n "$n" '.[0].run == $n'
	ces alice stop "$n"
	nothing_left_behind
}

@test "several ports of one run share a relay and do not mix" {
	n=$(ces alice run -q -d -p 18080:8080 -p 18088:8888 $open/tools:1 sh -c 'nc -ll -p 8080 -e echo one & nc -ll -p 8888 -e echo two & sleep 60')
	eventually said alice 18080 x one
	eventually said alice 18088 x two
	[ "$(relay | wc -l)" -eq 1 ]
}

@test "two users' runs have ports of their own, each for its user" {
	serve alice 18080
	m=$n
	serve bob 18082
	said alice 18080 a a
	said bob 18082 b b
	[ -z "$(talk alice 18082 x)" ]
	[ -z "$(talk bob 18080 x)" ]
	ces alice stop "$m"
	said bob 18082 b b
}

@test "hundreds of connections one after another leave the relay as it was" {
	serve alice 18080
	as alice python3 - <<-'PY'
	import socket
	for i in range(400):
	    with socket.create_connection(("127.0.0.1", 18080)) as s:
	        s.sendall(b"x%d\n" % i)
	        assert s.recv(100) == b"x%d\n" % i
	PY
	pid=$(relay)
	eventually bash -c "[ \$(ls /proc/$pid/fd | wc -l) -le 8 ]"
}

@test "a connection that nothing inside answers is closed" {
	n=$(ces alice run -q -d -p 18080:8080 $open/tools:1 sleep 60)
	run as alice timeout 5 bash -c 'exec 3<> /dev/tcp/127.0.0.1/18080; read -r line <&3'
	[ "$status" -eq 1 ]
}

@test "an image cannot publish a port by itself" {
	from=tools run inside -- true
	no relay
	[ "$status" -eq 0 ]
}

@test "-p 8080 and -p 0:8080 publish a free port and print http://127.0.0.1:PORT, and ps, port and inspect show it" {
	for p in 8080 0:8080 127.0.0.1::8080 localhost:0:8080; do
		run --separate-stderr ces alice run -d -p $p $open/tools:1 sh -c "$echoes"
		echo "$p: $output, $stderr"
		[ "$status" -eq 0 ]
		n=$output
		[[ $stderr =~ http://127.0.0.1:([0-9]+)\ leads\ to\ port\ 8080 ]]
		port=${BASH_REMATCH[1]}
		[ "$port" -ge 1024 ]
		eventually said alice "$port" hello hello
		[ "$(ces alice port "$n")" = "8080/tcp -> 127.0.0.1:$port" ]
		[ "$(ces alice inspect "$n" | jq -c '.[0].ports')" = "[{\"host\":$port,\"container\":8080}]" ]
		[ "$(ces alice ps --format json | jq -r '.[0].ports[0].host')" = "$port" ]
		[[ $(ces alice ps) == *PORTS*"$port->8080"* ]]
		journal_new -se "map(select(.event == \"decision\" and .run == \"$n\")) | .[0].published == [\"$port:8080\"]"
		ces alice stop -q "$n"
	done
}

@test "two ports chosen for one run differ; a port that may not be published is still refused" {
	run --separate-stderr ces alice run -p 8080 -p 8888 $open/tools:1 true
	[ "$status" -eq 0 ]
	[ "$(grep -oE '127.0.0.1:[0-9]+' <<< "$stderr" | sort -u | wc -l)" -eq 2 ]
	run --separate-stderr ces alice run -p 22 $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"port 22 of the container is not one that may be published"* ]]
	for p in 0 : 0: :0 70000 0:0 a 8080:; do
		run --separate-stderr ces alice run -p $p $open/tools:1 true
		echo "$p: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == *"type -p HOST:CONTAINER"* ]]
	done
}

@test "port says that a run has no ports, does not exist, or is another user's" {
	n=$(ces alice run -q -d $open/tools:1 sleep 60)
	[ "$(ces alice port "$n")" = "" ]
	run --separate-stderr ces bob port "$n"
	[ "$status" -eq 125 ]
	[[ $stderr == *"you have no live run $n"* ]]
	ces alice stop -q -t 0 "$n"
	run --separate-stderr ces alice port "$n"
	[ "$status" -eq 125 ]
}
