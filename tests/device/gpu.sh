#!/bin/bash
# Tests CES with a real GPU, as root, on a machine that has a driver and may have nothing else, not even a network.
#   gpu.sh archive FILE           packs a build of CES, crun, a registry with one image, and the libraries that they need
#   gpu.sh check FILE [--fake]    on the machine with the GPU: installs that into a private copy of the machine, and checks
# With --fake it takes the devices of tests/lib/lab/fake_gpus.sh, for a machine without a GPU. A check ends in under four
# minutes. Its last line counts; lines with # are figures. It must not change the machine: it changes no setting of a GPU, and
# installs nothing outside the copy (tests/lib/lab/lab.sh).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
B=${B:-build}
largest=$((60 << 20)) # bytes of the archive
# Programs that a bare machine may lack.
tools=(crun docker-registry jq openssl ip)

# Prints the shared libraries that programs need, without those of glibc, which must be the machine's own.
libraries() # PROGRAM...
{
	ldd "$@" 2> /dev/null | awk '$3 ~ "^/" { print $3 }' | sort -u |
		grep -vE '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|resolv|util|nss_[a-z]+))\.so\.[0-9]+$'
}

# Prints the packages of these files, so that an archive says what is in it.
packages() # FILE...
{
	local f
	for f in "$@"; do { dpkg-query -S "$(realpath "$f")" "$f" 2> /dev/null || true; } | head -n 1 | cut -d: -f1; done | sort -u |
		xargs -r dpkg-query -W -f '${Package} ${Version}\n'
}

archive() # FILE
{
	local stage program tool found
	stage=$(mktemp -d)
	# shellcheck disable=SC2064 # (now)
	trap "rm -rf '$stage'" EXIT
	env -u MAKEFLAGS make -s install PREFIX=/usr DESTDIR="$stage/root" B="$B"
	rm -rf "$stage/root/usr/share"
	mkdir -p "$stage"/{lib,real,bin,build/images,build/tests,tests/lib/lab}
	cp -a --reflink=auto build/images/registry "$stage/build/images/"
	find "$stage/build/images/registry/docker/registry/v2/repositories/epcced" -mindepth 1 -maxdepth 1 ! -name tools -exec rm -rf {} +
	cp -r tests/lib/lab/{lab.sh,services.sh,policy.json,fake_gpus.sh,cdi} "$stage/tests/lib/lab/"
	cp -r tests/device "$stage/tests/"
	cp "$B/tests/cuda_driver" "$stage/build/tests/"
	gcc -O1 -Wall -Wextra -Werror -o "$stage/build/tests/compute" tests/device/compute.c
	for tool in "${tools[@]}"; do
		program=$(realpath "$(command -v "$tool")")
		cp "$program" "$stage/real/$tool"
		# shellcheck disable=SC2016 # (the script's own)
		printf '#!/bin/sh\nd=${0%%/*}/..\nLD_LIBRARY_PATH=$d/lib exec "$d/real/%s" "$@"\n' "$tool" > "$stage/bin/$tool"
		chmod 755 "$stage/bin/$tool"
	done
	mapfile -t found < <(libraries "$stage"/real/* "$stage"/root/usr/bin/* "$stage"/root/usr/libexec/ces/ces-*)
	cp -L "${found[@]}" "$stage/lib/"
	packages "${found[@]}" /usr/bin/crun /usr/bin/docker-registry /usr/bin/jq /usr/bin/openssl /sbin/ip > "$stage/packages"
	prune_blobs "$stage/build/images/registry/docker/registry/v2"
	mkdir -p "$(dirname "$1")"
	tar -C "$stage" --owner=0 --group=0 --numeric-owner -cf - . | gzip -9 > "$1.new"
	[ "$(stat -c %s "$1.new")" -lt $largest ] || { echo "gpu.sh: the archive is larger than $largest bytes" >&2; rm "$1.new"; return 1; }
	mv "$1.new" "$1"
	echo "$1: $(($(stat -c %s "$1") >> 10)) KiB, with $(wc -l < "$stage/packages") packages' files"
}

# Removes the blobs that no image in the archive needs: no file of a repository names their digest.
prune_blobs() # REGISTRY
{
	local blob digest wanted
	wanted=$(cd "$1/repositories" && find . -name link -exec awk 1 {} + | sed 's/^sha256://' | sort -u)
	for blob in "$1"/blobs/sha256/*/*; do
		digest=${blob##*/}
		grep -qx "$digest" <<< "$wanted" || rm -rf "$blob"
	done
}

# Prints what the machine has, so that a failure can be understood.
describe()
{
	echo "# $(uname -sr), $(. /etc/os-release && echo "$PRETTY_NAME"), $(getconf GNU_LIBC_VERSION), /sys/fs/cgroup is $(stat -fc %T /sys/fs/cgroup)"
	! command -v nvidia-smi > /dev/null || nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader | sed 's/^/# /'
	ls -d /dev/nvidia* 2> /dev/null | paste -sd' ' | sed 's/^/# /' || true
}

check() # FILE [--fake]
{
	local place lib
	[ "$(id -u)" = 0 ] || { echo "gpu.sh: must be root" >&2; return 2; }
	export PATH=$PATH:/usr/local/nvidia/bin:/usr/local/cuda/bin
	describe
	# (root's alone, and on the machine's own disk: CES refuses files that others can change)
	mkdir -p /opt
	place=$(mktemp -d /opt/ces-device.XXXXXX)
	# shellcheck disable=SC2064 # (now)
	trap "rm -rf '$place'" EXIT
	chmod 755 "$place"
	tar -C "$place" -xzf "$1"
	# The machine's own libraries win: its own programs need them.
	for lib in "$place"/lib/*; do
		if /sbin/ldconfig -p | grep -qF "	${lib##*/} ("; then rm "$lib"; fi
	done
	build_program "$place" "${2:-}"
	# (a lab's copy of /usr lacks what is mounted below /usr)
	CES_DEVICE_FAKE=${2:-} CES_LAB_BINDS=$(findmnt -rno TARGET | grep -E '^/usr/(local/(nvidia|cuda)|(lib|lib64|bin)/.+)' | paste -sd' ' || true) \
		CES_DEVICE_SMI=$(command -v nvidia-smi || true) PYTHON=$(command -v python3) B=build PATH=$PATH:$place/bin \
		timeout --kill-after=5 220 "$place/tests/lib/lab/lab.sh" "$place/tests/device/inside.sh" < /dev/null
}

# Builds the CUDA program for the GPU of this machine.
build_program() # PLACE FAKE
{
	[ -z "$2" ] || return 0
	if ! command -v nvcc > /dev/null; then
		echo "# no nvcc: the program that computes is not built"
		return 0
	fi
	nvcc -O2 -cudart static -arch=native -o "$1/build/tests/compute" "$1/tests/device/compute.cu" ||
		nvcc -O2 -cudart static -o "$1/build/tests/compute" "$1/tests/device/compute.cu"
}

case ${1:-} in
archive | check) "$@" ;;
*) sed -n '2,/^set/{/^#/p}' "${BASH_SOURCE[0]}" >&2; exit 2 ;;
esac
