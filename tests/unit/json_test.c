/* Tests the JSON that root writes: json-c reads it back. */
/* links: helper/session/json.c */
#include <check.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "helper/session/json.h"
#include "tests/unit/policy_fixture.h"

/* Parses strictly: a second value behind the first is an error. */
static struct json_object *parse(const char *text)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object;

	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	ck_assert_int_eq(json_tokener_get_error(tokener), json_tokener_success);
	json_tokener_free(tokener);
	return object;
}

START_TEST(every_byte_of_a_text_comes_back)
{
	struct ces_json json = {0};
	struct json_object *object;
	char all[256];

	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	ces_json_object(&json, NULL);
	ces_json_text(&json, all, all);
	ces_json_close(&json);
	object = parse(ces_json_end(&json));
	json_object_object_foreach(object, key, value)
	{
		ck_assert_str_eq(key, all);
		ck_assert_str_eq(json_object_get_string(value), all);
	}
	ck_assert_int_eq(json_object_object_length(object), 1);
	json_object_put(object);
	ces_json_free(&json);
}
END_TEST

START_TEST(a_text_cannot_end_its_own_value)
{
	struct ces_json json = {0};
	struct json_object *object;

	ces_json_object(&json, NULL);
	ces_json_text(&json, "image", "x\",\"status\":0,\"y\":\"\\");
	ces_json_number(&json, "status", 125);
	object = parse(ces_json_end(&json));
	ck_assert_int_eq(json_object_object_length(object), 2);
	ck_assert_int_eq(json_object_get_int(json_object_object_get(object, "status")), 125);
	json_object_put(object);
	ces_json_free(&json);
}
END_TEST

START_TEST(parts_values_and_members_are_where_they_were_put)
{
	struct ces_json found = {0}, none = {0}, json = {0};

	ces_json_object(&none, NULL);
	(void)ces_json_end(&none);
	ces_json_object(&found, NULL);
	ces_json_list(&found, "network");
	ces_json_text(&found, NULL, "lo");
	ces_json_text(&found, NULL, "sit0");
	ces_json_close(&found);
	ces_json_number(&found, "masked", UINT64_MAX);
	(void)ces_json_end(&found);
	ces_json_object(&json, NULL);
	ces_json_members(&json, &none);
	ces_json_object(&json, "empty");
	ces_json_close(&json);
	ces_json_list(&json, "list");
	ces_json_close(&json);
	ces_json_members(&json, &found);
	ces_json_raw(&json, "raw", "[1]");
	ces_json_bool(&json, "yes", true);
	ces_json_bool(&json, "no", false);
	ck_assert_str_eq(ces_json_end(&json),
			 "{\"empty\":{},\"list\":[],\"network\":[\"lo\",\"sit0\"],\"masked\":"
			 "18446744073709551615,\"raw\":[1],\"yes\":true,\"no\":false}");
	ces_json_free(&json);
	ces_json_free(&found);
	ces_json_free(&none);
}
END_TEST

START_TEST(an_open_part_is_closed_at_the_end)
{
	struct ces_json json = {0};

	ces_json_object(&json, NULL);
	ces_json_object(&json, "capabilities");
	ces_json_list(&json, "found");
	ces_json_text(&json, NULL, "x");
	ck_assert_str_eq(ces_json_end(&json), "{\"capabilities\":{\"found\":[\"x\"]}}");
	ces_json_free(&json);
}
END_TEST

START_TEST(a_text_that_is_too_deep_is_refused)
{
	struct ces_json json = {0}, outer = {0};

	for (size_t i = 0; i <= CES_JSON_DEPTH; i++)
		ces_json_list(&json, NULL);
	ck_assert_ptr_null(ces_json_end(&json));
	ces_json_object(&outer, NULL);
	ces_json_members(&outer, &json);
	ck_assert_ptr_null(ces_json_end(&outer));
	ces_json_free(&outer);
	ces_json_free(&json);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("json");

	tcase_add_test(t, every_byte_of_a_text_comes_back);
	tcase_add_test(t, a_text_cannot_end_its_own_value);
	tcase_add_test(t, parts_values_and_members_are_where_they_were_put);
	tcase_add_test(t, an_open_part_is_closed_at_the_end);
	tcase_add_test(t, a_text_that_is_too_deep_is_refused);
	return run_suite("json", t);
}
