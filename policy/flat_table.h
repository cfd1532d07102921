/* How the tables of policy/flat.h are written. Only for the files flat_*.c. */
#ifndef CES_POLICY_FLAT_TABLE_H
#define CES_POLICY_FLAT_TABLE_H

#include "common/cleanup.h"
#include "policy/flat.h"

#define TEXT(type, member)                                                                         \
	{                                                                                          \
		.offset = offsetof(struct type, member)                                            \
	}
#define INSIDE(type, member, what)                                                                 \
	{                                                                                          \
		.offset = offsetof(struct type, member), .of = &(what)                             \
	}
#define LIST(type, member, number, what)                                                           \
	{                                                                                          \
		.offset = offsetof(struct type, member), .count = offsetof(struct type, number),   \
		.of = &(what), .list = 1                                                           \
	}
#define STRINGS(type, member) LIST(type, member.v, member.n, ces_flat_text)
#define TYPE(name, object, table)                                                                  \
	const struct ces_flat_type name = {sizeof(object), table, CES_COUNT(table)}

#endif
