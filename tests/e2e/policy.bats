#!/usr/bin/env bats
# The policy: what it allows is allowed, everything else is denied, and a policy that is not trustworthy allows nothing.

load ../lib/e2e.bash

setup_file()
{
	lab_policy
	have alice tools stroke
	pull carol $open/tools:1 -q --project nsh-2024-0001
	pull bob $open/tools:1 -q
}
setup()
{
	lab_policy
	remember
}
teardown_file() { lab_policy; }
teardown() { rm -rf /home/*/outputs_*; }

# Prints how many requests have reached the open registry.
asked() { grep -c '"GET \|"HEAD ' $lab/open.log; }

@test "an image that no rule allows is refused without asking its registry, and the message says whom to ask" {
	n=$(asked)
	run --separate-stderr pull alice open.tre.test/other/tools:1
	refused 'nsh-2024-0001'
	[[ $stderr == *"your research coordinator"* ]]
	[ "$(asked)" -eq "$n" ]
}

@test "a denial names a contact in any language" {
	lab_policy '.contact = "das Büro für Daten"'
	run --separate-stderr pull alice open.tre.test/other/tools:1
	refused 'nsh-2024-0001'
	[[ $stderr == *"ces: ask das Büro für Daten" ]]
}

@test "a denied run leaves no trace" {
	run --separate-stderr ces alice run open.tre.test/other/tools:1 true
	refused 'open.tre.test/other/tools'
}

@test "a registry that the policy does not list is refused" {
	run --separate-stderr ces alice pull docker.io/library/busybox
	refused 'docker.io'
}

@test "an allow rule matches whole components, never a prefix" {
	for i in open.tre.test/epcced-evil/tools:1 open.tre.test/epcced/a/tools:1 open.tre.test.evil/epcced/tools:1; do
		remember
		run --separate-stderr ces alice pull $i
		refused 'ces: '
	done
}

@test "an unqualified reference is refused with what to type" {
	run --separate-stderr ces alice run ubuntu
	refused 'ubuntu'
	[[ $stderr == */* ]]
}

@test "a malformed reference is refused" {
	for i in 'ghcr.io/UPPER/x' 'ghcr.io//x' 'ghcr.io/a:b:c' 'ghcr.io/a@sha256:12' 'ghcr.io/../x' $'ghcr.io/a\nb' \
		'ghcr.io/a b' '-ghcr.io/a' "ghcr.io/$(printf 'a%.0s' {1..300})"; do
		remember
		run --separate-stderr ces alice run -- "$i" true
		echo "$i"
		refused 'ces: '
	done
}

@test "control characters in a reference never reach the terminal" {
	run --separate-stderr ces alice run $'ghcr.io/a\e[31m/x' true
	[ "$status" -eq 125 ]
	[[ $stderr != *$'\e'* ]]
}

