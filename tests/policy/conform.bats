#!/usr/bin/env bats
# ces-policy conform: each rule where it is broken and where it is kept, the three formats, and what comes from others.

load common.bash

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	f=Dockerfile
	# nothing is found in it
	cat > "$f" <<- 'EOT'
		FROM docker.io/library/python:3.11.9-slim@sha256:8fb099199b9f2d70342674bd9dbccd3ed03a258f26bbd1d556822c6dfc60c317
		COPY requirements.txt /tmp/
		RUN pip install --no-cache-dir -r /tmp/requirements.txt
		RUN mkdir /safe_data /safe_outputs /scratch && useradd --system app
		COPY LICENSE /usr/share/licenses/stroke/LICENSE
		COPY fit.py /app/fit.py
		USER app
		CMD ["python", "/app/fit.py"]
	EOT
	cp "$f" good
}

conform() { timeout 60 "$top/${B:-build}/ces-policy" conform "$@"; }

# found RULE [JQ-CONDITION]: the report in $output has it.
found()
{
	jq -e --arg rule "CES-$1" "any(.findings[]; .rule == \$rule and (${2:-true}))" <<< "$output" > /dev/null ||
		{ echo "not found: $1 ${2:-}"; echo "$output"; return 1; }
}
found_not()
{
	jq -e --arg rule "CES-$1" "all(.findings[]; .rule != \$rule)" <<< "$output" > /dev/null || { echo "found: $1"; echo "$output"; return 1; }
}

# edited SED-EXPRESSION: the report of the good Dockerfile after it.
edited()
{
	sed "$1" good > "$f"
	run conform --format json "$f"
	[ "$status" -le 1 ] || { echo "$output"; return 1; }
}
wrong() { edited "$2" && found "$1" "${3:-true}"; }
right() { edited "$2" && found_not "$1"; }

# The status of an error is 1, of a warning 1 with --strict, of a note 0.
severity() # LEVEL
{
	run conform --strict "$f"
	case $1 in
	error) [ "$status" -eq 1 ] && conform "$f" > /dev/null && return 1 || true ;;
	warning) [ "$status" -eq 1 ] && conform "$f" > /dev/null ;;
	note) [ "$status" -eq 0 ] ;;
	esac
}

# --- images: $tree is packed by `layer`, and `image` writes the layout img of the layers so far.
tree=tree
new()
{
	rm -rf img $tree
	mkdir -p img/blobs/sha256 $tree
	layers='[]' diff_ids='[]'
	config='{Entrypoint: ["/app/fit"], User: "app", Labels: {"org.opencontainers.image.source": "https://x", "org.opencontainers.image.licenses": "MIT",
		"org.opencontainers.image.version": "1"}}'
}

# blob FILE: it becomes a blob; prints its descriptor.
blob() # FILE MEDIA-TYPE
{
	local hex
	hex=$(sha256sum < "$1" | cut -d' ' -f1)
	jq -nc --arg t "$2" --arg d "sha256:$hex" --argjson s "$(stat -c %s "$1")" '{mediaType: $t, digest: $d, size: $s}'
	mv "$1" "img/blobs/sha256/$hex"
}

layer() # [none|gzip|zstd]: of $tree, which is empty afterwards
{
	tar --owner=0 --group=0 --numeric-owner -C $tree -cf layer.tar "$(cd $tree && echo .)"
	rm -rf $tree
	mkdir $tree
	packed "${1:-gzip}"
}
packed() # [none|gzip|zstd]: of layer.tar
{
	local type=application/vnd.oci.image.layer.v1.tar
	diff_ids=$(jq -c --arg d "sha256:$(sha256sum < layer.tar | cut -d' ' -f1)" '. + [$d]' <<< "$diff_ids")
	case $1 in
	gzip) gzip -n layer.tar && mv layer.tar.gz layer.tar && type+=+gzip ;;
	zstd) zstd -q --rm layer.tar -o layer.zst && mv layer.zst layer.tar && type+=+zstd ;;
	esac
	layers=$(jq -c --argjson l "$(blob layer.tar $type)" '. + [$l]' <<< "$layers")
}

# made [JQ-FILTER OF CONFIGURATION [OF MANIFEST]]: writes the layout and takes the report.
made()
{
	jq -n --argjson d "$diff_ids" "{os: \"linux\", architecture: \"amd64\", rootfs: {type: \"layers\", diff_ids: \$d}, config: $config} | ${1:-.}" > config.json
	jq -n --argjson l "$layers" --argjson c "$(blob config.json application/vnd.oci.image.config.v1+json)" \
		"{schemaVersion: 2, mediaType: \"application/vnd.oci.image.manifest.v1+json\", config: \$c, layers: \$l} | ${2:-.}" > manifest.json
	jq -n --argjson m "$(blob manifest.json application/vnd.oci.image.manifest.v1+json)" '{schemaVersion: 2, manifests: [$m]}' > img/index.json
	echo '{"imageLayoutVersion": "1.0.0"}' > img/oci-layout
	run conform --format json img
	[ "$status" -le 1 ] || { echo "$output"; return 1; }
}

