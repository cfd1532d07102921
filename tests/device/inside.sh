#!/bin/bash
# Checks what a run gets of a GPU, inside a lab on the machine with the GPU (gpu.sh). It installs CES from the archive. The last
# line counts.
#
# $fake says that the devices are fakes, and $image is the image of all runs: constants. $passed and $failed count.
# shellcheck disable=SC2154 # (lab is of services.sh)
set -uo pipefail
cd "$CES_TOP" || exit 1
. tests/lib/lab/services.sh
export PATH=$PATH:$CES_TOP/bin # (what the machine lacks)
fake=${CES_DEVICE_FAKE:-}
passed=0 failed=0
image=open.tre.test/epcced/tools:1

# Installs CES. It replaces the function of services.sh, which runs make: the machine may have none.
lab_install()
{
	cp -a root/. /
	chown -R 0:0 /usr/bin/ces-client /usr/bin/ces-policy /usr/libexec/ces
	chmod 4755 /usr/libexec/ces/ces-helper
	# (into the machine's own directory: the runtime starts without a cache of the linker)
	cp -P lib/* "$(dirname "$(realpath "$(/sbin/ldconfig -p | awk '/libc.so.6 .*x86-64/ { print $NF; exit }')")")/" 2> /dev/null
	/sbin/ldconfig
	[ -e /usr/bin/crun ] || cp real/crun /usr/bin/crun
}

setup()
{
	mountpoint -q /sys/fs/cgroup || mount -t cgroup2 ces-lab /sys/fs/cgroup || return 1
	lab_begin && lab_registry open 5001 && lab_push_all || return 1
	if [ -n "$fake" ]; then
		. tests/lib/lab/fake_gpus.sh
		fake_dev && fake_driver && CES_DEVICE_SMI=/usr/bin/nvidia-smi || return 1
	fi
	install -d -m 755 /etc/cdi
	if compgen -G '/etc/cdi/*.json' > /dev/null; then
		echo "# the vendor's specification: $(ls /etc/cdi)"
	elif command -v nvidia-ctk > /dev/null && nvidia-ctk cdi generate --format=json > /etc/cdi/nvidia.json 2> /dev/null; then
		echo "# a specification by nvidia-ctk"
	else
		"$PYTHON" tests/device/cdi.py --copy /usr/lib/ces-driver ${CES_DEVICE_SMI:+--smi "$CES_DEVICE_SMI"} > /etc/cdi/nvidia.json || return 1
		echo "# a specification by cdi.py: $(jq -c '[.devices[].name], (.containerEdits.mounts | length)' /etc/cdi/nvidia.json | paste -sd' ') files of the driver"
	fi
	lab_policy '.defaults.gpus.max = 8 | .defaults.limits.memory = "8G" | .defaults.limits.runs = 20' || return 1
	programs || return 1
	for user in alice bob; do as $user ces-client pull -q $image || return 1; done
}

# Prints the loader and the libraries that programs and the driver's libraries need, without those of the driver itself.
needed() # FILE...
{
	ldd "$@" 2> /dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/.*ld-linux" && $2 ~ "^[(]" { print $1 }' |
		grep -vE '/lib(cuda|nvidia)' | sort -u
}

# Puts the program, and the machine's loader and libraries, into the data of both projects: the images of the lab have no C
# library.
programs()
{
	local project to f smi=${CES_DEVICE_SMI:-/bin/true}
	for project in 1 2; do
		to=/safe_data/nsh-2024-000$project/gpu
		install -d -m 755 $to
		install -m 755 build/tests/compute $to/compute
		for f in $(needed build/tests/compute "$smi" /usr/lib/ces-driver/*.so* "$(/sbin/ldconfig -p | awk '/libcuda.so.1 / { print $NF; exit }')"); do
			cp -L "$f" $to/ || return 1
		done
		chmod -R a+rX $to
		ln -sf "$(basename "$(needed build/tests/compute | grep ld-linux)")" $to/loader
	done
}

run() # USER [OPTION...] -- COMMAND...
{
	local user=$1 options=()
	shift
	while [ "$1" != -- ]; do options+=("$1"); shift; done
	as "$user" timeout 60 ces-client run -q "${options[@]}" $image "${@:2}" 2>&1 < /dev/null
}

# shellcheck disable=SC2016 # (the container's own)
compute='d=/safe_data/gpu; exec $d/loader --library-path $d:$LD_LIBRARY_PATH $d/compute'

# Runs COMMAND, counts it, and prints its output.
check() # TEXT COMMAND...
{
	local text=$1 output
	shift
	if output=$("$@" 2>&1); then
		passed=$((passed + 1))
		echo "ok $((passed + failed)) $text"
	else
		failed=$((failed + 1))
		echo "not ok $((passed + failed)) $text"
	fi
	sed 's/^/# /' <<< "$output"
}

granted_alone()
{
	local output
	output=$(run alice --gpu=1 -- sh -c 'ls -d /dev/nvidia[0-9]*; echo visible $NVIDIA_VISIBLE_DEVICES') || { echo "$output"; return 1; }
	echo "$output"
	[ "$(grep -c '^/dev/nvidia' <<< "$output")" -eq 1 ] && grep -q '^visible .' <<< "$output"
}

computes()
{
	local output
	output=$(run alice --gpu=1 -- sh -c "$compute sum") || { echo "$output"; return 1; }
	echo "$output"
	[ -n "$fake" ] || grep -qx 'computed 4194304 sums' <<< "$output" || return 1
	grep -qx 'devices: 1' <<< "$output"
}

smi()
{
	local output script
	# shellcheck disable=SC2016 # (the container's own)
	script='p=$(command -v nvidia-smi) || exit 1; case $(head -c 2 $p) in "#!") exec $p -L ;; esac
		exec /safe_data/gpu/loader --library-path /safe_data/gpu:$LD_LIBRARY_PATH $p -L'
	output=$(run alice --gpu=1 -- sh -c "$script") || { echo "$output"; return 1; }
	echo "$output"
	if [ -n "$fake" ]; then grep -q 'the driver says' <<< "$output"; else [ "$(grep -c '^GPU ' <<< "$output")" -eq 1 ]; fi
}

none_without()
{
	local output
	output=$(run alice -- sh -c "ls -d /dev/nvidia* /dev/dri 2> /dev/null; $compute sum")
	echo "$output"
	! grep -qE '^/dev/|devices: [1-9]|computed' <<< "$output"
}

# One run holds all GPUs, and the run of another user finds none.
never_shared()
{
	local output client status=0
	# (not by a function: its shell would get the signal)
	setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C /home/alice \
		ces-client run -q --gpu=all $image sh -c 'echo up; sleep 60' > $lab/up 2>&1 < /dev/null &
	client=$!
	for _ in {1..100}; do [ -s $lab/up ] && break; sleep 0.1; done
	grep -qx up $lab/up || { cat $lab/up; return 1; }
	output=$(run bob --gpu=1 -- true) && status=1
	echo "$output"
	kill "$client"
	wait "$client"
	[ $status -eq 0 ] && grep -qE 'free|in use' <<< "$output"
}

# Prints the median of eleven times of COMMAND, in milliseconds.
middle() # COMMAND...
{
	local times=() from
	for _ in {1..11}; do
		from=$(date +%s%N)
		"$@" > /dev/null || return 1
		times+=($((($(date +%s%N) - from) / 10000)))
	done
	printf '%s\n' "${times[@]}" | sort -n | sed -n 6p | sed -E 's/(..)$/.\1/'
}

start_is_quick()
{
	local with without
	without=$(middle run alice -- true) && with=$(middle run alice --gpu=1 -- true) || return 1
	echo "a start takes $without ms without a GPU, $with ms with one"
	awk -v a="$without" -v b="$with" 'BEGIN { exit (b > a + 500) }'
}

# Checks whether the next user sees what a run left in the GPU's memory. CES does not clear it: the driver must.
memory_between_users()
{
	local output
	output=$(run alice --gpu=1 -- sh -c "$compute write 4096"; run bob --gpu=1 -- sh -c "$compute look 4096") || { echo "$output"; return 1; }
	echo "$output"
	grep -q '^found 0 marks' <<< "$output"
}

on_record()
{
	ces-policy audit verify && jq -s -e 'map(select(.event == "decision" and .outcome == "allowed" and .gpus == 1)) | length > 3 and all(.devices | length == 1)' \
		/var/log/ces/audit.jsonl
}

if output=$(setup 2>&1); then
	grep '^#' <<< "$output"
	check "a container lists exactly the granted GPU" granted_alone
	if [ -n "$fake" ]; then
		check "a program loads the driver's library and opens one GPU (a fake computes nothing)" computes
	else
		check "a program of CUDA's computes on it, and its result is right" computes
	fi
	check "nvidia-smi works inside, and shows one GPU" smi
	check "a run without --gpu finds no device" none_without
	check "two runs never share an exclusive GPU" never_shared
	check "--gpu makes a start less than half a second longer" start_is_quick
	if [ -z "$fake" ]; then check "what one user left in the GPU's memory is not seen by the next" memory_between_users; fi
	check "each run with a GPU is on record with its device" on_record
else
	printf '%s\n' "$output" | tail -n 30 | sed 's/^/# /'
	echo "not ok 1 CES is installed, and an image is pulled"
	failed=1
fi
echo "# $SECONDS s"
echo "$passed passed, $failed failed"
[ $failed -eq 0 ] && [ $passed -gt 0 ]
