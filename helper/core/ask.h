/* Asking ces-parse: root's programs read no JSON. */
#ifndef CES_HELPER_CORE_ASK_H
#define CES_HELPER_CORE_ASK_H

#include <stddef.h>

#include "policy/parsed.h"

/* Has one file's bytes read; *ret is the block, malloc'd, to be loaded by policy/flat.h, or NULL
 * when there is none. What the file is refused for is the error, with this code. */
int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *err);

#endif
