# shellcheck shell=bash disable=SC2154 # load_image sets manifest, manifest_size, layer and size
# The functions of the suites of ces-fetch: tests/lib/drivers/fetch_driver.c plays the helper, with real registries
# (anonymous, basic, bearer tokens), and one that misbehaves. They need root, to start ces-fetch as another user.
#
# setup_file exports the ports of the servers and $dir; load_image exports manifest, manifest_size, layer and size of the
# image. `fetch_bad` sets $repository, which `requests` reads.
bats_require_minimum_version 1.5.0

setup_file()
{
	top=${CES_TOP:-$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}
	B=${B:-build}
	export top B dir=$BATS_FILE_TMPDIR
	# (`make check` has built these; a single test builds them here)
	[ -n "${CES_LAB:-}" ] || env -u MAKEFLAGS make -s -C "$top" "$B/tests/fetch_driver" "$B/ces-fetch" B="$B" >&2
	cd "$dir" || return 1
	certificates
	layout
	basic=$(free_port) anonymous=$(free_port) bearer=$(free_port) none=$(free_port)
	start elsewhere "$top/tests/lib/lab/bad_registry.py" --cert server.pem --key server.key --layout layout --ready elsewhere.port --log elsewhere.log
	elsewhere=$(cat elsewhere.port)
	start bad "$top/tests/lib/lab/bad_registry.py" --cert server.pem --key server.key --layout layout --ready bad.port --log bad.log \
		--elsewhere "https://elsewhere.localhost:$elsewhere"
	start plain "$top/tests/lib/lab/bad_registry.py" --plain --layout layout --ready plain.port --log plain.log
	start stranger "$top/tests/lib/lab/bad_registry.py" --cert stranger.pem --key stranger.key --layout layout --ready stranger.port
	start expired "$top/tests/lib/lab/bad_registry.py" --cert expired.pem --key expired.key --layout layout --ready expired.port
	start tokens "$top/tests/lib/lab/token_server.py" --cert server.pem --key server.key --sign-cert sign.pem --sign-key sign.key \
		--user researcher --password s3cret --ready tokens.port --log tokens.log
	htpasswd -Bbc htpasswd researcher s3cret 2> /dev/null
	registry anonymous "$anonymous"
	registry basic "$basic" "auth: { htpasswd: { realm: lab, path: $dir/htpasswd } }"
	registry bearer "$bearer" "auth: { token: { realm: 'https://auth.localhost:$(cat tokens.port)/token', service: 'test registry', issuer: 'test token server', rootcertbundle: $dir/sign.pem } }"
	skopeo --insecure-policy copy --quiet --dest-tls-verify=false oci:layout:1 "docker://localhost:$anonymous/lab/tool:1"
	bad=$(cat bad.port) plain=$(cat plain.port) tokens=$(cat tokens.port)
	stranger=$(cat stranger.port) expired=$(cat expired.port)
	export basic anonymous bearer none elsewhere bad plain tokens stranger expired
}