# What every good image has.
base()
{
	mkdir -p $tree/{safe_data,safe_outputs,scratch,app,usr/share/licenses/stroke,tmp}
	chmod 755 $tree $tree/*
	chmod 1777 $tree/tmp
	echo x > $tree/app/fit
	echo MIT > $tree/usr/share/licenses/stroke/LICENSE
}

@test "a Dockerfile that keeps all rules has no finding" {
	run conform --strict "$f"
	[ "$status" -eq 0 ]
	[ "$output" = "Dockerfile: 0 errors, 0 warnings, 0 notes" ]
}

@test "a base without a version is an error; one with a tag or a digest is none" {
	wrong C001 '1c FROM python' '.line == 1 and .severity == "error"'
	severity error
	wrong C001 '1c FROM docker.io/library/python:latest'
	wrong C001 '1c FROM reg.test:5000/python'
	right C001 '1c FROM reg.test:5000/python:3'
	right C001 '1c FROM docker.io/library/python:latest@sha256:8fb099199b9f2d70342674bd9dbccd3ed03a258f26bbd1d556822c6dfc60c317'
	right C001 '1c FROM scratch'
}

@test "a base without a digest is a note, and one without a registry as well" {
	wrong C002 '1c FROM docker.io/library/python:3.11' '.severity == "note"'
	severity note
	right C002 ''
	wrong C003 '1c FROM python:3.11' '.severity == "note" and .write == "FROM docker.io/library/python:3.11"'
	wrong C003 '1c FROM rocker/r-ver:4.4.1' '.write == "FROM docker.io/rocker/r-ver:4.4.1"'
	right C003 '1c FROM localhost/python:3.11'
}

@test "a bare distribution as base is a warning; one that only a build stage has is none" {
	for name in ubuntu:24.04 docker.io/library/debian:12 alpine:3.20 rockylinux:9 quay.io/centos/centos:stream9 centos:7; do
		wrong C004 "1c FROM $name" '.severity == "warning" and .line == 1 and (.write | contains("python:3.11"))'
	done
	severity warning
	right C004 '1c FROM docker.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04'
	right C004 '1c FROM ubuntu:24.04 AS build\nRUN make\nFROM docker.io/library/python:3.11'
	wrong C004 '1c FROM ubuntu:24.04 AS build\nRUN make\nFROM build' '.line == 1'
}

@test "an ARG in FROM is filled in; one without a default is a warning" {
	wrong C001 '1c ARG TAG=latest\nFROM docker.io/library/python:${TAG}' '.line == 2 and (.text | contains("python:latest"))'
	wrong C002 '1c ARG V=3.11\nARG BASE="python:$V"\nFROM docker.io/library/$BASE-slim' '.text | contains("python:3.11-slim")'
	wrong C002 '1c FROM docker.io/library/python:${TAG:-3.12}' '.text | contains("python:3.12")'
	right C005 '1c ARG TAG=3.11\nFROM docker.io/library/python:$TAG'
	wrong C005 '1c ARG TAG\nFROM docker.io/library/python:$TAG' '.severity == "warning" and .line == 2'
	wrong C005 '1c FROM $BASE'
}

@test "a directory of the service that nothing makes is a warning, and is named" {
	wrong C006 's/mkdir [^&]*&&//' '.severity == "warning" and .text == "nothing makes /safe_data /safe_outputs /scratch"'
	wrong C006 's: /scratch::' '.write == "RUN mkdir /scratch"'
	wrong C006 's:/scratch:/scratchy:'
	right C006 's:/safe_data /safe_outputs /scratch:-p /{safe_data,safe_outputs,scratch}:'
	right C006 's: /scratch::; $a WORKDIR /scratch'
	right C006 '4c RUN <<EOF\nmkdir /safe_data \\\n  /safe_outputs /scratch\nEOF'
	wrong C006 '4d; 1i FROM docker.io/x/y:1 AS build\nRUN mkdir /safe_data /safe_outputs /scratch'
}

@test "a secret that is copied is an error, in each stage" {
	for file in id_rsa .ssh/id_ed25519 .netrc home/.aws/credentials .docker/config.json .env .pypirc; do
		wrong C007 "6c COPY $file /root/" '.severity == "error" and .line == 6'
	done
	severity error
	wrong C007 '1i FROM docker.io/x/y:1 AS build\nADD --chown=0:0 ["a b", ".netrc", "/root/"]'
	right C007 '6c COPY environment.yml config.json credentials.py /app/'
	right C007 '6c COPY --from=build /root/.netrc /root/'
}

@test "a secret in ENV or ARG is an error, and its value is never printed" {
	wrong C008 '6i ENV DB_PASSWORD=hunter2hunter2' '.severity == "error" and .line == 6 and (.text | contains("DB_PASSWORD"))'
	[[ $output != *hunter2* ]]
	wrong C008 '6i ARG GITHUB_TOKEN=abc'
	wrong C008 '6i ENV A=1 \\\n  pgpassword="x y"'
	wrong C008 '6i ENV API_KEY abc def'
	wrong C008 '1i ARG NPM_TOKEN=abc'
	wrong C008 '6i ENV HARMLESS=ghp_0123456789abcdefghij0123456789'
	[[ $output != *ghp_* ]]
	right C008 '6i ENV TOKENIZERS_PARALLELISM=false MAX_TOKENS=5 PASSWORD_FILE=/run/secrets/p TOKEN=$TOKEN\nARG API_KEY\nENV DB_PASSWORD=""'
}

@test "a secret on a command line is an error, and its value is never printed" {
	for command in 'PGPASSWORD=hunter2 psql' 'export API_KEY=\"hunter2\" \&\& x' 'x --auth-token=hunter2 y' 'pip install -i https:\/\/me:hunter2@host\/x y' \
		'x ghp_0123456789abcdefghij0123456789'; do
		wrong C008 "3s/RUN.*/RUN $command/" '.severity == "error" and .line == 3'
		[[ $output != *hunter2* && $output != *ghp_* ]]
	done
	wrong C008 '3c RUN <<EOF\nx\nDB_PASSWORD=hunter2 y\nEOF'
	for command in 'TOKEN=$(cat \/run\/secrets\/t) x' 'pip install -i https:\/\/me:${TOKEN}@host\/x y' 'cmake -DWITH_TOKEN=ON .' 'sed s\/PASSWORD=x\/y\/' \
		'git clone https:\/\/host:8443\/x@y' 'PASSWORD_FILE=x y' 'x --password=\"$P\"'; do
		right C008 "3s/RUN.*/RUN $command/"
	done
}

