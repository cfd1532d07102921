/* Macros for the tables of policy/flat.h. Only for the files flat_*.c. */
#ifndef CES_POLICY_FLAT_TABLE_H
#define CES_POLICY_FLAT_TABLE_H

#include "common/cleanup.h"
#include "common/wire.h"
#include "policy/flat.h"

/* clang-format off */
#define TEXT(type, member) {.offset = offsetof(struct type, member)}
#define INSIDE(type, member, what) {.offset = offsetof(struct type, member), .of = &(what)}
#define LIST(type, member, number, what) \
	{.offset = offsetof(struct type, member), .count = offsetof(struct type, number), .of = &(what), .list = 1}
/* A struct of a pointer and a count, such as struct ces_strings or struct ces_u64s. */
#define COUNTED(type, member, counted, what) \
	{.offset = offsetof(struct type, member) + offsetof(struct counted, v), \
	 .count = offsetof(struct type, member) + offsetof(struct counted, n), .of = &(what), .list = 1}
#define STRINGS(type, member) COUNTED(type, member, ces_strings, ces_flat_text)
#define TYPE(object, table) {sizeof(object), (table), CES_COUNT(table)}
/* clang-format on */

#endif
