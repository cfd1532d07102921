/* Tests SHA-256 with the examples of FIPS 180-4 (NIST's SHA256.pdf, and the long message of a
 * million 'a'). */
#include <check.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"

static const struct {
	const char *text;
	size_t times;
	const char *expected;
} vectors[] = {
    {"", 1, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    {"abc", 1, "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
    {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
     "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqr"
     "lmnopqrsmnopqrstnopqrstu",
     1, "sha256:cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
    {"aaaaaaaaaa", 100000,
     "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
};

START_TEST(a_published_example_has_its_published_digest)
{
	struct sha256_ctx state;
	char got[CES_DIGEST_LENGTH + 1];

	sha256_init(&state);
	for (size_t i = 0; i < vectors[_i].times; i++)
		sha256_update(&state, strlen(vectors[_i].text), (const uint8_t *)vectors[_i].text);
	ces_digest_end(&state, got);
	ck_assert_str_eq(got, vectors[_i].expected);
	ck_assert(ces_digest_valid(got));
}
END_TEST

START_TEST(pieces_and_the_whole_have_the_same_digest)
{
	char bytes[300], whole[CES_DIGEST_LENGTH + 1], pieces[CES_DIGEST_LENGTH + 1];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7);
	ces_digest_of(bytes, sizeof(bytes), whole);
	for (size_t size = 1; size < sizeof(bytes); size++) {
		struct sha256_ctx state;

		sha256_init(&state);
		for (size_t at = 0; at < sizeof(bytes); at += size)
			sha256_update(&state, size < sizeof(bytes) - at ? size : sizeof(bytes) - at,
				      (const uint8_t *)bytes + at);
		ces_digest_end(&state, pieces);
		ck_assert_str_eq(pieces, whole);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("digest");
	TCase *all = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(all, a_published_example_has_its_published_digest, 0,
			    CES_COUNT(vectors));
	tcase_add_test(all, pieces_and_the_whole_have_the_same_digest);
	suite_add_tcase(suite, all);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