@test "a copied .git is a warning; so is the whole directory without a .dockerignore that leaves it out" {
	wrong C009 '6c COPY .git /app/.git' '.severity == "warning"'
	wrong C009 '6c COPY src/.git/ /app/'
	right C009 '6c COPY .gitignore git /app/'
	wrong C010 '6c COPY . .' '.severity == "warning" and .line == 6'
	wrong C010 '6c ADD --chown=app ./ /app'
	echo '*.csv' > .dockerignore
	wrong C009 '6c COPY . .'
	found_not C010
	printf '# no\r\n.git\r\n' > .dockerignore
	right C009 '6c COPY . .'
	found_not C010
	rm .dockerignore
	echo .git > Dockerfile.dockerignore
	right C010 '6c COPY . .'
	right C010 '6c COPY --from=build . .'
}

@test "a Dockerfile without a command is a warning, and one from scratch an error" {
	wrong C012 '$d' '.severity == "warning"'
	severity warning
	right C012 ''
	wrong C011 '1c FROM scratch
		$d' '.severity == "error"'
	wrong C011 '$c CMD []'
	right C011 '$c ENTRYPOINT ["/x"]'
	wrong C012 '$a FROM docker.io/x/y:1'
	right C012 '1s/$/ AS one/; $a FROM one'
}

@test "a command that is a bare prompt is a warning; one with a program is none" {
	for command in 'CMD bash' 'CMD ["/bin/bash"]' 'ENTRYPOINT ["bash", "-l"]' 'CMD ["sh", "-c", "exec bash"]' 'CMD python3' 'CMD ["R", "--no-save"]' \
		'ENTRYPOINT ["tini", "--", "julia"]'; do
		wrong C013 "\$c $command" '.severity == "warning"'
	done
	for command in 'CMD bash run.sh' 'ENTRYPOINT ["bash"]\nCMD ["run.sh"]' 'CMD ["python", "-m", "x"]' 'CMD ["sh", "-c", "python fit.py"]' \
		'CMD ["bash", "-lc", "fit"]' 'CMD ["Rscript", "fit.R"]' 'CMD ["R", "-f", "fit.R"]' 'ENTRYPOINT fit'; do
		right C013 "\$c $command"
	done
	# an ENTRYPOINT for a shell never sees the CMD
	wrong C013 '$c ENTRYPOINT bash\nCMD ["run.sh"]'
}

@test "a download when the container starts is an error; one while it is built is none" {
	for command in 'CMD pip install x \&\& python x' 'ENTRYPOINT ["sh", "-c", "apt-get -y update; x"]' 'CMD ["/usr/bin/pip3.11", "install", "x"]' \
		'CMD conda env update' 'CMD git clone https://x' 'CMD curl -O https://x' 'CMD ["wget", "https://x"]' 'CMD huggingface-cli download x' \
		"CMD Rscript -e 'install.packages(\"x\")'"; do
		wrong C014 "\$c $command" '.severity == "error" and .line == 8'
	done
	severity error
	right C014 '$c CMD curl http://localhost:8080 \&\& pip install --no-index x'
	right C014 '3a RUN curl -O https://x \&\& git clone https://y'
	right C014 '$c CMD ["python", "pip_install.py"]'
}

@test "a library of Hugging Face without HF_HUB_OFFLINE=1 is a warning" {
	wrong C015 '3c RUN pip install transformers==4.41.2' '.severity == "warning" and .line == 3'
	wrong C015 '3c RUN conda install -y numpy huggingface_hub\nENV HF_HUB_OFFLINE=0'
	right C015 '3c RUN pip install "transformers==4.41.2"\nENV HF_HUB_OFFLINE=1'
	right C015 '3c RUN pip install transformers\nENV HF_HUB_OFFLINE true'
	right C015 '3c RUN pip install my_transformers transformers_x'
	right C015 '1i FROM docker.io/x/y:1 AS b\nRUN pip install transformers'
}

@test "root as the last USER is a note, and no USER too" {
	wrong C016 '7d' '.severity == "note"'
	wrong C016 '7a USER root'
	wrong C016 '7a USER 0:0' '.line == 8'
	right C016 '6a USER root'
	wrong C016 '1i FROM docker.io/x/y:1 AS b\nUSER app
		7d'
}

