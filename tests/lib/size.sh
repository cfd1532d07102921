#!/bin/bash
# Prints three figures, and fails if one is above its limit:
# size.sh [-v] SETUID ROOT FOREIGN BUILD SETUID_PROGRAM [ROOT_PROGRAM...]
#
#	SETUID   lines of code in the setuid program
#	ROOT     in all that ever runs as root of the host, in whichever program
#	FOREIGN  of these, in files that can read what a caller, a registry or an image sends: they include a form of such
#	         bytes (common/schema.h), or are the decoder or its checks, or split an image's name
#
# It counts the files that the linker took, as the map beside each program says, and every header of the tree that they
# include: none can be forgotten. Blank lines and comments do not count. The preprocessor's own stripper decides, so no
# style of comment escapes it. -v lists the files.
set -euo pipefail
[ "$1" != -v ] || { verbose=1; shift; }
limits=("$1" "$2" "$3") B=$4
shift 4
declare -A seen
setuid=0 root=0 foreign=0

# Lists the sources of a program: its own objects, and the members of the archives that it needed.
sources() # PROGRAM
{
	{
		grep -oE "^LOAD $B/[^ ]*\.o$" "$1.map" | cut -d' ' -f2
		grep -oE "^$B/libces-[a-z]*\.a\([a-z0-9_]*\.o\)" "$1.map" |
			sed -E "s|$B/libces-([a-z]*)\.a\((.*)\)|$B/\1/\2|"
	} | sed -E "s|^$B/||; s|\.o$|.c|" | sort -u
}

count() # FILE IS-SETUID; adds its lines to the three figures
{
	local n knows=''
	[ -z "${seen[$1]:-}" ] || return 0
	seen[$1]=1
	n=$(gcc -fpreprocessed -dD -E -P "$1" 2> /dev/null | grep -c '[^[:space:]]' || true)
	root=$((root + n)) setuid=$((setuid + $2 * n))
	if gcc -MM -I. -D_GNU_SOURCE "$1" | grep -qE 'common/(schema\.h|(wire_decode|wire_value|reference)\.c)'; then
		foreign=$((foreign + n)) knows='  knows foreign forms'
	fi
	[ -z "${verbose:-}" ] || printf '%6d %s%s\n' "$n" "$1" "$knows"
}

is_setuid=1 # (the first program)
for program; do
	for f in $(for c in $(sources "$B/$program"); do
		gcc -MM -I. -D_GNU_SOURCE "$c" | tr -s ' \\' '\n' | grep -E '\.[ch]$'
	done | sort -u); do
		count "$f" $is_setuid
	done
	is_setuid=0
done
status=0
figure() # LINES LIMIT WHAT
{
	printf '%6d %s (at most %d)\n' "$1" "$3" "$2"
	[ "$1" -le "$2" ] || status=1
}
figure $setuid "${limits[0]}" 'lines of code in the setuid program'
figure $root "${limits[1]}" 'that ever run as root of the host'
figure $foreign "${limits[2]}" 'of these where the forms of foreign bytes are known'
exit $status
