/* Tests how ces-fetch reads the head of an answer, above all WWW-Authenticate, which decides where
 * a password goes. */
/* links: helper/fetch/challenge.c helper/fetch/response.c helper/fetch/auth.c */
/* links: helper/fetch/reply.c helper/fetch/target.c helper/fetch/address.c */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/fetch/auth.h"
#include "helper/fetch/response.h"

static const struct {
	const char *text;
	const char *realm; /* NULL: no Bearer */
	const char *service;
	bool basic;
} good[] = {
    {"Bearer realm=\"https://ghcr.io/token\",service=\"ghcr.io\",scope=\"repository:a/b:pull\"",
     "https://ghcr.io/token", "ghcr.io", false},
    {"bearer realm=\"https://x/\"", "https://x/", "", false},
    {"Bearer service=s , realm = \"https://x/?a=b,c\"", "https://x/?a=b,c", "s", false},
    {"Basic realm=\"Registry Realm\"", NULL, "", true},
    {"Basic", NULL, "", true},
    {"Basic realm=\"x\", Bearer realm=\"https://x/\",service=\"s\"", "https://x/", "s", true},
    {"Bearer realm=\"https://x/\", Basic realm=\"y\"", "https://x/", "", true},
    {"Negotiate, Bearer realm=\"https://x/\"", "https://x/", "", false},
    {"Negotiate abc/d==, Basic realm=\"y\"", NULL, "", true},
    {"Bearer realm=\"https://x/\\\"y\"", "https://x/\"y", "", false},
    {"Digest realm=\"evil\", nonce=\"n\"", NULL, "", false},
    {"Digest realm=\"https://evil/\", Bearer realm=\"https://x/\"", "https://x/", "", false},
};

START_TEST(a_good_challenge_is_read)
{
	struct ces_challenge c = {0};

	ck_assert_msg(ces_challenge_parse(good[_i].text, strlen(good[_i].text), &c) == 0, "%s",
		      good[_i].text);
	ck_assert_int_eq(c.bearer, good[_i].realm != NULL);
	ck_assert_str_eq(c.realm, good[_i].realm != NULL ? good[_i].realm : "");
	ck_assert_str_eq(c.service, good[_i].service);
	ck_assert_int_eq(c.basic, good[_i].basic);
}
END_TEST

static const char *const bad[] = {
    "",
    " ",
    ",",
    "\"Bearer\"",
    "Bearer",
    "Bearer ",
    "Bearer token68==",
    "Bearer service=\"x\"",
    "Bearer realm=",
    "Bearer realm=\"\"",
    "Bearer realm=\"https://x/",
    "Bearer realm=\"https://x/\\",
    "Bearer realm=\"https://x/\"service=\"y\"",
    "Bearer realm=\"https://x/\" realm2=\"y\"",
    "Bearer realm=\"https://x/\",realm=\"https://evil/\"",
    "Bearer realm=\"https://x/\",REALM=\"https://evil/\"",
    "Bearer realm=\"https://x/\",service=a,service=b",
    "Bearer realm=\"https://x/\", Bearer realm=\"https://evil/\"",
    "Bearer realm=\"https://x/\x01\"",
    "Bearer realm=\"https://\xc3\xa4/\"",
    "Bearer realm=\"https://x/\r\nEvil: 1\"",
    "Bearer realm=https://x/",
    "Bearer realm='https://x/'\"",
    "Bearer =\"https://x/\"",
};

START_TEST(a_bad_challenge_is_refused_and_changes_nothing)
{
	struct ces_challenge c = {0}, zero = {0};

	ck_assert_msg(ces_challenge_parse(bad[_i], strlen(bad[_i]), &c) == -1, "%s", bad[_i]);
	ck_assert_mem_eq(&c, &zero, sizeof(c));
}
END_TEST

START_TEST(an_overlong_challenge_is_refused)
{
	char text[CES_CHALLENGE_MAX + 100];
	struct ces_challenge c = {0};

	memset(text, 'a', sizeof(text));
	ck_assert_int_eq(ces_challenge_parse(text, sizeof(text), &c), -1);
	memcpy(text, "Bearer realm=\"", 14);
	text[1200] = '"';
	ck_assert_int_eq(ces_challenge_parse(text, 1201, &c), -1); /* the realm does not fit */
}
END_TEST

/* Cuts a header at every place, at the end of readable memory: run it with the address
 * sanitizer. */
START_TEST(a_challenge_cut_anywhere_is_read_within_bounds)
{
	for (size_t n = 0; n <= strlen(good[_i].text); n++) {
		CES_CLEANUP_FREE char *copy = malloc(n + 1);
		struct ces_challenge c = {0};

		memcpy(copy, good[_i].text, n);
		(void)ces_challenge_parse(copy, n, &c);
	}
}
END_TEST

