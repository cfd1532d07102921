/* Tests a foreign document: a bundle of Sigstore's own tests (tests/unit/data/sigstore). */
/* links: helper/verify/find.c helper/verify/forms.c policy/receipt/key.c policy/receipt/dsse_open.c */
/* links: helper/unpack/json.c helper/unpack/json_scan.c helper/unpack/signatures.c */
#include <check.h>
#include <fcntl.h>
#include <string.h>

#include <openssl/ec.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/verify/find.h"
#include "policy/receipt/key.h"

#define SIGSTORE "tests/unit/data/sigstore/"
#define OTHER    "sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define A_TXT    "sha256:a0cfc71271d6e278e57cd332ff957c3f7043fdda354c4cbb190a30d56efa01bf"

static char *read_file(const char *path, size_t *ret_length)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;

	ck_assert_int_eq(ces_read_file(fd, 65536, &bytes, ret_length), 0);
	return bytes;
}

/* Returns whether the key has signed the digest, by Sigstore's own bundle. */
static bool has_signed(EVP_PKEY *key, const char *digest)
{
	struct ces_verify verify = {.n_keys = 1, .n_digests = 1, .keys = {key}};
	size_t length_read;
	CES_CLEANUP_FREE char *bundle = read_file(SIGSTORE "bundle.sigstore.json", &length_read);

	memcpy(verify.digests[0], digest, sizeof(verify.digests[0]));
	ces_verify_bundle(&verify, bundle, length_read);
	return verify.found.by[0] == 1;
}

START_TEST(a_bundle_of_sigstore_s_own_tests_counts_for_its_key_and_digest_alone)
{
	size_t n;
	CES_CLEANUP_FREE char *pem = read_file(SIGSTORE "key.pub", &n);
	EVP_PKEY *key = NULL, *stranger = EVP_EC_gen("P-256");

	ck_assert_int_eq(ces_key_public(pem, n, "key.pub", &key, NULL), 0);
	ck_assert(has_signed(key, A_TXT));
	ck_assert(!has_signed(stranger, A_TXT));
	ck_assert(!has_signed(key, OTHER));
	EVP_PKEY_free(key);
	EVP_PKEY_free(stranger);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify_sigstore");
	TCase *tcase = tcase_create("verify_sigstore");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(tcase, a_bundle_of_sigstore_s_own_tests_counts_for_its_key_and_digest_alone);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
