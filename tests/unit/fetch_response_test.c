/* Tests what ces-fetch keeps from the head of an answer. */
/* links: helper/fetch/response.c helper/fetch/challenge.c */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/fetch/response.h"

static struct ces_response response;

static void lines(const char *const *line)
{
	static const char status[] = "HTTP/1.1 200 OK\r\n";

	memset(&response, 0, sizeof(response));
	ck_assert_int_eq(ces_response_line(&response, status, strlen(status)), 0);
	for (; *line != NULL; line++)
		ck_assert_int_eq(ces_response_line(&response, *line, strlen(*line)), 0);
	ck_assert_int_eq(ces_response_line(&response, "\r\n", 2), 0);
}

#define OCI "application/vnd.oci.image."
#define DOC "application/vnd.docker.distribution.manifest."

static const struct {
	const char *lines[3];
	enum ces_manifest_type type;
	bool odd;
} types[] = {
    {{NULL}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type: " OCI "index.v1+json\r\n"}, CES_MANIFEST_OCI_INDEX, false},
    {{"content-type:" OCI "manifest.v1+json\r\n"}, CES_MANIFEST_OCI, false},
    {{"Content-Type: " DOC "list.v2+json\r\n"}, CES_MANIFEST_DOCKER_LIST, false},
    {{"Content-Type: " DOC "v2+json \r\n"}, CES_MANIFEST_DOCKER, false},
    {{"Content-Type: " OCI "manifest.v1+json; charset=utf-8\r\n"}, CES_MANIFEST_OCI, false},
    {{"Content-Type: " OCI "manifest.v1+json;charset=utf-8\r\n"}, CES_MANIFEST_OCI, false},
    {{"Content-Type: Application/VND.oci.image.Manifest.V1+JSON\r\n"}, CES_MANIFEST_OCI, false},
    {{"Content-Type: " OCI "manifest.v1+json.x\r\n"}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type: " OCI "manifest.v1\r\n"}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type: application/json\r\n"}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type: text/plain; charset=utf-8\r\n"}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type:\r\n"}, CES_MANIFEST_UNSAID, false},
    {{"Content-Type: " DOC "v2+json\r\n", "Content-Type: " DOC "v2+json\r\n"},
     CES_MANIFEST_DOCKER,
     false},
    {{"Content-Type: " DOC "v2+json\r\n", "Content-Type: " OCI "index.v1+json\r\n"},
     CES_MANIFEST_OCI_INDEX,
     true},
    {{"Content-Type: application/json\r\n", "Content-Type: " OCI "index.v1+json\r\n"},
     CES_MANIFEST_OCI_INDEX,
     true},
    {{"Content-Type: " DOC "v2+json, " OCI "index.v1+json\r\n"}, CES_MANIFEST_UNSAID, true},
};

START_TEST(the_type_of_a_manifest_is_read_without_parameters_and_two_are_odd)
{
	lines(types[_i].lines);
	ck_assert_int_eq(response.type, types[_i].type);
	ck_assert_int_eq(response.odd_type, types[_i].odd);
}
END_TEST

START_TEST(an_interim_answer_does_not_set_the_type)
{
	static const char *const interim[] = {"HTTP/1.1 103 Early Hints\r\n",
					      "Content-Type: " OCI "index.v1+json\r\n", "\r\n",
					      "HTTP/1.1 200 OK\r\n", "\r\n"};

	memset(&response, 0, sizeof(response));
	for (size_t i = 0; i < CES_COUNT(interim); i++)
		ck_assert_int_eq(ces_response_line(&response, interim[i], strlen(interim[i])), 0);
	ck_assert_int_eq(response.type, CES_MANIFEST_UNSAID);
	ck_assert_uint_eq(response.status, 200);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_response");
	TCase *tests = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tests,
			    the_type_of_a_manifest_is_read_without_parameters_and_two_are_odd, 0,
			    CES_COUNT(types));
	tcase_add_test(tests, an_interim_answer_does_not_set_the_type);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
