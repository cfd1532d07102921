#!/bin/bash
# Builds the packages of packaging/debian from this checkout (`make deb`); they come to build/deb. ces-slurm is built
# where Slurm's header is (libslurm-dev). On one release of Debian the same sources give the same bytes, no matter who
# builds: there is no date but that of the last commit, no path, no name of the machine, and no owner but root. It needs
# no root. CES_DEB_OUT: another place for them. VERSION must be that of the changelog.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
out=$PWD/${CES_DEB_OUT:-build/deb}
umask 022

for tool in dpkg-deb dpkg-shlibdeps dpkg-gencontrol; do
	command -v $tool > /dev/null || { echo "make deb: there is no $tool: it needs Debian, and there apt-get install dpkg-dev" >&2; exit 1; }
done
[ "$(dpkg-parsechangelog -l packaging/debian/changelog -S Version)" = "${VERSION:?}" ] ||
	{ echo "make deb: packaging/debian/changelog is not of version $VERSION" >&2; exit 1; }
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y packaging/debian/changelog)}
export SOURCE_DATE_EPOCH LC_ALL=C

# Not below build/: there the group of a directory may pass on to new ones in it.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$out" "$root/DEBIAN"

mkdir -p "$out/objects/doc"
doc/site.py "$out/objects/doc"
# Builds objects of its own, without the variables of this make: the paths of an installation are compiled in.
make_() # TARGET VARIABLE=VALUE...
{
	env -i PATH="$PATH" make -s -j"$(nproc)" "$@" B="${out#"$PWD/"}/objects" PREFIX=/usr > "$work/log" 2>&1 ||
		{ cat "$work/log" >&2; exit 1; }
}

# Ends a package: adds Debian's own papers, sums and control data, and packs it.
pack() # NAME ROOT PROGRAM...
{
	local name=$1 root=$2 doc=$2/usr/share/doc/$1 package
	shift 2
	strip --remove-section=.comment --remove-section=.note "$@"
	mkdir -p "$doc"
	gzip -9n < packaging/debian/changelog > "$doc/changelog.gz"
	install -m 644 packaging/debian/copyright "$doc/copyright"
	(cd "$root" && find etc usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
	(cd packaging && dpkg-shlibdeps -O "$@" > "$work/substvars" && printf 'slurm:Release=%s\nslurm:Next=%s\n' $slurm >> "$work/substvars" &&
		dpkg-gencontrol -p"$name" -P"$root" -T"$work/substvars" -f"$work/files") > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
	package=$out/${name}_${VERSION}_$(dpkg --print-architecture).deb
	dpkg-deb --root-owner-group -Zxz --build "$root" "$package.new" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	mv "$package.new" "$package"
	echo "$package"
}

make_ install DESTDIR="$root"
install -d -m 700 "$root/var/lib/ces" "$root/var/log/ces"

# Does what Debian does otherwise than `make install`: it compresses manuals.
find "$root/usr/share/man" -type f -exec gzip -9n {} +
find "$root/usr/share/man" -type l -printf '%p %l\n' | while read -r link page; do
	ln -s "$page.gz" "$link.gz"
	rm "$link"
done
install -D -m 644 packaging/debian/doc-base "$root/usr/share/doc-base/ces"
install -D -m 644 packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/ces"
install -D -m 644 packaging/debian/needrestart "$root/etc/needrestart/conf.d/ces.conf"
install -m 644 packaging/debian/conffiles "$root/DEBIAN/conffiles"
install -m 755 packaging/debian/{postinst,prerm,postrm} "$root/DEBIAN"
mapfile -t programs < <(find "$root/usr/bin" "$root/usr/libexec" -name 'ces-*' -type f)
slurm=
pack ces "$root" "${programs[@]}"

[ -e /usr/include/slurm/spank.h ] || exit 0
# The plugin is for one release of Slurm: 22.05 is 0x1605 in its header.
root=$work/slurm plugins=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/slurm-wlm
read -r year month < <(sed -n 's/^.define SLURM_VERSION_NUMBER 0x\(..\)\(..\)..$/0x\1 0x\2/p' /usr/include/slurm/slurm_version.h)
slurm=$(printf '%d.%02d %d.%02d' "$year" "$month" "$year" $((month + 1)))
mkdir -p "$root/DEBIAN"
make_ install-slurm DESTDIR="$root" SPANKDIR="$plugins"
pack ces-slurm "$root" "$root$plugins/ces_spank.so"
