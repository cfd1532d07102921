#!/bin/bash
# The soak in a virtual machine, whose wall clock jumps (tests/soak/clock.py). It is run by `make check-all`; alone: `sudo make
# vm-check CES_TESTS=tests/vm/soak.sh`, where CES_SOAK has other arguments for soak.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
read -ra arguments <<< "${CES_SOAK:---seconds 300}"
CES_TEST_RUNTIME=/usr/bin/crun exec tests/lib/lab/lab.sh --ext4 256M tests/soak/soak.sh --clock "${arguments[@]}"
