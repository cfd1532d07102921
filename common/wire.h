/* The one codec: every message between CES programs, and every record CES keeps on disk but the
 * journal, is a frame described by a const table.
 *
 * Frame: magic "CES1", type u16, length u32 (of what follows), then fields: tag u16, length u32,
 * bytes. All little-endian. A decoder refuses: another magic or type, a length that is not exactly
 * that of the rest, an unknown tag, a field over its cap, a tag over its count, a missing required
 * field, bytes outside the field's kind. Nothing is truncated, nothing is ignored. */
#ifndef CES_COMMON_WIRE_H
#define CES_COMMON_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CES_WIRE_HEADER       10
#define CES_WIRE_FIELD_HEADER 6
#define CES_WIRE_RECORD_MAX   (4 * 1024 * 1024) /* records and worker replies */

enum ces_wire_kind {
	CES_WIRE_U64,   /* eight bytes; uint64_t at offset; absent = 0 */
	CES_WIRE_NAME,  /* printable ASCII 0x20..0x7e, no NUL; char * at offset; absent = NULL */
	CES_WIRE_TEXT,  /* any bytes but NUL; char * at offset; absent = NULL */
	CES_WIRE_U64S,  /* repeated; struct ces_u64s at offset */
	CES_WIRE_NAMES, /* repeated NAME; struct ces_strings at offset */
	CES_WIRE_TEXTS, /* repeated TEXT; struct ces_strings at offset */
	CES_WIRE_LINE,  /* as ces_line_valid, a path; char * at offset; absent = NULL */
	CES_WIRE_LINES, /* repeated LINE; struct ces_strings at offset */
};

struct ces_u64s {
	uint64_t *v;
	size_t n;
};

struct ces_strings {
	char **v; /* each NUL-terminated; v itself is not NULL-terminated */
	size_t n;
};

struct ces_wire_field {
	uint16_t tag;
	uint8_t kind;     /* enum ces_wire_kind */
	uint8_t required; /* 1: must be present at least once */
	uint32_t cap;     /* largest length of one value in bytes (strings) */
	uint32_t count;   /* largest number of values (repeated kinds); 1 otherwise */
	size_t offset;    /* in the object */
};

/* Describes one message. The object is a plain struct whose first member is `void *memory`. */
struct ces_wire_schema {
	const char *name; /* for error texts: "request" */
	uint16_t type;    /* frame type */
	size_t size;      /* of the object */
	const struct ces_wire_field *fields;
	size_t n_fields;
};

/* Decodes one whole frame (header included) into *object, whose old content does not matter; it is
 * overwritten on success only. Strings point into object->memory, one allocation, which
 * ces_wire_free releases. */
int ces_wire_decode(const struct ces_wire_schema *schema, const void *frame, size_t length,
		    void *object, struct ces_error *err);

/* Encodes object into a malloc'd frame. Applies the same caps as the decoder. */
int ces_wire_encode(const struct ces_wire_schema *schema, const void *object, uint8_t **ret,
		    size_t *ret_length, struct ces_error *err);

/* Wipes and frees what a decode allocated, and zeroes the object. It takes only decoded or zeroed
 * objects. (An object that was put together for encoding has memory == NULL: its strings are not
 * freed.) */
void ces_wire_free(const struct ces_wire_schema *schema, void *object);

/* Encodes and writes. */
int ces_wire_send(int fd, const struct ces_wire_schema *schema, const void *object,
		  int64_t deadline_ms, struct ces_error *err);

#endif
