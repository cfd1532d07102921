#!/bin/bash
# Sets up a lab for a soak, with disks that fill up soon, and starts soak.py with the given arguments. Runs inside the lab.
set -euo pipefail
cd "$CES_TOP"
. tests/lib/lab/services.sh
lab_begin
lab_user 4407 grace nsh-2024-0001
lab_user 4408 mallory nsh-2024-0002
lab_registry open 5001
lab_push_all
lab_policy
# (where the kernel cannot id-map a tmpfs, lab.sh was given a size)
[ "$(stat -f -c %T /var/lib/ces)" != tmpfs ] || mount -o remount,size=192M /var/lib/ces
mount -o remount,size=32M /var/log/ces
mount -o remount,size=64M /home
mount -o remount,size=64M /run
# (one run first, so that everything that CES makes only once is there)
for user in alice bob carol grace mallory; do
	options=()
	[ $user != carol ] || options=(--project nsh-2024-0001)
	as $user ces-client pull -q "${options[@]}" open.tre.test/epcced/tools:1
done
as alice ces-client run -q open.tre.test/epcced/tools:1 true
# (the last pull's ces-store has namespaces of its own, which would count as there from the beginning)
while pgrep -x 'ces-(collect|settle|store)' > /dev/null; do sleep 0.1; done
exec /usr/bin/python3 tests/soak/soak.py "$@"