@test "an image without a licence file is a note" {
	wrong C017 '5d' '.severity == "note"'
	right C017 '5c COPY licence.txt /'
	right C017 '5c COPY --from=build /src/COPYING /usr/share/licenses/x/'
	wrong C017 '5c FROM docker.io/x/y:1\nRUN x'
	wrong C017 '5d; $a FROM docker.io/x/y:1'
}

@test "ADD of an address is a warning, ADD of a file a note, of an archive nothing" {
	wrong C018 '6c ADD https://example.org/x.tar.gz /' '.severity == "warning" and .line == 6'
	found_not C019
	wrong C018 '6c ADD --keep-git-dir=true git@github.com:x/y.git /y'
	right C018 '6c ADD x.tar.gz /'
	found_not C019
	wrong C019 '6c ADD fit.py /app/' '.severity == "note"'
}

@test "the lists of apt in a layer are a note; removed in the same RUN, or in a cache, they are none" {
	wrong C020 '3c RUN apt-get update \&\& apt-get install -y gcc' '.severity == "note" and .line == 3'
	wrong C020 '3c RUN apt-get update \&\& apt-get clean\nRUN rm -rf /var/lib/apt/lists/*'
	right C020 '3c RUN apt-get update \\\n  \&\& apt-get install -y gcc \\\n  # comment\n\n  \&\& rm -rf /var/lib/apt/lists/*'
	right C020 '3c RUN --mount=type=cache,target=/var/lib/apt/lists apt-get update'
	right C020 '1i FROM docker.io/x/y:1 AS b\nRUN apt-get update'
}

@test "sources before the installation of dependencies are a note" {
	wrong C021 '2c COPY src/ /app/' '.severity == "note" and .line == 3'
	right C021 '2c COPY pyproject.toml uv.lock /app/'
	right C021 '6a RUN pip install .'
	right C021 '6a RUN python -m compileall /app'
}

@test "data that are copied are a warning" {
	wrong C022 '6c COPY data/patients.csv /app/' '.severity == "warning" and .line == 6'
	wrong C022 '6c COPY x.parquet y.rds /app/'
	right C022 '6c COPY csv.py /app/'
}

@test "continued lines, comments, here-documents, escapes and small letters are read as docker build reads them" {
	printf '\357\273\277# escape=`\r\n# a comment\r\nfrom docker.io/library/python:3.11 as Base\r\nrun echo `\r\n# between\r\n\r\n  one ` \r\n && mkdir /safe_data /safe_outputs /scratch\r\nFROM base\r\nENTRYPOINT x\r\n' > "$f"
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	found_not C006
	found_not C001
	cat > "$f" <<- 'EOT'
		FROM docker.io/x/y:1
		RUN <<-'ONE' cat <<TWO && echo "<<THREE" <<<four
		mkdir /safe_data
			ONE
		FROM nothing
		TWO
		RUN echo C:\\
		COPY <<a.txt /x
		CMD bash
		a.txt
		USER app
		CMD ["x"]
	EOT
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	found C006 '.text == "nothing makes /safe_outputs /scratch"'
	found_not C013
	found_not C016
}

@test "of several stages only those that the last one goes on from count" {
	cat > "$f" <<- 'EOT'
		FROM docker.io/x/y:1 AS other
		USER root
		ENTRYPOINT ["bash"]
		FROM docker.io/x/y:2 AS base
		RUN mkdir /safe_data /safe_outputs /scratch
		USER app
		FROM base
		CMD ["fit"]
	EOT
	run conform --format json "$f"
	[ "$status" -eq 0 ]
	for rule in C006 C012 C013 C016; do found_not $rule; done
}

