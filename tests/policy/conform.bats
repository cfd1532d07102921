#!/usr/bin/env bats
# ces-policy conform: its arguments and its three formats.

load common.bash
load conform.bash

@test "a wrong argument is refused with what to type" {
	run conform
	[ "$status" -eq 2 ]
	says "name one Dockerfile, directory of an image, or image in a registry"
	run conform python:3.11
	[ "$status" -eq 2 ]
	says "the image 'python:3.11' names no registry; write it in full"
	run conform oci:image
	says "type the directory alone: image"
	run conform none
	[ "$status" -eq 2 ]
	says "No such file"
	mkdir empty
	run conform empty
	[ "$status" -eq 2 ]
	says "skopeo copy docker://IMAGE oci:DIRECTORY"
	cp "$f" empty
	run conform empty
	[ "$status" -eq 2 ]
	says "type the path of its Dockerfile"
	tar cf x.tar "$f"
	run conform x.tar
	says "skopeo copy docker-archive:x.tar oci:DIRECTORY"
	mkfifo fifo
	run conform fifo
	[ "$status" -eq 2 ]
	says "not a regular file"
	for wrong in --format=xml --platform=arm64 --platform=windows/amd64 --max-size=3 --nope; do
		run conform $wrong "$f"
		[ "$status" -eq 2 ]
	done
	run conform --help
	[ "$status" -eq 0 ]
	says "REGISTRY/OWNER/NAME"
}

@test "SARIF has what its schema requires: rules, and results with level, message and place" {
	cat > "$f" <<- 'EOT'
		FROM ubuntu
		COPY a.csv /
	EOT
	mkdir 'a b:%'
	cp "$f" 'a b:%/'
	run conform --format sarif 'a b:%/Dockerfile'
	[ "$status" -eq 1 ]
	jq -e '.version == "2.1.0" and (.["$schema"] | endswith("sarif-schema-2.1.0.json")) and (.runs | length) == 1
		and (.runs[0] | .tool.driver.name == "ces-policy conform"
			and (.tool.driver.rules as $rules
				| ([$rules[].id] | length == (unique | length))
				and all($rules[]; (.id | test("^CES-C[0-9]{3}$")) and (.shortDescription.text | length > 0)
					and (.fullDescription.text | length > 0) and (.help.text | length > 0)
					and (.defaultConfiguration.level | IN("note", "warning", "error")) and has("helpUri") == false)
				and all(.results[]; $rules[.ruleIndex].id == .ruleId and (.level | IN("note", "warning", "error"))
					and (.message.text | length > 0) and (.locations | length) == 1
					and .locations[0].physicalLocation.artifactLocation.uri == "./a%20b%3A%25/Dockerfile"
					and .locations[0].physicalLocation.region.startLine >= 1))
			and any(.results[]; .ruleId == "CES-C001" and .level == "error" and .locations[0].physicalLocation.region.startLine == 1))' <<< "$output"
	new
	base
	: > $tree/.netrc
	layer
	made
	run conform --format sarif img
	jq -e 'any(.runs[0].results[]; .ruleId == "CES-C007" and .locations[0].physicalLocation.artifactLocation.uri == "img"
		and .locations[0].logicalLocations[0].fullyQualifiedName == "img: layer 1: /.netrc")' <<< "$output"
}

@test "JSON has each finding with its rule, severity, place, reason and what to write" {
	echo 'FROM ubuntu' > "$f"
	run conform --format json "$f"
	jq -e '.file == "Dockerfile" and .kind == "dockerfile" and .errors == 1
		and .errors + .warnings + .notes == (.findings | length)
		and all(.findings[]; (.rule | test("^CES-C[0-9]{3}$")) and (.severity | IN("note", "warning", "error"))
			and all(.name, .text, .why, .write; length > 0))' <<< "$output"
}

@test "each rule of the manual is a rule of the program, and the other way round" {
	diff <(grep -oE '^\.It CES-C[0-9]+' "$top/man/ces-policy.1" | cut -d' ' -f2) \
		<(conform --format sarif "$f" | jq -r '.runs[0].tool.driver.rules[].id')
}

@test "root is given up before a Dockerfile or a layout is read" {
	[ "$(id -u)" = 0 ] || skip "needs root"
	export ASAN_OPTIONS=detect_leaks=0
	new
	base
	layer
	made
	chmod 755 .
	for what in "$f" img; do
		run strace -f -o trace -e trace=read,setresuid "$top/${B:-build}/ces-policy" conform $what
		sed -n '/setresuid/,$p' trace | grep -qE 'FROM docker|schemaVersion'
		run ! grep -qE 'FROM docker|schemaVersion' <(sed '/setresuid/,$d' trace)
	done
}

@test "the examples for GitHub and GitLab are YAML, and type options that exist" {
	for file in "$top"/doc/examples/conform-*.yml; do
		python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$file"
		while read -r option; do
			conform --help | grep -q -- "$option"
		done < <(grep -E 'ces-policy conform' "$file" | grep -oE -- '--[a-z-]+')
	done
}
