/* Tests which documents count as signatures of an image: the forms of cosign, made here by
 * OpenSSL's library with keys of the test's own, and each form with one thing wrong. */
/* links: helper/verify/find.c helper/verify/forms.c policy/receipt/key.c policy/receipt/dsse_open.c */
/* links: helper/unpack/json.c helper/unpack/json_scan.c helper/unpack/signatures.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ec.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/signatures.h"
#include "helper/verify/find.h"
#include "policy/receipt/dsse.h"

#define HEX     "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define ZEROS   "0000000000000000000000000000000000000000000000000000000000000000"
#define IMAGE   "sha256:" HEX
#define TOP     "sha256:" ZEROS
#define ELSE    "sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
#define SIMPLE  "application/vnd.dev.cosign.simplesigning.v1+json"
#define DSSE    "application/vnd.dsse.envelope.v1+json"
#define BUNDLE  "application/vnd.dev.sigstore.bundle.v0.3+json"
#define IN_TOTO "application/vnd.in-toto+json"

#define PAYLOAD(digest, type)                                                                      \
	"{\"critical\":{\"identity\":{\"docker-reference\":\"ghcr.io/lab/model\"},\"image\":{"     \
	"\"docker-manifest-digest\":\"" digest "\"},\"type\":\"" type "\"},\"optional\":null}"
#define GOOD PAYLOAD(IMAGE, "cosign container image signature")
#define STATEMENT(type, subjects)                                                                  \
	"{\"_type\":\"" type "\",\"subject\":[" subjects                                           \
	"],\"predicateType\":\"x\",\"predicate\":{}}"
#define SUBJECT(hex) "{\"name\":\"x\",\"digest\":{\"sha256\":\"" hex "\"}}"
#define V1           "https://in-toto.io/Statement/v1"
#define ABOUT        STATEMENT(V1, SUBJECT(HEX))

enum who { EC, ED, STRANGER, EC384, WHO };

static EVP_PKEY *keys[WHO];
static uint8_t bag[CES_BAG_MAX];
static size_t length;

static void set_up(void)
{
	length = 0;
	if (keys[EC] != NULL)
		return;
	keys[EC] = EVP_EC_gen("P-256");
	keys[ED] = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	keys[STRANGER] = EVP_EC_gen("P-256");
	keys[EC384] = EVP_EC_gen("P-384");
}

static void add(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < 4; i++)
		bag[length + i] = (uint8_t)(n >> (8 * i));
	memcpy(bag + length + 4, text, n);
	length += n + 4;
}

static char *sign(enum who who, const char *text)
{
	bool ed = who == ED;
	unsigned char bytes[256];
	size_t n = sizeof(bytes);
	EVP_MD_CTX *context = EVP_MD_CTX_new();

	ck_assert_int_eq(
	    EVP_DigestSignInit_ex(context, NULL, ed ? NULL : "SHA256", NULL, NULL, keys[who], NULL),
	    1);
	ck_assert_int_eq(
	    EVP_DigestSign(context, bytes, &n, (const unsigned char *)text, strlen(text)), 1);
	EVP_MD_CTX_free(context);
	return ces_base64_write(bytes, n);
}

static void add_manifest(const char *type, const char *blob, const char *annotation)
{
	char digest[CES_DIGEST_LENGTH + 1], *text = NULL;

	ces_digest_of(blob, strlen(blob), digest);
	ck_assert_int_gt(
	    asprintf(&text,
		     "{\"schemaVersion\":2,\"layers\":[{\"mediaType\":\"%s\",\"digest\":"
		     "\"%s\",\"size\":%zu,\"annotations\":{"
		     "\"dev.cosignproject.cosign/signature\":\"%s\"}}]}",
		     type, digest, strlen(blob), annotation),
	    0);
	add(text);
	free(text);
}

static void add_simple(enum who who, const char *payload)
{
	CES_CLEANUP_FREE char *signature = sign(who, payload);

	add(payload);
	add_manifest(SIMPLE, payload, signature);
}

/* malloc'd */
static char *envelope(enum who who, const char *type, const char *statement)
{
	CES_CLEANUP_FREE char *encoded = NULL, *signature = NULL, *payload = NULL, *text = NULL;
	char *result = NULL;
	size_t n = 0;

	ck_assert_int_eq(ces_dsse_encode(type, statement, strlen(statement), &encoded, &n, NULL),
			 0);
	text = strndup(encoded, n);
	signature = sign(who, text);
	payload = ces_base64_write(statement, strlen(statement));
	ck_assert_int_gt(asprintf(&result,
				  "{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{"
				  "\"keyid\":\"\",\"sig\":\"%s\"}]}",
				  payload, type, signature),
			 0);
	return result;
}

