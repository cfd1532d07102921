# Begins a script that machine.sh starts inside a virtual machine, and that sources this. It sends the output through the
# port, changes to the checkout, puts the arguments of vm_checkout into the environment, and sets $number to the number of
# the machine.
# shellcheck shell=bash disable=SC2034 # (for the script)
modprobe virtio_console
udevadm wait --timeout=300 /dev/virtio-ports/ces.results
exec < /dev/null > /dev/virtio-ports/ces.results 2>&1
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. build/vm.env
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8
# In emulation everything takes several times as long.
export BATS_TEST_TIMEOUT=300 CES_PATIENCE=400
number=$(sed -n 's/.*ces\.machine=\([0-9]*\).*/\1/p' /proc/cmdline)
