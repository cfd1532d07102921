#!/usr/bin/env bats
# What a user gets after a run: messages at its start and end, ces-run.json, ps -a, inspect, logs with times.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools
}
teardown_file() { lab_policy; }
setup() { remember; }
teardown() { rm -rf /home/alice/outputs_* /home/alice/.local /home/alice/kept /home/alice/results; }

@test "a command that is not in the image is reported once, and an option after the image is named" {
	run -127 --separate-stderr ces alice run $open/tools:1 nosuch
	[ "$status" -eq 127 ]
	[ "$(grep -c nosuch <<< "$stderr")" -eq 1 ]
	run -127 --separate-stderr ces alice run -q $open/tools:1 -it sh
	[ "$status" -eq 127 ]
	[[ $stderr == *"ces: -it comes after the image, so it is taken as the command; type options before the image: ces-client run -it $open/tools:1"* ]]
	run -127 --separate-stderr ces alice run -q -d $open/tools:1 -it sh
	[ "$status" -eq 127 ]
	[[ $stderr == *"ces: -it comes after the image"* ]]
}

@test "a whole command that is typed as one word is not found, and CES says why" {
	for option in -q "-q -d" "-q --entrypoint="; do
		# shellcheck disable=SC2086 # (words)
		run -127 --separate-stderr ces alice run $option $open/tools:1 'echo "one", two'
		[ "$status" -eq 127 ]
		[[ $stderr == *$'\nces: \'echo "one", two\' is one word, so it is taken as the name of a program: type its words without quotes around all' ]]
	done
	run -127 --separate-stderr ces alice run -q --entrypoint "echo one" $open/tools:1
	[ "$status" -eq 127 ]
	[[ $stderr == *"'echo one' is one word"* ]]
	# (not a word for the image's own program)
	have alice missing
	run -127 --separate-stderr ces alice run -q $open/missing:1 'one two'
	[ "$status" -eq 127 ]
	[[ $stderr != *"is one word"* ]]
	ces alice rmi -q $open/missing:1
}

@test "when an image is missing, the message lists its tags that are here" {
	run --separate-stderr ces alice run $open/tools:9 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"ces: of that image you have: $open/tools:1" ]]
	run --separate-stderr ces alice run $open/none:9 true
	[[ $stderr != *"of that image"* ]]
}

@test "when a login is refused, the message says where to make a token" {
	run --separate-stderr ces alice pull --username bob --token-stdin $image/tools:1 <<< wrong
	[ "$status" -eq 125 ]
	[[ $stderr == *"ces: make a token at GitHub:"*"read:packages"* ]]
	[[ $stderr != *"research coordinator"* ]]
}

@test "CES says the time limit at the start and at the end" {
	run --separate-stderr ces alice run --time 2s $open/tools:1 sleep 60
	[[ ${stderr_lines[0]} == "ces: run "*" (2s at most), outputs in "* ]]
	[[ ${stderr_lines[-1]} == "ces: ended at the time limit of 2s" ]]
}

@test "when a run fails on a full place, CES names it: the image's files, /dev/shm, outputs" {
	lab_policy '.defaults.limits.shm = "16M" | .defaults.limits.writable_layer = "16M"'
	run --separate-stderr ces alice run $open/tools:1 dd if=/dev/zero of=/big bs=1M count=40
	[[ $stderr == *"ces: the 16 MiB for changes to the image's files were full at the end; write large files to /scratch"* ]]
	run --separate-stderr ces alice run $open/tools:1 dd if=/dev/zero of=/dev/shm/big bs=1M count=40
	[[ $stderr == *"ces: /dev/shm was full at the end (16 MiB); ask for more with --shm-size"* ]]
	run --separate-stderr ces alice run $open/tools:1 sh -c 'dd if=/dev/zero of=/dev/shm/big bs=1M count=40; rm /dev/shm/big; exit 3'
	[ "$status" -eq 3 ]
	[[ $stderr != *"full at the end"* ]]
	run --separate-stderr ces alice run $open/tools:1 sh -c 'dd if=/dev/zero of=/dev/shm/big bs=1M count=40; exit 0'
	[ "$status" -eq 0 ]
	[[ $stderr != *"full at the end"* ]]
	mkdir /home/alice/results
	mount -t tmpfs -o size=8M,mode=777 small /home/alice/results
	! lab_has_selinux || chcon -t ces_data_t /home/alice/results
	lab_policy '.defaults.outputs = {"source":"~/results"}'
	run --separate-stderr ces alice run $open/tools:1 dd if=/dev/zero of=/safe_outputs/big bs=1M count=40
	umount /home/alice/results
	lab_policy
	[[ $stderr == *"ces: the disk of /safe_outputs was full at the end"* ]]
	nothing_left_behind
}

