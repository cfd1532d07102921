#!/bin/bash
# Measures CES beside its peers, in one run (`make bench`): start, pull, many runs, many layers, a GPU, memory, output,
# listing, relays. BENCH="start pull layers gpus many memory stream listing relay" narrows it down. BENCH=nodes measures
# many machines with one directory of images, and BENCH=formats two formats of a layer. ROUNDS, PULLS, RELAYS and NODES
# say how often. It writes build/bench/result.md and result.json. It measures and compares; it asserts nothing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export B=${B:-build} BENCH=${BENCH:-start layers gpus many memory stream listing relay pull}
export ROUNDS=${ROUNDS:-100} PULLS=${PULLS:-3} RELAYS=${RELAYS:-5} NODES=${NODES:-64}

tests/lib/images/images.sh
if [[ $BENCH =~ pull|nodes|formats ]]; then
	stamp=$(cat tests/bench/big_image.py tests/lib/images/images.py | sha256sum)
	if [ "$(cat build/bench/stamp 2> /dev/null)" != "$stamp" ]; then
		echo "making the 1 GB image, once"
		rm -rf build/bench/image build/bench/stamp
		mkdir -p build/bench
		/usr/bin/python3 tests/bench/big_image.py build/bench/image
		printf '%s\n' "$stamp" > build/bench/stamp
	fi
fi
if [[ $BENCH =~ nodes|formats ]]; then
	tests/workloads/images.sh
	rm -rf build/bench/nodes
	/usr/bin/python3 tests/bench/nodes_image.py build/workloads/images/python build/bench/image build/bench/nodes
fi
mkdir -p build/bench
# The store is on ext4, as on a real machine: overlay and id-mapped mounts cost more or less on a tmpfs.
exec tests/lib/lab/lab.sh --ext4 4G tests/bench/measure.sh
