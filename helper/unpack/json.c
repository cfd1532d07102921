/* Strict parsing of untrusted JSON, and typed access to its values. It must never print, nor guess
 * a type. */
#include "helper/unpack/json.h"

#include <limits.h>
#include <string.h>

#include "helper/unpack/json_scan.h"

int ces_json_parse(const char *bytes, size_t length, struct json_object **ret,
		   struct ces_error *err)
{
	const char *fault = ces_json_scan(bytes, length);
	struct json_tokener *tokener;
	struct json_object *object;

	if (fault != NULL)
		return ces_error_set(err, CES_E_IMAGE, "it %s", fault);
	if (length > INT_MAX)
		return ces_error_set(err, CES_E_IMAGE, "it is too large");
	tokener = json_tokener_new_ex(CES_JSON_DEPTH + 1);
	if (tokener == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	object = json_tokener_parse_ex(tokener, bytes, (int)length);
	json_tokener_free(tokener);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return ces_error_set(err, CES_E_IMAGE, "it is not a JSON object");
	}
	*ret = object;
	return 0;
}

/* Returns whether name, which is UTF-8, is key (which is ASCII) in any case. */
static bool folds_to(const char *name, const char *key)
{
	for (; *key != '\0'; key++) {
		uint32_t point = (uint8_t)*name++;

		if (point == 0xc5 && (uint8_t)*name == 0xbf)
			point = 0x17f, name++;
		else if (point == 0xe2 && strncmp(name, "\x84\xaa", 2) == 0)
			point = 0x212a, name += 2;
		if (ces_json_fold(point) != ces_json_fold((uint8_t)*key))
			return false;
	}
	return *name == '\0';
}

int ces_json_find(struct json_object *object, const char *key, bool *ret_there,
		  struct json_object **ret, struct ces_error *err)
{
	json_object_object_foreach(object, name, ignored)
	{
		(void)ignored;
		if (folds_to(name, key) && strcmp(name, key) != 0)
			return ces_error_set(err, CES_E_IMAGE,
					     "it has \"%.40s\", which some programs read as \"%s\"",
					     name, key);
	}
	*ret = NULL;
	*ret_there = json_object_object_get_ex(object, key, ret);
	return 0;
}

int ces_json_member(struct json_object *object, const char *key, enum json_type type,
		    struct json_object **ret, struct ces_error *err)
{
	struct json_object *member = NULL;
	bool there = false;

	if (ces_json_find(object, key, &there, &member, err) < 0)
		return -1;
	if (member != NULL && json_object_get_type(member) != type)
		return ces_error_set(err, CES_E_IMAGE, "\"%s\" is not of type %s", key,
				     json_type_to_name(type));
	*ret = member;
	return 0;
}

int ces_json_text(struct json_object *object, const char *key, const char **ret,
		  struct ces_error *err)
{
	struct json_object *member = NULL;

	if (ces_json_member(object, key, json_type_string, &member, err) < 0)
		return -1;
	*ret = member == NULL ? NULL : json_object_get_string(member);
	return 0;
}

int ces_json_number(struct json_object *object, const char *key, uint64_t max, uint64_t *ret,
		    struct ces_error *err)
{
	struct json_object *member = NULL;
	int64_t number;

	if (ces_json_member(object, key, json_type_int, &member, err) < 0)
		return -1;
	if (member == NULL)
		return ces_error_set(err, CES_E_IMAGE, "\"%s\" is missing", key);
	/* json-c clamps numbers: the largest is then above any max, and the smallest below 0. */
	number = json_object_get_int64(member);
	if (number < 0 || (uint64_t)number > max)
		return ces_error_set(err, CES_E_IMAGE, "\"%s\" is out of range", key);
	*ret = (uint64_t)number;
	return 0;
}

int ces_json_texts(struct json_object *object, const char *key, size_t max, struct ces_strings *ret,
		   struct ces_error *err)
{
	struct ces_strings texts = {NULL, 0};
	struct json_object *array = NULL;

	if (ces_json_member(object, key, json_type_array, &array, err) < 0)
		return -1;
	texts.n = array == NULL ? 0 : json_object_array_length(array);
	if (texts.n > max)
		return ces_error_set(err, CES_E_IMAGE, "\"%s\" has %zu entries, more than %zu", key,
				     texts.n, max);
	texts.v = calloc(texts.n + 1, sizeof(*texts.v));
	if (texts.v == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < texts.n; i++) {
		struct json_object *entry = json_object_array_get_idx(array, i);

		if (!json_object_is_type(entry, json_type_string)) {
			free(texts.v);
			return ces_error_set(err, CES_E_IMAGE,
					     "\"%s\" holds something that is not a string", key);
		}
		/* json-c's strings are const by contract only; nothing here writes to them. */
		texts.v[i] = (char *)(uintptr_t)json_object_get_string(entry);
	}
	*ret = texts;
	return 0;
}