@test "run -d waits until the program is executed, and says 127 when there is none" {
	run -127 --separate-stderr ces alice run -d --name x $open/tools:1 nosuch
	[ "$status" -eq 127 ]
	[ -z "$output" ]
	[[ $stderr == *"ces: cannot start nosuch: "* ]]
	[ "$(ces alice ps -a --format json | jq -r '.[] | select(.name == "x").status')" = 127 ]
	run --separate-stderr ces alice run -d $open/tools:1 /etc
	[ "$status" -eq 126 ]
	run --separate-stderr ces alice run -d $open/tools:1 true
	[ "$status" -eq 0 ]
	[[ $output =~ ^[0-9]{10}$ ]]
	ces alice wait "$output"
}

@test "an empty outputs directory is removed; one with files says where they come from" {
	ces alice run -q $open/tools:1 true
	no compgen -G '/home/alice/outputs_*'
	ces alice run -q --name first -m 64M --cpus 0.5 -e SECRET=abc $open/tools:1 sh -c 'echo > /safe_outputs/f; exit 3' || true
	about=$(ls /home/alice/outputs_*/ces-run.json)
	cat "$about"
	[ "$(stat -c '%U %a' "$about")" = 'alice 644' ]
	jq -e --arg image $open/tools:1 --arg digest "$(ces alice images --format json | jq -r '.[0].digest')" \
		'.image == $image and .digest == $digest and .name == "first" and .project == "nsh-2024-0001" and .status == 3
		and .command == ["sh", "-c", "echo > /safe_outputs/f; exit 3"] and .limits == {"time": 600, "memory": 67108864, "cpus_milli": 500}
		and (.run | test("^[0-9]{10}$")) and .peak_memory > 0 and (.started | test("Z$")) and (.ended | test("Z$"))' "$about"
	no grep -q abc "$about"
	# for a detached run too
	rm -r /home/alice/outputs_*
	run=$(ces alice run -q -d $open/tools:1 sh -c 'echo > /safe_outputs/f')
	ces alice wait "$run"
	jq -e --arg run "$run" '.run == $run and .status == 0' "/home/alice/outputs_$run/ces-run.json"
}

@test "when several runs share a directory, it keeps their files and the last run's account; a file of that name stays" {
	as alice mkdir results
	lab_policy '.defaults.outputs = {"source":"~/results"}'
	ces alice run -q $open/tools:1 true
	one=$(jq -r .run /home/alice/results/ces-run.json)
	ces alice run -q $open/tools:1 true
	[ "$(jq -r .run /home/alice/results/ces-run.json)" != "$one" ]
	[ "$(ls -A /home/alice/results)" = ces-run.json ]
	as alice sh -c 'echo mine > results/ces-run.json'
	ces alice run -q $open/tools:1 true
	[ "$(cat /home/alice/results/ces-run.json)" = mine ]
	as alice ln -sf /home/alice/kept results/ces-run.json
	ces alice run -q $open/tools:1 true
	[ ! -e /home/alice/kept ]
	[ -L /home/alice/results/ces-run.json ]
	lab_policy
}

