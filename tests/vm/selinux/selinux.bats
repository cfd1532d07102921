#!/usr/bin/env bats
# SELinux alone keeps each part of CES from these things: each test acts as root, with every capability, outside namespaces
# and system call filters. SELinux also separates runs.

load ../../lib/e2e.bash

probe=/usr/local/bin/busybox-probe

setup_file()
{
	lab_policy
	logs_in_as unconfined_u
	have alice tools
	cp /bin/busybox $probe
	chcon -t ces_probe_exec_t $probe
	setenforce 1 # (here, in whichever mode the machine was started)
}
setup()
{
	remember
	logs_in_as unconfined_u
}
teardown()
{
	setenforce 1
	restorecon -RF /usr/libexec/ces /etc/ces
	lab_policy
	rm -rf /root/scratch
}

# Logs in as a login does. If the policy keeps users apart, the home belongs to the same SELinux user.
logs_in_as() # SELINUX-USER
{
	chcon -R -u "$1" /home/alice
	case $1 in
	user_u) CES_AS_LABEL=user_u:user_r:user_t:s0 role=user_r ;;
	unconfined_u) CES_AS_LABEL=unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 role=unconfined_r ;;
	esac
}

# Runs an applet in DOMAIN as root. The applet is no program of CES's, and its name marks its denials.
as_domain() # DOMAIN[:LEVEL] APPLET...
{
	local domain=${1%%:*} level=s0
	case $1 in *:*) level=${1#*:} ;; esac
	shift
	runcon "system_u:system_r:$domain:$level" $probe "$@" < /dev/null
}

may()
{
	run as_domain "$@"
	echo "$*: $status, $output"
	[ "$status" -eq 0 ]
}

may_not()
{
	run as_domain "$@"
	echo "$*: $status, $output"
	[ "$status" -ne 0 ]
	[[ $output == *"ermission denied"* ]]
	[[ $output != runcon:* ]] # the domain may not, and the test itself works
}

layer() { find $store/layers -name patients -o -type f -path '*/fs/*' | head -n 1; }

@test "ces-fetch reads no policy, journal, store, layer, data or home; it connects out" {
	may_not ces_fetch_t cat /etc/ces/policy.json
	may_not ces_fetch_t cat $journal
	may_not ces_fetch_t ls $store
	may_not ces_fetch_t cat "$(layer)"
	may_not ces_fetch_t ls /safe_data/nsh-2024-0001
	may_not ces_fetch_t ls /home/alice
	may_not ces_fetch_t ls /run/ces
	may ces_fetch_t nc -w 10 $lab_address 5001
}

@test "ces-layout opens no policy, journal, store, layer, data, home or socket" {
	may_not ces_layout_t nc -w 10 $lab_address 5001
	may_not ces_layout_t cat /etc/ces/policy.json
	may_not ces_layout_t cat $journal
	may_not ces_layout_t ls $store
	may_not ces_layout_t cat "$(layer)"
	may_not ces_layout_t ls /safe_data/nsh-2024-0001
	may_not ces_layout_t ls /home/alice
	may_not ces_layout_t ls /run/ces
}

@test "ces-store reads no layer, policy, journal, data or home, and has no network" {
	may_not ces_images_t nc -w 10 $lab_address 5001
	may_not ces_images_t cat "$(layer)"
	may_not ces_images_t cat /etc/ces/policy.json
	may_not ces_images_t cat $journal
	may_not ces_images_t ls /run/ces
	may_not ces_images_t ls /safe_data/nsh-2024-0001
	may_not ces_images_t ls /home/alice
}

@test "ces-resolve opens no policy, journal, store, layer, data, home or socket" {
	may_not ces_resolve_t nc -w 10 $lab_address 5001
	may_not ces_resolve_t cat /etc/ces/policy.json
	may_not ces_resolve_t cat $journal
	may_not ces_resolve_t ls $store
	may_not ces_resolve_t cat "$(layer)"
	may_not ces_resolve_t ls /safe_data/nsh-2024-0001
	may_not ces_resolve_t ls /home/alice
	may_not ces_resolve_t ls /run/ces
}

@test "ces-unpack has layers, and no socket, policy, journal, grant, data or home" {
	may_not ces_unpack_t nc -w 10 $lab_address 5001
	may_not ces_unpack_t cat /etc/ces/policy.json
	may_not ces_unpack_t cat $journal
	may_not ces_unpack_t ls $store/grants
	may_not ces_unpack_t ls /safe_data/nsh-2024-0001
	may_not ces_unpack_t ls /home/alice
	may_not ces_unpack_t ls /run/ces
	may_not ces_unpack_t cat /etc/shadow
}

