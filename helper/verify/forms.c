/* The three forms of a signature. It must not believe a byte before a key's signature over it was
 * found good; nor, after that, a text that two readers could take differently.
 *
 * Sources: cosign, specs/SIGNATURE_SPEC.md (payload: containers/image, docs/containers-signature.5)
 * and specs/ATTESTATION_SPEC.md; in-toto attestation, spec/v1/statement.md; sigstore,
 * protobuf-specs, sigstore_bundle.proto, in JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/json.h"
#include "helper/verify/find.h"
#include "policy/receipt/dsse.h"
#include "policy/scan.h"

#define IN_TOTO "application/vnd.in-toto+json"

static struct json_object *part_of(struct json_object *object, const char *key)
{
	struct json_object *value = NULL;

	if (json_object_is_type(object, json_type_object))
		(void)json_object_object_get_ex(object, key, &value);
	return value;
}

static void note(struct ces_verify *verify, size_t key, const char *digest)
{
	for (size_t d = 0; d < verify->n_digests; d++)
		if (digest != NULL && strcmp(verify->digests[d], digest) == 0)
			verify->found.by[d] |= (uint64_t)1 << key;
}

/* Copies the digest that a payload of simple signing is about. False if it is not one of ours. Its
 * docker-reference is the name under which the image was signed. Mirrors change names, but not the
 * digest. So the name is not compared; cosign verify does not compare it either. */
static bool payload_digest(const char *bytes, size_t length, char ret[CES_DIGEST_LENGTH + 1])
{
	struct json_object *payload, *critical;
	struct ces_error ignored;
	const char *digest, *type;
	bool good;

	if (ces_json_parse(bytes, length, &payload, &ignored) < 0)
		return false;
	critical = part_of(payload, "critical");
	type = ces_dsse_text(critical, "type");
	digest = ces_dsse_text(part_of(critical, "image"), "docker-manifest-digest");
	good = type != NULL && strcmp(type, "cosign container image signature") == 0 &&
	       digest != NULL && ces_digest_valid(digest);
	if (good)
		memcpy(ret, digest, CES_DIGEST_LENGTH + 1);
	json_object_put(payload);
	return good;
}

void ces_verify_simple(struct ces_verify *verify, const char *bytes, size_t length,
		       const char *signature)
{
	char digest[CES_DIGEST_LENGTH + 1];
	size_t size = 0;
	CES_CLEANUP_FREE unsigned char *raw = ces_base64_read(signature, &size);

	if (raw == NULL || !payload_digest(bytes, length, digest))
		return;
	for (size_t i = 0; i < verify->n_keys; i++)
		if (verify->keys[i] != NULL &&
		    ces_key_check(verify->keys[i], bytes, length, raw, size) == 0)
			note(verify, i, digest);
}

static void check_subject(struct ces_verify *verify, size_t key, struct json_object *subject)
{
	const char *hex = ces_dsse_text(part_of(subject, "digest"), "sha256");
	char digest[CES_DIGEST_LENGTH + 1];

	if (hex == NULL || strlen(hex) != CES_DIGEST_LENGTH - strlen("sha256:"))
		return;
	(void)snprintf(digest, sizeof(digest), "sha256:%s", hex);
	note(verify, key, digest);
}

/* A statement with any predicate counts: it is about this image and no other. */
static void check_statement(struct ces_verify *verify, size_t key, const char *text)
{
	struct json_object *statement, *subjects;
	struct ces_error ignored;
	const char *type;

	if (ces_scan_check(text, strlen(text), &ignored) != 0)
		return;
	statement = json_tokener_parse(text);
	type = ces_dsse_text(statement, "_type");
	subjects = part_of(statement, "subject");
	if (type != NULL && json_object_is_type(subjects, json_type_array) &&
	    (strcmp(type, "https://in-toto.io/Statement/v1") == 0 ||
	     strcmp(type, "https://in-toto.io/Statement/v0.1") == 0))
		for (size_t i = 0; i < json_object_array_length(subjects); i++)
			check_subject(verify, key, json_object_array_get_idx(subjects, i));
	json_object_put(statement);
}