static void add_attestation(enum who who, const char *statement)
{
	CES_CLEANUP_FREE char *text = envelope(who, IN_TOTO, statement);

	add(text);
	add_manifest(DSSE, text, "");
}

static void add_bundle(const char *type, const char *material, const char *member,
		       const char *content)
{
	char *text = NULL;

	ck_assert_int_gt(asprintf(&text,
				  "{\"mediaType\":\"%s\",\"verificationMaterial\":{%s},\"%s\":%s}",
				  type, material, member, content),
			 0);
	add(text);
	add_manifest(BUNDLE, text, "");
	free(text);
}

/* Returns which keys, in the order EC, ED, have signed digest d. */
static uint64_t found(size_t d)
{
	struct ces_verify verify = {.n_keys = 2, .n_digests = 2, .keys = {keys[EC], keys[ED]}};

	memcpy(verify.digests[0], IMAGE, sizeof(IMAGE));
	memcpy(verify.digests[1], TOP, sizeof(TOP));
	ces_verify_find(&verify, bag, length);
	return verify.found.by[d];
}

START_TEST(a_signature_of_cosign_2_counts_for_its_key_and_digest)
{
	add_simple(EC, GOOD);
	ck_assert_uint_eq(found(0), 1);
	ck_assert_uint_eq(found(1), 0);
	add_simple(ED, PAYLOAD(TOP, "cosign container image signature"));
	ck_assert_uint_eq(found(0), 1);
	ck_assert_uint_eq(found(1), 2);
	add_simple(ED, GOOD);
	ck_assert_uint_eq(found(0), 3);
}
END_TEST

static const struct {
	enum who who;
	const char *payload;
} bad_simple[] = {
    {STRANGER, GOOD},
    {EC384, GOOD},
    {EC, PAYLOAD(ELSE, "cosign container image signature")},
    {EC, PAYLOAD(IMAGE, "atomic container signature")},
    {EC, PAYLOAD(IMAGE, "")},
    {EC, PAYLOAD("sha256:" HEX " ", "cosign container image signature")},
    {EC, GOOD "x"},
    {EC, "[" GOOD "]"},
    {EC, ""},
    {EC, IMAGE},
    /* what another reader would take differently */
    {EC, "{\"critical\":{\"type\":\"cosign container image signature\",\"image\":{"
	 "\"docker-manifest-digest\":\"" ELSE "\",\"docker-manifest-digest\":\"" IMAGE "\"}}}"},
    {EC, "{\"critical\":{\"type\":\"cosign container image signature\",\"image\":{"
	 "\"Docker-manifest-digest\":\"" ELSE "\",\"docker-manifest-digest\":\"" IMAGE "\"}}}"},
    {EC, "{\"critical\":{},\"Critical\":{\"type\":\"cosign container image signature\",\"image\":"
	 "{\"docker-manifest-digest\":\"" IMAGE "\"}}}"},
    {EC, "\xef\xbb\xbf" GOOD},
};

START_TEST(a_signature_of_cosign_2_with_one_thing_wrong_does_not_count)
{
	add_simple(bad_simple[_i].who, bad_simple[_i].payload);
	ck_assert_uint_eq(found(0) | found(1), 0);
}
END_TEST

