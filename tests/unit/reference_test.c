/* Tests which parts are an image's name: root compares what ces-decode has split. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "tests/unit/policy_fixture.h"

#define GOOD "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What a hijacked ces-decode could say that these names are. */
static const struct {
	const char *text;
	struct ces_reference reference;
} forged[] = {
    {"ghcr.io/a/b:1", {"ghcr.io", "a/c", "1", ""}},
    {"ghcr.io/a/b:1", {"ghcr.io", "a/b", "2", ""}},
    {"ghcr.io/a/b:1", {"ghcr.io", "a/b", "", ""}},
    {"ghcr.io/a/b:1", {"ghcr.io", "a/b", "1", GOOD}},
    {"ghcr.io/a/b:1", {"ghcr.io", "a/b:1", "", ""}},
    {"ghcr.io/a/b:1", {"ghcr.io/a", "b", "1", ""}},
    {"ghcr.io/a/b", {"ghcr.io", "a/b", "", ""}},
    {"ghcr.io/a/b", {"ghcr.io", "a/b", "1", ""}},
    {"ghcr.io/a/b", {"ghcr.io", "a/b", "latest", GOOD}},
    {"ghcr.io/a/b@" GOOD, {"ghcr.io", "a/b", "latest", GOOD}},
    {"ghcr.io/a/b@" GOOD, {"ghcr.io", "a/b@" GOOD, "latest", ""}},
    {"ghcr.io/a/../b:1", {"ghcr.io", "a/../b", "1", ""}},
    {"ghcr.io/a//b:1", {"ghcr.io", "a//b", "1", ""}},
    {"ghcr.io//b:1", {"ghcr.io", "/b", "1", ""}},
    {"ghcr.io/A:1", {"ghcr.io", "A", "1", ""}},
    {"GHCR.io/a:1", {"GHCR.io", "a", "1", ""}},
    {"ghcr.io:0/a:1", {"ghcr.io:0", "a", "1", ""}},
    {"ghcr.io/a:-1", {"ghcr.io", "a", "-1", ""}},
    {"ghcr.io/a: 1", {"ghcr.io", "a", " 1", ""}},
    {"ghcr.io/a@sha256:12", {"ghcr.io", "a", "", "sha256:12"}},
    {"", {"", "", "", ""}},
    {"/:latest", {"", "", "latest", ""}},
};

START_TEST(a_name_is_no_other_split_name)
{
	ck_assert(!ces_reference_is(&forged[_i].reference, forged[_i].text));
}
END_TEST

/* Each part without an end, and parts that are too long together. */
START_TEST(a_split_name_has_its_ends_and_is_not_too_long)
{
	struct ces_reference reference = {"ghcr.io", "a", "1", ""};
	char text[2 * CES_REFERENCE_MAX];

	switch (_i) {
	case 0:
		memset(reference.registry, 'a', sizeof(reference.registry));
		break;
	case 1:
		memset(reference.repository, 'a', sizeof(reference.repository));
		break;
	case 2:
		memset(reference.tag, 'a', sizeof(reference.tag));
		break;
	case 3:
		memset(reference.digest, 'a', sizeof(reference.digest));
		break;
	default:
		memset(reference.registry, 'a', sizeof(reference.registry) - 1);
		memset(reference.repository, 'a', sizeof(reference.repository) - 1);
	}
	(void)snprintf(text, sizeof(text), "%.256s/%.256s:%.129s", reference.registry,
		       reference.repository, reference.tag);
	ck_assert(!ces_reference_is(&reference, text));
	text[CES_REFERENCE_MAX - 1] = '\0';
	ck_assert(!ces_reference_is(&reference, text));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("reference");

	tcase_add_loop_test(t, a_name_is_no_other_split_name, 0, CES_COUNT(forged));
	tcase_add_loop_test(t, a_split_name_has_its_ends_and_is_not_too_long, 0, 5);
	return run_suite("reference", t);
}