@test "what is no Dockerfile is refused with its line" {
	while IFS= read -r text; do
		printf "$text" > "$f"
		run conform "$f"
		echo "$text: $output"
		[ "$status" -eq 2 ]
		[[ $output == "ces-policy: Dockerfile: "* ]]
		printable
	done <<- 'EOT'
		x
		FROM
		FROM x\nNOPE
		RUN x\nFROM y
		FROM x\nRUN <<EOF\nx
		FROM x AS
		\000FROM x
		FROM x\n\033[31mRED
		\377\376F\000R\000
		{}
		# only a comment
	EOT
	: > "$f"
	run conform "$f"
	[ "$status" -eq 2 ]
}

@test "control characters of a Dockerfile reach no terminal, and JSON and SARIF stay valid" {
	printf 'FROM x\033[31m\nCOPY a\033]0;x\007.csv /\nENV \302\233PASSWORD=x\nCOPY \377\376.csv /\n' > "$f"
	run conform "$f"
	[ "$status" -eq 1 ]
	printable
	for format in json sarif; do
		conform --format $format "$f" > out || true
		jq -e . out > /dev/null
		! LC_ALL=C grep -qP '[^\n\x20-\x7e]' out
	done
}

@test "a Dockerfile of 100 MB, and one of a million lines, end at once" {
	truncate -s 100M "$f"
	run timeout 5 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
	{ echo FROM x; yes 'RUN a' | head -n 600000; } > "$f"
	run timeout 20 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -eq 2 ]
	says "more than 4096 instructions"
	{ echo FROM x; printf 'ENV '; yes 'A=b \' | head -n 5000; } > "$f"
	run conform "$f"
	[ "$status" -eq 2 ]
	says "line 2: more than 4096 words"
	{ echo FROM x; yes 'RUN curl \' | head -n 300000; } > "$f"
	run timeout 20 "$top/${B:-build}/ces-policy" conform "$f"
	[ "$status" -le 1 ]
}

@test "a wrong argument is answered with what to type" {
	run conform
	[ "$status" -eq 2 ]
	says "name one Dockerfile, or one directory"
	run conform ghcr.io/epcced/stroke:1
	[ "$status" -eq 2 ]
	says "type skopeo copy docker://ghcr.io/epcced/stroke:1 oci:DIRECTORY"
	run conform python:3.11
	says "type skopeo copy docker://python:3.11 oci:DIRECTORY"
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
	says "skopeo copy docker://IMAGE oci:DIR"
}

@test "an image that keeps all rules has no finding, with each compression and as skopeo writes it" {
	for how in none gzip zstd; do
		new
		base
		layer $how
		made
		jq -e '.findings == [] and .platform == "linux/amd64" and .layers == 1 and .size > 0 and .kind == "image"' <<< "$output"
	done
	skopeo copy -q oci:img dir:flat
	run conform --strict flat
	[ "$status" -eq 0 ]
	says "flat: 0 errors, 0 warnings, 0 notes; 1 layer"
	skopeo copy -q oci:img oci:again:1
	run conform --strict again
	[ "$status" -eq 0 ]
}

@test "a layout with several images needs --ref, which names one" {
	new
	base
	layer
	made
	skopeo copy -q oci:img oci:both:one
	made '.config.Entrypoint = ["bash"]'
	skopeo copy -q oci:img oci:both:two
	run conform both
	[ "$status" -eq 2 ]
	says "one, two"
	run conform --strict --ref one both
	[ "$status" -eq 0 ]
	run conform --ref two both
	[ "$status" -eq 0 ]
	says "CES-C013"
	run conform --ref three both
	[ "$status" -eq 2 ]
	says "no image has the name three"
}

@test "of an index inside the index the manifest for linux/amd64 is taken, or the one that is asked for" {
	new
	base
	layer
	made '.architecture = "arm64" | .config.Entrypoint = ["arm"]'
	arm=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "arm64"}}' img/index.json)
	made
	amd=$(jq -c '.manifests[0] + {platform: {os: "linux", architecture: "amd64"}}' img/index.json)
	jq -n --argjson a "$arm" --argjson b "$amd" '{schemaVersion: 2, manifests: [$a, {mediaType: $a.mediaType, digest: $a.digest, size: $a.size,
		platform: {os: "unknown", architecture: "unknown"}}, $b]}' > nested.json
	jq -n --argjson m "$(blob nested.json application/vnd.oci.image.index.v1+json)" '{schemaVersion: 2, manifests: [$m]}' > img/index.json
	run conform --format json img
	jq -e --argjson b "$amd" '.findings == [] and .digest == $b.digest' <<< "$output"
	run conform --format json --platform linux/arm64 img
	jq -e --argjson a "$arm" '.findings == [] and .digest == $a.digest' <<< "$output"
}

@test "an image for another platform is an error" {
	new
	base
	layer
	made '.architecture = "s390x"'
	found C103 '.severity == "error" and (.text | contains("linux/s390x, and not for linux/amd64"))'
	[ "$status" -eq 1 ]
	made '.os = "windows"'
	found C103
	made
	run conform --format json --platform linux/arm64 img
	found C103 '.write == "Build it with --platform linux/arm64."'
}

@test "an image without a command is an error, a bare shell a warning, a download an error" {
	new
	base
	layer
	made 'del(.config.Entrypoint)'
	found C011 '.severity == "error" and .path == "configuration"'
	made '.config.Entrypoint = ["/bin/bash"]'
	found C013
	made '.config.Entrypoint = ["/bin/sh", "-c", "python3"]'
	found C013
	made '.config.Entrypoint = ["/bin/sh", "-c"] | .config.Cmd = ["pip install x; python y"]'
	found C014
	made '.config.Entrypoint = ["/bin/bash"] | .config.Cmd = ["run.sh"]'
	found_not C013
}

@test "USER, passwords, labels and TMPDIR of an image are looked at" {
	new
	base
	mkdir -p $tree/opt/{shared,mine}
	chmod 755 $tree/opt $tree/opt/mine
	chmod 1777 $tree/opt/shared
	layer
	for user in '""' '"root"' '"0:5"' null; do
		made ".config.User = $user"
		found C016 '.severity == "note"'
	done
	made '.config.Env = ["PATH=/bin", "DB_PASSWORD=hunter2"]'
	found C008 '.severity == "error"'
	[[ $output != *hunter2* ]]
	made '.history = [{created_by: "RUN |1 NPM_TOKEN=hunter2 /bin/sh -c npm ci # buildkit"}, {created_by: "ARG X"}, 3, {}]'
	found C008 '.path == "history" and .text == "step 1 holds a secret: NPM_TOKEN"'
	[[ $output != *hunter2* ]]
	made '.history = [{created_by: "/bin/sh -c #(nop)  ENV GPG_KEY=A035C8"}, {created_by: "RUN pip install x"}]'
	found_not C008
	made 'del(.config.Labels["org.opencontainers.image.version"])'
	found C107 '.severity == "note" and .text == "it has no label org.opencontainers.image.version"'
	made 'del(.config.Labels)'
	found C107 '.text | contains("source, org.opencontainers.image.licenses, ")'
	for dir in /none /opt/mine /scratch/x relative; do
		made ".config.Env = [\"TMPDIR=$dir\"]"
		found C108 '.severity == "warning"'
	done
	for dir in /tmp /scratch/ /opt/shared /dev/shm; do
		made ".config.Env = [\"TMPDIR=$dir\", \"TMP=$dir\"]"
		found_not C108
	done
}

