# Fills a lab (see lab.sh): users, project data, a certificate authority, registries, and CES installed. A script sources
# it inside a lab, as root. It must never run outside a lab: it adds users and writes to /etc.
#
# The variables below and $B (the build directory) are constants for the scripts that source this. Everything else is an
# argument, or CES_TEST_RUNTIME (the runtime of the policy) and CES_REGISTRIES from the environment.
# shellcheck shell=bash
[ "${CES_LAB:-}" = 1 ] || { echo "services.sh: not inside a lab" >&2; exit 2; }

lab=/srv/lab            # the servers' certificates, logs and state
images=$CES_TOP/build/images
registry_user=researcher
registry_token=ghp_labReadOnlyToken1

# The registries' names, as users write them. All have one private address of the lab's network namespace: CES refuses a
# registry on loopback unless the policy writes it as localhost.
lab_address=10.20.0.5
lab_hosts="ghcr-proxy.tre.test open.tre.test git.ecdf.ed.ac.uk prefix.tre.test bad.tre.test down.tre.test
	stranger.tre.test othername.tre.test elsewhere.tre.test tre-ghcr-proxy.nsh.loc"
lab_outside=192.0.2.1   # a test's "internet": the lab can reach it, a container must not

lab_begin()
{
	install -d -m 755 "$lab" /srv/empty
	printf '127.0.0.1 localhost\n' > /etc/hosts
	local h
	for h in $lab_hosts; do printf '%s %s\n' $lab_address "$h" >> /etc/hosts; done
	ip addr add $lab_address/32 dev lo
	ip addr add $lab_outside/32 dev lo
	lab_forget /etc
	lab_users
	lab_data
	lab_certificates
	lab_install
	lab_label
}

# Runs COMMAND as USER in the user's home, with the groups that the user database gives.
as() # USER COMMAND [ARG...]
{
	local user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups --reset-env ${CES_AS_LABEL:+--selinux-label "$CES_AS_LABEL"} env -C "/home/$user" "$@"
}

# Succeeds if SELinux has a policy loaded: the contexts of a policy have colons. (Without a policy the kernel calls every
# context "kernel".)
lab_has_selinux() { [ -e /sys/fs/selinux/enforce ] && grep -q : /proc/self/attr/current; }

# Prints the option by which a tmpfs that is mounted on a directory gets its label.
lab_label_option() # DIRECTORY
{
	! lab_has_selinux || stat -c ,rootcontext=%C "$1"
}

# Labels the files as a package does.
lab_label()
{
	! lab_has_selinux || restorecon -RF /usr/libexec/ces /etc/ces /var/lib/ces /var/log/ces /safe_data
}

