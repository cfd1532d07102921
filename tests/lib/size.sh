#!/bin/bash
# Three figures, each with a limit that fails: size.sh SETUID ROOT FOREIGN FILE...
#
#	SETUID   lines of code in the setuid program
#	ROOT     in all that ever runs as root of the host, in whichever program
#	FOREIGN  of these, in files that know the form of what a caller, a registry or an image sends: they include,
#	         directly or not, the schema of the request, of an image's record, or of the workers' frames
#
# The files are those of the setuid program, and behind `--` those of the other programs of root. Blank lines and comments
# do not count: the preprocessor's own stripper decides, so no style of comment escapes it. -v lists the files.
set -euo pipefail
[ "$1" != -v ] || { verbose=1; shift; }
limits=("$1" "$2" "$3")
shift 3
setuid=0 root=0 foreign=0 mine=1
for f in "$@"; do
	[ "$f" != -- ] || { mine=0; continue; }
	n=$(gcc -fpreprocessed -dD -E -P "$f" 2> /dev/null | grep -c '[^[:space:]]' || true)
	root=$((root + n)) setuid=$((setuid + mine * n)) knows=''
	if gcc -MM -I. -D_GNU_SOURCE "$f" | grep -qE 'common/(request|image|worker)\.h'; then
		foreign=$((foreign + n)) knows='  knows foreign forms'
	fi
	[ -z "${verbose:-}" ] || printf '%6d %s%s\n' "$n" "$f" "$knows"
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