static int feed(struct ces_response *response, const char *const *lines, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ces_response_line(response, lines[i], strlen(lines[i])) < 0)
			return -1;
	return 0;
}

#define FEED(response, ...)                                                                        \
	feed((response), (const char *const[]){__VA_ARGS__},                                       \
	     sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

START_TEST(a_response_head_is_remembered)
{
	struct ces_response r = {0};

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 307 Temporary Redirect\r\n", "location:  /x \r\n",
			      "Content-Range: bytes 5-9/10\r\n", "Retry-After: 7\r\n", "\r\n"),
			 0);
	ck_assert_uint_eq(r.status, 307);
	ck_assert(r.ended && r.ranged && !r.encoded && !r.odd_location);
	ck_assert_str_eq(r.location, "/x");
	ck_assert_uint_eq(r.range_start, 5);
	ck_assert_uint_eq(r.range_total, 10);
	ck_assert_uint_eq(r.retry_after, 7);
}
END_TEST

START_TEST(an_interim_response_is_forgotten)
{
	struct ces_response r = {0};

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 103 Early Hints\r\n", "Location: /evil\r\n", "\r\n"),
			 0);
	ck_assert_int_eq(FEED(&r, "HTTP/1.1 200 OK\r\n", "\r\n"), 0);
	ck_assert_uint_eq(r.status, 200);
	ck_assert_str_eq(r.location, "");
}
END_TEST

START_TEST(a_second_final_response_is_refused)
{
	struct ces_response r = {0};

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n"), -1);
}
END_TEST

START_TEST(trailers_are_not_believed)
{
	struct ces_response r = {0};

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 200 OK\r\n", "\r\n", "Location: /evil\r\n"), 0);
	ck_assert_str_eq(r.location, "");
}
END_TEST

START_TEST(two_locations_or_an_overlong_one_are_odd)
{
	struct ces_response r = {0};
	static char line[CES_TARGET_MAX + 40];

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 302 Found\r\n", "Location: /a\r\n", "Location: /b\r\n"),
			 0);
	ck_assert(r.odd_location);
	memset(&r, 0, sizeof(r));
	memset(line, 'x', sizeof(line) - 1);
	memcpy(line, "Location: ", 10);
	ck_assert_int_eq(FEED(&r, "HTTP/1.1 302 Found\r\n", line), 0);
	ck_assert(r.odd_location && r.location[0] == '\0');
}
END_TEST

START_TEST(a_coding_that_was_not_requested_is_noticed)
{
	static const char *const lines[] = {
	    "Content-Encoding: gzip\r\n", "content-encoding: br\r\n",
	    "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding: gzip\r\n"};
	static const char *const fine[] = {"Content-Encoding: identity\r\n",
					   "Transfer-Encoding: chunked\r\n"};

	for (size_t i = 0; i < CES_COUNT(lines); i++) {
		struct ces_response r = {0};

		ck_assert_int_eq(FEED(&r, "HTTP/1.1 200 OK\r\n", lines[i]), 0);
		ck_assert_msg(r.encoded, "%s", lines[i]);
	}
	for (size_t i = 0; i < CES_COUNT(fine); i++) {
		struct ces_response r = {0};

		ck_assert_int_eq(FEED(&r, "HTTP/1.1 200 OK\r\n", fine[i]), 0);
		ck_assert_msg(!r.encoded, "%s", fine[i]);
	}
}
END_TEST

static const char *const ranges[] = {
    "bytes 5-4/10",
    "bytes 5-10/10",
    "bytes -5/10",
    "bytes 5-9",
    "items 5-9/10",
    "bytes 5-9/10x",
    "bytes +5-9/10",
    "bytes */10",
    "bytes 5-9/**",
    "",
    "bytes 5-9/99999999999999999999",
};

START_TEST(a_malformed_content_range_counts_as_none)
{
	struct ces_response r = {0};
	char line[100];

	(void)snprintf(line, sizeof(line), "Content-Range: %s\r\n", ranges[_i]);
	ck_assert_int_eq(FEED(&r, "HTTP/1.1 206 Partial\r\n", line), 0);
	ck_assert_msg(!r.ranged, "%s", ranges[_i]);
}
END_TEST

START_TEST(a_long_wait_is_capped)
{
	struct ces_response r = {0};

	ck_assert_int_eq(FEED(&r, "HTTP/1.1 429 Busy\r\n", "Retry-After: 86400\r\n"), 0);
	ck_assert_uint_eq(r.retry_after, CES_RETRY_AFTER_MAX);
	ck_assert_int_eq(FEED(&r, "Retry-After: Fri, 31 Dec 2999 23:59:59 GMT\r\n"), 0);
	ck_assert_uint_eq(r.retry_after, CES_RETRY_AFTER_MAX);
}
END_TEST