START_TEST(a_signature_counts_over_exactly_the_bytes_that_the_manifest_names)
{
	CES_CLEANUP_FREE char *signature = sign(EC, GOOD), *odd = NULL;
	static const char spaced[] = " " GOOD;

	add_manifest(SIMPLE, GOOD, signature); /* the payload is not there */
	ck_assert_uint_eq(found(0), 0);
	add(spaced);
	add_manifest(SIMPLE, spaced, signature);
	ck_assert_uint_eq(found(0), 0);
	add(GOOD);
	ck_assert_uint_eq(found(0), 1);
	length = 0;
	add(GOOD);
	add_manifest("application/vnd.oci.image.layer.v1.tar", GOOD, signature);
	add_manifest(SIMPLE, GOOD, "");
	add_manifest(SIMPLE, GOOD, "AAAA");
	ck_assert_int_gt(asprintf(&odd, "%s====", signature), 0);
	add_manifest(SIMPLE, GOOD, odd);
	ck_assert_uint_eq(found(0), 0);
}
END_TEST

START_TEST(an_attestation_counts_for_its_subjects)
{
	add_attestation(ED, ABOUT);
	ck_assert_uint_eq(found(0), 2);
	ck_assert_uint_eq(found(1), 0);
	add_attestation(EC, STATEMENT("https://in-toto.io/Statement/v0.1",
				      SUBJECT("ab") "," SUBJECT(ZEROS) "," SUBJECT(HEX)));
	ck_assert_uint_eq(found(0), 3);
	ck_assert_uint_eq(found(1), 1);
}
END_TEST

static const struct {
	enum who who;
	const char *statement;
} bad_statements[] = {
    {STRANGER, ABOUT},
    {EC, STATEMENT(V1, "")},
    {EC, STATEMENT(V1, SUBJECT("ffff"))},
    {EC, STATEMENT("https://in-toto.io/Statement/v2", SUBJECT(HEX))},
    {EC, "{\"_type\":\"" V1 "\",\"subject\":" SUBJECT(HEX) "}"},
    {EC, "{\"_type\":\"" V1 "\",\"subject\":[],\"subject\":[" SUBJECT(HEX) "]}"},
    {EC, "{\"_type\":\"" V1 "\",\"subject\":[{\"digest\":{\"sha512\":\"" HEX "\"}}]}"},
    {EC, "{\"subject\":[" SUBJECT(HEX) "]}"},
    {EC, ABOUT ","},
};

START_TEST(a_statement_with_one_thing_wrong_does_not_count)
{
	add_attestation(bad_statements[_i].who, bad_statements[_i].statement);
	ck_assert_uint_eq(found(0) | found(1), 0);
}
END_TEST

START_TEST(an_envelope_of_another_type_or_with_a_payload_beside_the_signed_one_does_not_count)
{
	CES_CLEANUP_FREE char *other = envelope(EC, "application/json", ABOUT);
	CES_CLEANUP_FREE char *good = envelope(EC, IN_TOTO, ABOUT), *twice = NULL;

	add(other);
	add_manifest(DSSE, other, "");
	ck_assert_int_gt(asprintf(&twice, "{\"payload\":\"e30=\",%s", good + 1), 0);
	add(twice);
	add_manifest(DSSE, twice, "");
	/* the bare statement, which anyone can write */
	add(ABOUT);
	add_manifest(DSSE, ABOUT, "");
	ck_assert_uint_eq(found(0), 0);
}
END_TEST

#define KEY "\"publicKey\":{\"hint\":\"x\"}"

START_TEST(a_bundle_of_cosign_3_counts)
{
	CES_CLEANUP_FREE char *good = envelope(EC, IN_TOTO, ABOUT);
	CES_CLEANUP_FREE char *ed = envelope(ED, IN_TOTO, ABOUT);

	add_bundle(BUNDLE, KEY, "dsseEnvelope", good);
	ck_assert_uint_eq(found(0), 1);
	add_bundle("application/vnd.dev.sigstore.bundle+json;version=0.3", KEY, "dsseEnvelope", ed);
	ck_assert_uint_eq(found(0), 3);
}
END_TEST

