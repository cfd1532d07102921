# The shared parts of the suites of ces-policy conform: a Dockerfile and an image without any finding.
# shellcheck shell=bash disable=SC2154 # (status, output, top and examples come from bats and common.bash)

setup()
{
	cd "$BATS_TEST_TMPDIR" || return
	f=Dockerfile
	# without any finding
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

# found RULE [JQ-CONDITION]: the report in $output has this finding.
found()
{
	jq -e --arg rule "CES-$1" "any(.findings[]; .rule == \$rule and (${2:-true}))" <<< "$output" > /dev/null ||
		{ echo "not found: $1 ${2:-}"; echo "$output"; return 1; }
}
found_not()
{
	jq -e --arg rule "CES-$1" "all(.findings[]; .rule != \$rule)" <<< "$output" > /dev/null || { echo "found: $1"; echo "$output"; return 1; }
}

# edited SED-EXPRESSION: makes the report about the good Dockerfile after that edit.
edited()
{
	sed "$1" good > "$f"
	run conform --format json "$f"
	[ "$status" -le 1 ] || { echo "$output"; return 1; }
}
wrong() { edited "$2" && found "$1" "${3:-true}"; }
right() { edited "$2" && found_not "$1"; }

# Fails unless the findings have that severity: an error gives status 1, a warning 1 with --strict, a note 0.
severity() # LEVEL
{
	run conform --strict "$f"
	case $1 in
	error) [ "$status" -eq 1 ] && conform "$f" > /dev/null && return 1 || true ;;
	warning) [ "$status" -eq 1 ] && conform "$f" > /dev/null ;;
	note) [ "$status" -eq 0 ] ;;
	esac
}

# --- images: `layer` packs $tree, and `image` writes the layout img of the layers so far.
tree=tree
new()
{
	rm -rf img $tree
	mkdir -p img/blobs/sha256 $tree
	layers='[]' diff_ids='[]'
	config='{Entrypoint: ["/app/fit"], User: "app", Labels: {"org.opencontainers.image.source": "https://x", "org.opencontainers.image.licenses": "MIT",
		"org.opencontainers.image.version": "1"}}'
}

# Turns FILE into a blob, and prints its descriptor.
blob() # FILE MEDIA-TYPE
{
	local hex
	hex=$(sha256sum < "$1" | cut -d' ' -f1)
	jq -nc --arg t "$2" --arg d "sha256:$hex" --argjson s "$(stat -c %s "$1")" '{mediaType: $t, digest: $d, size: $s}'
	mv "$1" "img/blobs/sha256/$hex"
}

# Packs $tree as the next layer, and empties it.
layer() # [none|gzip|zstd]
{
	tar --owner=0 --group=0 --numeric-owner -C $tree -cf layer.tar "$(cd $tree && echo .)"
	rm -rf $tree
	mkdir $tree
	packed "${1:-gzip}"
}
# Adds layer.tar as the next layer.
packed() # [none|gzip|zstd]
{
	local type=application/vnd.oci.image.layer.v1.tar
	diff_ids=$(jq -c --arg d "sha256:$(sha256sum < layer.tar | cut -d' ' -f1)" '. + [$d]' <<< "$diff_ids")
	case $1 in
	gzip) gzip -n layer.tar && mv layer.tar.gz layer.tar && type+=+gzip ;;
	zstd) zstd -q --rm layer.tar -o layer.zst && mv layer.zst layer.tar && type+=+zstd ;;
	esac
	layers=$(jq -c --argjson l "$(blob layer.tar $type)" '. + [$l]' <<< "$layers")
}

# made [JQ-FILTER OF CONFIGURATION [OF MANIFEST]]: writes the layout and makes the report.
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

# Writes the parts that every good image has.
base()
{
	mkdir -p $tree/{safe_data,safe_outputs,scratch,app,usr/share/licenses/stroke,tmp}
	chmod 755 $tree $tree/*
	chmod 1777 $tree/tmp
	echo x > $tree/app/fit
	echo MIT > $tree/usr/share/licenses/stroke/LICENSE
}
