# The shared parts of the tests of receipts and signed heads: keys, and envelopes that OpenSSL's program makes and checks.
# shellcheck disable=SC2154

# Makes KIND.pem and KIND.pub, for p256, ed25519 and others, in the test's directory.
make_keys()
{
	cd "$BATS_TEST_TMPDIR" || return 1
	(
		umask 077
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out p256.pem
		openssl genpkey -algorithm ED25519 -out ed25519.pem
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.pem
		openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem
		openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.pem
	) 2> /dev/null
	for k in p256 ed25519 p384 rsa other; do openssl pkey -in $k.pem -pubout -out $k.pub; done
}

# Prints the bytes to sign, from a type and a text on stdin.
encoded() # TYPE
{
	cat > text
	printf 'DSSEv1 %d %s %d ' ${#1} "$1" "$(stat -c %s text)"
	cat text
}

# Prints an envelope around the text on stdin, made by OpenSSL's program.
seal() # KEY.pem TYPE
{
	encoded "$2" > signed
	case $1 in
	ed25519.pem) openssl pkeyutl -sign -inkey "$1" -rawin -in signed -out sig ;;
	*) openssl dgst -sha256 -sign "$1" -out sig signed ;;
	esac
	printf '{"payload":"%s","payloadType":"%s","signatures":[{"sig":"%s"}]}\n' "$(base64 -w 0 text)" "$2" "$(base64 -w 0 sig)"
}
