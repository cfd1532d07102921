/* Untrusted JSON (manifests, configurations): a strict subset of RFC 8259, then json-c. json-c
 * alone merges duplicate keys and forgives more than two readers would agree on (CVE-2021-41190 was
 * such a disagreement). So a scanner refuses those texts before json-c sees a byte. */
#ifndef CES_UNPACK_JSON_H
#define CES_UNPACK_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "common/error.h"
#include "common/wire.h"

#define CES_JSON_DEPTH 16

/* Parses one object of at most CES_JSON_DEPTH levels. Refused: a byte order mark, anything before
 * or after the object but white space, duplicate keys (also keys that are equal only after
 * unescaping, and, except in maps such as annotations and Labels, keys that differ only in case),
 * \u0000, lone surrogates, invalid UTF-8. *ret is released with json_object_put. CES_E_IMAGE. */
int ces_json_parse(const char *bytes, size_t length, struct json_object **ret,
		   struct ces_error *err);

/* Whether an object has the member `key`, even if it is null (*ret is NULL then). A key that
 * differs from it only in case is an error: Go's encoding/json takes it for the same, so that
 * scanners and registries read another document than this one. */
int ces_json_find(struct json_object *object, const char *key, bool *ret_there,
		  struct json_object **ret, struct ces_error *err);

/* The member `key` of an object, or NULL if it is absent or null. A member of another type is an
 * error. */
int ces_json_member(struct json_object *object, const char *key, enum json_type type,
		    struct json_object **ret, struct ces_error *err);

/* The same for a string (NULL when absent) that lives as long as the object. */
int ces_json_text(struct json_object *object, const char *key, const char **ret,
		  struct ces_error *err);

/* A whole number from 0 to max, which must be there. */
int ces_json_number(struct json_object *object, const char *key, uint64_t max, uint64_t *ret,
		    struct ces_error *err);

/* An array of strings; an absent one is empty. ret->v is malloc'd, and the strings live as long as
 * the object. */
int ces_json_texts(struct json_object *object, const char *key, size_t max, struct ces_strings *ret,
		   struct ces_error *err);

#endif