static void check_envelope(struct ces_verify *verify, struct json_object *envelope)
{
	for (size_t i = 0; i < verify->n_keys; i++) {
		CES_CLEANUP_FREE char *text = NULL;
		struct ces_error ignored;

		if (verify->keys[i] != NULL &&
		    ces_dsse_open_tree(verify->keys[i], IN_TOTO, envelope, &text, &ignored) == 0)
			check_statement(verify, i, text);
	}
}

void ces_verify_envelope(struct ces_verify *verify, const char *bytes, size_t length)
{
	struct json_object *envelope;
	struct ces_error ignored;

	if (ces_json_parse(bytes, length, &envelope, &ignored) < 0)
		return;
	check_envelope(verify, envelope);
	json_object_put(envelope);
}

static bool to_raw(const char *digest, unsigned char ret[SHA256_DIGEST_LENGTH])
{
	for (size_t i = 0; i < SHA256_DIGEST_LENGTH; i++) {
		char pair[3] = {digest[7 + 2 * i], digest[8 + 2 * i], '\0'};

		ret[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	return ces_digest_valid(digest);
}

/* A signature over the manifest itself. Only the manifest's SHA-256 is known here: that is enough
 * for ECDSA, and too little for Ed25519. */
static void check_message(struct ces_verify *verify, struct json_object *message)
{
	struct json_object *hash = part_of(message, "messageDigest");
	const char *algorithm = ces_dsse_text(hash, "algorithm"),
		   *hashed = ces_dsse_text(hash, "digest");
	const char *text = ces_dsse_text(message, "signature");
	CES_CLEANUP_FREE unsigned char *digest = NULL, *signature = NULL;
	unsigned char raw[SHA256_DIGEST_LENGTH];
	size_t length = 0, size = 0;

	if (algorithm == NULL || strcmp(algorithm, "SHA2_256") != 0 || hashed == NULL ||
	    text == NULL)
		return;
	digest = ces_base64_read(hashed, &length);
	signature = ces_base64_read(text, &size);
	if (digest == NULL || signature == NULL || length != sizeof(raw))
		return;
	for (size_t d = 0; d < verify->n_digests; d++)
		for (size_t i = 0; i < verify->n_keys; i++)
			if (verify->keys[i] != NULL && to_raw(verify->digests[d], raw) &&
			    memcmp(raw, digest, sizeof(raw)) == 0 &&
			    ces_key_check_digest(verify->keys[i], raw, signature, size) == 0)
				note(verify, i, verify->digests[d]);
}

/* A bundle that was signed by a certificate has no key. */
static void check_bundle(struct ces_verify *verify, struct json_object *bundle)
{
	static const char *const types[] = {"application/vnd.dev.sigstore.bundle.v0.3+json",
					    "application/vnd.dev.sigstore.bundle+json;version=0.3"};
	struct json_object *material = part_of(bundle, "verificationMaterial");
	struct json_object *envelope = part_of(bundle, "dsseEnvelope");
	struct json_object *message = part_of(bundle, "messageSignature");
	const char *type = ces_dsse_text(bundle, "mediaType");

	if (type == NULL || (strcmp(type, types[0]) != 0 && strcmp(type, types[1]) != 0) ||
	    !json_object_is_type(part_of(material, "publicKey"), json_type_object) ||
	    (envelope != NULL) == (message != NULL))
		return;
	if (envelope != NULL)
		check_envelope(verify, envelope);
	else
		check_message(verify, message);
}

void ces_verify_bundle(struct ces_verify *verify, const char *bytes, size_t length)
{
	struct json_object *bundle;
	struct ces_error ignored;

	if (ces_json_parse(bytes, length, &bundle, &ignored) < 0)
		return;
	check_bundle(verify, bundle);
	json_object_put(bundle);
}
