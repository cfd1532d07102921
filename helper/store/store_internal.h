/* Shared by the files that keep records on disk: store.c, grants.c, collect.c, runs.c. */
#ifndef CES_HELPER_STORE_STORE_INTERNAL_H
#define CES_HELPER_STORE_STORE_INTERNAL_H

#include "common/wire.h"
#include "helper/store/store.h"

/* The 64 hex digits of a valid digest; "invalid" of any other text. */
const char *ces_store_hex(const char *digest);

/* Names this boot: random(4), /proc/sys/kernel/random/boot_id. */
#define CES_BOOT_LENGTH 36
int ces_store_boot(char ret[CES_BOOT_LENGTH + 1], struct ces_error *err);

/* Out of its place at once, away when there is time: a name in staging with this before it. Whether
 * it is out. */
#define CES_STORE_TRASH "trash-"
bool ces_store_discard(const struct ces_store *store, int parent, const char *name);

/* One flat object as the file dir/name: written to a temporary name first, and to the disk before
 * it gets its own, so that a reader sees all or nothing, also after a power cut. put leaves the
 * syncing to whoever gets *ret. Reading gives CES_E_NOTFOUND when there is none, CES_E_INTERNAL
 * when it is damaged, CES_E_HOST when it cannot be read now. */
int ces_store_put_record(int dir, const char *name, const struct ces_wire_schema *schema,
			 const void *object, int *ret, struct ces_error *err);
int ces_store_write_record(int dir, const char *name, const struct ces_wire_schema *schema,
			   const void *object, struct ces_error *err);
int ces_store_read_record(int dir, const char *name, const struct ces_wire_schema *schema,
			  void *object, struct ces_error *err);

#endif