# Removes the machine's own users, groups, devices and CES from this copy if they have the name or number of one of the
# lab's. It edits the files, because userdel refuses a user who is logged in.
lab_forget() # ETC
{
	local etc=$1 users groups file
	local people='alice|bob|carol|dave|erin|frank' workers='ces-(parse|relay|store|(fetch|resolve|unpack)(-[2-4])?)'
	users=$(awk -F: -v names="^($people|$workers)\$" '$1 ~ names || $3 >= 4401 && $3 <= 4409 { print $1 }' "$etc/passwd" |
		paste -sd'|')
	groups=$(awk -F: -v names="^($people|$workers|nsh-2024-000[1-4]|nsh-inferred)\$" '$1 ~ names ||
		$3 >= 4401 && $3 <= 4409 || $3 >= 4411 && $3 <= 4414 || $3 == 4420 { print $1 }' "$etc/group" | paste -sd'|')
	for file in passwd shadow subuid subgid; do
		[ -z "$users" ] || [ ! -e "$etc/$file" ] || sed -i -E "/^($users):/d" "$etc/$file"
	done
	for file in group gshadow; do
		[ -z "$users$groups" ] || [ ! -e "$etc/$file" ] || sed -i -E "/^(${groups:-/}):/d; :again; s/([:,])(${users:-/})(,|\$)/\1\3/; t again
			s/([:,]),+/\1/g; s/,+\$//" "$etc/$file"
	done
	rm -rf "$etc/ces" "$etc/cdi" /usr/local/bin/ces-* /usr/local/libexec/ces
}

lab_users()
{
	local p u
	for u in ces-parse ces-store ces-fetch ces-resolve ces-unpack ces-relay; do
		useradd --system --no-create-home --home-dir / --shell /usr/sbin/nologin $u
	done
	for p in 1 2 3 4; do groupadd -g 441$p nsh-2024-000$p; done
	groupadd -g 4420 nsh-inferred
	# alice: project 1; bob: project 2; carol: both; dave: none; erin: 3 (expired) and frank: 4 (no data)
	lab_user 4401 alice nsh-2024-0001
	lab_user 4402 bob nsh-2024-0002
	lab_user 4403 carol nsh-2024-0001,nsh-2024-0002
	lab_user 4404 dave ''
	lab_user 4405 erin nsh-2024-0003
	lab_user 4406 frank nsh-2024-0004
}

lab_user() # UID NAME GROUPS
{
	useradd --uid "$1" --user-group ${3:+--groups "$3"} --create-home --skel /dev/null \
		--shell /bin/bash "$2"
	chmod 700 "/home/$2"
}

lab_data()
{
	local p
	for p in 1 2 3; do
		install -d -m 2770 -g nsh-2024-000$p /safe_data/nsh-2024-000$p
		printf 'id,age,outcome\n1,71,0\n2,64,1\n3,58,1\n4,80,0\n' \
			> /safe_data/nsh-2024-000$p/patients.csv
		chgrp nsh-2024-000$p /safe_data/nsh-2024-000$p/patients.csv
		chmod 640 /safe_data/nsh-2024-000$p/patients.csv
	done
}

# Makes an authority and one certificate for all names; and a second authority, which nobody trusts, for the same names.
lab_certificates()
{
	local names h
	names=DNS:localhost,IP:127.0.0.1
	for h in $lab_hosts; do names=$names,DNS:$h; done
	lab_certificate ca server "$names"
	lab_certificate stranger-ca stranger "$names"
	lab_certificate ca othername DNS:not-this-host.test
	install -D -m 644 $lab/ca.pem /etc/ces/ca.pem
	chmod 755 /etc/ces
	chmod 644 $lab/*.pem
	install -D -m 644 $lab/ca.pem $lab/trust/ca.crt
}

lab_certificate() # CA NAME ALTNAMES
{
	local ca=$lab/$1 to=$lab/$2
	if [ ! -e "$ca.pem" ]; then
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
			-subj "/CN=CES test authority $1" -keyout "$ca.key" -out "$ca.pem" 2>/dev/null
	fi
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$2" \
		-keyout "$to.key" -out "$to.csr" 2>/dev/null
	openssl x509 -req -in "$to.csr" -CA "$ca.pem" -CAkey "$ca.key" -CAcreateserial -days 30 \
		-extfile <(printf 'subjectAltName=%s' "$3") -out "$to.pem" 2>/dev/null
}

lab_install()
{
	env -u MAKEFLAGS make -s -C "$CES_TOP" install PREFIX=/usr DESTDIR= B="${B:-build}"
}

# Writes the lab's policy, with the runtime under test. FILTER is a jq filter that changes it.
lab_policy() # [FILTER]
{
	install -d -m 755 /etc/ces
	jq --arg runtime "${CES_TEST_RUNTIME:-/usr/bin/crun}" ".host.runtime = \$runtime | ${1:-.}" \
		"$CES_TOP/tests/lib/lab/policy.json" > /etc/ces/policy.json.new
	chmod 644 /etc/ces/policy.json.new
	mv -f /etc/ces/policy.json.new /etc/ces/policy.json
}

# Waits until a server listens on PORT. After ten seconds it fails and prints the server's log.
lab_wait_port() # PORT LOG [ADDRESS]
{
	local i
	for ((i = 0; i < 200; i++)); do
		if (exec 3<> "/dev/tcp/${3:-$lab_address}/$1") 2>/dev/null; then return 0; fi
		sleep 0.05
	done
	echo "lab: nothing listens on port $1" >&2
	cat "$2" >&2 || true
	return 1
}

# Starts Debian's docker-registry. All registries share one storage: a push to one is a push to all.
lab_registry() # NAME PORT [AUTH-YAML [PREFIX [CERT]]]
{
	local config=$lab/$1.yml cert=$lab/${5:-server}
	cat > "$config" <<-YAML
	version: 0.1
	log: { level: error, accesslog: { disabled: false } }
	storage:
	  filesystem: { rootdirectory: $lab/storage }
	  maintenance: { uploadpurging: { enabled: false } }
	http:
	  addr: $lab_address:$2
	  secret: lab
	  prefix: ${4:-/}
	  tls: { certificate: $cert.pem, key: $cert.key }
	${3:-}
	YAML
	# fd 3 is bats' own: a server that kept it open would keep bats waiting.
	docker-registry serve "$config" > "$lab/$1.log" 2>&1 3>&- < /dev/null &
	printf '%s\n' $! > "$lab/$1.pid"
	lab_wait_port "$2" "$lab/$1.log"
}

lab_htpasswd="auth: { htpasswd: { realm: lab, path: $lab/htpasswd } }"

# Starts the registries. With CES_REGISTRIES=open it starts only the open one, for suites that need no other.
lab_registries()
{
	if [ "${CES_REGISTRIES:-}" = open ]; then
		lab_registry open 5001
		return
	fi
	htpasswd -Bbc $lab/htpasswd $registry_user $registry_token 2>/dev/null
	lab_registry open 5001 &
	lab_registry ghcr 5000 "$lab_htpasswd" &
	lab_registry prefix 5003 "$lab_htpasswd" /ghcr/ &
	lab_registry stranger 5004 '' / stranger &
	lab_registry othername 5005 '' / othername &
	lab_token_registry &
	lab_bad_registry &
	local j failed=0
	for j in $(jobs -p); do wait "$j" || failed=1; done
	return $failed
}

# Starts a registry with bearer tokens, like GHCR and GitLab: another server issues the tokens.
lab_token_registry()
{
	local signer=$lab/signer
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=signer -keyout $signer.key -out $signer.pem 2>/dev/null
	/usr/bin/python3 tests/lib/lab/token_server.py --address $lab_address --port 5051 --cert $lab/server.pem --key $lab/server.key \
		--sign-cert $signer.pem --sign-key $signer.key --issuer lab --service registry \
		--user $registry_user --password $registry_token --log $lab/tokens.log > $lab/token-server.log 2>&1 3>&- &
	lab_wait_port 5051 $lab/token-server.log
	lab_registry token 5050 "auth: { token: { realm: 'https://git.ecdf.ed.ac.uk:5051/token', service: registry,
	  issuer: lab, rootcertbundle: $signer.pem } }"
}

# Serves the layout `bad` of images.py. The first component of the repository says how the server misbehaves.
lab_bad_registry()
{
	/usr/bin/python3 tests/lib/lab/bad_registry.py --address $lab_address --port 5443 --cert $lab/server.pem --key $lab/server.key \
		--layout "$images/bad" --elsewhere https://elsewhere.tre.test:5001 --log $lab/bad.log \
		> $lab/bad-registry.log 2>&1 3>&- &
	lab_wait_port 5443 $lab/bad-registry.log
}

# Pushes an OCI layout into the registries. LAYOUT is its path, or its name in build/images.
lab_push() # LAYOUT REPOSITORY[:TAG] [SKOPEO-OPTION...]
{
	local layout=$1 to=$2
	shift 2
	[[ $layout == /* ]] || layout=$images/$layout
	skopeo --insecure-policy copy --quiet --dest-cert-dir $lab/trust "$@" \
		"oci:$layout" "docker://open.tre.test:5001/$to"
}

# Pushes every image of build/images as epcced/NAME:1, and the images that skopeo has to convert. It keeps the
# registry's data beside the images, so that the next lab starts with them.
lab_push_all()
{
	local i kept=$images/registry
	if [ -d "$kept" ]; then
		mkdir -p $lab/storage
		cp -a --reflink=auto "$kept/." $lab/storage/
		return
	fi
	for i in "$images"/*/; do
		i=$(basename "$i")
		case $i in
		bad) ;;
		multi | foreign) lab_push "$i" "epcced/$i:1" --all ;;
		*) lab_push "$i" "epcced/$i:1" ;;
		esac
	done
	lab_push tools epcced/docker:1 --format v2s2
	cp -a --reflink=auto $lab/storage "$kept.$$"
	mv -T "$kept.$$" "$kept" || rm -rf "$kept.$$" # another lab was faster
}