@test "ces-relay reads no policy, journal, store, data or home, and listens on nothing" {
	may_not ces_relay_t cat /etc/ces/policy.json
	may_not ces_relay_t cat $journal
	may_not ces_relay_t ls $store
	may_not ces_relay_t ls /safe_data/nsh-2024-0001
	may_not ces_relay_t ls /home/alice
	may_not ces_relay_t nc -l -p 5999
}

@test "ces-parse reads no policy, journal, store, data or home, and has no network" {
	may_not ces_parse_t cat /etc/ces/policy.json
	may_not ces_parse_t cat $journal
	may_not ces_parse_t ls $store
	may_not ces_parse_t ls /run/ces
	may_not ces_parse_t ls /safe_data/nsh-2024-0001
	may_not ces_parse_t ls /home/alice
	may_not ces_parse_t nc -l -p 5999
}

@test "ces-helper reads the policy, and neither journal, store nor data, and writes nothing" {
	may ces_helper_t cat /etc/ces/policy.json
	may_not ces_helper_t tee -a /etc/ces/policy.json
	may_not ces_helper_t cat $journal
	may_not ces_helper_t tee -a $journal
	may_not ces_helper_t ls $store
	may_not ces_helper_t cat "$(layer)"
	may_not ces_helper_t cat /safe_data/nsh-2024-0001/patients.csv
	may_not ces_helper_t cat /etc/shadow
}

@test "ces-session adds to the journal, and cannot shorten, replace or remove it" {
	may ces_session_t tail -n 1 $journal
	may_not ces_session_t truncate -s 0 $journal
	may_not ces_session_t rm -f $journal
	may_not ces_session_t mv $journal $journal.old
	may_not ces_session_t cat /etc/shadow
	may_not ces_session_t tee -a /etc/ces/policy.json
}

@test "a container reads no store, layer, journal, policy or home, on whatever path" {
	may_not ces_container_t:s0:c1,c2 ls $store
	may_not ces_container_t:s0:c1,c2 cat "$(layer)"
	may_not ces_container_t:s0:c1,c2 cat $journal
	may_not ces_container_t:s0:c1,c2 cat /etc/ces/policy.json
	may_not ces_container_t:s0:c1,c2 cat /etc/shadow
	may_not ces_container_t:s0:c1,c2 ls /run/ces
	setsebool ces_bind_homes off
	may_not ces_container_t:s0:c1,c2 ls /home/alice
	setsebool ces_bind_homes on
}

@test "a display is refused, and the message says why" {
	lab_policy '.defaults.display = true'
	run as alice "$CES_TOP/tests/lib/frame.py" u64:1:2 field:3:$open/tools:1 field:11:true u64:25:72 u64:26:1 u64:26:2 wrap:1
	echo "$output"
	[[ $output == *"leave out --display: SELinux is on here, and lets no run use a display"* ]]
	lab_policy
}

@test "a container reads its own scratch, and no other run's" {
	mkdir -p /srv/scratch
	echo secret > /srv/scratch/file
	chcon -R -t ces_container_file_t -l s0:c1,c2 /srv/scratch
	may ces_container_t:s0:c1,c2 cat /srv/scratch/file
	may_not ces_container_t:s0:c1,c3 cat /srv/scratch/file
	may_not ces_container_t:s0 cat /srv/scratch/file
	rm -r /srv/scratch
}

@test "a user can enter the domain of ces-helper alone" {
	for user in unconfined_u user_u; do
		logs_in_as $user
		for name in session parse fetch unpack relay; do
			run as alice runcon -r "$role" -t ces_${name}_t /usr/libexec/ces/ces-$name
			echo "$user $name: $output"
			[[ $output == "runcon: "*"ermission denied"* ]]
		done
		for name in runtime container; do
			run as alice runcon -u system_u -r system_r -t ces_${name}_t /bin/sh -c 'id -Z'
			echo "$user $name: $output"
			[[ $output == "runcon: "*"ermission denied"* ]]
		done
		as alice true
	done
	# a confined user can enter no other domain either, though their role may now become the system's
	run as alice runcon -u system_u -r system_r -t initrc_t /bin/sh -c 'id -Z'
	echo "initrc_t: $output"
	[[ $output == "runcon: "*"ermission denied"* ]]
}

