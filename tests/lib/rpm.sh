#!/bin/bash
# Builds the packages of ces.spec from this checkout (`make rpm`), source and binary, in build/rpm. The same checkout gives
# the same bytes: the packages must have no date except that of the last commit, and no name of the machine or of a path. It
# needs no root. CES_RPM_OUT is another place for the packages. VERSION must be that of the spec.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$PWD/${CES_RPM_OUT:-build/rpm}
name=ces-${VERSION:?}

# rpm writes this path into the packages, so it must always be the same: one build at a time, in a directory that only
# this user can have made.
work=/var/tmp/ces-rpm-$(id -u)
mkdir -m 700 "$work" 2> /dev/null || { [ -O "$work" ] && [ ! -L "$work" ]; } || { echo "make rpm: $work is not yours" >&2; exit 1; }
exec 9< "$work"
flock 9
rm -rf "${work:?}"/*
trap 'rm -rf "${work:?}"/*' EXIT

grep -qx "Version: *$VERSION" ces.spec || { echo "make rpm: ces.spec is not of version $VERSION" >&2; exit 1; }

# Packs the files that git would list, as they are in the checkout; in an unpacked source package, every file.
if git rev-parse --git-dir > /dev/null 2>&1; then
	SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
	git ls-files -z --cached --others --exclude-standard
else
	SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(stat -c %Y ces.spec)}
	find . \( -path ./build -o -path ./.git \) -prune -o -not -type d -printf '%P\0'
fi > "$work/list"
export SOURCE_DATE_EPOCH
mkdir -p "$work/SOURCES" "$out"
# (it leaves out a file that was removed and not yet committed)
while IFS= read -r -d '' f; do [ ! -e "$f" ] || printf '%s\0' "$f"; done < "$work/list" | LC_ALL=C sort -zu |
	tar --create --null --files-from=- --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
		--mode=u=rwX,go=rX --transform="s|^|$name/|" | gzip -n > "$work/SOURCES/$name.tar.gz"

# (Debian's rpm knows none of Debian's packages: deps.sh has installed what is needed)
nodeps=()
[ -e /etc/redhat-release ] || nodeps=(--nodeps)
with=()
[ ! -e selinux/ces.te ] || [ ! -e /usr/share/selinux/devel/Makefile ] || with+=(--with selinux)
[ ! -e /usr/include/slurm/spank.h ] || with+=(--with slurm)
# Keeps this make's variables away from the packages' build.
unset MAKEFLAGS MFLAGS MAKEOVERRIDES SANITIZE
build() # OPTION...
{
	rpmbuild "$@" "${nodeps[@]}" "${with[@]}" --define "_topdir $work" --define '_buildhost localhost' \
		--define 'use_source_date_epoch_as_buildtime 1' --define 'clamp_mtime_to_source_date_epoch 1' \
		ces.spec > "$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
}
build -ba --noclean
# For tests of upgrades: packs the same build once more, as a later release.
[ -z "${CES_RPM_NEXT:-}" ] || build -bb --noprep --define 'dist .next'
find "$work/RPMS" "$work/SRPMS" -name '*.rpm' -exec mv -t "$out" {} +
ls "$out"/*.rpm