@test "a file that a killed client left in the outputs directory does not keep ces-run.json away" {
	as alice mkdir results
	as alice touch results/.ces-run.json.new
	lab_policy '.defaults.outputs = {"source":"~/results"}'
	ces alice run -q $open/tools:1 true
	lab_policy
	[ "$(find /home/alice/results -type f -printf '%f\n' | sort | paste -sd ' ')" = '.ces-run.json.new ces-run.json' ]
	jq -e '.status == 0' /home/alice/results/ces-run.json
}

@test "ps -a lists attached runs, which have no log, and filters work" {
	ces alice run -q --name one $open/tools:1 sh -c 'exit 4' || true
	run=$(ces alice run -q -d --name two $open/tools:1 sleep 60)
	[ "$(ces alice ps -a --format json | jq -c 'sort_by(.name) | [.[] | [.name, .state, .status]]')" = '[["one","ended",4],["two","running",null]]' ]
	[ "$(ces alice ps -a -q -f name=one)" = "$(ces alice ps -a -q --filter status=exited)" ]
	[ "$(ces alice ps -a -q -f name=one)" = "$(ces alice ps -q --filter status=ended)" ]
	[ "$(ces alice ps -q --filter status=running)" = "$run" ]
	[ "$(ces alice ps -a -q --filter status=running --filter ancestor=tools)" = "$run" ]
	[ -z "$(ces alice ps -a -q --filter project=nsh-2024-0002)" ]
	run --separate-stderr ces alice ps --filter label=x
	[ "$status" -eq 125 ]
	[[ $stderr == *"type one of --filter name=N"* ]]
	for typed in exitted created Running ""; do
		run --separate-stderr ces alice ps --filter "status=$typed"
		[ "$status" -eq 125 ]
		[ -z "$output" ]
		[[ $stderr == *"type one of --filter name=N"* ]]
	done
	# (the first run's outputs were empty)
	[ "$(ces alice ps -a --format json | jq -c 'sort_by(.name) | map(.outputs)')" = "[null,\"/home/alice/outputs_$run\"]" ]
	ces alice stop -q two
	run --separate-stderr ces alice logs one
	[ "$status" -eq 125 ]
	[[ $stderr == *"a log is kept of detached runs"* ]]
	# a run that is inspected after its end keeps its digest
	[ "$(ces alice inspect one | jq -r '.[0].digest')" = "$(ces alice images --format json | jq -r '.[0].digest')" ]
}

@test "inspect of a word that is no run says what to type for an image" {
	run --separate-stderr ces alice inspect tools
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: you have no run tools; ces-client ps -a lists yours; for an image, type its whole name" ]
}

@test "inspect shows an image's configuration, in characters that a terminal can take" {
	ces alice inspect $open/tools:1 > $lab/inspected
	cat $lab/inspected
	jq -e '.[0] | .command == ["sh"] and (.env | index("PATH=/bin:/usr/bin")) and .architecture == "amd64"
		and (.diff_ids | length) == .layers' $lab/inspected
	no grep -qP '[\x00-\x08\x0b-\x1f\x7f]' $lab/inspected
}

@test "logs --since and -t show the time of each line" {
	run=$(ces alice run -q -d $open/tools:1 sh -c 'echo one; sleep 3; echo two')
	ces alice wait "$run"
	[ "$(ces alice logs "$run")" = $'one\ntwo' ]
	ces alice logs -t "$run" > $lab/timed
	cat $lab/timed
	[ "$(grep -cE '^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z (one|two)$' $lab/timed)" -eq 2 ]
	first=$(date -d "$(cut -d' ' -f1 < $lab/timed | head -1)" +%s)
	second=$(date -d "$(cut -d' ' -f1 < $lab/timed | tail -1)" +%s)
	[ $((second - first)) -ge 2 ]
	[ "$(ces alice logs --since $second "$run")" = two ]
	utc=$(date -u -d "@$second" +%Y-%m-%dT%H:%M:%SZ)
	[ "$(as alice env TZ=EST5 ces-client logs --since "$utc" "$run")" = two ]
	[ "$(ces alice logs --since "$(tail -1 $lab/timed | cut -d' ' -f1)" "$run")" = two ]
	[ "$(ces alice logs --since "$(TZ=EST5 date -Iseconds -d "@$second")" "$run")" = two ]
	[ "$(ces alice logs --since 10m "$run")" = $'one\ntwo' ]
	[ -z "$(ces alice logs --since "$(date -d '+1 hour' +%Y-%m-%dT%H:%M)" "$run")" ]
	[ "$(ces alice logs -t --tail 1 "$run")" = "$(tail -1 $lab/timed)" ]
	rm /home/alice/.local/state/ces/"$run".times
	for option in -t "--since 1m"; do
		run --separate-stderr ces alice logs $option "$run"
		[ "$status" -eq 0 ]
		[ "$output" = $'one\ntwo' ]
		[ "$stderr" = "ces: it is not known when a part of this log was written: its lines are shown without a time" ]
	done
	run --separate-stderr ces alice logs --since yesterday "$run"
	[ "$status" -eq 125 ]
	[[ $stderr == *"--since 10m for ten minutes ago"* ]]
}