@test "each run is in the container's domain, with categories that its root and scratch share and no other run has" {
	n=$(ces alice run -q -d $open/tools:1 sh -c 'cat /proc/self/attr/current > /safe_outputs/context; touch /scratch/here; exec sleep 599')
	eventually test -e "/home/alice/scratch_$n/scratch/here"
	one=$(tr -d '\0' < "/home/alice/outputs_$n/context")
	echo "$one"
	[[ $one =~ ^system_u:system_r:ces_container_t:(s0:c[0-9]+,c[0-9]+)$ ]]
	level=${BASH_REMATCH[1]}
	[ "$(stat -c %C "/home/alice/scratch_$n/scratch/here")" = "system_u:object_r:ces_container_file_t:$level" ]
	run inside -- cat /proc/self/attr/current
	[[ ${output//$'\0'/} == *:ces_container_t:s0:c* ]]
	[[ ${output//$'\0'/} != "$one" ]]
	# and the proof of the run has asked for exactly that
	[ "$(journal_new -r --arg n "$n" 'select(.event == "proof" and .run == $n) | .selinux')" = "$one" ]
	ces alice stop -q "$n"
	# (what stays is the user's, for other programs and runs)
	[[ $(stat -c %C "/home/alice/outputs_$n/context") == *:ces_data_t:s0 ]]
}

@test "a container's program does not start as one that raises its privileges: its environment is whole" {
	run inside -e LD_LIBRARY_PATH=/opt/lib -e TMPDIR=/scratch -- sh -c 'echo $LD_LIBRARY_PATH $TMPDIR; od -An -t u8 -v -w16 /proc/self/auxv'
	echo "$output"
	[ "${lines[0]}" = "/opt/lib /scratch" ]
	grep -qE '^ +23 +0$' <<< "$output" # AT_SECURE
}

@test "a confined user pulls and runs" {
	logs_in_as user_u
	# (through pipes: bats' own files belong to another SELinux user)
	pull alice $open/stroke:1 2>&1 | cat
	run ces alice run $open/stroke:1
	echo "$output"
	[ "$status" -eq 0 ]
	[[ $output == *"stroke-model: mean age 68.25"* ]]
	[ "$(as alice tail -n 1 "$(outputs alice)/result.csv")" = 4,68.25 ]
}

@test "without its label the helper refuses, and doctor says which label is wrong and how to mend it" {
	chcon -t bin_t $helper
	run --separate-stderr ces alice run $open/tools:1 true
	echo "$stderr"
	[ "$status" -eq 125 ]
	[[ $stderr == *"SELinux is enforcing, but CES is not in its domain"* ]]
	run ces alice doctor
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 "selinux  *$helper is labelled bin_t instead of ces_helper_exec_t" <<< "$output" | grep -q "restorecon -RF $helper"
	restorecon $helper
}

@test "a policy whose label lets others write is not believed, and doctor says how to mend it" {
	chcon -t etc_t /etc/ces/policy.json
	run --separate-stderr ces alice run $open/tools:1 true
	refused "/etc/ces/policy.json is not labelled as CES's policy"
	run ces alice doctor
	echo "$output"
	[ "$status" -eq 1 ]
	grep -A1 "selinux  */etc/ces/policy.json is labelled etc_t" <<< "$output" | grep -q '> as root: restorecon -RF /etc/ces/policy.json'
	restorecon /etc/ces/policy.json
	inside -- true
}

@test "when containers cannot use project data because of the label, doctor says whose they are, and how to mend it" {
	chcon -t etc_t /safe_data/nsh-2024-0001
	run ces alice doctor
	echo "$output"
	[ "$status" -eq 0 ]
	grep -A1 'warning  *selinux  *project data in /safe_data/nsh-2024-0001 are labelled etc_t' <<< "$output" | grep -q '> as root: restorecon -RF /safe_data'
	restorecon -RF /safe_data
	ces alice doctor | no grep 'project data in'
	# (a new /safe_data has the label from the beginning)
	mv /safe_data /safe_data.away
	mkdir -p /safe_data/nsh-2024-0001
	label=$(stat -c %C /safe_data/nsh-2024-0001)
	rm -r /safe_data
	mv /safe_data.away /safe_data
	[[ $label == *:ces_data_t:s0 ]]
}

@test "when nothing may look up a proxy's name, doctor says what to type, and then it is looked up" {
	setsebool ces_resolve_proxy off
	lab_policy '.defaults.network.proxy = "http://127.0.0.1:8118"'
	ces alice doctor | no grep ces_resolve_proxy
	lab_policy '.defaults.network.proxy = "http://localhost:8118"'
	run ces alice doctor
	echo "$output"
	remedy=$(grep -A1 'warning  *selinux  *http://localhost:8118 is a name' <<< "$output" | sed -n 's/.*> as root: \(setsebool [^;]*\);.*/\1/p')
	[ -n "$remedy" ]
	$remedy
	ces alice doctor | no grep ces_resolve_proxy
	inside -- true
	lab_policy
}

@test "where SELinux is permissive, doctor warns and CES runs; a policy that requires SELinux denies" {
	setenforce 0
	run ces alice doctor
	echo "$output"
	grep -A1 'warning  *selinux  *SELinux is permissive' <<< "$output" | grep -q 'setenforce 1'
	inside -- true
	lab_policy '.host.selinux = "required"'
	run --separate-stderr ces alice run $open/tools:1 true
	[ "$status" -eq 125 ]
	[[ $stderr == *"SELinux is permissive on this machine, and the policy requires it"* ]]
	setenforce 1
	inside -- true
}
