#!/bin/bash
# Plays the job script of batch connect's template "basic", as Open OnDemand documents it: batch_connect.sh DIR, as the user,
# on the back-end. The helper functions are our own. A clean-up has only the statuses 0 and 1, as in Open OnDemand.
cd "$1" || exit

find_port() # [HOST]
{
	local port
	while :; do
		port=$(shuf -i 20000-30000 -n 1)
		(exec 3<> "/dev/tcp/${1:-localhost}/$port") 2> /dev/null || break
	done
	echo "$port"
}

create_passwd() # LENGTH
{
	tr -cd '[:alnum:]' < /dev/urandom 2> /dev/null | head -c "$1"
}
export -f find_port create_passwd

connection()
{
	(
		umask 077
		# shellcheck disable=SC2154 # (set by before.sh)
		printf '%s: %s\n' ces_container "$ces_container" host "$host" port "$port" password "$password" > connection.yml
	)
}

clean_up() # [STATUS]
{
	echo "Cleaning up..."
	# shellcheck disable=SC1091
	[[ -e clean.sh ]] && source clean.sh
	[[ ${SCRIPT_PID} ]] && pkill -P "${SCRIPT_PID}"
	pkill -P $$
	exit "${1:-0}"
}

host=$(hostname)
export host port
# shellcheck disable=SC1091
[[ -e before.sh ]] && source before.sh
echo "Script starting..."
./script.sh &
SCRIPT_PID=$!
# shellcheck disable=SC1091
[[ -e after.sh ]] && source after.sh
connection
wait "${SCRIPT_PID}" || clean_up 1
clean_up