@test "an option of another command is refused with that command's name" {
	run --separate-stderr ces alice pull -v /x:/x $open/tools:1
	[[ $stderr == "ces: ces-client pull has no -v: it is an option of 'ces-client run'" ]]
	run --separate-stderr ces alice ps --privileged
	[[ $stderr == "ces: unknown option --privileged: 'ces-client ps --help' lists the options" ]]
	run --separate-stderr ces alice run --privileged $open/tools:1
	[[ $stderr == *"a container never holds rights on the host: leave it out" ]]
}

@test "what other engines call something else is refused with what to type here, and the advice is true" {
	local words
	while IFS='|' read -r words advice; do
		# shellcheck disable=SC2086 # (the words of a command)
		run --separate-stderr ces alice $words
		echo "$words: $stderr"
		[ "$status" -eq 125 ]
		[[ $stderr == "ces: "*"$advice"* ]]
		[ -z "$output" ]
	done <<- EOT
		pull --password-stdin -u me $open/tools:1|: type --token-stdin
		pull -u me -p secret $open/tools:1|never typed on the command line
		rmi -f $open/tools:1|leave it out: an image is removed while a run uses it, too
		rmi --force $open/tools:1|leave it out: an image is removed
		rmi -a|type 'ces-client rmi \$(ces-client images -q)'
		stop -f web|'ces-client stop --time 0 RUN' kills at once
		stop -s KILL web|leave it out: the image's own signal is sent first
		stop --signal=KILL web|--time 0 kills at once
		run -h node1 $open/tools:1 true|CES gives the host name: leave -h out
		rmi 087b2ee0ae39|is a digest, and CES asks for an image's name: ces-client images -q
		images --no-trunc|type --digests
		rm -f web|type 'ces-client stop RUN'
		-q images|-q comes before the command: type ces-client COMMAND -q
		--log-level=debug ps|--log-level=debug comes before the command
	EOT
	[ "$(ces alice help run)" = "$(ces alice run --help)" ]
	[ "$(ces alice -v)" = "$(ces alice --version)" ]
	have alice cmd
	run=$(ces alice run -q -d --entrypoint sleep $open/cmd:1 300)
	ces alice rmi $open/cmd:1
	[ "$(ces alice ps -q)" = "$run" ]
	ces alice stop -t 0 "$run"
}

@test "a dry run of an image that is allowed and not here says that it must be pulled" {
	for verb in "run --dry-run" "explain run"; do
		# shellcheck disable=SC2086 # (two words)
		run --separate-stderr ces alice $verb $open/stroke:1
		[ "$status" -eq 0 ]
		[[ $output == "allowed: run by alice"* ]]
		[ "$stderr" = "ces: you have no image $open/stroke:1 here yet: first type ces-client pull $open/stroke:1" ]
		# shellcheck disable=SC2086
		run --separate-stderr ces alice $verb $open/tools:1
		[ "$status" -eq 0 ]
		[ -z "$stderr" ]
	done
	[ -z "$(ces alice run -q --dry-run $open/stroke:1 2>&1 > /dev/null)" ]
	[ "$(journal_new -r 'select(.verb == "images")' | wc -l)" -eq 0 ]
	have alice stroke
	digest=$(ces alice inspect $open/stroke:1 | jq -r '.[0].digest')
	ces alice pull -q "$open/stroke@$digest"
	run --separate-stderr ces alice run --dry-run "$open/stroke@$digest"
	[ -z "$stderr" ]
	ces alice rmi -q $open/stroke:1 "$open/stroke@$digest"
}