@test "another project is refused in the same words as one that does not exist" {
	run --separate-stderr ces alice run --project nsh-2024-0002 $open/tools:1 true
	refused 'nsh-2024-0002'
	first=${stderr//nsh-2024-0002/P}
	remember
	run --separate-stderr ces alice run --project nsh-2024-9999 $open/tools:1 true
	refused 'nsh-2024-9999'
	[ "${stderr//nsh-2024-9999/P}" = "$first" ]
}

@test "a member of several projects must name one; the message lists them" {
	run --separate-stderr ces carol run $open/tools:1 true
	refused 'nsh-2024-0001'
	[[ $stderr == *nsh-2024-0002* && $stderr == *--project* ]]
}

@test "a user without a project gets a message that says so" {
	run --separate-stderr ces dave run $open/tools:1 true
	refused 'project'
}

@test "an expired project denies what it covers" {
	run --separate-stderr ces erin pull $open/tools:1
	refused 'expired|2024-12-31'
}

@test "an expired image rule denies what it covers" {
	lab_policy '.projects["nsh-2024-0001"].images = [{"allow":"open.tre.test/epcced/*","expires":"2024-01-31"}]'
	run --separate-stderr ces alice run $open/tools:1 true
	refused 'expired|2024-01-31'
}

@test "a missing project directory is reported first, in plain words" {
	pull frank $open/tools:1 -q
	remember
	run --separate-stderr ces frank run $open/tools:1 true
	refused '/safe_data/nsh-2024-0004'
}

@test "membership comes from the user database now, not from the groups of a process" {
	run --separate-stderr setpriv --reuid=dave --regid=dave --groups=4411,4412 --reset-env \
		ces-client run $open/tools:1 true
	refused 'project'
	gpasswd -d carol nsh-2024-0002 > /dev/null
	run --separate-stderr setpriv --reuid=carol --regid=carol --groups=4411,4412 --reset-env \
		ces-client run --project nsh-2024-0002 $open/tools:1 true
	gpasswd -a carol nsh-2024-0002 > /dev/null
	[ "$status" -eq 125 ]
}

@test "a locked digest runs, another one is refused" {
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	lab_policy ".projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/*\",\"digest\":\"$digest\"}]"
	run inside -- echo locked
	[ "$output" = locked ]
	lab_policy ".projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/*\",\"digest\":\"sha256:$(printf '1%.0s' {1..64})\"}]"
	remember
	run --separate-stderr ces alice run $open/tools:1 true
	refused 'digest|approved'
	remember
	run --separate-stderr ces alice pull $open/tools:1
	refused 'digest|approved'
}

@test "of two digests that are approved, a tag means the first, and the message says to name the other" {
	digest=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	lab_policy ".projects[\"nsh-2024-0001\"].images = [{\"allow\":\"open.tre.test/epcced/tools\",\"digest\":\"sha256:$(printf '1%.0s' {1..64})\"},
		{\"allow\":\"open.tre.test/epcced/tools\",\"digest\":\"$digest\"}]"
	for verb in pull run; do
		remember
		run --separate-stderr ces alice $verb $open/tools:1
		refused "if another digest was approved too, type $open/tools@sha256:"
	done
	ces alice pull -q "$open/tools@$digest"
	[ "$(ces alice run -q "$open/tools@$digest" echo named)" = named ]
}

@test "an approved image runs by its approval, and after revoke it does not" {
	d=$(skopeo inspect --no-tags --cert-dir $lab/trust docker://open.tre.test:5001/epcced/tools:1 | jq -r .Digest)
	lab_policy '.projects["nsh-2024-0001"].images = []'
	cd "$BATS_TEST_TMPDIR"
	echo '{"spdxVersion": "SPDX-2.3", "packages": [{"name": "busybox"}]}' > sbom.json
	ces-policy evidence add --digest "$d" sbom.json
	remember
	run --separate-stderr ces alice run -q $open/tools:1 true
	refused 'tools'
	ces-policy approve --project nsh-2024-0001 --approval IG-77 --expires 2090-01-01 /etc/ces/policy.json "$open/tools@$d"
	[ "$(stat -c '%U %a' /etc/ces/policy.json)" = 'root 644' ]
	ces alice run -q $open/tools:1 true
	[ "$(tail -n 9 /var/log/ces/audit.jsonl | jq -rs 'map(select(.event == "decision")) | last | .approval')" = IG-77 ]
	ces-policy check --no-host /etc/ces/policy.json
	ces-policy revoke --approval IG-77 /etc/ces/policy.json
	remember
	run --separate-stderr ces alice run -q $open/tools:1 true
	refused 'tools'
	rm -r /etc/ces/evidence.d
}

@test "a project's keys replace the defaults, key by key" {
	lab_policy '.defaults.limits.cpus = 2 | .projects["nsh-2024-0001"].limits = {"memory":"256M"}'
	run ces alice explain run $open/tools:1
	[[ $output == *256*M* ]]
	[[ $output == *2* ]]
	lab_policy '.defaults.data = {"source":"/safe_data/{project}","access":"read-write"}
		| .projects["nsh-2024-0001"].data = {"access":"read-only"}'
	run inside -- touch /safe_data/x
	[ "$status" -ne 0 ]
}

@test "{project}, {user}, {run} and ~ are replaced by their values" {
	install -d -o alice -g alice /safe_data/nsh-2024-0001/users/alice
	lab_policy '.projects["nsh-2024-0001"] += {"outputs":{"source":"/safe_data/{project}/users/{user}"},
		"scratch":{"source":"~/scr-{run}"}}'
	run inside -- sh -c 'touch /safe_outputs/here /scratch/x'
	[ "$status" -eq 0 ]
	[ -e /safe_data/nsh-2024-0001/users/alice/here ]
	no compgen -G '/home/alice/scr-*'
	rm -r /safe_data/nsh-2024-0001/users
}

@test "infer_projects gives a project to the members of its group, if its data exist" {
	install -d -m 2770 -g nsh-2024-0004 /safe_data/2024-0004
	lab_policy 'del(.projects["nsh-2024-0004"]) | .infer_projects =
		{"base":"/safe_data","group_prefixes":["nsh-"],"images":[{"allow":"open.tre.test/epcced/*"}]}'
	pull frank $open/tools:1 -q
	run --separate-stderr ces frank run -q $open/tools:1 sh -c 'touch /safe_data/x; ls -d /safe_data'
	[ "$status" -eq 0 ]
	rmdir /safe_data/2024-0004
	remember
	run --separate-stderr ces frank run -q $open/tools:1 true
	refused 'project'
}

@test "with home_override, ~/safe_data is the data, where it exists" {
	lab_policy '.projects["nsh-2024-0001"].data += {"home_override":true}'
	run inside -- ls /safe_data
	[ "$output" = patients.csv ]
	as alice sh -c 'mkdir safe_data; touch safe_data/mine'
	run inside -- ls /safe_data
	rm -r /home/alice/safe_data
	[ "$output" = mine ]
}

@test "with retain_images run, the image is gone after the run" {
	lab_policy '.defaults.retain_images = "run"'
	have alice stroke
	run ces alice run -q $open/stroke:1
	[ "$status" -eq 0 ]
	run --separate-stderr ces alice run -q $open/stroke:1
	[ "$status" -eq 125 ]
	[[ $stderr == *pull* ]]
	# carol owns what she pulled
	run ces carol run -q --project nsh-2024-0001 $open/tools:1 echo kept
	[ "$output" = kept ]
}

# --- a policy that is not trustworthy

denied_all() # PATTERN
{
	run --separate-stderr ces alice run $open/tools:1 true
	refused "$1"
}

@test "a missing policy denies everything" {
	rm /etc/ces/policy.json
	denied_all 'policy'
	run --separate-stderr ces alice images
	[[ $stderr == "ces: /etc/ces/policy.json: "*$'\n'"ces: ask the administrator of this machine to type ces-client doctor" ]]
}

@test "a policy that others may write denies everything" {
	chmod 666 /etc/ces/policy.json
	denied_all 'policy.json'
	chmod 664 /etc/ces/policy.json
	chgrp alice /etc/ces/policy.json
	remember
	denied_all 'policy.json'
}

@test "a policy that is not root's denies everything" {
	chown alice /etc/ces/policy.json
	denied_all 'policy.json'
}

@test "a policy in a directory that others may write denies everything" {
	chmod 777 /etc/ces
	run --separate-stderr ces alice run $open/tools:1 true
	chmod 755 /etc/ces
	refused '/etc/ces'
}

@test "a policy that is a symlink denies everything" {
	mv /etc/ces/policy.json /etc/ces/real.json
	ln -s real.json /etc/ces/policy.json
	denied_all 'policy'
	rm /etc/ces/policy.json /etc/ces/real.json
}

@test "a policy that is a FIFO denies everything, at once" {
	rm /etc/ces/policy.json
	mkfifo /etc/ces/policy.json
	SECONDS=0
	denied_all 'policy'
	rm /etc/ces/policy.json
	[ $SECONDS -lt 5 ]
}

@test "a policy with a second hard link denies everything" {
	ln /etc/ces/policy.json /etc/ces/second
	denied_all 'policy'
	rm /etc/ces/second
}

@test "check finds fault with the policy in force if CES refuses its owner, mode, links or directory, and with no draft" {
	local policy=/etc/ces/policy.json
	faulty() # TEXT
	{
		local name
		for name in $policy /etc/ces/../ces/policy.json; do
			run ces-policy check $name
			echo "$output"
			[ "$status" -eq 2 ]
			[[ $output == *"error: the policy is refused by CES: $1"*"type: chown root:root /etc/ces $policy"*"1 error: CES would refuse"* ]]
		done
		run ces-policy check --no-host $policy
		[ "$status" -eq 0 ]
		run ces alice images
		[ "$status" -eq 125 ]
	}
	ces-policy check $policy
	chown alice $policy
	faulty "it is not owned by root"
	chown root $policy
	chmod 666 $policy
	faulty "it is writable by others than root (mode 0666)"
	cp $policy /etc/ces/draft.json
	chown alice /etc/ces/draft.json
	run ces-policy check /etc/ces/draft.json
	[ "$status" -eq 0 ]
	chmod 644 $policy
	ln $policy /etc/ces/second
	faulty "has more than one hard link"
	rm /etc/ces/second
	mv $policy /etc/ces/second
	ln -s second $policy
	faulty "policy.json is a symbolic link"
	rm /etc/ces/second /etc/ces/draft.json
	lab_policy
	chmod 777 /etc/ces
	faulty 'directory "ces" is writable by others than root'
	chmod 755 /etc/ces
	run as alice ces-policy check $policy
	[ "$status" -eq 0 ]
}

@test "a policy with an unknown key denies everything, and the message names it" {
	lab_policy '.projects["nsh-2024-0001"].allowed_image = "x"'
	denied_all 'allowed_image'
}

@test "a policy with a duplicate key denies everything, and the message names it" {
	sed -i '0,/"site"/s//"site": "twice",\n"site"/' /etc/ces/policy.json
	denied_all 'site'
}

@test "a policy that is cut short denies everything" {
	head -c 1000 tests/lib/lab/policy.json > /etc/ces/policy.json
	denied_all 'policy'
}

@test "a value of the wrong type, or an impossible one, denies everything" {
	for filter in '.defaults.limits.memory = 512' '.defaults.limits.time = "0s"' '.ces_policy = 2' \
		'.registries["ghcr.io"].endpoint = "http://x"' '.host.subordinate_ids = {"first":0}' \
		'.projects["nsh-2024-0001"].expires = "2026-02-30"' '.host.runtime = "crun"' \
		'.defaults.data.access = "rw"' 'del(.registries)' '.projects["a/b"] = .projects["nsh-2024-0001"]'; do
		lab_policy "$filter"
		remember
		echo "$filter"
		denied_all 'policy'
	done
}

@test "a home that is a symlink of the user's own is refused" {
	mv /home/alice /home/.alice
	ln -s .alice /home/alice
	chown -h alice /home/alice
	run --separate-stderr setpriv --reuid=alice --regid=alice --init-groups --reset-env env -C / \
		ces-client run $open/tools:1 true
	rm /home/alice
	mv /home/.alice /home/alice
	refused '/home/alice'
}

@test "when a user puts a symlink in the place of outputs or scratch, the run is refused or the target untouched" {
	lab_policy '.defaults.outputs = {"source":"~/results"}'
	as alice ln -s /etc results
	run --separate-stderr ces alice run $open/tools:1 touch /safe_outputs/canary
	rm /home/alice/results
	[ "$status" -eq 125 ]
	[ ! -e /etc/canary ]
	nothing_left_behind
}

@test "a runtime that is not root's alone, a link, or outside /usr is refused" {
	have alice tools
	install -d /usr/local/lib/rt
	cp "${CES_TEST_RUNTIME:-/usr/bin/crun}" /usr/local/lib/rt/crun
	ln -s crun /usr/local/lib/rt/link
	for case in "mode 777 crun" "owner alice crun" "link 0 link" "directory 777 crun"; do
		read -r what how name <<< "$case"
		chown root /usr/local/lib/rt/crun
		chmod 755 /usr/local/lib/rt /usr/local/lib/rt/crun
		case $what in
		mode) chmod "$how" /usr/local/lib/rt/crun ;;
		owner) chown "$how" /usr/local/lib/rt/crun ;;
		directory) chmod "$how" /usr/local/lib/rt ;;
		esac
		lab_policy ".host.runtime = \"/usr/local/lib/rt/$name\""
		remember
		run --separate-stderr ces alice run -q $open/tools:1 true
		echo "$case"
		refused runtime
	done
	lab_policy '.host.runtime = "/opt/crun"'
	remember
	run --separate-stderr ces alice run -q $open/tools:1 true
	refused '/usr'
}

@test "a ca_file that others may write is refused" {
	cp /etc/ces/ca.pem /etc/ces/loose.pem
	chmod 666 /etc/ces/loose.pem
	lab_policy '.registries["open.tre.test"].ca_file = "/etc/ces/loose.pem"'
	remember
	run --separate-stderr ces alice pull $open/tools:1
	refused ca_file
}
