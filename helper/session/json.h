/* Writes JSON as it comes: the journal's records and the runtime's config.json (RFC 8259). Root
 * writes JSON and never reads any. Must not put a byte of a value where it could end that value:
 * quotes, backslashes and control characters are escaped, all other bytes are copied. */
#ifndef CES_HELPER_SESSION_JSON_H
#define CES_HELPER_SESSION_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CES_JSON_DEPTH 8

/* A buffer that grows. Zeroed: empty. */
struct ces_bytes_out {
	char *text; /* malloc'd */
	size_t used, size;
	bool failed; /* no memory: something is missing */
};

void ces_bytes_add(struct ces_bytes_out *out, const char *bytes, size_t n);

/* Zeroed: nothing is written. Close each part that was opened, or ces_json_end closes it. */
struct ces_json {
	struct ces_bytes_out out;   /* no NUL at the end before ces_json_end */
	char close[CES_JSON_DEPTH]; /* the end of each open part */
	size_t depth;               /* too deep is a failure, too: ces_json_end reports it */
};

/* key: NULL in a list, and for the whole. */
void ces_json_object(struct ces_json *json, const char *key);
void ces_json_list(struct ces_json *json, const char *key);
void ces_json_close(struct ces_json *json);
void ces_json_text(struct ces_json *json, const char *key, const char *value);
void ces_json_number(struct ces_json *json, const char *key, uint64_t value);
void ces_json_bool(struct ces_json *json, const char *key, bool value);

/* value is JSON already: a file of CES's own. */
void ces_json_raw(struct ces_json *json, const char *key, const char *value);

/* Writes the members of another object, which was ended. */
void ces_json_members(struct ces_json *json, const struct ces_json *object);

/* Closes the open parts and returns the text, which json still owns; NULL if it is not whole. */
const char *ces_json_end(struct ces_json *json);
void ces_json_free(struct ces_json *json);

#endif
