/* ces-policy audit show, for a proof: what the kernel said about a container before its program
 * began. It must show an unknown field, or one of an unexpected type, as it is. */
#include <ctype.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>

#include "common/cleanup.h"
#include "policy/tool/audit.h"

static void print_label(FILE *out, const char *label)
{
	fprintf(out, "  %-10s ", label);
}

/* The numbers in the hexadecimal text, by name. */
static void print_capabilities(FILE *out, const char *label, struct json_object *sets,
			       const char *key)
{
	struct json_object *set;
	uint64_t bits;

	if (!json_object_object_get_ex(sets, key, &set) || set == NULL)
		return;
	bits = strtoull(json_object_get_string(set), NULL, 16);
	print_label(out, label);
	fprintf(out, "%s%s", key, bits == 0 ? " none" : "");
	for (int i = 0; i < 64; i++) {
		char *name = (bits >> i & 1) == 0 ? NULL : cap_to_name(i);

		for (char *at = name; at != NULL && *at != '\0'; at++)
			*at = (char)toupper((unsigned char)*at);
		if (name != NULL) {
			fprintf(out, " %s", name);
			(void)cap_free(name);
		}
	}
	fputc('\n', out);
}

static void print_all_capabilities(FILE *out, struct json_object *sets)
{
	static const char *const keys[] = {"effective", "permitted", "inheritable", "bounding",
					   "ambient"};

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		print_capabilities(out, i == 0 ? "may" : "", sets, keys[i]);
}

static void print_numbers(FILE *out, const char *label, struct json_object *object)
{
	print_label(out, label);
	json_object_object_foreach(object, key, value)
	{
		fprintf(out, "%s %s  ", key, json_object_get_string(value));
	}
	fputc('\n', out);
}

/* Words on one line, or one on each. */
static void print_list(FILE *out, const char *label, struct json_object *list, bool lines)
{
	size_t n = json_object_array_length(list);

	if (!lines)
		print_label(out, label);
	for (size_t i = 0; i < n; i++) {
		if (lines)
			print_label(out, i == 0 ? label : "");
		fprintf(out, "%s%s", json_object_get_string(json_object_array_get_idx(list, i)),
			lines ? "\n" : " ");
	}
	if (!lines)
		fputs(n == 0 ? "none\n" : "\n", out);
}

/* Returns whether the key is in every record, and was printed before. */
static bool is_common(const char *key)
{
	for (unsigned k = 0; k < CES_RECORD_KEYS; k++)
		if (strcmp(ces_record_name(k), key) == 0)
			return true;
	return false;
}

void ces_show_proof(FILE *out, struct json_object *tree)
{
	json_object_object_foreach(tree, key, value)
	{
		bool object = json_object_is_type(value, json_type_object);

		if (is_common(key))
			continue;
		if (object && strcmp(key, "capabilities") == 0)
			print_all_capabilities(out, value);
		else if (object)
			print_numbers(out, key, value);
		else if (json_object_is_type(value, json_type_array))
			print_list(out, key, value, strcmp(key, "mounted") == 0);
		else
			fprintf(out, "  %-10s %s\n", key, json_object_get_string(value));
	}
}
