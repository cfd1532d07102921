/* Records as files of root's, whole or not there. */
#ifndef CES_HELPER_SESSION_OBJECT_H
#define CES_HELPER_SESSION_OBJECT_H

#include "common/wire.h"

/* Names this boot: random(4), /proc/sys/kernel/random/boot_id. */
#define CES_BOOT_LENGTH 36
int ces_object_boot(char ret[CES_BOOT_LENGTH + 1], struct ces_error *err);

/* One flat object as the file dir/name: written to a temporary name first, and to the disk before
 * it gets its own, so that a reader sees all or nothing, also after a power cut. put leaves the
 * syncing to the one who gets *ret. Reading gives CES_E_NOTFOUND when there is none, CES_E_INTERNAL
 * when it is damaged, CES_E_HOST when it cannot be read now. */
int ces_object_put(int dir, const char *name, const struct ces_wire_schema *schema,
		   const void *object, int *ret, struct ces_error *err);
int ces_object_write(int dir, const char *name, const struct ces_wire_schema *schema,
		     const void *object, struct ces_error *err);
int ces_object_read(int dir, const char *name, const struct ces_wire_schema *schema, void *object,
		    struct ces_error *err);

#endif
