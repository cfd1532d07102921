#!/usr/bin/env bats
# The whole chain as in doc/chain.md: conform, scan, approve, sign, pull, run, receipt, and verify on a second machine.

load ../lib/e2e.bash

# Sets up the site of the guides, where nothing of the image is approved yet, and ghcr.io itself.
setup_file()
{
	jq --arg runtime "${CES_TEST_RUNTIME:-/usr/bin/crun}" --argjson r "$(jq '.registries["ghcr.io"]' tests/lib/lab/policy.json)" \
		'.host.runtime = $runtime | .registries["ghcr.io"] = $r
			| .projects["nsh-2024-0001"].images = [{allow: "ghcr.io/epcced/other", approval: "IG-2026-014", expires: "2027-06-30"}]' \
		policy/examples/desktop.json > /etc/ces/policy.json.new
	chmod 644 /etc/ces/policy.json.new
	mv -f /etc/ces/policy.json.new /etc/ces/policy.json
	htpasswd -Bb $lab/htpasswd me "$registry_token" 2> /dev/null
	lab_push stroke epcced/stroke:1
	lab_certificate ca ghcr_io DNS:ghcr.io
	cat $lab/ca.pem >> /etc/ssl/certs/ca-certificates.crt
	echo "$lab_address ghcr.io" >> /etc/hosts
	lab_registry ghcr_io 443 "$lab_htpasswd" / ghcr_io
	install -d -o nobody -g nogroup /media/usb
	# (Debian has no cosign: this writes the same documents with openssl)
	cat > /usr/local/bin/cosign <<- END
	#!/bin/bash -e
	case "\$*" in
	generate-key-pair)
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out cosign.key
		openssl pkey -in cosign.key -pubout -out cosign.pub ;;
	"sign --key cosign.key --tlog-upload=false --yes ghcr.io/"*)
		ref=\${@: -1}
		ref=\${ref#ghcr.io/}
		exec $CES_TOP/tests/lib/sign.py --key cosign.key --ca $lab/ca.pem --digest "\${ref#*@}" https://open.tre.test:5001 "\${ref%@*}:1" ;;
	*) exit 2 ;;
	esac
	END
	chmod 755 /usr/local/bin/cosign
}
teardown_file()
{
	kill "$(cat $lab/ghcr_io.pid)"
	sed -i '/ ghcr.io$/d' /etc/hosts
	rm -rf /usr/local/bin/cosign /home/alice/{outputs_*,token,conform.json,scan.json,cosign.*,.local} /etc/ces/keys /root/{new.json,signed.json,crate,receipt.json,ces-public.pem} /etc/ces/{evidence.d,audit-key.pem} /media/usb
	lab_policy
}

# Writes what Trivy writes about this very image.
scanned()
{
	local digest
	digest=$(skopeo inspect --format '{{.Digest}}' --cert-dir $lab/trust --creds "me:$registry_token" docker://ghcr.io/epcced/stroke:1)
	jq --arg d "ghcr.io/epcced/stroke@$digest" '.ArtifactName = $d | .Metadata.RepoDigests = [$d]' \
		tests/policy/evidence/trivy.json > /home/alice/scan.json
}

@test "the chain from an image to its receipt: each line of the guide does what it shows, and a second machine verifies" {
	empty_store
	scanned
	TOKEN=$registry_token run tests/lib/guide.py doc/chain.md alice
	echo "$output"
	[ "$status" -eq 0 ]
	# the crate that it made is whole
	jq -e '.["@graph"] | any(.["@id"] == "manifest.json")' /root/crate/ro-crate-metadata.json
	# (the second machine had nothing from this one)
	run tests/lib/guide.py --type '%' 'ls -A /etc/ces /var/lib/ces /var/log/ces /home /root; id -u; ip -o addr'
	[ "$output" = $'/etc/ces:\n\n/home:\n\n/root:\n\n/var/lib/ces:\n\n/var/log/ces:\n65534' ]
}