teardown_file()
{
	local f
	for f in "$dir"/*.pid; do kill "$(cat "$f")" 2> /dev/null || true; done
}

setup() { out=$BATS_TEST_TMPDIR; mkdir -p "$out"; load_image; }

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

eventually() # COMMAND...
{
	local i
	for ((i = 0; i < 200; i++)); do
		if "$@"; then return 0; fi
		sleep 0.05
	done
	return 1
}

# fd 3 is bats' own: a server that kept it open would keep bats waiting.
start() # NAME COMMAND...
{
	local name=$1
	shift
	"$@" > "$name.out" 2>&1 3>&- < /dev/null &
	echo $! > "$name.pid"
	eventually test -s "$name.port" || { cat "$name.out" >&2; return 1; }
}

listens() { (exec 4<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

registry() # NAME PORT [AUTH]
{
	cat > "$1.yml" <<-YAML
	version: 0.1
	log: { level: error }
	storage: { filesystem: { rootdirectory: $dir/storage } }
	http: { addr: "127.0.0.1:$2", secret: x, tls: { certificate: $dir/server.pem, key: $dir/server.key } }
	${3:-}
	YAML
	docker-registry serve "$1.yml" > "$1.log" 2>&1 3>&- < /dev/null &
	echo $! > "$1.pid"
	eventually listens "$2" || { cat "$1.log" >&2; return 1; }
}

certificates()
{
	local new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
	# shellcheck disable=SC2086
	{
		openssl req -x509 $new -subj "/CN=test authority" -keyout ca.key -out ca.pem
		openssl req -x509 $new -subj "/CN=stranger" -addext "subjectAltName=DNS:localhost" -keyout stranger.key -out stranger.pem
		openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=token signer" -keyout sign.key -out sign.pem
		openssl req $new -subj "/CN=server" -keyout server.key -out server.csr
		openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out server.pem \
			-extfile <(echo "subjectAltName=DNS:localhost,DNS:bad.localhost,DNS:elsewhere.localhost,DNS:auth.localhost,DNS:registry.test")
		openssl req $new -subj "/CN=expired" -keyout expired.key -out expired.csr
		mkdir -p past && : > past/index && echo 01 > past/serial
		printf '[ca]\ndefault_ca=d\n[d]\ndir=past\ndatabase=past/index\nserial=past/serial\nnew_certs_dir=past\ndefault_md=sha256\npolicy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n[e]\nsubjectAltName=DNS:localhost\n' > past/cnf
		openssl ca -batch -config past/cnf -in expired.csr -cert ca.pem -keyfile ca.key -out expired.pem \
			-startdate 20200101000000Z -enddate 20200201000000Z
	} > certificates.out 2>&1 || { cat certificates.out >&2; return 1; }
	chmod 644 ./*.pem
}

# Makes an image with one layer of 300 kB, tag 1, and another manifest, tag 2.
layout()
{
	python3 - <<-'PY'
	import hashlib, io, json, os, random, tarfile, gzip
	os.makedirs("layout/blobs/sha256")
	def put(data, media):
	    digest = hashlib.sha256(data).hexdigest()
	    with open("layout/blobs/sha256/" + digest, "wb") as f:
	        f.write(data)
	    return {"mediaType": media, "digest": "sha256:" + digest, "size": len(data)}
	def image(tag, size):
	    raw = io.BytesIO()
	    with tarfile.open(fileobj=raw, mode="w") as t:
	        member = tarfile.TarInfo("data")
	        member.size = size
	        t.addfile(member, io.BytesIO(random.Random(tag).randbytes(size)))
	    layer = put(gzip.compress(raw.getvalue()), "application/vnd.oci.image.layer.v1.tar+gzip")
	    diff_id = "sha256:" + hashlib.sha256(raw.getvalue()).hexdigest()
	    config = put(json.dumps({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff_id]}}).encode(), "application/vnd.oci.image.config.v1+json")
	    manifest = put(json.dumps({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "config": config, "layers": [layer]}).encode(), "application/vnd.oci.image.manifest.v1+json")
	    with open("layout/image" + tag, "w") as f:
	        f.write(f"manifest={manifest['digest']} manifest_size={manifest['size']} layer={layer['digest']} size={layer['size']}\n")
	    return dict(manifest, annotations={"org.opencontainers.image.ref.name": tag})
	index = {"schemaVersion": 2, "manifests": [image("1", 300000), image("2", 5000)]}
	json.dump(index, open("layout/index.json", "w"))
	json.dump({"imageLayoutVersion": "1.0.0"}, open("layout/oci-layout", "w"))
	PY
}

load_image()
{
	local key value
	while IFS='=' read -r key value; do export "$key=$value"; done < <(tr ' ' '\n' < "$dir/layout/image1")
}

fetch() { run timeout 80 "$top/$B/tests/fetch_driver" -e "$top/$B/ces-fetch" -o "$out" "$@"; echo "$status: $output"; }
fetch_ca() { fetch -c "$dir/ca.pem" "$@"; }

# Fetches the layer from a repository of the bad registry. Each test has a repository of its own, because some modes act
# only once for each.
fetch_bad() # MODE [OPTION...]
{
	local mode=$1
	shift
	repository=bad-$mode/t$BATS_TEST_NUMBER
	fetch_ca "$@" "https://localhost:$bad" "$repository" "blob|$layer|$size"
}

whole() { [ "$(sha256sum < "$out/0" | cut -d' ' -f1)" = "${layer#sha256:}" ]; }
got_at_most() { [ "$(stat -c %s "$out/0")" -le "$1" ]; }
requests() { jq -c "select(.event == \"request\" and (.path | contains(\"$repository/\")))" "$dir/bad.log"; }
count() { wc -l < "$1" 2> /dev/null || echo 0; }

# Runs COMMAND, and fails if the other host got anything, even a connection.
elsewhere_untouched() # COMMAND...
{
	local before
	before=$(count "$dir/elsewhere.log")
	"$@"
	[ "$(count "$dir/elsewhere.log")" = "$before" ]
}

# Fails unless the fetch failed with CODE and TEXT.
failed() # CODE TEXT
{
	[ "$status" -eq 1 ]
	[[ $output == "0 failed $1 "*"$2"* ]]
}