START_TEST(a_bundle_for_a_certificate_or_of_another_version_does_not_count)
{
	CES_CLEANUP_FREE char *good = envelope(EC, IN_TOTO, ABOUT), *both = NULL;

	add_bundle(BUNDLE, "\"certificate\":{\"rawBytes\":\"\"}", "dsseEnvelope", good);
	add_bundle("application/vnd.dev.sigstore.bundle.v0.9+json", KEY, "dsseEnvelope", good);
	add_bundle(BUNDLE, KEY, "envelope", good);
	ck_assert_int_gt(asprintf(&both, "%s,\"messageSignature\":{}", good), 0);
	add_bundle(BUNDLE, KEY, "dsseEnvelope", both);
	ck_assert_uint_eq(found(0), 0);
}
END_TEST

/* Signs a text as the manifest, whose digest is then the image's. */
static void add_message(enum who who, const char *algorithm, const char *digest)
{
	CES_CLEANUP_FREE char *signature = sign(who, "the manifest"), *raw = NULL, *text = NULL;
	unsigned char bytes[32];

	for (size_t i = 0; i < sizeof(bytes); i++) {
		char pair[3] = {digest[7 + 2 * i], digest[8 + 2 * i], '\0'};

		bytes[i] = (unsigned char)strtoul(pair, NULL, 16);
	}
	raw = ces_base64_write(bytes, sizeof(bytes));
	ck_assert_int_gt(asprintf(&text,
				  "{\"messageDigest\":{\"algorithm\":\"%s\",\"digest\":\"%s\"},"
				  "\"signature\":\"%s\"}",
				  algorithm, raw, signature),
			 0);
	add_bundle(BUNDLE, KEY, "messageSignature", text);
}

START_TEST(a_bundle_that_signs_the_manifest_itself_counts)
{
	struct ces_verify verify = {.n_keys = 2, .n_digests = 1, .keys = {keys[EC], keys[ED]}};

	ces_digest_of("the manifest", strlen("the manifest"), verify.digests[0]);
	add_message(STRANGER, "SHA2_256", verify.digests[0]);
	add_message(ED, "SHA2_256", verify.digests[0]); /* (which needs more than the digest) */
	add_message(EC, "SHA2_512", verify.digests[0]);
	add_message(EC, "SHA2_256", IMAGE);
	ces_verify_find(&verify, bag, length);
	ck_assert_uint_eq(verify.found.by[0], 0);
	add_message(EC, "SHA2_256", verify.digests[0]);
	ces_verify_find(&verify, bag, length);
	ck_assert_uint_eq(verify.found.by[0], 1);
}
END_TEST

START_TEST(a_key_that_does_not_count_has_signed_nothing)
{
	struct ces_verify verify = {.n_keys = 2, .n_digests = 1, .keys = {keys[EC], NULL}};

	memcpy(verify.digests[0], IMAGE, sizeof(IMAGE));
	add_simple(ED, GOOD);
	add_attestation(ED, ABOUT);
	ces_verify_find(&verify, bag, length);
	ck_assert_uint_eq(verify.found.by[0], 0);
}
END_TEST

START_TEST(a_torn_bag_has_what_comes_before_the_tear)
{
	size_t whole;

	add_simple(EC, GOOD);
	whole = length;
	add_simple(ED, GOOD);
	for (length--; length >= whole; length--)
		ck_assert_uint_eq(found(0), 1);
	for (; length > 0; length--)
		ck_assert_uint_eq(found(0), 0);
	memset(bag, 0xff, 64);
	length = 64;
	ck_assert_uint_eq(found(0), 0);
}
END_TEST

START_TEST(a_bag_of_many_documents_is_read_to_its_most)
{
	for (int i = 0; i < CES_BAG_DOCUMENTS; i++)
		add("{}");
	add_simple(EC, GOOD);
	ck_assert_uint_eq(found(0), 0);
}
END_TEST

static struct ces_signatures listed;
static struct ces_error err;

static int list(const char *text)
{
	return ces_signatures_parse(text, strlen(text), &listed, &err);
}

