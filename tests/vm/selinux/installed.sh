#!/bin/bash
# Tests CES from its packages, ces and ces-selinux, on a host where SELinux is enforcing (../site.sh). It goes from a policy
# without CES to a first run, gives files wrong labels for doctor to find, and removes the module. The file `suites` has a
# line for it; alone: `make vm-selinux CES_TESTS=tests/vm/selinux/installed.sh`.
# shellcheck source=tests/vm/site.sh
. "$(dirname "${BASH_SOURCE[0]}")/../site.sh"

enforcing() { [ "$(cat /sys/fs/selinux/enforce)" = 1 ]; }

labelled() # PATH TYPE
{
	local type
	type=$(stat -c %C "$1" | cut -d: -f3)
	echo "$1: $type"
	[ "$type" = "$2" ]
}

from_nothing()
{
	semodule -r ces lab # (the tree has it loaded for the other machines)
	no policy_knows ces_helper_t
	first_run "$module"
	enforcing
}

# Succeeds if the loaded policy has this type. Otherwise a write to selinuxfs fails.
policy_knows() { printf 'system_u:object_r:%s:s0' "$1" > /sys/fs/selinux/context; }

labels()
{
	labelled /usr/libexec/ces/ces-helper ces_helper_exec_t
	labelled /usr/libexec/ces/ces-admit ces_admit_exec_t
	labelled /usr/libexec/ces/ces-session ces_session_exec_t
	labelled /usr/libexec/ces/ces-decode ces_parse_exec_t
	labelled /usr/libexec/ces/ces-parse ces_parse_exec_t
	labelled /usr/libexec/ces/ces-verify ces_parse_exec_t
	labelled /usr/libexec/ces/ces-fetch ces_fetch_exec_t
	labelled /usr/libexec/ces/ces-layout ces_layout_exec_t
	labelled /usr/libexec/ces/ces-store ces_images_exec_t
	labelled /usr/libexec/ces/ces-resolve ces_resolve_exec_t
	labelled /usr/libexec/ces/ces-unpack ces_unpack_exec_t
	labelled /usr/libexec/ces/ces-relay ces_relay_exec_t
	labelled /usr/libexec/ces/ces-list ces_list_exec_t
	labelled /usr/libexec/ces/ces-inside ces_inside_exec_t
	labelled /usr/libexec/ces/ces-clean ces_clean_exec_t
	labelled /etc/ces/policy.json ces_etc_t
	labelled /var/lib/ces ces_store_t
	labelled /var/log/ces/audit.jsonl ces_log_t
	labelled /run/ces ces_run_t
	labelled /safe_data/nsh-2024-0001 ces_data_t
	labelled /safe_data/nsh-2024-0001/patients.csv ces_data_t
	labelled "$(ls -d /home/ada/outputs_*)" ces_data_t
}

really_fit()
{
	fit
	grep -q '^ok *selinux *SELinux is enforcing' /tmp/doctor
	grep -q "^ok *selinux *CES's files have their labels" /tmp/doctor
}

wrong_labels()
{
	local remedy
	chcon -t etc_t /etc/ces/policy.json
	remedy=$(finds problem selinux 'policy.json is labelled etc_t instead of ces_etc_t')
	no as_ada ces-client run -q ghcr.io/epcced/tools:1 true
	mended "$remedy"
	chcon -t bin_t /usr/libexec/ces/ces-helper
	remedy=$(finds problem selinux 'ces-helper is labelled bin_t')
	no as_ada ces-client run -q ghcr.io/epcced/tools:1 true
	mended "$remedy"
	as_ada ces-client run -q ghcr.io/epcced/tools:1 true
}

# Starts the janitor by its unit, which lets it gain no privilege.
janitor()
{
	systemctl start ces-janitor.service || true
	journalctl -u ces-janitor.service --no-pager | tail -n 3
	[ "$(systemctl show -p Result --value ces-janitor.service)" = success ]
}

without_module()
{
	rpm_ -e ces-selinux
	no as_ada ces-client run -q ghcr.io/epcced/tools:1 true
	as_ada ces-client doctor > /tmp/doctor || true
	grep -v '^ok' /tmp/doctor
	rpm_ -i "$module"
	really_fit
	as_ada ces-client run -q ghcr.io/epcced/tools:1 true
}

site_registry
echo 1..6
check "from nothing to a first run, by the lines of ces(7), from both packages, with SELinux enforcing" from_nothing
check "after the first run every file of the packages and of the run has its label" labels
check "with the right labels doctor says fit, and that SELinux is enforcing" really_fit
check "a file with a wrong label is refused, doctor finds it, and its remedy mends it" wrong_labels
check "the janitor's unit enters the helper's domain" janitor
check "without ces-selinux no run starts; with it again, runs start" without_module
finish
