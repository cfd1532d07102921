#!/bin/bash
# Prints three figures, and fails if one is above its limit:
# size.sh [-v] SETUID ROOT FOREIGN BUILD SETUID_PROGRAM [ROOT_PROGRAM...]
#
#	SETUID   the lines of code of the setuid program
#	ROOT     the lines of all programs that run as root of the host
#	FOREIGN  the lines of ROOT in files that can read what a caller, a registry or an image sends. Such a file includes a
#	         form of these bytes (common/schema.h), or is the decoder or one of its checks, or splits an image's name
#
# It counts the files that the linker took, by the map beside each program, and every header of the tree that they include,
# so that no file is forgotten. Blank lines and comments do not count: the preprocessor removes them. -v lists the files.
set -euo pipefail
verbose=0
[ "$1" != -v ] || { verbose=1; shift; }
limits=("$1" "$2" "$3") B=$4
shift 4

# Lists the sources of a program: its own objects, and the members of the archives that it needed.
sources() # BUILD PROGRAM
{
	{
		grep -oE "^LOAD $1/[^ ]*\.o$" "$1/$2.map" | cut -d' ' -f2
		grep -oE "^$1/libces-[a-z]*\.a\([a-z0-9_]*\.o\)" "$1/$2.map" |
			sed -E "s|$1/libces-([a-z]*)\.a\((.*)\)|$1/\1/\2|"
	} | sed -E "s|^$1/||; s|\.o$|.c|" | sort -u
}

# Lists the files of a program: its sources and their headers in this tree.
files() # BUILD PROGRAM
{
	local source
	for source in $(sources "$1" "$2"); do
		gcc -MM -I. -D_GNU_SOURCE "$source" | tr -s ' \\' '\n' | grep -E '\.[ch]$'
	done | sort -u
}

# Prints the number of lines of code in a file.
lines() # FILE
{
	gcc -fpreprocessed -dD -E -P "$1" 2> /dev/null | grep -c '[^[:space:]]' || true
}

# Succeeds if the file knows a form of foreign bytes.
knows_foreign() # FILE
{
	gcc -MM -I. -D_GNU_SOURCE "$1" | grep -qE 'common/(schema\.h|(wire_decode|wire_value|reference)\.c)'
}

# Prints one figure. Fails if it is above its limit.
figure() # LINES LIMIT WHAT
{
	printf '%6d %s (at most %d)\n' "$1" "$3" "$2"
	[ "$1" -le "$2" ]
}

declare -A seen=()
setuid=0 root=0 foreign=0
is_setuid=1 # (the first program)
for program; do
	for file in $(files "$B" "$program"); do
		[ -z "${seen[$file]:-}" ] || continue
		seen[$file]=1 knows=''
		n=$(lines "$file")
		root=$((root + n)) setuid=$((setuid + is_setuid * n))
		! knows_foreign "$file" || foreign=$((foreign + n)) knows='  knows foreign forms'
		[ $verbose = 0 ] || printf '%6d %s%s\n' "$n" "$file" "$knows"
	done
	is_setuid=0
done
status=0
figure $setuid "${limits[0]}" 'lines of code in the setuid program' || status=1
figure $root "${limits[1]}" 'that ever run as root of the host' || status=1
figure $foreign "${limits[2]}" 'of these where the forms of foreign bytes are known' || status=1
exit $status
