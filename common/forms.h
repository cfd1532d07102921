/* Macros for the tables of messages: one line for each field. A tag must never get a second
 * meaning. Only for the files form_*.c. */
#ifndef CES_COMMON_FORMS_H
#define CES_COMMON_FORMS_H

#include <stddef.h>

#include "common/frame.h"
#include "common/wire.h"

/* tag, kind, required, cap, count, member */
#define FIELD(type, tag, kind, required, cap, count, member)                                       \
	{                                                                                          \
		(tag), CES_WIRE_##kind, (required), (cap), (count), offsetof(struct type, member)  \
	}
#define SCHEMA(variable, label, frame, object, table)                                              \
	const struct ces_wire_schema variable = {(label), (frame), sizeof(struct object), (table), \
						 sizeof(table) / sizeof((table)[0])}

#define PATH_CAP 4096
#define ENV_CAP  65536

#endif
