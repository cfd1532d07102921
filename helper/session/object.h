/* Records as files of root's: each is whole, or does not exist. */
#ifndef CES_HELPER_SESSION_OBJECT_H
#define CES_HELPER_SESSION_OBJECT_H

#include "common/wire.h"

/* The name of this boot: random(4), /proc/sys/kernel/random/boot_id. */
#define CES_BOOT_LENGTH 36
int ces_object_boot(char ret[CES_BOOT_LENGTH + 1], struct ces_error *err);

/* One flat object as the file dir/name. Writing uses a temporary name first, and the object reaches
 * the disk before it gets its own name, so that a reader sees all or nothing, also after a power
 * cut. Unless ret is NULL, it leaves the syncing to the function that gets *ret. Reading gives
 * CES_E_NOTFOUND if there is none, CES_E_INTERNAL if it is damaged, CES_E_HOST if it cannot be read
 * now. */
int ces_object_write(int dir, const char *name, const struct ces_wire_schema *schema,
		     const void *object, int *ret, struct ces_error *err);
int ces_object_read(int dir, const char *name, const struct ces_wire_schema *schema, void *object,
		    struct ces_error *err);

/* The two parts of reading. fd: -1 with the errno of its opening; stays the caller's. *ret is
 * malloc'd. */
int ces_object_take(int fd, const char *what, char **ret, size_t *ret_length,
		    struct ces_error *err);
int ces_object_decode(const struct ces_wire_schema *schema, const char *bytes, size_t length,
		      void *object, struct ces_error *err);

/* Removes a directory of root's with nothing but files in it. Returns 0, or -1 if it is still there
 * or was not. */
int ces_object_clear(int dir, const char *name);

#endif
