#!/bin/bash
# Runs one machine's tests inside the machine, as a unit of its systemd, and sends their output and status through the
# port. When it ends, the machine switches off.
# shellcheck disable=SC2154 # (number is of inside.sh)
set -u
. "$(dirname "${BASH_SOURCE[0]}")/inside.sh"

echo "# $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r), $(stat -f -c %T /sys/fs/cgroup) alone," \
	"controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
case $CES_TESTS in
'') read -r runtime suites <<< "$(tests/vm/shares.sh | sed -n "${number}p")" ;;
*.sh) runtime=$CES_TESTS ;;
*) runtime=$CES_RUNTIMES suites=$CES_TESTS ;;
esac
status=0
if [[ $runtime == *.sh ]]; then
	"$runtime" || status=1
else
	[[ $runtime != *@* ]] || export CES_TAG=${runtime#*@}
	CES_RUNTIMES=${runtime%@*} CES_TESTS=$suites CES_PLAIN_TESTS='' tests/lib/check.sh || status=1
fi
echo "vm-status: $status"
exit $status
