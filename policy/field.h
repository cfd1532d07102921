/* Reads a JSON tree into structs by tables: which keys an object may have, how each is read, and
 * where it goes. It refuses a document with a key in no table. Internal to policy/. */
#ifndef CES_POLICY_FIELD_H
#define CES_POLICY_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <json-c/json.h>

#include "common/error.h"
#include "policy/scan.h"

struct ces_field_block;

struct ces_fields {
	const char *bytes; /* the document, for line numbers */
	size_t length;
	struct ces_field_block *blocks; /* every allocation */
	unsigned own; /* the `own` bits of every row read since somebody cleared it */
	void *user;
	struct ces_error *err;
	/* NULL: the first fault ends the reading. Else report gets each fault, with the path of its
	 * key. 0 goes on; then the values that were read are good for nothing but finding the next
	 * fault. */
	int (*report)(void *context, const char *path, const char *text);
	void *context;
};

struct ces_field_at; /* one value, and its place */
typedef int ces_field_reader(struct ces_fields *in, const struct ces_field_at *at, void *ret);

struct ces_field {
	const char *key;
	ces_field_reader *read;
	size_t offset;
	const void *param; /* the reader's parameter, see each */
	unsigned own;
	bool required;
};

struct ces_field_at {
	struct ces_scan_place place;
	struct json_object *value;
	const struct ces_field *row;
};

/* Ends a table of rows. */
#define CES_FIELD_END                                                                              \
	{                                                                                          \
		.key = NULL                                                                        \
	}

/* A list [ ], or an object whose keys are names, of which each element is read by `row`. */
struct ces_field_each {
	bool named;
	size_t size; /* of an element, zeroed before it is read */
	struct ces_field row;
};

struct ces_field_text {
	bool (*valid)(const char *text);
	const char *say; /* completes "must be ..." */
};

struct ces_field_range {
	uint64_t min, max;
};

struct ces_field_measure {
	int (*parse)(const char *text, uint64_t *ret);
	uint64_t max;
	const char *say;
};

/* Quantities as a site writes them. */
extern const struct ces_field_measure ces_as_cpus, ces_as_size, ces_as_time;

/* Readers; param and the type behind ret in brackets. */
ces_field_reader ces_field_object; /* [rows up to CES_FIELD_END; the struct] */
ces_field_reader ces_field_list; /* [struct ces_field_each; a pointer and, next to it, a size_t] */
ces_field_reader ces_field_string;   /* [struct ces_field_text; char *] */
ces_field_reader ces_field_strings;  /* [struct ces_field_text; struct ces_strings] */
ces_field_reader ces_field_number;   /* [struct ces_field_range; uint64_t] */
ces_field_reader ces_field_quantity; /* [struct ces_field_measure; uint64_t, never 0] */
ces_field_reader ces_field_date;     /* [-; time_t, first second after] */
ces_field_reader ces_field_bool;     /* [-; bool] */
ces_field_reader ces_field_version;  /* [-; nothing]: it must be 1 */
ces_field_reader ces_field_word;     /* [NULL-terminated const char *[]; an enum, by index] */

/* Reads one document by a table of rows, strictly (see policy/scan.h), over the content of *ret. */
int ces_field_document(struct ces_fields *in, const char *bytes, size_t length,
		       const struct ces_field *rows, void *ret);

/* The same for a separate document, into *ret, which is zeroed. *ret_memory: what it points to;
 * free it with ces_field_free. On failure there is none, and *ret must not be used. */
int ces_field_read(const char *bytes, size_t length, const struct ces_field *rows, void *ret,
		   struct ces_field_block **ret_memory, struct ces_error *err);

/* Writes "line, column: key path must be ..." and returns -1, or what in->report returns. */
int ces_field_fault(struct ces_fields *in, const struct ces_field_at *at, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Zeroed memory, and a copied string, until ces_field_free. NULL with err set if there is no
 * memory. */
void *ces_field_alloc(struct ces_fields *in, size_t n, size_t size);
char *ces_field_copy(struct ces_fields *in, const char *text);
void ces_field_free(struct ces_field_block *blocks);

#endif
