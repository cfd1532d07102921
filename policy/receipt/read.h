/* Reads a receipt, and the manifest that it names. Its input may be anything. */
#ifndef CES_POLICY_RECEIPT_READ_H
#define CES_POLICY_RECEIPT_READ_H

#include <json-c/json.h>
#include <stdbool.h>

#include "common/name.h"
#include "policy/receipt/dsse.h"

/* Opens an envelope, and checks that it is a receipt: signed by this key, of the right type, with
 * the parts of every receipt. *ret_text and *ret are the caller's, also after a failure: the
 * statement as it was signed, malloc'd, and parsed. */
int ces_receipt_open(EVP_PKEY *key, const char *bytes, size_t length, char **ret_text,
		     struct json_object **ret, struct ces_error *err);

/* The value at a path of keys, "a.b.c"; NULL if it is not there. */
struct json_object *ces_receipt_at(struct json_object *tree, const char *way);

/* Returns whether it is this text. */
bool ces_receipt_is(struct json_object *tree, const char *way, const char *text);

/* The largest ces-run.json. */
#define CES_MANIFEST_FILE_MAX ((size_t)64 << 20)

/* The manifest of a ces-run.json, or of a file that has the manifest alone, on one line, as its
 * writer wrote it and hashed it. *ret is malloc'd. */
int ces_receipt_manifest(const char *bytes, size_t length, char **ret,
			 char ret_digest[CES_DIGEST_LENGTH + 1], struct ces_error *err);

#endif
