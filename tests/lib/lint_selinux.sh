#!/bin/bash
# Runs SELinux's own tools on selinux/ (part of `make lint`). It fails unless the module compiles without a warning, its
# documentation is valid by the reference policy's own definition, and a site's module can call each interface.
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
