#!/bin/bash
# Goes from a machine without CES to a first run, by FIRST STEPS of ces(7) and nothing else. It takes the command lines from
# the manual and types root's as root, and the researcher's as the researcher.
#
# first_run.sh MANUAL CA ENDPOINT RPM...    as root, on a machine that may be changed: it adds a user, a group, /safe_data.
# It also does what the manual leaves to its reader: it replaces dnf on a machine without it, edits the two lines for vi, and
# brings the site's certificate, the researcher's token and the project's data.
set -euo pipefail
manual=$1 ca=$2 endpoint=$3
shift 3
user=ada
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$@" "$work/"
cp "$ca" "$work/proxy-ca.pem"

edit_two_lines() # FILE
{
	local host=${endpoint#https://}
	sed -i -e "/\"ghcr.io\"/,/}/ { s|\"endpoint\": \"[^\"]*\"|\"endpoint\": \"$endpoint\"|; s|\"token_hosts\": .*|\"token_hosts\": [\"$host\"]| }" "$1"
	[ "$(diff /usr/share/doc/ces/examples/desktop.json "$1" | grep -c '^>')" = 2 ]
}

as_root() # COMMAND-LINE
{
	case $1 in
	"dnf install "*)
		# shellcheck disable=SC2086 # (the manual's pattern)
		if command -v dnf > /dev/null; then dnf -q -y ${1#dnf }; else rpm --force-debian --nodeps -i ${1#dnf install }; fi ;;
	"systemctl "*)
		if [ -d /run/systemd/system ]; then bash -euc "$1"; else echo "(systemd does not run here)"; fi ;;
	"vi "*) edit_two_lines "${1#vi }" ;;
	*) bash -euc "$1" ;;
	esac
}

as_user() # COMMAND-LINE
{
	if [ ! -e /home/$user/token ]; then
		install -o $user -g $user -m 600 /dev/stdin /home/$user/token <<< "${TOKEN:-token}"
		install -g nsh-2024-0001 -m 640 /dev/stdin /safe_data/nsh-2024-0001/patients.csv <<< $'id,age,outcome\n1,71,0\n2,64,1'
	fi
	setpriv --reuid=$user --regid=$user --init-groups --reset-env env -C /home/$user bash -euc "$1"
}

typed=0
while IFS= read -r line <&3; do
	printf '%s\n' "$line"
	case $line in
	'# '*) (cd "$work" && as_root "${line#\# }") ;;
	'$ '*) as_user "${line#\$ }" ;;
	*) echo "first_run.sh: neither root's nor a user's: $line" >&2; exit 1 ;;
	esac < /dev/null
	typed=$((typed + 1))
done 3< <(sed -n '/^\.Sh FIRST STEPS/,/^\.Sh COMING/ s/^\.Dl //p' "$manual")
[ "$typed" -ge 12 ]
echo "first run: $typed commands, all as the manual says"
