/* Tests which hosts and addresses ces-fetch may talk to, and which URLs it takes. */
/* links: helper/fetch/address.c helper/fetch/target.c */
#include <arpa/inet.h>
#include <check.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/fetch/target.h"

static const struct {
	const char *text;
	enum ces_address_kind kind;
} addresses[] = {
    {"140.82.121.34", CES_ADDRESS_ORDINARY},
    {"10.1.2.3", CES_ADDRESS_ORDINARY}, /* a safe haven's proxy */
    {"172.16.0.1", CES_ADDRESS_ORDINARY},
    {"192.168.1.1", CES_ADDRESS_ORDINARY},
    {"126.255.255.255", CES_ADDRESS_ORDINARY},
    {"128.0.0.0", CES_ADDRESS_ORDINARY},
    {"127.0.0.1", CES_ADDRESS_LOOPBACK},
    {"127.255.255.254", CES_ADDRESS_LOOPBACK},
    {"0.0.0.0", CES_ADDRESS_REFUSED},
    {"0.1.2.3", CES_ADDRESS_REFUSED},
    {"169.254.169.254", CES_ADDRESS_REFUSED},
    {"169.253.255.255", CES_ADDRESS_ORDINARY},
    {"224.0.0.1", CES_ADDRESS_REFUSED},
    {"239.255.255.255", CES_ADDRESS_REFUSED},
    {"240.0.0.1", CES_ADDRESS_REFUSED},
    {"255.255.255.255", CES_ADDRESS_REFUSED},
    {"2606:50c0:8000::154", CES_ADDRESS_ORDINARY},
    {"fd00::2", CES_ADDRESS_ORDINARY},
    {"::", CES_ADDRESS_REFUSED},
    {"::1", CES_ADDRESS_LOOPBACK},
    {"fe80::1", CES_ADDRESS_REFUSED},
    {"febf::1", CES_ADDRESS_REFUSED},
    {"fec0::1", CES_ADDRESS_ORDINARY},
    {"ff02::1", CES_ADDRESS_REFUSED},
    {"::ffff:127.0.0.1", CES_ADDRESS_LOOPBACK},
    {"::ffff:169.254.169.254", CES_ADDRESS_REFUSED},
    {"::ffff:10.0.0.1", CES_ADDRESS_ORDINARY},
    {"::127.0.0.1", CES_ADDRESS_LOOPBACK},
    {"::169.254.169.254", CES_ADDRESS_REFUSED},
    {"64:ff9b::a9fe:a9fe", CES_ADDRESS_REFUSED},
    {"64:ff9b::7f00:1", CES_ADDRESS_LOOPBACK},
    {"64:ff9b::8c52:7922", CES_ADDRESS_ORDINARY},
    {"64:ff9b:1::a9fe:a9fe", CES_ADDRESS_REFUSED},
    {"2002:7f00:1::", CES_ADDRESS_LOOPBACK},
    {"2002:a9fe:a9fe::1", CES_ADDRESS_REFUSED},
};

static enum ces_address_kind classify(const char *text)
{
	struct sockaddr_in in = {.sin_family = AF_INET};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return ces_address_classify((struct sockaddr *)&in, sizeof(in));
	ck_assert_int_eq(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return ces_address_classify((struct sockaddr *)&in6, sizeof(in6));
}

START_TEST(each_address_is_of_its_kind)
{
	ck_assert_msg(classify(addresses[_i].text) == addresses[_i].kind, "%s", addresses[_i].text);
}
END_TEST

START_TEST(an_unknown_family_or_a_short_address_is_refused)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_UNIX};

	ck_assert_int_eq(ces_address_classify((struct sockaddr *)&in6, sizeof(in6)),
			 CES_ADDRESS_REFUSED);
	in6.sin6_family = AF_INET6;
	in6.sin6_addr = in6addr_loopback;
	ck_assert_int_eq(ces_address_classify((struct sockaddr *)&in6, 8), CES_ADDRESS_REFUSED);
}
END_TEST

