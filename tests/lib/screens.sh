#!/bin/bash
# Makes the pictures of doc/ that show CES at work: `tests/lib/lab/lab.sh tests/lib/screens.sh`, as root. terminal.svg
# shows what a user types and sees; report.png is the first screen of a report, drawn by Chromium. The pictures are in the
# repository, because not every machine that makes the pages has a lab.
set -euo pipefail
cd "$CES_TOP"
. tests/lib/lab/services.sh
pictures=build/pictures
mkdir -p $pictures

lab_begin
lab_registry open 5001
htpasswd -Bbc $lab/htpasswd $registry_user $registry_token 2> /dev/null
lab_registry ghcr 5000 "$lab_htpasswd"
lab_push stroke epcced/stroke:1
jq --argjson r "$(jq '.registries["ghcr.io"]' tests/lib/lab/policy.json)" '.registries["ghcr.io"] = $r' \
	policy/examples/desktop.json > /etc/ces/policy.json
install -o alice -g alice -m 600 /dev/stdin /home/alice/token <<< "$registry_token"

# Prints COMMAND-LINE and what it prints in a shell of alice's.
types() # COMMAND-LINE
{
	printf '$ %s\n' "$1"
	as alice bash -c "$1" 2>&1 < /dev/null | grep -v 'layer [0-9]' || true
}

{
	types "ces-client pull --username $registry_user --token-file token ghcr.io/epcced/stroke:1"
	types 'ces-client run ghcr.io/epcced/stroke:1'
	types 'cat outputs_*/result.csv'
	types 'ces-client run --gpu=1 ghcr.io/epcced/stroke:1'
	types 'ces-client run --network=host ghcr.io/epcced/stroke:1'
} > $pictures/terminal.txt
tests/lib/terminal_picture.py < $pictures/terminal.txt > $pictures/terminal.svg

for user in bob carol dave; do
	as $user ces-client run -q ghcr.io/epcced/stroke:1 > /dev/null 2>&1 || true
done
ces-policy report --no-host --journal /var/log/ces/audit.jsonl -o $pictures/report.html /etc/ces/policy.json
chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --window-size=1100,800 \
	--screenshot="$PWD/$pictures/report.png" "file://$PWD/$pictures/report.html" > /dev/null 2>&1
cp $pictures/terminal.svg $pictures/report.png doc/pictures/
