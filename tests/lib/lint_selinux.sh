#!/bin/bash
# Runs SELinux's own tools on selinux/ (part of `make lint`). It fails unless the module compiles without a warning, its
# documentation is valid by the reference policy's own definition, a site's module can call each interface, and each domain
# of a program's may begin with that program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
devel=/usr/share/selinux/devel
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints the name of each interface of the module.
interfaces() { sed -n 's/^interface(`\([a-z_]*\).*/\1/p' selinux/ces.if; }

# Prints a site's module: it names user_t and its role, the users who may use CES.
site_module()
{
	local interface
	printf 'policy_module(ces_site, 1.0.0)\ngen_require(`\n\ttype user_t;\n\trole user_r;\n'"')\n"
	for interface in $(interfaces); do
		case $interface in
		*_role) echo "$interface(user_t, user_r)" ;;
		*) echo "$interface(user_t)" ;;
		esac
	done
}

cp selinux/ces.* "$work"
site_module > "$work/ces_site.te"
touch "$work/ces_site.if" "$work/ces_site.fc"
make -C "$work" -f $devel/Makefile ces.pp ces_site.pp xml > "$work/log" 2>&1 || { cat "$work/log"; exit 1; }
if grep -iE 'warning|error|deprecated' "$work/log"; then exit 1; fi
cp $devel/include/support/policy.dtd "$work/doc"
xmllint --noout --valid "$work/doc/policy.xml"
# (`make xml` leaves out an interface without a summary)
for interface in $(interfaces); do
	grep -q "<interface name=\"$interface\"" "$work/doc/policy.xml" ||
		{ echo "selinux/ces.if: $interface has no documentation"; exit 1; }
done
# A domain that a program cannot enter stops that program, or leaves it in its caller's domain. Nothing warns of that when
# the module is built or loaded. (The blocks for types of other policies count too.)
/usr/libexec/selinux/hll/pp "$work/ces.pp" "$work/ces.cil"
awk '
	{ gsub(/[()]/, "") }
	$1 == "typetransition" && $3 ~ /^ces_.*_exec_t$/ && $4 == "process" { change[$2 " " $3] = $5 }
	$1 == "allow" && $4 == "file" && / entrypoint( |$)/ { entry[$2 " " $3] = 1 }
	END {
		for (key in change) {
			split(key, part)
			if (!(change[key] " " part[2] in entry)) {
				print "selinux/ces.te: " part[1] " enters " change[key] " by " part[2] ", which is no entrypoint of it"
				bad = 1
			}
			if (part[2] == "ces_helper_exec_t" && change[key] != "ces_helper_t") {
				print "selinux/ces.te: " part[1] " starts ces-helper in " change[key] " instead of ces_helper_t"
				bad = 1
			}
		}
		split("init_t initrc_t unconfined_service_t userdomain", caller)
		for (i in caller)
			if (!(caller[i] " ces_helper_exec_t" in change)) {
				print "selinux/ces.te: " caller[i] " cannot start ces-helper"
				bad = 1
			}
		exit bad
	}' "$work/ces.cil"
