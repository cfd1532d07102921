#!/usr/bin/env bats
# ces-policy evidence: reports about an image, from any tool, in one form.

load common.bash
load evidence.bash

@test "a wrong argument is answered with what to type" {
	for wrong in "" "add" "show" "show $digest x" "list x y" "nothing" "--nope"; do
		run policy evidence $wrong
		[ "$status" -eq 2 ]
	done
	run evidence show sha256:5F
	[ "$status" -eq 2 ]
	says "write sha256: and 64 digits of hex"
	run add --digest ubuntu "$reports/trivy.json"
	[ "$status" -eq 2 ]
	says "write sha256: and 64 digits of hex"
	run evidence list --digest "$digest"
	[ "$status" -eq 2 ]
	run policy evidence --help
	[ "$status" -eq 0 ]
	says "ces-policy evidence add"
	run evidence list
	[ "$status" -eq 1 ]
	says "type ces-policy evidence add REPORT"
	[ "$(evidence list --format json 2> /dev/null)" = "[]" ]
}

@test "prune removes scans that a newer one of the scanner replaced, and nothing that an approval went by" {
	for day in 20 21 22 23; do
		changed trivy ".CreatedAt = \"2026-11-${day}T00:00:00Z\""
		add report.json
	done
	changed trivy 'del(.CreatedAt)'
	add report.json
	add "$reports/grype.json" && add "$reports/spdx.json" && add "$reports/openvex.json"
	# an approval goes by the scan of the 21st
	old=$(grep -l '"made": "2026-11-21T00' $folder/report-*)
	printf '{\n"ces_evidence_set": 1,\n"digest": "%s",\n"records": [\n"sha256:%s"\n]\n}\n' "$digest" "$(sha256sum < "$old" | cut -d' ' -f1)" > set.json
	cp set.json "$folder/approved-$(sha256sum < set.json | cut -d' ' -f1).json"
	ls $folder > before
	run evidence prune --dry-run
	[ "$status" -eq 0 ]
	[ "$(grep -c 'would be removed' <<< "$output")" -eq 2 ]
	ls $folder | cmp - before
	run evidence prune
	[ "$status" -eq 0 ]
	[ "$(grep -c ' removed' <<< "$output")" -eq 2 ]
	[ "$(cat $folder/report-* | grep -o '"made": "2026-11-2[0-9]T00' | sort | tr -dc '0-9\n' | cut -c 7-8 | tr '\n' ' ')" = "21 23 " ]
	[ "$(ls $folder | wc -l)" -eq "$(($(wc -l < before) - 2))" ]
	run evidence prune
	says "no scan was replaced by a newer one"
	run evidence list --dry-run
	[ "$status" -eq 2 ]
	# (a changed record removes nothing)
	changed trivy '.CreatedAt = "2026-11-24T00:00:00Z"'
	add report.json
	echo x >> "$folder/approved-$(sha256sum < set.json | cut -d' ' -f1).json"
	run evidence prune
	[ "$status" -eq 2 ]
	says "was changed"
	[ "$(ls $folder | wc -l)" -eq "$(($(wc -l < before) - 1))" ]
}

@test "a scan with a date to come replaces none, and is not removed" {
	for when in "10 days ago" "1 day ago" "20 hours"; do
		changed trivy ".CreatedAt = \"$(date -u -d "$when" +%FT%TZ)\""
		add report.json
	done
	# (kept when the clock was wrong)
	redated "$(date -u -d "20 hours" +%F)" "$(date -u -d "40 days" +%F)"
	run evidence prune
	[ "$status" -eq 0 ]
	[ "$(grep -c ' removed' <<< "$output")" -eq 1 ]
	cat $folder/report-* > all
	grep -q "\"made\": \"$(date -u -d "1 day ago" +%F)" all
	grep -q "\"made\": \"$(date -u -d "40 days" +%F)" all
}


@test "a report with a date more than a day ahead is refused, in each format" {
	# FORMAT|THE PLACE OF ITS DATE
	while IFS='|' read -r format place; do
		ahead=$(date -u -d '25 hours' +%FT%TZ)
		changed "$format" "$place = \"$ahead\""
		refused report.json "its date, ${ahead%T*}, is more than a day ahead of this machine's clock" --digest "$digest" || { echo "with $format"; return 1; }
		changed "$format" "$place = \"$(date -u -d '23 hours' +%FT%TZ)\""
		add --digest "$digest" report.json || { echo "with $format"; return 1; }
		rm -r kept
	done <<- 'EOT'
		openvex|.timestamp
		openvex|.last_updated
		cyclonedx|.metadata.timestamp
		trivy|.CreatedAt
		grype|.descriptor.timestamp
		sarif|.runs[0].invocations[0].endTimeUtc
		spdx|.creationInfo.created
	EOT
	changed openvex '.timestamp = "9999-12-31T23:59:59Z"'
	refused report.json "its date, 9999-12-31, is more than a day ahead"
	# (a time without a zone is UTC)
	changed openvex ".timestamp = \"$(date -u -d '30 hours' +%FT%T)\""
	refused report.json "is more than a day ahead"
	changed openvex ".timestamp = \"$(date -u -d '30 hours' +%FT%T)+14:00\""
	add report.json
}

@test "a report about another image is refused, whatever the caller says" {
	for report in trivy grype spdx cyclonedx openvex statement; do
		refused "$reports/$report.json" "it is about $digest, and not about $other" --digest "$other"
	done
	changed sarif '.runs[0].properties = {repoDigests: ["x@'"$digest"'"]}'
	refused report.json "it is about $digest, and not about $other" --digest "$other"
}

@test "a report that names no image needs --digest; if its format names images, it is refused even so" {
	changed trivy 'del(.Metadata.RepoDigests)'
	refused report.json "does not name its image by a registry's digest"
	refused report.json "does not name its image by a registry's digest" --digest "$digest"
	changed grype 'del(.source.target.repoDigests, .source.target.manifestDigest)'
	refused report.json "does not name its image" --digest "$digest"
	changed statement '.subject[0].digest = {sha512: "00"}'
	refused report.json "does not name its image" --digest "$digest"
	# (the digest of a configuration is no image's)
	refused report.json "does not name its image" --digest "sha256:961769676411f082461f9ef46626dd7a2d1e2b2a38e6a44364bcbecf51e66dd4"
	for bare in 'spdx|del(.packages[2])' 'cyclonedx|del(.metadata.component)' 'openvex|del(.statements[].products)' 'sarif|.'; do
		changed "${bare%%|*}" "${bare#*|}"
		refused report.json "type --digest sha256:..."
		run add --digest "$digest" report.json
		[ "$status" -eq 0 ]
		says "the image is named by --digest alone"
		rm -r kept
	done
}

@test "a report that is not about an image, or is of an unknown version, is refused" {
	changed trivy '.ArtifactType = "filesystem"'
	refused report.json "something else than an image"
	changed trivy '.SchemaVersion = 3'
	refused report.json "another schema"
	changed grype '.source.type = "directory"'
	refused report.json "something else than an image"
	changed sarif '.version = "2.0.0"'
	refused report.json "another version than 2.1.0" --digest "$digest"
	changed spdx '.spdxVersion = "SPDX-3.0"'
	refused report.json "another version than 2.2 and 2.3"
	changed cyclonedx '.specVersion = "2.0"'
	refused report.json "another version than 1"
	echo '{"hello": "world"}' > report.json
	refused report.json "not a report in a known format"
	jq -s '.[0] * .[1]' "$reports/trivy.json" "$reports/spdx.json" > report.json
	refused report.json "of two formats at once"
	add "$reports/trivy.json"
	cp "$folder"/report-*.json own.json
	rm -r kept
	refused own.json "a record of ces-policy itself"
}

@test "JSON that is cut off, empty, too deep or not text, or has a duplicate key or trailing bytes, is refused" {
	head -c 900 "$reports/trivy.json" > report.json
	refused report.json "it "
	: > report.json
	refused report.json "is empty"
	echo '[]' > report.json
	refused report.json "not a JSON object"
	sed 's/"ArtifactType"/"SchemaVersion": 2, "ArtifactType"/' "$reports/trivy.json" > report.json
	refused report.json "has a key twice"
	sed 's/"ArtifactType"/"schemaversion": 2, "ArtifactType"/' "$reports/trivy.json" > report.json
	refused report.json "differ only in case"
	# but an image's labels may
	for format in 'grype|.source.target.labels' 'trivy|.Metadata.ImageConfig.config.Labels'; do
		changed "${format%%|*}" "${format#*|}"' = {License: "MIT", license: "MIT"}'
		add report.json
		rm -r kept
	done
	python3 -c "print('{\"SchemaVersion\": 2, \"ArtifactType\": ' + '[' * 100000 + ']' * 100000 + '}')" > report.json
	refused report.json "nested too deeply"
	(cat "$reports/trivy.json"; echo x) > report.json
	refused report.json "bytes after its end"
	printf '{"SchemaVersion": "\xff"}' > report.json
	refused report.json "not UTF-8"
	head -c 100000 /dev/urandom > report.json
	refused report.json "it "
	gzip -c "$reports/trivy.json" > report.json
	refused report.json "it "
}

@test "a report that is no regular file, or a link to nothing, is refused at once" {
	mkfifo fifo
	refused fifo "not a regular file"
	refused . "not a regular file"
	refused /dev/zero "not a regular file"
	ln -s nothing link
	refused link "No such file"
}

@test "control characters of a report reach no terminal and no record" {
	changed trivy '.ArtifactName = "a\u001b[31mb\u009b1m\u202e\u0007" | .CreatedAt = "2026-11-20\u001b]0;x\u0007" | .Trivy.Version = "\u001b[2J"
		| .Results[0].Packages[0].Name = "open\u001b[31mssl\n\r\u0000" | .Results[0].Vulnerabilities[0].VulnerabilityID = "CVE\u001b[1A"
		| .Results[0].Vulnerabilities[0].Severity = "\u001b[31m"' 2> /dev/null || true
	sed -i 's/\\u0000//' report.json
	run add report.json
	[ "$status" -eq 0 ]
	printable
	says "no date"
	run evidence list
	printable
	run evidence show "$digest"
	printable
	says "open?[31mssl"
	run evidence show --format json "$digest"
	printable
	jq -e '.[0].image == "a?[31mb?1m??" and .[0].counts.unknown.fixable == 1' <<< "$output"
	output=$(cat "$folder"/report-*.json)
	printable
	# and not by the name of the file, nor in what an error quotes
	cp "$reports/trivy.json" "$(printf 'x\033[31m')"
	run add --digest "$other" "$(printf 'x\033[31m')"
	[ "$status" -eq 2 ]
	printable
}

@test "a file over 256 MiB is refused before it is read, and one below it is taken" {
	truncate -s 257M report.json
	refused report.json "larger than 256 MiB"
	python3 - "$reports/trivy.json" <<- 'EOT' > report.json
		import json, sys
		report = json.load(open(sys.argv[1]))
		one = report["Results"][0]["Vulnerabilities"][0]
		one["Description"] = "x" * 60000
		report["Results"][0]["Vulnerabilities"] = [dict(one, VulnerabilityID="CVE-2026-%d" % i) for i in range(1000)]
		json.dump(report, sys.stdout)
	EOT
	run add report.json
	[ "$status" -eq 0 ]
	says "critical 1000 (1000 fixable)"
}

@test "more than 100000 packages are refused, not cut" {
	python3 - > report.json <<- EOT
		print('{"spdxVersion": "SPDX-2.3", "packages": [' + ','.join('{"name": "p%d"}' % i for i in range(100001)) + ']}')
	EOT
	refused report.json "more than 100000 packages or vulnerabilities" --digest "$digest"
	sed -i 's/{"name": "p7"},//' report.json
	run add --digest "$digest" report.json
	[ "$status" -eq 0 ]
	says "100000 packages"
	# packages without a name, by the million, are no packages and take no memory
	python3 -c "print('{\"spdxVersion\": \"SPDX-2.3\", \"packages\": [' + '[],' * 5000000 + '{}]}')" > report.json
	run add --digest "$other" report.json
	[ "$status" -eq 0 ]
	says "0 packages"
}

@test "a report that is already there is kept once; one command takes several reports" {
	run add "$reports/trivy.json" "$reports/grype.json"
	[ "$status" -eq 0 ]
	run add "$reports/trivy.json"
	[ "$status" -eq 0 ]
	says "$digest was there already"
	[ "$(ls "$folder" | wc -l)" -eq 2 ]
	run add "$reports/trivy.json" nothing "$reports/spdx.json"
	[ "$status" -eq 2 ]
	[ "$(ls "$folder" | wc -l)" -eq 3 ]
	run evidence list --format json
	jq -e 'length == 3 and all(.[]; .digest == "'"$digest"'" and (.record | startswith("sha256:")))' <<< "$output"
	run evidence list "ghcr.io/epcced/stroke@$digest"
	[ "$status" -eq 0 ]
	run evidence list "$other"
	[ "$status" -eq 1 ]
}

@test "the record of a report is the same bytes each time, and named by its digest" {
	add "$reports/trivy.json"
	mv kept first
	jq -c . "$reports/trivy.json" > /dev/null
	(umask 077 && add "$reports/trivy.json")
	diff -r first kept
	for file in "$folder"/*; do
		[ "report-$(sha256sum < "$file" | cut -d' ' -f1).json" = "${file##*/}" ]
		[ "$(stat -c %a "$file")" = 644 ]
	done
	[ "$(stat -c %a "$folder")" = 755 ]
}