static const struct {
	const char *text, *host;
	unsigned port; /* 0: refused */
} origins[] = {
    {"ghcr.io", "ghcr.io", 443},
    {"GHCR.io", "ghcr.io", 443},
    {"ghcr.io:5000", "ghcr.io", 5000},
    {"10.0.0.1:1", "10.0.0.1", 1},
    {"[fd00::1]", "[fd00::1]", 443},
    {"[FD00::1]:65535", "[fd00::1]", 65535},
    {"", "", 0},
    {":443", "", 0},
    {"ghcr.io:", "", 0},
    {"ghcr.io:0", "", 0},
    {"ghcr.io:65536", "", 0},
    {"ghcr.io:+1", "", 0},
    {"ghcr.io/path", "", 0},
    {"user@ghcr.io", "", 0},
    {"ghcr.io evil", "", 0},
    {"ghcr.io\\evil", "", 0},
    {"ghcr%2eio", "", 0},
    {"gh\xc3\xa9r.io", "", 0},
    {".ghcr.io", "", 0},
    {"-ghcr.io", "", 0},
    {"[fe80::1%25eth0]", "", 0},
    {"[]", "", 0},
    {"[fd00::1", "", 0},
    {"fd00::1", "", 0},
};

START_TEST(each_origin_is_read_or_refused)
{
	struct ces_origin origin;
	int result = ces_origin_parse(origins[_i].text, &origin);

	ck_assert_msg((result == 0) == (origins[_i].port != 0), "%s", origins[_i].text);
	if (result == 0) {
		ck_assert_str_eq(origin.host, origins[_i].host);
		ck_assert_uint_eq(origin.port, origins[_i].port);
	}
}
END_TEST

START_TEST(an_overlong_host_is_refused)
{
	struct ces_origin origin;
	char text[300];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(ces_origin_parse(text, &origin), -1);
	text[253] = '\0';
	ck_assert_int_eq(ces_origin_parse(text, &origin), 0);
}
END_TEST

static const struct {
	const char *host;
	bool loopback;
} written[] = {
    {"localhost", true},
    {"registry.localhost", true},
    {"127.0.0.1", true},
    {"127.9.9.9", true},
    {"[::1]", true},
    {"evil-localhost", false},
    {"localhost.evil.org", false},
    {"127.0.0.1.evil.org", false},
    {"128.0.0.1", false},
};

START_TEST(only_a_host_written_as_loopback_may_be_loopback)
{
	struct ces_origin origin;

	ck_assert_int_eq(ces_origin_parse(written[_i].host, &origin), 0);
	ck_assert_msg(ces_origin_is_loopback(&origin) == written[_i].loopback, "%s",
		      written[_i].host);
}
END_TEST

static struct ces_hosts hosts(void)
{
	static char *others[] = {(char *)(uintptr_t) "auth.example.org",
				 (char *)(uintptr_t) "blobs.example.org:8443"};
	struct ces_strings list = {others, 2};
	struct ces_hosts ret;

	ck_assert_int_eq(ces_hosts_fill("https://registry.example.org:5000", &list, &ret, NULL), 0);
	return ret;
}