@test "more than 127 layers are an error, and more than 10 GiB a note" {
	new
	base
	layer
	made . '.layers = [range(128) as $i | .layers[0]]'
	found C104 '.severity == "error" and (.text | contains("128 layers"))'
	[ "$status" -eq 1 ]
	made . '.layers[0].size = 11811160064'
	found C106 '.severity == "note" and (.text | contains("11 GiB"))'
	found C101
	made
	found_not C104
	found_not C106
}

@test "diff_ids that do not fit the layers are an error" {
	new
	base
	layer
	made '.rootfs.diff_ids += .rootfs.diff_ids'
	found C105 '.severity == "error" and .text == "it names 2 layers, the manifest 1"'
	made '.rootfs.diff_ids = ["x"]'
	found C105
	made '.rootfs.diff_ids[0] |= sub("...$"; "000")'
	found C101 '.layer == 1 and (.text | contains("diff_id"))'
}

@test "a blob that is missing, cut off, changed, a link or a FIFO is an error, and nothing hangs" {
	for what in layer config manifest; do
		for how in rm cut change link fifo directory; do
			new
			base
			layer
			made
			m=img/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' img/index.json)
			case $what in
			layer) b=img/blobs/sha256/$(jq -r '.layers[0].digest[7:]' "$m") ;;
			config) b=img/blobs/sha256/$(jq -r '.config.digest[7:]' "$m") ;;
			manifest) b=$m ;;
			esac
			cp "$b" saved
			case $how in
			rm) rm "$b" ;;
			cut) truncate -s -9 "$b" ;;
			change) printf x | dd of="$b" bs=1 seek=30 conv=notrunc status=none ;;
			link) ln -sf "$PWD/saved" "$b" ;;
			fifo) rm "$b" && mkfifo "$b" ;;
			directory) rm "$b" && mkdir "$b" ;;
			esac
			run conform --format json img
			echo "$what $how: $output"
			[ "$status" -eq 1 ]
			found C101 '.severity == "error"'
			found_not C006 # nothing is said of what was not read
		done
	done
}

@test "an index or a version of the layout that cannot be understood ends with 2" {
	new
	base
	layer
	made
	cp img/index.json index
	while IFS= read -r text; do
		printf "$text" > img/index.json
		run conform img
		echo "$text: $output"
		[ "$status" -eq 2 ]
		printable
	done <<- 'EOT'

		x
		{}
		[]
		{"manifests": 3}
		{"manifests": []}
		{"manifests": [3]}
		{"manifests": [{"digest": "sha256:x"}]}
		{"manifests": [{"digest": "../../../etc/passwd"}]}
		{"manifests": [], "manifests": []}
		{"manifests": [], "Manifests": []}
		{"manifests": [{"digest": "\033[31m", "mediaType": "\\u001b[31m"}]}
	EOT
	truncate -s 200M img/index.json
	run timeout 5 "$top/${B:-build}/ces-policy" conform img
	[ "$status" -eq 2 ]
	says "larger than 4 MiB"
	rm img/index.json
	mkfifo img/index.json
	run conform img
	[ "$status" -eq 2 ]
	says "not a regular file"
	rm img/index.json
	ln -s "$PWD/index" img/index.json
	run conform img
	[ "$status" -eq 2 ]
	says "symbolic link"
	rm img/index.json
	cp index img/index.json
	echo '{"imageLayoutVersion": "2.0.0"}' > img/oci-layout
	run conform img
	[ "$status" -eq 2 ]
	rm img/oci-layout
	run conform img
	[ "$status" -eq 2 ]
}

@test "a manifest or configuration that CES refuses is an error with the reason" {
	new
	base
	layer
	made . '.schemaVersion = 1'
	found C102 '.severity == "error" and .path == "manifest"'
	made . '.config.mediaType = "application/vnd.x"'
	found C102 '.text | contains("not a container image")'
	made . '.layers[0].mediaType = "application/x"'
	found C102
	made . '.manifests = []'
	found C102 '.text | contains("an index and a manifest at once")'
	made '.config.WorkingDir = "/a/../b"'
	[ "$(uname -m)" != x86_64 ] || found C102 '.path == "configuration" and (.text | contains(".."))'
	made '.config.Env = 3'
	found C102
	made '.config.env = []'
	found C102
}

@test "a configuration with a key twice, and one of 200 MB, are errors" {
	new
	base
	layer
	made
	m=$(jq -r '.manifests[0].digest[7:]' img/index.json)
	printf '{"os": "linux", "os": "linux"}' > config.json
	jq --argjson c "$(blob config.json application/vnd.oci.image.config.v1+json)" '.config = $c' "img/blobs/sha256/$m" > manifest.json
	jq -n --argjson m "$(blob manifest.json application/vnd.oci.image.manifest.v1+json)" '{schemaVersion: 2, manifests: [$m]}' > img/index.json
	run conform --format json img
	[ "$status" -eq 1 ]
	found C102 '.text | contains("twice") or contains("key")'
	truncate -s 200M "img/blobs/sha256/$(jq -r '.config.digest[7:]' "img/blobs/sha256/$(jq -r '.manifests[0].digest[7:]' img/index.json)")"
	run timeout 5 "$top/${B:-build}/ces-policy" conform --format json img
	[ "$status" -eq 1 ]
	found C101 '.text | contains("larger than 4 MiB")'
}

