/* Shared by the files that keep records on disk: store.c, collect.c, runs.c. */
#ifndef CES_HELPER_STORE_INTERNAL_H
#define CES_HELPER_STORE_INTERNAL_H

#include "common/wire.h"

/* The 64 hex digits of a valid digest; "invalid" of any other text. */
const char *ces_store_hex(const char *digest);

/* Names this boot: random(4), /proc/sys/kernel/random/boot_id. */
#define CES_BOOT_LENGTH 36
int ces_store_boot(char ret[CES_BOOT_LENGTH + 1], struct ces_error *err);

int ces_store_write_record(int dir, const char *name, const struct ces_wire_schema *schema,
			   const void *object, struct ces_error *err);
int ces_store_read_record(int dir, const char *name, const struct ces_wire_schema *schema,
			  void *object, struct ces_error *err);

#endif
