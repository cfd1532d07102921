#!/usr/bin/env bats
# ces-fetch alone against a hostile registry: redirects, logins, wrong bodies.

# shellcheck disable=SC2154 # load_image sets manifest, manifest_size, layer and size
load ../lib/fetch.bash

# Redirects and logins that lead elsewhere

@test "a redirect to another host gets no connection" {
	elsewhere_untouched fetch_bad redirect-elsewhere -u researcher -t s3cret
	failed registry "redirects to: https://elsewhere.localhost:$elsewhere, which is not among"
}

@test "a redirect to plain http is refused" { fetch_bad redirect-http; failed registry "not https (http)"; }
@test "a redirect to a file is refused" { fetch_bad redirect-file; failed registry "not https (file)"; }
@test "a redirect with a password in it is refused" { fetch_bad redirect-user; failed registry "user name, password"; }
@test "a redirect to a metadata service is refused" { fetch_bad redirect-metadata; failed registry "not among"; }

@test "a redirect to a metadata service is refused even where the policy allows it" {
	fetch_bad redirect-metadata -a 169.254.169.254
	failed registry "leads to a loopback or link-local address"
}

@test "redirects in a circle end after three" {
	fetch_bad redirect-loop
	failed registry "redirects more than 3 times"
	[ "$(requests | wc -l)" -eq 4 ]
}

@test "a token server on another host gets no connection and no credential" {
	elsewhere_untouched fetch_bad realm-elsewhere -u researcher -t s3cret
	failed registry "wants the login sent to: https://elsewhere.localhost:$elsewhere, which is not among"
	[ "$(requests | jq -s 'map(select(.authorization)) | length')" -eq 0 ]
}

@test "a token server without TLS gets no credential" { fetch_bad realm-http -u researcher -t s3cret; failed registry "not https"; }
@test "a token server on a metadata address is refused" { fetch_bad realm-metadata -u a -t b; failed registry "not among"; }
@test "a challenge with two realms is refused" { elsewhere_untouched fetch_bad realm-two -u a -t b; failed registry "neither Bearer nor Basic"; }
@test "an unknown way to log in is refused" { fetch_bad login-odd -u a -t b; failed registry "neither Bearer nor Basic"; }

@test "a registry that always asks for a login gets it once" {
	fetch_bad login-never -u researcher -t s3cret
	failed denied "refused the login"
	[ "$(requests | jq -s 'map(.scheme) == [null, "Basic"]')" = true ]
}

@test "a registry that does not ask for the password does not get it" {
	fetch_bad drop-once -u researcher -t s3cret
	[ "$status" -eq 0 ]
	[ "$(requests | jq -s 'map(select(.authorization)) | length')" -eq 0 ]
}

# Bodies that differ from their headers

@test "a body that is too long is cut at its size" { fetch_bad longer; failed registry "more than the $size bytes"; got_at_most "$size"; }
@test "an endless body is cut at its size" { fetch_bad endless; failed registry "more than the $size bytes"; got_at_most "$size"; }
@test "a body that is too short fails" { fetch_bad shorter; failed registry "sent only"; }
@test "an announced size that is too long is refused unread" { fetch_bad long-length; failed registry "announces more"; got_at_most 0; }
@test "an announced size that is too short is refused unread" { fetch_bad short-length; failed registry "announces fewer"; got_at_most 0; }
@test "a compressed answer is refused unread" { fetch_bad gzip; failed registry "compressed answer"; got_at_most 0; }
@test "a compressed transfer is refused unread" { fetch_bad transfer-gzip; failed registry "compressed answer"; got_at_most 0; }
@test "endless headers are cut" { fetch_bad headers; failed registry "too many or malformed headers"; }
@test "an answer that is not HTTP is refused" { fetch_bad garbage; failed registry "does not answer as a registry does"; }

@test "a manifest of 100 MB is refused unread" {
	fetch_ca "https://localhost:$bad" bad-manifest-huge/t "manifest|1|4194304"
	failed registry "announces more than the expected 4194304 bytes"
	got_at_most 0
}

@test "an endless manifest is cut at its cap" {
	fetch_ca "https://localhost:$bad" bad-manifest-endless/t "manifest|1|4194304"
	failed registry "more than the 4194304 bytes"
	got_at_most 4194304
}

@test "a wrong body of the right size passes here: its digest is checked after the pipe" {
	fetch_bad digest
	[ "$status" -eq 0 ]
	run -1 whole
}

# Forged lists of tags: ces-fetch reports the missing tag, and none of the registry's own words

missing_tag() # MODE [OPTION...]
{
	local mode=$1
	shift
	repository=bad-tags-$mode/t$BATS_TEST_NUMBER
	fetch_ca "$@" "https://localhost:$bad" "$repository" "manifest|absent|4194304"
	[ "$status" -eq 1 ]
	[[ $output == *"0 failed not found no such "*"$repository:absent"* ]]
}

@test "names that are no tags are not shown" {
	missing_tag names
	[[ $output == *"(its tags: fine)"* ]]
	[[ $output != *evil* && $output != *red* && $output != *xxx* && $output != *hidden* && $output != *rf* ]]
}

@test "an endless list of tags is cut, and the failure is reported without it" {
	missing_tag endless
	[[ $output == *"no such image or tag"* ]]
}

@test "when a list of tags never comes, the failure is reported after ten seconds at most" {
	missing_tag stall
	[[ $output == *"no such image or tag"* ]]
}

@test "a list of tags on another host is not fetched, and gets no credential" {
	elsewhere_untouched missing_tag redirect-elsewhere -u researcher -t s3cret
	[ "$(requests | jq -s 'map(select(.authorization)) | length')" -eq 0 ]
}

@test "a list of tags that is refused, broken or compressed changes nothing" {
	local mode
	for mode in error-403 error-500 garbage gzip headers; do missing_tag $mode; [[ $output != *evil* ]]; done
}
