# The shared parts of the suites of escapes: the hostile images on a registry of their own, the decoy that they aim at, and a
# runtime that records its input. Suites load it after tests/lib/e2e.bash.
#
# `remember_host` sets $before_host for `untouched`. `recorded` sets $config and $environment. `pull_refused` counts in
# $refusals, which `all_refused` reads. `background` adds to $clients, which `cve_teardown` kills.
# shellcheck shell=bash disable=SC2154 # (status, output and stderr are bats')
bad=bad.tre.test/cve/image
decoy=/srv/decoy
recorder=/usr/lib/ces-recorder

# Writes the lab's policy with that registry.
# shellcheck disable=SC2120 # (tests give one)
cve_policy() # [FILTER]
{
	lab_policy ".registries[\"bad.tre.test\"].endpoint = \"https://bad.tre.test:5444\" | ${1:-.}"
}

cve_begin()
{
	[ -d $lab/cve ] || python3 tests/cve/hostile_images.py $lab/cve
	python3 tests/lib/lab/bad_registry.py --address $lab_address --port 5444 --cert $lab/server.pem --key $lab/server.key \
		--layout $lab/cve --log $lab/cve.log > $lab/cve-registry.log 2>&1 3>&- &
	echo $! > $lab/cve.pid
	lab_wait_port 5444 $lab/cve-registry.log
	cve_policy
	# (open to every user, so that a program that reaches it can leave a mark)
	install -d -m 777 $decoy $decoy/kernel
	for f in ptmx console null zero tty stdin secret libcuda.so.1 smi; do echo "the host's" > $decoy/$f; done
	chmod 666 $decoy/*
	chmod 777 $decoy/kernel
	install -d -m 755 $recorder
	real=${CES_TEST_RUNTIME:-/usr/bin/crun}
	cat > $recorder/"$(basename "$real")" <<-SH
	#!/bin/sh
	case "\$*" in *" run "*)
	    { echo '#environment'; tr '\\0' '\\n' < /proc/\$\$/environ; echo '#config'; cat /bundle/config.json; echo; echo '#end'; } >&2
	esac
	exec $real "\$@"
	SH
	chmod 755 $recorder/"$(basename "$real")"
	! lab_has_selinux || chcon -R -t bin_t $recorder
}

cve_end()
{
	kill "$(cat $lab/cve.pid)"
	rm -rf $decoy $recorder
	lab_policy
}

# Starts COMMAND in the background until the end of the test.
clients=()
background() # USER COMMAND...
{
	setpriv --reuid=$1 --regid=$1 --init-groups --reset-env env -C /home/$1 "${@:2}" > $lab/up.$1 2>&1 3>&- < /dev/null &
	clients+=($!)
}

# Removes the clients, runs and outputs of a test. It kills the clients, so that none can report an end.
cve_teardown()
{
	[ -z "${clients[*]:-}" ] || kill -KILL "${clients[@]}" 2> /dev/null || true
	eventually no pgrep -x 'ces-helper|ces-admit|ces-session|crun|runc'
	rm -rf /home/*/outputs_*
}

# Prints the state of the decoy, and of everything else that a redirected write or mount would change.
host()
{
	find $decoy /etc $recorder -path /etc/ces -prune -o -printf '%p %y %u %g %m %s %T@\n' | sort
	sysctl -en kernel.core_pattern kernel.sysrq kernel.modprobe kernel.randomize_va_space vm.overcommit_memory
}

# Does what `remember` does, and remembers the host.
remember_host()
{
	remember
	before_host=$(host)
}

# Fails if a run is left behind, or if the host has changed since remember_host.
untouched()
{
	nothing_left_behind
	diff <(echo "$before_host") <(host)
}

# Pulls and runs a hostile image, as $who (alice). It must print only what the program prints.
hostile() # TAG [OPTION...] -- [COMMAND...]
{
	local tag=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	shift
	ces "${who:-alice}" pull -q "$bad:$tag" || return
	ces "${who:-alice}" run -q "${options[@]}" "$bad:$tag" "$@"
}

# Runs that image with the recording runtime. Sets $config (JSON) and $environment to what the runtime got.
recorded() # TAG [OPTION...]
{
	local tag=$1
	shift
	CES_TEST_RUNTIME=$recorder/$(basename "${CES_TEST_RUNTIME:-/usr/bin/crun}") cve_policy
	run --separate-stderr hostile "$tag" "$@" -- true
	cve_policy
	echo "status $status"
	[ "$status" -eq 0 ]
	environment=$(sed -n '/^#environment$/,/^#config$/p' <<< "$stderr" | grep -v '^#')
	config=$(sed -n '/^#config$/,/^#end$/p' <<< "$stderr" | grep -v '^#')
	[ -n "$environment" ]
	jq -e .process.args <<< "$config"
}

# Fails unless a pull is refused because of the image, with a clear line. `untouched` then finds what the pull left.
pull_refused() # TAG PATTERN
{
	run --separate-stderr timeout 60 setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client pull "$bad:$1"
	echo "$1: status $status, stdout: $output, stderr: $stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == "ces: "* && $stderr =~ $2 ]]
	[ -z "$output" ]
	refusals=$((${refusals:-0} + 1))
}

# Fails unless each of these pulls is on record as allowed and then failed, and has left no image.
all_refused()
{
	untouched
	journal_new -s -e --argjson n "$refusals" '(map(select(.event == "decision")) | length == $n)
		and (map(select(.event == "end" and .status != 0)) | length == $n)' > /dev/null
	no grep -E 'cve/image:(env|bytes|index|digest)-' < <(ces alice images)
}