START_TEST(headers_are_capped)
{
	struct ces_response r = {0};
	int i, result = FEED(&r, "HTTP/1.1 200 OK\r\n");

	for (i = 0; result == 0 && i < 100000; i++)
		result = FEED(&r, "X-Padding: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n");
	ck_assert_int_eq(result, -1);
	ck_assert_uint_le(r.bytes, CES_RESPONSE_HEADERS_MAX + 100);
}
END_TEST

static const struct {
	const char *json, *token; /* NULL: refused */
} replies[] = {
    {"{\"token\":\"abc.def-_\"}", "abc.def-_"},
    {"{\"access_token\":\"abc\",\"expires_in\":300}", "abc"},
    {"{\"access_token\":\"old\",\"token\":\"new\"}", "new"},
    {"{\"token\":\"\",\"access_token\":\"abc\"}", "abc"},
    {"", NULL},
    {"{}", NULL},
    {"[]", NULL},
    {"null", NULL},
    {"\"abc\"", NULL},
    {"{\"token\":5}", NULL},
    {"{\"token\":{\"token\":\"x\"}}", NULL},
    {"{\"token\":\"a b\"}", NULL},
    {"{\"token\":\"a\\r\\nX-Evil: 1\"}", NULL},
    {"{\"token\":\"a\\u0000b\"}", NULL},
    {"{\"token\":\"\xc3\xa4\"}", NULL},
    {"{\"token\":\"a\"", NULL},
    {"{\"token\":\"a\"} {", NULL},
    {"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]],\"token\":\"a\"}", NULL},
};

START_TEST(a_token_reply_gives_its_token_or_nothing)
{
	char *token = NULL;
	int result = ces_auth_parse(replies[_i].json, strlen(replies[_i].json), &token, NULL);

	ck_assert_msg((result == 0) == (replies[_i].token != NULL), "%s", replies[_i].json);
	if (result == 0)
		ck_assert_str_eq(token, replies[_i].token);
	ces_auth_wipe(token);
}
END_TEST

START_TEST(the_scope_is_ours_and_the_realm_keeps_its_query)
{
	struct ces_hosts hosts;
	struct ces_strings none = {NULL, 0};
	struct ces_challenge challenge = {.bearer = true};
	struct ces_origin origin;
	CURLU *url = curl_url();
	char *text;

	(void)snprintf(challenge.realm, sizeof(challenge.realm), "https://r.example.org/t?x=1");
	(void)snprintf(challenge.service, sizeof(challenge.service), "a&scope=repository:z:push");
	ck_assert_int_eq(ces_hosts_fill("https://r.example.org", &none, &hosts, NULL), 0);
	ck_assert_int_eq(ces_auth_realm(url, &challenge, "lab/tool", &hosts, &origin, NULL), 0);
	ck_assert_int_eq(curl_url_get(url, CURLUPART_URL, &text, 0), CURLUE_OK);
	ck_assert_str_eq(text,
			 "https://r.example.org/t?x=1&service=a%26scope%3drepository%3az%3apush"
			 "&scope=repository%3alab%2ftool%3apull");
	curl_free(text);
	curl_url_cleanup(url);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_challenge");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, a_good_challenge_is_read, 0, (int)CES_COUNT(good));
	tcase_add_loop_test(tcase, a_bad_challenge_is_refused_and_changes_nothing, 0,
			    (int)CES_COUNT(bad));
	tcase_add_test(tcase, an_overlong_challenge_is_refused);
	tcase_add_loop_test(tcase, a_challenge_cut_anywhere_is_read_within_bounds, 0,
			    (int)CES_COUNT(good));
	tcase_add_test(tcase, a_response_head_is_remembered);
	tcase_add_test(tcase, an_interim_response_is_forgotten);
	tcase_add_test(tcase, a_second_final_response_is_refused);
	tcase_add_test(tcase, trailers_are_not_believed);
	tcase_add_test(tcase, two_locations_or_an_overlong_one_are_odd);
	tcase_add_test(tcase, a_coding_that_was_not_requested_is_noticed);
	tcase_add_loop_test(tcase, a_malformed_content_range_counts_as_none, 0,
			    (int)CES_COUNT(ranges));
	tcase_add_test(tcase, a_long_wait_is_capped);
	tcase_add_test(tcase, headers_are_capped);
	tcase_add_loop_test(tcase, a_token_reply_gives_its_token_or_nothing, 0,
			    (int)CES_COUNT(replies));
	tcase_add_test(tcase, the_scope_is_ours_and_the_realm_keeps_its_query);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