@test "a record that was changed, is a link or a FIFO, or belongs elsewhere is an error" {
	add "$reports/trivy.json"
	file=$(echo "$folder"/report-*.json)
	sed -i 's/critical/low/' "$file"
	run evidence list
	[ "$status" -eq 2 ]
	says "was changed: its digest is"
	mv "$file" elsewhere.json
	ln -s "$PWD/elsewhere.json" "$file"
	run evidence list
	[ "$status" -eq 2 ]
	rm "$file"
	mkfifo "$file"
	run evidence list
	[ "$status" -eq 2 ]
	says "not a regular file"
	run add "$reports/trivy.json"
	[ "$status" -eq 2 ]
	says "not a regular file"
	rm "$file"
	add "$reports/trivy.json"
	mkdir "kept/sha256-${other#sha256:}"
	cp "$file" "kept/sha256-${other#sha256:}"
	run evidence list "$other"
	[ "$status" -eq 2 ]
	says "is about another image"
	# (its digest is right, but ces-policy would not have written it)
	sed 's/"made": /"made":  /' "$file" > x
	cp x "$folder/report-$(sha256sum < x | cut -d' ' -f1).json"
	run evidence list "$digest"
	[ "$status" -eq 2 ]
	says "not as ces-policy wrote it"
}

@test "a link in place of an image's directory is not followed" {
	mkdir kept elsewhere
	ln -s "$PWD/elsewhere" "$folder"
	run add "$reports/trivy.json"
	[ "$status" -eq 2 ]
	[ -z "$(ls elsewhere)" ]
}

@test "the process that reads a report has given up root" {
	python3 -c "print('{\"spdxVersion\": \"SPDX-2.3\", \"packages\": [' + ('{\"x\": \"' + 'y' * 1000 + '\"},') * 100000 + '{}]}')" > report.json
	add --digest "$digest" report.json > log &
	for _ in {1..200}; do
		child=$(ps -eo pid=,ppid=,args= | awk '/ces-policy evidence add/ && !/awk|timeout/ { parent[$1] = $2 } END { for (p in parent) if (parent[p] in parent) print p }' | head -n 1)
		if [ -n "$child" ]; then uid=$(awk '/^Uid:/ { print $2, $3, $4 }' "/proc/$child/status" 2> /dev/null) || uid=
			[[ $uid == "65534 65534 65534" || ( -n $uid && $(id -u) -ne 0 ) ]] && break; fi
	done
	wait $!
	[[ $uid == "65534 65534 65534" || ( -n $uid && $(id -u) -ne 0 ) ]]
	grep -q added log
}