@test "the directories of the service are looked for in the layers, also where a tar does not name them" {
	new
	base
	rm -r $tree/scratch
	layer
	made
	found C006 '.severity == "warning" and .text == "the image has no /scratch" and .write == "RUN mkdir /scratch"'
	new
	base
	rmdir $tree/scratch
	layer
	mkdir -p $tree/scratch
	: > $tree/scratch/x
	tar -C $tree --owner=0 --group=0 -cf layer.tar scratch/x
	packed none
	made
	found_not C006
	rm -r $tree/scratch
	: > $tree/.wh.scratch
	layer
	made
	found C006
}

@test "a secret in a layer is an error, also when a later layer removes it" {
	new
	base
	mkdir -p $tree/root/{.ssh,.aws,.docker} $tree/etc/ssl $tree/opt/tests
	for n in .ssh/id_rsa .ssh/id_ed25519 .netrc .aws/credentials .docker/config.json .env .pypirc; do echo x > "$tree/root/$n"; done
	printf -- '-----BEGIN CERTIFICATE-----\nx\n' > $tree/etc/ssl/ca.pem
	{ cat $tree/etc/ssl/ca.pem; printf -- '-----BEGIN EC PRIVATE KEY-----\nx\n'; } > $tree/etc/ssl/mine.pem
	cp $tree/etc/ssl/mine.pem $tree/opt/tests/
	layer
	: > $tree/.wh.root
	layer
	made
	[ "$status" -eq 1 ]
	for n in root/.ssh/id_rsa root/.ssh/id_ed25519 root/.netrc root/.aws/credentials root/.docker/config.json root/.env root/.pypirc; do
		found C007 ".severity == \"error\" and .layer == 1 and .path == \"/$n\" and .hidden_in == 2"
	done
	found C007 '.path == "/etc/ssl/mine.pem" and .text == "a private key" and .hidden_in == null'
	[ "$(jq '[.findings[] | select(.rule == "CES-C007")] | length' <<< "$output")" -eq 8 ]
	run conform img
	says "img: layer 1: /root/.netrc: error: a file that holds a secret by its name; layer 2 hides it, and it stays in layer 1 [CES-C007]"
}

@test "a directory of git is a warning, once, also when an opaque directory hides it" {
	new
	base
	mkdir -p $tree/src/.git/objects/aa
	: > $tree/src/.git/HEAD
	: > $tree/src/.gitignore
	layer
	mkdir $tree/src
	: > $tree/src/.wh..wh..opq
	layer
	made
	[ "$(jq '[.findings[] | select(.rule == "CES-C009")] | length' <<< "$output")" -eq 1 ]
	found C009 '.severity == "warning" and .layer == 1 and .path == "/src/.git" and .hidden_in == 2'
	new
	base
	mkdir -p $tree/src/.git
	: > $tree/src/.git/HEAD
	tar -C $tree --owner=0 --group=0 -cf layer.tar src/.git/HEAD
	packed gzip
	made
	found C009
}

@test "setuid, setgid and world-writable are notes, unless a later layer mends them" {
	new
	base
	mkdir $tree/bin $tree/open $tree/sticky $tree/set
	: > $tree/bin/su
	: > $tree/bin/wall
	: > $tree/bin/plain
	chmod 755 $tree/bin $tree/bin/plain
	chmod 4755 $tree/bin/su
	chmod 2755 $tree/bin/wall $tree/set
	chmod 777 $tree/open
	chmod 1777 $tree/sticky
	: > $tree/loose
	chmod 666 $tree/loose
	cp -a $tree again
	layer
	made
	found C109 '.severity == "note" and .path == "/bin/su" and .text == "a setuid program"'
	found C109 '.path == "/bin/wall" and .text == "a setgid program"'
	found C110 '.severity == "note" and .path == "/open"'
	found C110 '.path == "/loose"'
	[ "$(jq '[.findings[] | select(.rule == "CES-C109" or .rule == "CES-C110")] | length' <<< "$output")" -eq 4 ]
	[ "$status" -eq 0 ]
	mkdir -p $tree/bin $tree/open
	cp again/bin/su $tree/bin/
	chmod 755 $tree/bin/su $tree/open $tree/bin
	: > $tree/bin/.wh.wall
	: > $tree/.wh.loose
	layer
	made
	found_not C109
	found_not C110
}

@test "a licence in the layers is found in each place, and its removal as well" {
	for path in usr/share/licenses/x/LICENSE usr/share/doc/libc6/copyright LICENSE.md; do
		new
		base
		rm -r tree/usr
		mkdir -p "$tree/$(dirname "$path")"
		: > "$tree/$path"
		layer
		made
		found_not C017
		: > "$tree/.wh.${path%%/*}"
		layer
		made
		found C017 '.severity == "note"'
	done
}

@test "a library of Hugging Face in a layer without HF_HUB_OFFLINE=1 is a warning" {
	new
	base
	mkdir -p $tree/usr/lib/python3/site-packages/transformers-4.41.2.dist-info
	layer
	made
	found C015 '.severity == "warning" and .layer == 1 and (.path | endswith("transformers-4.41.2.dist-info"))'
	made '.config.Env = ["HF_HUB_OFFLINE=1"]'
	found_not C015
	: > $tree/.wh.usr
	layer
	made
	found_not C015
}

