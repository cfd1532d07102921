#!/bin/bash
# Runs the tests inside the virtual machine with SELinux, as a unit of its systemd. It installs CES, and it fails if the
# kernel denied CES anything meanwhile, or if nothing would show that. When it ends, the machine switches off.
set -u -o pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../inside.sh"
. tests/vm/selinux/count.sh
export CES_LAB=1 CES_TOP=$PWD CES_TEST_RUNTIME=/usr/bin/crun

echo "# $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r), SELinux enforce=$(cat /sys/fs/selinux/enforce), $(id -Z)"
status=0
systemctl start auditd || status=1
setsebool ces_bind_homes=on ces_resolve_proxy=on # the tests have "binds" there, and proxies with a name
# Gives root and the users of the tests the contexts of a login on Debian. (The suite that tries the domains enters each by
# itself.) The mounts of the tests stay private.
as_root()
{
	runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 unshare --mount --propagation private bash "$@"
}
# Prints every denial as it comes, so that a machine that runs out of time has shown its denials.
tail -n +1 -F /var/log/audit/audit.log 2> /dev/null | denied &
read -ra suites <<< "${CES_TESTS:-$(grep -v '^#' tests/vm/selinux/suites | sed -n "${number}p")}"
case ${suites[*]} in
*.sh) run=(as_root) ;; # (installs packages, which make these directories)
tests/vm/selinux/selinux.bats) run=(tests/lib/lab/suite.sh) ;;
*) run=(as_root tests/lib/lab/suite.sh) ;;
esac
[[ ${suites[*]} == *.sh ]] || install -d -m 700 /var/lib/ces /var/log/ces
"${run[@]}" ${CES_TEST_FILTER:+-f "$CES_TEST_FILTER"} "${suites[@]}" | tee /run/tap || status=1

count /run/tap /var/log/audit || status=1
echo "vm-status: $status"
exit $status
