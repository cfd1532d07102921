#!/bin/bash
# Runs the demonstration (`make demo`), inside a lab. It shows each command as a user types it, and then what the command
# really prints. It stops with a non-zero status at the first step whose result is not the expected one.
#
# $out is the file with what the last command printed: `types` and `roots` write it, `shows` reads it.
set -uo pipefail
cd "$CES_TOP" || exit 1
. tests/lib/lab/services.sh

bold='' plain='' dim=''
if [ -t 1 ]; then bold=$'\e[1m' plain=$'\e[0m' dim=$'\e[2m'; fi
out=$(mktemp) || exit 1
chmod 644 "$out"

say()
{
	printf '\n%s# %s%s\n' "$bold" "$*" "$plain"
}

wrong()
{
	printf '\ndemo: FAILED: %s\n' "$*" >&2
	exit 1
}

# Shows COMMAND-LINE and runs it in a shell of USER's. Fails unless it ends with STATUS.
types() # USER STATUS COMMAND-LINE
{
	local status
	printf '%s%s@desktop:~$%s %s\n' "$dim" "$1" "$plain" "$3"
	as "$1" bash -c "$3" 2>&1 < /dev/null | tee "$out"
	status=${PIPESTATUS[0]}
	[ "$status" = "$2" ] || wrong "status $status, not $2"
}

# Shows COMMAND-LINE and runs it in a shell of root's. Fails unless it succeeds.
roots() # COMMAND-LINE
{
	printf '%sroot@desktop:~#%s %s\n' "$dim" "$plain" "$1"
	bash -c "$1" | tee "$out"
	[ "${PIPESTATUS[0]}" = 0 ] || wrong "$1"
}

# Fails unless the last command printed PATTERN.
shows() # PATTERN
{
	grep -qE -- "$1" "$out" || wrong "no '$1' in what was printed"
}

has_not() # PATH
{
	compgen -G "$1" > /dev/null && wrong "$1 is still there"
	return 0
}

say "A lab: users and project data, a TLS registry with login on loopback (docker-registry), CES installed"
lab_begin || wrong "the lab"
lab_registry open 5001 && htpasswd -Bbc $lab/htpasswd $registry_user $registry_token 2> /dev/null &&
	lab_registry ghcr 5000 "$lab_htpasswd" || wrong "the registry"
for image in stroke tools; do
	lab_push $image epcced/$image:1 && lab_push $image other/$image:1 || wrong "pushing $image"
done
lab_policy || wrong "the policy"
install -o alice -g alice -m 600 /dev/stdin /home/alice/token <<< "$registry_token"
jq -c '.registries["ghcr.io"], .projects["nsh-2024-0001"].images[0]' /etc/ces/policy.json
ls -l /usr/libexec/ces/ces-helper

say "1. Alice, an ordinary user and member of project nsh-2024-0001, pulls an approved image"
types alice 0 "id"
types alice 0 "ces-client pull --username $registry_user --token-file token ghcr.io/epcced/stroke:1"
types alice 0 "ces-client images"
shows 'ghcr.io/epcced/stroke'

say "2. She runs it on her project's data: its output on the terminal, its result in ~/outputs_<run>"
types alice 0 "ces-client run ghcr.io/epcced/stroke:1"
shows '^stroke-model: mean age 68\.25'
types alice 0 'ls -ln ~/outputs_*/ && cat ~/outputs_*/result.csv'
shows '4401 .*result\.csv'
shows '^4,68\.25'
types alice 0 'ls -d ~/scratch_* 2> /dev/null || echo "no scratch directory is left"'
shows 'no scratch'
has_not '/home/alice/scratch_*'

say "3. What a program in the container sees: root without power, the data read-only, no network but lo"
types alice 0 "ces-client pull -q --username $registry_user --token-file token ghcr.io/epcced/tools:1"
types alice 0 "ces-client run -q ghcr.io/epcced/tools:1 sh -c 'id -u; grep CapEff /proc/self/status; ls /sys/class/net; ls /safe_data'"
shows '^lo$'
shows '^patients.csv'
/usr/bin/python3 -m http.server --bind $lab_outside 80 --directory /srv/empty > /dev/null 2>&1 &
lab_wait_port 80 /dev/null $lab_outside || wrong "a web server outside"
types alice 0 "curl -sS -o /dev/null -w 'a web server, reached from the host: %{http_code}\n' http://$lab_outside/"
shows 'host: 200'
types alice 1 "ces-client run -q ghcr.io/epcced/tools:1 nc -w 3 $lab_outside 80"
shows 'unreachable'

say "4. Denied: an image that no rule allows"
types alice 125 "ces-client pull --username $registry_user --token-file token ghcr.io/other/tools:1"
shows '^ces: '

say "5. Denied: another project"
types alice 125 "ces-client run --project nsh-2024-0002 ghcr.io/epcced/stroke:1"
shows '^ces: '

say "6. Denied: a write to read-only data"
types alice 1 "ces-client run -q ghcr.io/epcced/tools:1 sh -c 'echo tampered > /safe_data/patients.csv'"
shows '[Rr]ead-only file system'
grep -q tampered /safe_data/nsh-2024-0001/patients.csv && wrong "the data were changed"

say "7. What is on record of her first run, as IG reads it"
first=$(jq -r 'select(.event == "end" and .verb == "run") | .run' /var/log/ces/audit.jsonl | head -n 1)
roots "ces-policy audit show $first"
shows "$first"
roots "ces-policy audit verify"
tests/lib/chain.py /var/log/ces/audit.jsonl > /dev/null || wrong "the chain of the journal"
types alice 1 'cat /var/log/ces/audit.jsonl'
records=$(wc -l < /var/log/ces/audit.jsonl)
install -D -m 644 /var/log/ces/audit.jsonl build/demo/audit.jsonl || wrong "a copy of the journal"

say "Nothing is left running, mounted or staged"
# (a collection after a pull has a few seconds)
for _ in {1..50}; do
	pgrep ces- > /dev/null || break
	sleep 0.1
done
pgrep -l ces- && wrong "processes"
has_not '/run/ces/[0-9]*'
has_not '/var/lib/ces/staging/*'
cat <<SUMMARY

demo: every step came out as it should, and the machine is as it was before
  pulled    an approved image, from a registry that wants a login
  ran       the image on the project's data; the result belongs to alice
  removed   the scratch directory, when the run ended
  inside    root without power, read-only data, no network but lo
  denied    an image that no rule allows
  denied    a project that alice is not in
  denied    a write to the data
  recorded  $records decisions, proofs and ends, in an unbroken chain
  hidden    the journal, from everybody but root
  left      no process, no mount, nothing half pulled
  journal   build/demo/audit.jsonl, a copy
SUMMARY
