#!/usr/bin/env bats
# The policy's proxy: the only way out, to one address.

load ../lib/e2e.bash

setup_file()
{
	have alice tools
	have bob tools
	have carol tools
	# Makes the "internet", which the proxy can reach and a container cannot.
	install -d /srv/web
	echo hello > /srv/web/page
	/usr/bin/python3 -m http.server --bind $lab_outside --directory /srv/web 80 > $lab/web.log 2>&1 3>&- &
	echo $! > $lab/servers
	lab_wait_port 80 $lab/web.log $lab_outside
	server 127.0.0.1 8118
	server 127.0.0.1 8119 --echo
	server $lab_address 8120
	printf '%s proxy.tre.test\n127.0.0.1 rebound.tre.test\n169.254.169.254 metadata.tre.test\n' $lab_address >> /etc/hosts
}
teardown_file()
{
	xargs kill < $lab/servers || true
	lab_policy
}
setup()
{
	proxy http://127.0.0.1:8118
	rm -f $lab/proxy.*
	remember
}
teardown()
{
	local u r
	for u in alice bob; do
		for r in $(ces $u ps --format json | jq -r '.[].run'); do ces $u stop -q "$r" || true; done
	done
	rm -rf /home/*/outputs_* /home/*/.local
}

server() # ADDRESS PORT [--echo]
{
	tests/lib/lab/little_proxy.py "$1" "$2" $lab/proxy."$2" "${@:3}" > $lab/little-proxy."$2" 2>&1 3>&- &
	echo $! >> $lab/servers
	lab_wait_port "$2" $lab/little-proxy."$2" "$1"
}
proxy() # URL [FILTER]; of every project
{
	lab_policy ".defaults.network = { proxy: \"$1\", publish: [\"3128\", \"8080\"] } | ${2:-.}"
}
relay() { pgrep -x ces-relay; }

@test "a program that uses proxies gets out through the policy's, and through nothing else" {
	run inside -- wget -q -O - http://$lab_outside/page
	echo "$output"
	[ "$output" = hello ]
	grep -q "GET http://$lab_outside/page" $lab/proxy.8118
	no inside -- env -u http_proxy wget -q -T 3 -O - http://$lab_outside/page
}

@test "https goes through the proxy as a tunnel of bytes" {
	run inside -- sh -c "printf 'CONNECT $lab_outside:80 HTTP/1.1\r\n\r\nGET /page HTTP/1.0\r\n\r\n' | nc 127.0.0.1 3128"
	[[ $output == *" 200 "*hello ]]
}

@test "when the proxy refuses a request, the program gets the proxy's answer" {
	run inside -- wget -q -O - http://$lab_outside:81/page
	[ "$status" -ne 0 ]
	[[ $output == *502* ]]
}