@test "an image with docker:// before it is the same image, and a file or another kind of name is refused with what to type" {
	local typed advice
	ces alice pull -q docker://$open/tools:1
	[ "$(ces alice run -q docker://$open/tools:1 echo fine)" = fine ]
	[ "$(as alice ces-run docker://$open/tools:1 echo fine 2> /dev/null)" = fine ]
	as alice ces-pull -q docker://$open/tools:1
	ces alice inspect docker://$open/tools:1 | jq -e ".[0].reference == \"$open/tools:1\""
	ces alice rmi -q docker://$open/tools:1
	have alice tools
	while IFS='|' read -r typed advice; do
		for verb in run pull "explain run"; do
			# shellcheck disable=SC2086 # (two words)
			run --separate-stderr ces alice $verb "$typed"
			echo "$verb $typed: $stderr"
			[ "$status" -eq 125 ]
			[[ $stderr == "ces: "*"$advice"* ]]
		done
	done <<- EOT
		oras://$open/tools:1|leave out 'oras://': type $open/tools:1
		https://$open/tools:1|leave out 'https://': type $open/tools:1
		./tools.sif|is a file: type ces-run apptainer ./tools.sif
		tools.sif|is a file: type ces-run apptainer tools.sif
		087b2ee0ae39|is a digest, and CES asks for an image's name: ces-client images -q
		sha256:087b2ee0ae39|is a digest, and CES asks for an image's name: ces-client images -q
		image.tar|'image.tar' is a file, and CES runs images of registries
		/tmp/image.tar.gz|is a file, and CES runs images of registries
	EOT
}

@test "a registry with its port, or by the address of its proxy, is refused with the name that the policy has" {
	local typed name
	while IFS='|' read -r typed name; do
		for verb in run "run -d" pull; do
			# shellcheck disable=SC2086 # (two words)
			run --separate-stderr ces alice $verb $typed
			echo "$verb $typed: $stderr"
			[ "$status" -eq 125 ]
			[[ $stderr == *"(rule registries)"*"ces: the policy has this registry under another name: type $name" ]]
		done
	done <<- EOT
		git.ecdf.ed.ac.uk:5050/epcced/tools:1|git.ecdf.ed.ac.uk/epcced/tools:1
		ghcr-proxy.tre.test:5000/epcced/tools:1|ghcr.io/epcced/tools:1
		prefix.tre.test:5003/ghcr/epcced/tools|prefix.tre.test/epcced/tools:latest
		open.tre.test:5005/epcced/tools:1|open.tre.test/epcced/tools:1
	EOT
	run --separate-stderr ces alice pull docker.io/library/busybox:1
	[[ $stderr == *"(rule registries)"*"ces: ask your research coordinator" ]]
	[[ $stderr != *"another name"* ]]
}

@test "a pull with a user name and no terminal says what to type, and a wrong image name is refused before the token" {
	run --separate-stderr as alice setsid -w ces-pull me $image/tools:1
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: a user name needs a token, and there is no terminal to ask on: type ces-client pull --username USER with --token-file F or --token-stdin" ]
	run --separate-stderr as alice ces-pull podman me secret
	[ "$status" -eq 125 ]
	[ "$stderr" = "ces: type ces-pull [podman|apptainer|k8s] [OPTION...] [USER [TOKEN]] IMAGE" ]
	run --separate-stderr as alice ces-client pull -u me tools
	[[ $stderr == "ces: the image 'tools' names no registry"* ]]
}