#define LAYER(type, digest, size)                                                                  \
	"{\"mediaType\":\"" type "\",\"digest\":\"" digest "\",\"size\":" size "}"
#define ENTRY(type, digest)                                                                        \
	"{\"mediaType\":\"x\",\"artifactType\":\"" type "\",\"digest\":\"" digest "\",\"size\":9}"

START_TEST(a_manifest_of_signatures_is_listed_without_what_is_none_or_too_large)
{
	ck_assert_int_eq(
	    list("{\"layers\":[" LAYER(SIMPLE, IMAGE, "5") "," LAYER(SIMPLE, IMAGE, "5") "," LAYER(
		DSSE, TOP,
		"262144") "," LAYER(DSSE, ELSE,
				    "262145") "," LAYER("application/vnd.oci.image.layer.v1.tar",
							ELSE, "5") "]}"),
	    0);
	ck_assert_uint_eq(listed.answer.index, 0);
	ck_assert_uint_eq(listed.answer.digests.n, 2);
	ck_assert_uint_eq(listed.answer.sizes.n, 2);
	ck_assert_str_eq(listed.answer.digests.v[0], IMAGE);
	ck_assert_uint_eq(listed.answer.sizes.v[1], 262144);
	ces_signatures_free(&listed);
	ck_assert_int_eq(list("{\"manifests\":[" ENTRY("x", ELSE) "," ENTRY(BUNDLE, TOP) "]}"), 0);
	ck_assert_uint_eq(listed.answer.index, 1);
	ck_assert_uint_eq(listed.answer.digests.n, 1);
	ces_signatures_free(&listed);
}
END_TEST

static const char *const bad_lists[] = {
    "",
    "[]",
    "{}",
    "{\"layers\":[],\"manifests\":[]}",
    "{\"layers\":[],\"layers\":[]}",
    "{\"layers\":{}}",
    "{\"layers\":[1]}",
    "{\"Layers\":[]}",
    "{\"layers\":[{\"mediaType\":\"" SIMPLE "\",\"digest\":\"" IMAGE "\"}]}",
    "{\"layers\":[{\"mediaType\":\"" SIMPLE "\",\"digest\":\"" IMAGE "\",\"size\":-1}]}",
};

START_TEST(an_invalid_list_is_refused)
{
	ck_assert_int_eq(list(bad_lists[_i]), -1);
	ck_assert_str_ne(err.text, "");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *tcase = tcase_create("verify");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tcase, set_up, NULL);
	tcase_add_test(tcase, a_signature_of_cosign_2_counts_for_its_key_and_digest);
	tcase_add_loop_test(tcase, a_signature_of_cosign_2_with_one_thing_wrong_does_not_count, 0,
			    CES_COUNT(bad_simple));
	tcase_add_test(tcase, a_signature_counts_over_exactly_the_bytes_that_the_manifest_names);
	tcase_add_test(tcase, an_attestation_counts_for_its_subjects);
	tcase_add_loop_test(tcase, a_statement_with_one_thing_wrong_does_not_count, 0,
			    CES_COUNT(bad_statements));
	tcase_add_test(
	    tcase,
	    an_envelope_of_another_type_or_with_a_payload_beside_the_signed_one_does_not_count);
	tcase_add_test(tcase, a_bundle_of_cosign_3_counts);
	tcase_add_test(tcase, a_bundle_for_a_certificate_or_of_another_version_does_not_count);
	tcase_add_test(tcase, a_bundle_that_signs_the_manifest_itself_counts);
	tcase_add_test(tcase, a_key_that_does_not_count_has_signed_nothing);
	tcase_add_test(tcase, a_torn_bag_has_what_comes_before_the_tear);
	tcase_add_test(tcase, a_bag_of_many_documents_is_read_to_its_most);
	tcase_add_test(tcase, a_manifest_of_signatures_is_listed_without_what_is_none_or_too_large);
	tcase_add_loop_test(tcase, an_invalid_list_is_refused, 0, CES_COUNT(bad_lists));
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
