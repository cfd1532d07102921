/* A struct, and all that its pointers lead to, as one block of bytes. In this form a request, a
 * policy or a specification of devices goes from the process that reads its bytes to the one that
 * acts on it.
 *
 * The block has no addresses. It is the struct with a 1 for each pointer that leads somewhere,
 * then, in the order in which a table names the pointers, what they lead to: a text with its NUL,
 * or a list of structs (at a multiple of 8), each followed by its own in the same way. So there is
 * one block for one struct, and nothing in it can be named twice. A block that is longer, shorter
 * or in another order is invalid. */
#ifndef CES_POLICY_FLAT_H
#define CES_POLICY_FLAT_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

struct ces_flat_type;

struct ces_flat_field {
	size_t offset;                  /* of the pointer, or of a struct inside this one */
	size_t count;                   /* offset of how many; for a list */
	const struct ces_flat_type *of; /* NULL: a text */
	int list;                       /* 0: a text, or a struct inside this one */
};

struct ces_flat_type {
	size_t size;
	const struct ces_flat_field *fields;
	size_t n_fields;
};

extern const struct ces_flat_type ces_flat_text;    /* char *, for lists of texts */
extern const struct ces_flat_type ces_policy_flat;  /* struct ces_policy, but for `memory` */
extern const struct ces_flat_type ces_request_flat; /* struct ces_request, the same */
extern const struct ces_flat_type ces_cdi_flat;     /* struct ces_cdi_spec, the same */

/* Makes the block, malloc'd. */
int ces_flat_pack(const struct ces_flat_type *type, const void *object, uint8_t **ret,
		  size_t *ret_length, struct ces_error *err);

/* Turns a block (malloc'd, so that it is aligned) into the struct, in place. -1 with CES_E_INTERNAL
 * if it is not whole and exact. It takes numbers as they are. */
int ces_flat_load(const struct ces_flat_type *type, uint8_t *bytes, size_t length,
		  struct ces_error *err);

#endif