@test "every other address is out of reach, also the machine's own ports" {
	run inside -- sh -c "
		for a in $lab_address:5001 $lab_address:8120 $lab_outside:80 127.0.0.1:8118 127.0.0.1:8119 127.0.0.1:5001 169.254.169.254:80; do
			nc -w 2 \${a%:*} \${a#*:} < /dev/null > /dev/null 2>&1 && echo reached \$a; done; ip -o link | wc -l; ip route; echo done"
	[ "$output" = $'1\ndone' ]
}

@test "the policy's variables replace the image's and the caller's" {
	run inside -e http_proxy=http://elsewhere:1 -e NO_PROXY=x -e KEPT=1 -- sh -c 'env | grep -iE "proxy|KEPT" | sort'
	[ "$output" = $'HTTPS_PROXY=http://127.0.0.1:3128\nHTTP_PROXY=http://127.0.0.1:3128\nKEPT=1\nNO_PROXY=localhost,127.0.0.1,::1
http_proxy=http://127.0.0.1:3128\nhttps_proxy=http://127.0.0.1:3128\nno_proxy=localhost,127.0.0.1,::1' ]
}

@test "without the key there is no listener, no variable and no relay" {
	lab_policy
	run inside -- sh -c 'nc -w 2 127.0.0.1 3128 < /dev/null 2> /dev/null; echo $?; env | grep -ci proxy; cat /proc/net/tcp | wc -l'
	[[ $output == *$'1\n0\n1' ]]
	proxy none
	run inside -- sh -c 'env | grep -ci proxy'
	[ "$output" = 0 ]
	no relay
}

@test "--network=none leaves the proxy out" {
	run inside --network=none -- sh -c 'nc -w 2 127.0.0.1 3128 < /dev/null 2> /dev/null; echo $?; env | grep -ci proxy'
	[[ $output == *$'1\n0' ]]
	journal_new -s -e 'map(select(.event == "decision")) | .[0] | has("proxy") | not'
}

@test "explain, a dry run, the journal and the auditor name the proxy" {
	run ces alice explain run $open/tools:1 true
	[[ $output == *"except the proxy http://127.0.0.1:8118, which is 127.0.0.1:3128 in the container"* ]]
	run ces alice run --dry-run $open/tools:1 true
	[[ $output == *"except the proxy http://127.0.0.1:8118"* ]]
	remember
	inside -- true
	journal_new -s -e 'map(select(.event == "decision")) | .[0].proxy == "http://127.0.0.1:8118"'
	run ces-policy audit show "$(journal_new -s -r '.[0].run')" --journal $journal
	[[ $output == *proxy*http://127.0.0.1:8118* ]]
}

@test "bytes pass unchanged, in both directions at once, and so does their end" {
	proxy http://127.0.0.1:8119
	head -c 20000000 /dev/urandom > $lab/sent
	ces alice run -q -i $open/tools:1 nc 127.0.0.1 3128 < $lab/sent > $lab/back
	cmp $lab/sent $lab/back
}

@test "when hundreds connect at once, each gets its own answer" {
	proxy http://127.0.0.1:8119 '.defaults.limits.pids = 2000'
	run inside -- sh -c 'for i in $(seq 200); do (echo "x$i"; sleep 1) | nc 127.0.0.1 3128 & done; wait'
	[ "$(sort -u <<< "$output" | grep -c '^x')" -eq 200 ]
}

@test "connections above the number that are carried at once wait for their turn" {
	proxy http://127.0.0.1:8119
	n=$(ces alice run -q -d $open/tools:1 sh -c 'for i in $(seq 150); do nc 127.0.0.1 3128 < /proc/self/fd/0 > /dev/null & done
		sleep 1; touch /safe_outputs/full; sleep 1; killall nc; echo again | nc -w 5 127.0.0.1 3128 > /safe_outputs/again')
	ces alice wait "$n"
	grep -q again "/home/alice/outputs_$n/again"
}

@test "when the proxy is down, connections close, and the run has its own status" {
	proxy http://127.0.0.1:8999
	run inside -- sh -c 'wget -q -T 5 -O - http://example.org/ ; echo "wget: $?"; exit 7'
	echo "$output"
	[ "$status" -eq 7 ]
	[[ $output == *"wget: 1"* ]]
	nothing_left_behind
}

@test "a name is looked up once for a run; a later answer leads nowhere else" {
	proxy http://proxy.tre.test:8120
	n=$(ces alice run -q -d $open/tools:1 sh -c "while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; wget -q -O - http://$lab_outside/page")
	eventually test -d "/home/alice/outputs_$n"
	sed -i 's/.* proxy.tre.test/127.0.0.2 proxy.tre.test/' /etc/hosts 2> /dev/null || { sed 's/.* proxy.tre.test/127.0.0.2 proxy.tre.test/' /etc/hosts > $lab/hosts; cat $lab/hosts > /etc/hosts; }
	as alice touch "/home/alice/outputs_$n/go"
	ces alice wait "$n"
	run ces alice logs "$n"
	sed "s/.* proxy.tre.test/$lab_address proxy.tre.test/" /etc/hosts > $lab/hosts
	cat $lab/hosts > /etc/hosts
	[ "$output" = hello ]
	grep -q "GET http://$lab_outside/page" $lab/proxy.8120
}

@test "the machine itself is a proxy if the policy writes it so" {
	proxy http://localhost:8118
	[ "$(inside -- wget -q -O - http://$lab_outside/page)" = hello ]
}

@test "a name that leads to this machine or its link, or nowhere, refuses the run" {
	for host in rebound.tre.test metadata.tre.test 169.254.169.254 224.0.0.1 0.0.0.0; do
		proxy http://$host:8118
		run --separate-stderr ces alice run -q $open/tools:1 true
		echo "$host: $status $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: the proxy of the policy"*"uses no loopback or link-local address for a proxy"* ]]
	done
	proxy http://nowhere.tre.test:8118
	run --separate-stderr ces alice run -q $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: the proxy of the policy, nowhere.tre.test:8118: its name cannot be resolved"* ]]
	nothing_left_behind
	no test -e $lab/proxy.8118
	[ -z "$(ls -d /home/alice/scratch_* 2> /dev/null)" ]
}

@test "the container's port of the proxy cannot be published" {
	run --separate-stderr ces alice run -p 18080:3128 $open/tools:1 true
	refused "port 3128 of the container is CES's own"
	inside -p 18080:8080 -- true
}

@test "the relay outwards holds nothing: it has its own user, no capability, a filter, and the machine's network" {
	n=$(ces alice run -q -d $open/tools:1 sleep 60)
	pid=$(relay)
	[ "$(ps -o user= -p "$pid")" = ces-relay ]
	grep -q '^CapPrm:.*0000000000000000$' /proc/"$pid"/status
	grep -q '^NoNewPrivs:.*1$' /proc/"$pid"/status
	grep -q '^Seccomp:.*2$' /proc/"$pid"/status
	grep -q '^Groups:[[:space:]]*$' /proc/"$pid"/status
	[ "$(readlink /proc/"$pid"/ns/net)" = "$(readlink /proc/self/ns/net)" ]
	# the channel and the listener; the other fds are null
	[ "$(find /proc/"$pid"/fd -lname 'socket:*' | wc -l)" -eq 2 ]
	[ "$(find /proc/"$pid"/fd -type l -not -lname 'socket:*' -not -lname '*/null' | wc -l)" -eq 0 ]
	for s in KILL STOP; do no as alice kill -$s "$pid"; done
	[ -z "$(ss -Hltn 'sport = :3128')" ]
}

@test "when the run ends, or its helper is killed, the relay ends too" {
	n=$(ces alice run -q -d $open/tools:1 sleep 60)
	[ "$(relay | wc -l)" -eq 1 ]
	ces alice stop "$n"
	no relay
	nothing_left_behind
	n=$(ces alice run -q -d $open/tools:1 sleep 60)
	relay
	pkill -KILL -x 'ces-helper|ces-admit|ces-session'
	eventually no relay
	inside -- true
	nothing_left_behind
}

@test "when the relay is killed, the way out closes, and the run goes on" {
	n=$(ces alice run -q -d $open/tools:1 sh -c "while [ ! -e /safe_outputs/go ]; do sleep 0.1; done; nc -w 5 127.0.0.1 3128 < /dev/null 2> /dev/null; echo \$?")
	eventually test -d "/home/alice/outputs_$n"
	kill -KILL "$(relay)"
	as alice touch "/home/alice/outputs_$n/go"
	ces alice wait "$n"
	run ces alice logs "$n"
	echo "$output"
	[[ $output == *1 ]]
}

@test "when runs of two projects go on at once, each has its own way out" {
	proxy http://127.0.0.1:8118 '.projects["nsh-2024-0002"].network.proxy = "none"'
	n=$(ces alice run -q -d $open/tools:1 sleep 60)
	who=bob run inside -- sh -c 'nc -w 2 127.0.0.1 3128 < /dev/null 2> /dev/null; echo $?'
	[[ $output == *1 ]]
	[ "$(relay | wc -l)" -eq 1 ]
	who=carol run inside --project nsh-2024-0001 -- wget -q -O - http://$lab_outside/page
	[ "$output" = hello ]
	who=carol run inside --project nsh-2024-0002 -- wget -q -T 3 -O - http://$lab_outside/page
	[ "$status" -ne 0 ]
}

@test "a published port and a proxy in one run do not mix" {
	n=$(ces alice run -q -d -p 18080:8080 $open/tools:1 sh -c 'nc -ll -p 8080 -e echo inside & sleep 60')
	[ "$(relay | wc -l)" -eq 2 ]
	answer() { [ "$(as alice timeout 5 bash -c 'exec 3<> /dev/tcp/127.0.0.1/18080 && read -r line <&3 && echo "$line"')" = inside ]; }
	eventually answer
	ces alice stop "$n"
	no relay
}
