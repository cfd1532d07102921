/* Goes from an envelope to a statement with the parts of a receipt. It must not believe a word
 * before it has checked the signature. */
#include "policy/receipt/read.h"

#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "policy/receipt/statement.h"
#include "policy/scan.h"

struct json_object *ces_receipt_at(struct json_object *tree, const char *way)
{
	char key[64];

	while (tree != NULL && *way != '\0') {
		size_t n = strcspn(way, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, way);
		if (!json_object_is_type(tree, json_type_object) ||
		    !json_object_object_get_ex(tree, key, &tree))
			return NULL;
		way += n + (way[n] == '.');
	}
	return tree;
}

bool ces_receipt_is(struct json_object *tree, const char *way, const char *text)
{
	struct json_object *value = ces_receipt_at(tree, way);

	return json_object_is_type(value, json_type_string) &&
	       strcmp(json_object_get_string(value), text) == 0;
}

/* The parts that every receipt has; the schema has the rest. */
static int check_statement(struct json_object *statement, struct ces_error *err)
{
	static const char *const texts[] = {
	    "run",     "image.digest", "permission.policy",  "project",
	    "decided", "ended",        "journal.head.digest"};

	if (!ces_receipt_is(statement, "_type", CES_STATEMENT_TYPE) ||
	    !ces_receipt_is(statement, "predicateType", CES_PREDICATE_TYPE))
		return ces_error_set(err, CES_E_USAGE,
				     "well signed, but not a receipt of a run: another type");
	for (size_t i = 0; i < CES_COUNT(texts); i++) {
		char way[64];

		snprintf(way, sizeof(way), "predicate.%s", texts[i]);
		if (!json_object_is_type(ces_receipt_at(statement, way), json_type_string))
			return ces_error_set(err, CES_E_USAGE,
					     "well signed, but not a receipt: it has no %s", way);
	}
	return 0;
}

int ces_receipt_open(EVP_PKEY *key, const char *bytes, size_t length, char **ret_text,
		     struct json_object **ret, struct ces_error *err)
{
	if (ces_dsse_open(key, CES_STATEMENT_MEDIA, bytes, length, ret_text, err) != 0)
		return -1;
	if (ces_scan_check(*ret_text, strlen(*ret_text), err) != 0)
		return ces_error_context(err, "the statement");
	*ret = json_tokener_parse(*ret_text);
	return check_statement(*ret, err);
}

int ces_receipt_manifest(const char *bytes, size_t length, char **ret,
			 char ret_digest[CES_DIGEST_LENGTH + 1], struct ces_error *err)
{
	struct json_object *tree, *manifest;

	if (ces_scan_check(bytes, length, err) != 0)
		return -1;
	tree = json_tokener_parse(bytes);
	manifest =
	    ces_receipt_at(tree, "ces_manifest") != NULL ? tree : ces_receipt_at(tree, "manifest");
	*ret = NULL;
	if (json_object_is_type(manifest, json_type_object))
		*ret = strdup(json_object_to_json_string_ext(
		    manifest, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(tree);
	if (*ret == NULL)
		return ces_error_set(err, CES_E_USAGE, "it has no manifest");
	ces_digest_of(*ret, strlen(*ret), ret_digest);
	return 0;
}
