#!/bin/bash
# Inside the virtual machine, as a unit of its systemd: runs the tests, tells their output and their status through the
# port; the machine is switched off when this ends.
set -u
modprobe virtio_console
udevadm wait --timeout=60 /dev/virtio-ports/ces.results
exec < /dev/null > /dev/virtio-ports/ces.results 2>&1
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. build/vm.env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8

echo "# $(. /etc/os-release && echo "$PRETTY_NAME"), Linux $(uname -r), $(stat -f -c %T /sys/fs/cgroup) alone," \
	"controllers: $(cat /sys/fs/cgroup/cgroup.controllers)"
# Emulated, everything takes several times as long.
export BATS_TEST_TIMEOUT=300
CES_PLAIN_TESTS='' tests/lib/check.sh
status=$?
echo "vm-status: $status"
exit $status