@test "the packages of Debian and Alpine are counted and named with their versions" {
	new
	base
	mkdir -p $tree/var/lib/dpkg
	printf 'Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\nPackage: old\nStatus: deinstall ok config-files\nVersion: 1\n\nPackage: zlib1g\nStatus: install ok installed\nDescription: x\n y\nVersion: 1:1.2' > $tree/var/lib/dpkg/status
	layer
	made
	jq -e '.packages.kind == "debian" and .packages.count == 2 and .packages.list == [{name: "libc6", version: "2.36-9"}, {name: "zlib1g", version: "1:1.2"}]' <<< "$output"
	run conform img
	says "2 packages of debian"
	: > $tree/.wh.var
	layer
	made
	jq -e '.packages == null' <<< "$output"
	new
	base
	mkdir -p $tree/lib/apk/db
	printf 'C:x\nP:musl\nV:1.2.5-r0\n\nP:\033[31m\nV:\377\n\n' > $tree/lib/apk/db/installed
	layer zstd
	made
	jq -e '.packages.kind == "alpine" and .packages.count == 2 and .packages.list[0] == {name: "musl", version: "1.2.5-r0"}' <<< "$output"
}

@test "a layer that is no tar, or not of its compression, is an error, and the next layer is read" {
	for how in none gzip zstd; do
		new
		base
		head -c 3000 /dev/urandom > layer.tar
		packed $how
		mkdir $tree/root
		: > $tree/root/.netrc
		layer
		made
		[ "$status" -eq 1 ]
		found C102 '.layer == 1'
		found C007 '.layer == 2'
	done
	new
	base
	layer gzip
	layers=$(jq -c '.[0].mediaType |= sub("gzip"; "zstd")' <<< "$layers")
	made
	[ "$status" -eq 1 ]
	jq -e 'any(.findings[]; .layer == 1 and .severity == "error")' <<< "$output"
}

@test "names of a layer that leave it, or that a terminal would obey, are refused or shown as text" {
	new
	base
	python3 - <<- 'EOT'
		import io, tarfile
		with tarfile.open("layer.tar", "w", format=tarfile.PAX_FORMAT) as tar:
		    for name, mode in (("a\nb\x1b[31m\x07", 0o4755), ("\u202e\u00e9.pem", 0o666), ("x" * 200 + "/.netrc", 0o644)):
		        info = tarfile.TarInfo(name)
		        info.mode = mode
		        tar.addfile(info, io.BytesIO())
	EOT
	packed none
	layer
	made
	found C109 '.path == "/a\nb\u001b[31m\u0007"'
	found C007
	for format in text json sarif; do
		conform --format $format img > out || true
		! LC_ALL=C grep -qP '[^\n\x20-\x7e]' out
	done
	[ "$(conform img | grep -c 'a?b?\[31m?')" -eq 1 ]
	for name in ../x /a/../../x; do
		new
		python3 -c 'import sys, tarfile; t = tarfile.open("layer.tar", "w"); t.addfile(tarfile.TarInfo(sys.argv[1]))
t.close()' "$name"
		packed none
		made
		found C102 '.text | contains("it leaves the image")'
	done
}

@test "a layer that unpacks to a thousand times its size ends at once" {
	new
	base
	head -c 3G /dev/zero | zstd -q -o bomb.zst
	diff_ids='["sha256:0000000000000000000000000000000000000000000000000000000000000000"]'
	layers=$(jq -c --argjson l "$(blob bomb.zst application/vnd.oci.image.layer.v1.tar+zstd)" '. + [$l]' <<< "$layers")
	start=$SECONDS
	made
	[ "$status" -eq 1 ]
	jq -e 'any(.findings[]; .layer == 1 and .severity == "error")' <<< "$output"
	[ $((SECONDS - start)) -lt 20 ]
}

@test "layers that unpack to more than --max-size end with an error" {
	new
	base
	head -c 3M /dev/urandom > $tree/big
	layer
	made
	run conform --format json --max-size 2M img
	[ "$status" -eq 1 ]
	found C102 '.text | contains("--max-size")'
	run conform --max-size 20M img
	[ "$status" -eq 0 ]
}

@test "100,000 findings of one rule are counted, and 50 are shown" {
	new
	python3 - <<- 'EOT'
		import tarfile
		with tarfile.open("layer.tar", "w") as tar:
		    for n in range(100000):
		        info = tarfile.TarInfo("d/%d" % n)
		        info.mode = 0o666
		        tar.addfile(info)
	EOT
	packed gzip
	made
	jq -e '([.findings[] | select(.rule == "CES-C110")] | length) == 50 and .more["CES-C110"] == 99950' <<< "$output"
	run conform img
	says "99995 more of CES-C110"
	[ "$(grep -c 'everyone may write' <<< "$output")" -eq 5 ]
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

@test "the examples for GitHub and GitLab are YAML, and type options that there are" {
	for file in "$top"/doc/examples/conform-*.yml; do
		python3 -c 'import sys, yaml; yaml.safe_load(open(sys.argv[1]))' "$file"
		while read -r option; do
			conform --help | grep -q -- "$option"
		done < <(grep -E 'ces-policy conform' "$file" | grep -oE -- '--[a-z-]+')
	done
}
