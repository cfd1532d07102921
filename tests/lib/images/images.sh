#!/bin/bash
# Makes the images of the tests under build/images, once for each version of the recipe and of busybox.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
umask 022

stamp=$(cat tests/lib/images/images.py /bin/busybox | sha256sum)
if [ "$(cat build/images/stamp 2>/dev/null)" != "$stamp" ]; then
	rm -rf build/images
	mkdir -p build/images.new
	/usr/bin/python3 tests/lib/images/images.py build/images.new
	printf '%s\n' "$stamp" > build/images.new/stamp
	mv build/images.new build/images
fi

# Makes the registry's copy as well, before several labs at once would each make it.
[ -d build/images/registry ] || CES_REGISTRIES=open tests/lib/lab/lab.sh bash -ec \
	'. tests/lib/lab/services.sh; lab_begin; lab_registries; lab_push_all' > /dev/null