/* A relative URL is resolved against https://registry.example.org:5000/v2/lab/tool/blobs/x */
static const struct {
	const char *text;
	const char *url; /* NULL: refused */
} targets[] = {
    {"https://registry.example.org:5000/token", "https://registry.example.org:5000/token"},
    {"https://auth.example.org/token?a=b", "https://auth.example.org/token?a=b"},
    {"https://AUTH.example.org:443/token", "https://AUTH.example.org:443/token"},
    {"https://blobs.example.org:8443/x", "https://blobs.example.org:8443/x"},
    {"/store/x?y", "https://registry.example.org:5000/store/x?y"},
    {"//auth.example.org/x", "https://auth.example.org/x"},
    {"https://registry.example.org/token", NULL}, /* another port of the same host */
    {"https://registry.example.org:5001/token", NULL},
    {"https://auth.example.org:8443/", NULL},
    {"https://blobs.example.org/x", NULL},
    {"https://evil.example.org/", NULL},
    {"//evil.example.org/", NULL},
    {"https://auth.example.org.evil.org/", NULL},
    {"https://auth.example.org@evil.example.org/", NULL},
    {"https://user:password@auth.example.org/", NULL},
    {"https://user@auth.example.org/", NULL},
    {"https://evil.example.org\\@auth.example.org/", NULL},
    {"https://auth.example.org\\.evil.org/", NULL},
    {"http://auth.example.org/token", NULL},
    {"HTTP://registry.example.org:5000/", NULL},
    {"ftp://auth.example.org/", NULL},
    {"file:///etc/passwd", NULL},
    {"scp://auth.example.org/x", NULL},
    {"gopher://auth.example.org/", NULL},
    {"javascript:alert(1)", NULL},
    {"https://169.254.169.254/latest/", NULL},
    {"https://2852039166/latest/", NULL},
    {"https://auth.example.org/ x", NULL},
    {"https://auth.example.org/\r\nHost:evil", NULL},
    {"https://auth.ex\xc3\xa4mple.org/", NULL},
    {"https://auth.example.org%00.evil.org/", NULL},
    {"https://[fe80::1%25eth0]/", NULL},
    {"https://", NULL},
    {"https:///x", NULL},
    {"https://auth.example.org:99999/", NULL},
};

START_TEST(each_url_is_taken_or_refused)
{
	const struct ces_hosts allowed = hosts();
	struct ces_origin origin;
	struct ces_error err = {0};
	CURLU *url = curl_url();
	char *text = NULL;
	int result;

	ck_assert_int_eq(ces_target_set(url,
					"https://registry.example.org:5000/v2/lab/tool/blobs/x",
					&allowed, &origin, &err),
			 0);
	result = ces_target_set(url, targets[_i].text, &allowed, &origin, &err);
	ck_assert_msg((result == 0) == (targets[_i].url != NULL), "%s", targets[_i].text);
	if (result == 0) {
		ck_assert_int_eq(curl_url_get(url, CURLUPART_URL, &text, 0), CURLUE_OK);
		ck_assert_str_eq(text, targets[_i].url);
		curl_free(text);
	} else {
		ck_assert_int_eq(err.code, CES_E_REGISTRY);
	}
	curl_url_cleanup(url);
}
END_TEST

START_TEST(a_relative_url_alone_is_refused)
{
	const struct ces_hosts allowed = hosts();
	struct ces_origin origin;
	CURLU *url = curl_url();

	ck_assert_int_eq(ces_target_set(url, "/token", &allowed, &origin, NULL), -1);
	ck_assert_int_eq(ces_target_set(url, "auth.example.org/token", &allowed, &origin, NULL),
			 -1);
	curl_url_cleanup(url);
}
END_TEST

START_TEST(an_endpoint_that_is_not_https_is_refused)
{
	static const char *const bad[] = {"http://registry.example.org", "registry.example.org",
					  "https://registry.example.org/path",
					  "https://u@registry.org", "https://"};
	struct ces_strings none = {NULL, 0};
	struct ces_hosts ret;

	for (size_t i = 0; i < CES_COUNT(bad); i++)
		ck_assert_msg(ces_hosts_fill(bad[i], &none, &ret, NULL) < 0, "%s", bad[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fetch_address");
	TCase *tcase = tcase_create("all");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(tcase, each_address_is_of_its_kind, 0, (int)CES_COUNT(addresses));
	tcase_add_test(tcase, an_unknown_family_or_a_short_address_is_refused);
	tcase_add_loop_test(tcase, each_origin_is_read_or_refused, 0, (int)CES_COUNT(origins));
	tcase_add_test(tcase, an_overlong_host_is_refused);
	tcase_add_loop_test(tcase, only_a_host_written_as_loopback_may_be_loopback, 0,
			    (int)CES_COUNT(written));
	tcase_add_loop_test(tcase, each_url_is_taken_or_refused, 0, (int)CES_COUNT(targets));
	tcase_add_test(tcase, a_relative_url_alone_is_refused);
	tcase_add_test(tcase, an_endpoint_that_is_not_https_is_refused);
	suite_add_tcase(suite, tcase);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
