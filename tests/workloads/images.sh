#!/bin/bash
# Makes the images of real workloads from Debian's packages: tests/workloads/images.sh, as root.
#
# Each directory of recipes/ is an image: `packages` on Debian's smallest system, the files of `root`, what `setup` does in
# it, and the `config.json` of the image. The OCI layouts are in build/workloads/images, and are made again when their
# recipe or this script changes; only that needs a network. Trees are made in memory, in a mount and process namespace
# that takes them along, however this ends; nothing of the machine is changed.
set -euo pipefail
top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
cd "$top"
recipes=tests/workloads/recipes
out=build/workloads
suite=bookworm

stamp() # FILE-OR-DIRECTORY...
{
	find "$@" tests/workloads/images.sh tests/workloads/images.py tests/lib/images/images.py -type f -printf '%p %m\n' -exec cat {} + | sha256sum
}

base_stamp() { stamp tests/workloads/images.sh; }

# Names of the images that are not there, or not of this recipe.
missing()
{
	local r
	for r in "$recipes"/*/; do
		r=$(basename "$r")
		[ "$(cat "$out/images/$r/stamp" 2> /dev/null)" = "$(stamp "$recipes/$r")" ] || echo "$r"
	done
}

# Manuals and translations are never looked at. The lists of packages are kept for what is installed on top.
make_base()
{
	[ "$(cat $out/base.stamp 2> /dev/null)" != "$(base_stamp)" ] || return 0
	mmdebstrap --quiet --mode=root --variant=minbase --components=main --skip=output/dev,cleanup/apt/lists \
		--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
		--dpkgopt='path-exclude=/usr/share/locale/*' \
		--customize-hook='rm -f "$1/etc/resolv.conf" "$1/etc/hostname"; touch "$1/etc/resolv.conf"' \
		--customize-hook='printf "#!/bin/sh\nexit 101\n" > "$1/usr/sbin/policy-rc.d"; chmod 755 "$1/usr/sbin/policy-rc.d"' \
		$suite $out/base.new.tar ${CES_VM_MIRROR:+"$CES_VM_MIRROR"}
	mv $out/base.new.tar $out/base.tar
	base_stamp > $out/base.stamp
}

# What apt, and then the recipe, add to the base is the image's second layer.
make_image() # NAME
{
	local name=$1 work=/mnt/$1 root=/mnt/$1/root packages
	mkdir -p "$work/upper" "$work/work" "$root"
	mount -t overlay ces-workload "$root" -o "lowerdir=/mnt/base,upperdir=$work/upper,workdir=$work/work"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
	read -ra packages < "$recipes/$name/packages"
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 \
		${http_proxy:+http_proxy="$http_proxy"} \
		apt-get -qq -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-unsafe-io install --no-install-recommends \
		"${packages[@]}" < /dev/null > "$work/log" 2>&1 || { cat "$work/log" >&2; return 1; }
	[ ! -d "$recipes/$name/root" ] || cp -R --preserve=mode "$recipes/$name/root/." "$root/"
	[ ! -e "$recipes/$name/setup" ] || chroot "$root" sh -eu < "$recipes/$name/setup"
	umount "$root/etc/resolv.conf" "$root/proc"
	umount -l "$root/dev" "$root"
	rm -rf "$work"/upper/var/{cache,log,lib/apt/lists}/* "$work"/upper/{tmp,run}/*
	/usr/bin/python3 tests/workloads/images.py /mnt/base.tar "$work/upper" "$recipes/$name/config.json" "$work/layout"
	stamp "$recipes/$name" > "$work/layout/stamp"
	rm -rf "$out/images/$name" "$work/upper"
	mv "$work/layout" "$out/images/$name"
	echo "made the image $name: $(du -sh "$out/images/$name" | cut -f 1) compressed"
}

make_all()
{
	mount -t tmpfs -o mode=755,size=80% ces-workloads /mnt
	make_base
	mkdir -p /mnt/base/dev
	tar -C /mnt/base --numeric-owner -xf $out/base.tar
	tar -C /mnt/base --numeric-owner --sort=name --exclude='./var/lib/apt/lists/*' -cf /mnt/base.tar .
	printf '%s\n' "$@" | xargs -n 1 -P "$(nproc)" bash tests/workloads/images.sh --image
}

case ${1:-} in
--inside)
	make_all "${@:2}"
	exit
	;;
--image)
	make_image "$2"
	exit
	;;
esac
mapfile -t names < <(missing)
[ ${#names[@]} -gt 0 ] || exit 0
[ "$(id -u)" = 0 ] || { echo "images.sh: must be root (sudo)" >&2; exit 2; }
mkdir -p $out/images
exec 9> $out/lock
flock 9
. tests/lib/cache.sh
mapfile -t names < <(missing) # another one may just have made them
for name in "${names[@]}"; do
	cache_get "workload-$name" "$(stamp "$recipes/$name")" "$out/images/$name" || true
done
mapfile -t names < <(missing)
[ ${#names[@]} -gt 0 ] || exit 0
unshare --mount --propagation private --pid --fork --kill-child --mount-proc \
	bash "${BASH_SOURCE[0]}" --inside "${names[@]}" 9>&-
for name in "${names[@]}"; do
	cache_put "workload-$name" "$(stamp "$recipes/$name")" "$out/images/$name"
done
