#!/bin/bash
# Builds the package of packaging/debian from this checkout (`make deb`); it comes to build/deb. On one release of
# Debian the same sources give the same bytes, no matter who builds: there is no date but that of the last commit, no
# path, no name of the machine, and no owner but root. It needs no root. CES_DEB_OUT: another place for it. VERSION must
# be that of the changelog.
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
root=$work/root doc=$work/root/usr/share/doc/ces
mkdir -p "$out" "$root/DEBIAN"

mkdir -p "$out/objects/doc"
doc/site.py "$out/objects/doc"
# Builds objects of its own, without the variables of this make: the paths of an installation are compiled in.
env -i PATH="$PATH" make -s -j"$(nproc)" install B="${out#"$PWD/"}/objects" DESTDIR="$root" PREFIX=/usr > "$work/log" 2>&1 ||
	{ cat "$work/log" >&2; exit 1; }
install -d -m 700 "$root/var/lib/ces" "$root/var/log/ces"

# Does what Debian does otherwise than `make install`: it strips programs, compresses manuals, and adds its own papers.
mapfile -t programs < <(find "$root/usr/bin" "$root/usr/libexec" -name 'ces-*' -type f)
strip --remove-section=.comment --remove-section=.note "${programs[@]}"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
find "$root/usr/share/man" -type l -printf '%p %l\n' | while read -r link page; do
	ln -s "$page.gz" "$link.gz"
	rm "$link"
done
gzip -9n < packaging/debian/changelog > "$doc/changelog.gz"
install -m 644 packaging/debian/copyright "$doc/copyright"
install -D -m 644 packaging/debian/doc-base "$root/usr/share/doc-base/ces"
install -D -m 644 packaging/debian/lintian-overrides "$root/usr/share/lintian/overrides/ces"

install -m 644 packaging/debian/conffiles "$root/DEBIAN/conffiles"
install -m 755 packaging/debian/{postinst,prerm,postrm} "$root/DEBIAN"
(cd "$root" && find etc usr -type f -print0 | sort -z | xargs -0 md5sum) > "$root/DEBIAN/md5sums"
(cd packaging && dpkg-shlibdeps -O "${programs[@]}" > "$work/substvars" &&
	dpkg-gencontrol -P"$root" -T"$work/substvars" -f"$work/files") > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }

find "$root" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
package=$out/ces_${VERSION}_$(dpkg --print-architecture).deb
dpkg-deb --root-owner-group -Zxz --build "$root" "$package.new" > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
mv "$package.new" "$package"
ls "$package"
