/* The image store, /var/lib/ces: layers by diff_id, images by digest, grants by user, staging in
 * the making. All of it is root's and closed to others; nothing in it is ever opened by a name that
 * came from outside: names are checked digests, uids, and CES's own random digits. */
#ifndef CES_HELPER_STORE_STORE_H
#define CES_HELPER_STORE_STORE_H

#include <stdbool.h>

#include "common/name.h"
#include "common/record.h"
#include "helper/core/caller.h"

struct ces_image_record; /* common/image.h */

struct ces_store {
	int dir, layers, images, grants, staging, runs;
	int lock; /* see below */
};

/* Opens (makes) the store; takes no lock. */
int ces_store_open(struct ces_store *ret, struct ces_error *err);
void ces_store_close(struct ces_store *store);

/* The store's one lock is held for moments: while one thing is put in its place, and while the
 * collector works. It is never held while anything is waited for, and the one who holds it for
 * longer than CES_LOCK_SECONDS is killed (ces_lock_take), so that no caller can hold it against
 * others. What keeps an image, or layers, for longer is an entry in the register of runs and pulls.
 * *ret_left: for unlock. */
int ces_store_lock(const struct ces_store *store, unsigned *ret_left, struct ces_error *err);
void ces_store_unlock(const struct ces_store *store, unsigned left);

/* To be called after an entry in the register, before what it names is looked for in the store: a
 * collector that did not see the entry has ended when this returns. */
int ces_store_await_collector(const struct ces_store *store, struct ces_error *err);

/* Opens the root directory of a layer; -1 with CES_E_NOTFOUND when it is not in the store. */
int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *err);

/* A new staging directory (locked for the life of *ret, so that the janitor leaves it alone). name
 * takes 32 bytes. The layer's content goes into its directory "fs", *ret_fs (mode 0755). */
int ces_store_stage(const struct ces_store *store, char *name, int *ret, int *ret_fs,
		    struct ces_error *err);

/* Keeps beside a staged layer its unpacked size, and a mark that it has not reached the disk for
 * sure: the boot it was made in. A layer with the mark of an earlier boot is taken for absent (a
 * power cut may have torn it), and ces_store_settle takes the mark off. */
int ces_store_note_layer(int staging, uint64_t bytes, const char *digest, struct ces_error *err);

/* Did this compressed digest give the layer when it was fetched? Only then can a manifest that
 * names both have the layer without fetching it, and only if its registry has that blob for this
 * caller, see layers.c. */
bool ces_store_layer_from(const struct ces_store *store, const char *diff_id, const char *digest);

/* Waits until the store is on the disk, then takes the marks off these layers. */
void ces_store_settle(const struct ces_store *store, const struct ces_strings *diff_ids);

/* Unpacked size of a layer in the store (0 = unknown). */
uint64_t ces_store_layer_size(const struct ces_store *store, const char *diff_id);

/* Renames a staged layer to its place. One that came to be there meanwhile wins, unless a power cut
 * may have torn it; the staged one is removed. */
int ces_store_commit_layer(const struct ces_store *store, const char *name, const char *diff_id,
			   struct ces_error *err);

/* Removes a staging directory. */
void ces_store_unstage(const struct ces_store *store, const char *name);

struct ces_bytes {
	char *bytes;
	size_t length;
};

/* Stores manifest, config and record of an image as one directory, by rename. One that came to be
 * there meanwhile wins, unless its record is damaged. */
int ces_store_commit_image(const struct ces_store *store, const struct ces_image_record *record,
			   const struct ces_bytes *manifest, const struct ces_bytes *config,
			   struct ces_error *err);

/* CES_E_NOTFOUND when it is not here, CES_E_INTERNAL when its record is damaged (a power cut tore
 * it), CES_E_HOST when it cannot be read now. */
int ces_store_load_image(const struct ces_store *store, const char *digest,
			 struct ces_image_record *ret, struct ces_error *err);

/* The configuration of an image as it was fetched, of at most max bytes, NUL-terminated, malloc'd.
 * -1 when it cannot be had. */
int ces_store_read_config(const struct ces_store *store, const char *digest, size_t max,
			  char **ret);

/* Grants. reference is canonical (ces_reference_format). A grant belongs to an account: to a uid
 * and the name that the user database had for it. Another account that is given the uid later has
 * none. Read gives CES_E_NOTFOUND when there is none. */
int ces_store_write_grant(const struct ces_store *store, uid_t uid, const struct ces_grant *grant,
			  struct ces_error *err);
int ces_store_read_grant(const struct ces_store *store, const struct ces_caller *caller,
			 const char *reference, struct ces_grant *ret, struct ces_error *err);

/* Whether it is that account's. */
bool ces_grant_is_of(const struct ces_grant *grant, const char *user);

/* Notes that it was used now, if it still means this image: it may have been pulled anew, or
 * removed. */
void ces_store_use_grant(const struct ces_store *store, uid_t uid, const char *reference,
			 const char *digest);
int ces_store_remove_grant(const struct ces_store *store, uid_t uid, const char *reference,
			   struct ces_error *err);

/* The same without ever waiting for the one who changes the user's grants. Whether it is gone. */
bool ces_store_expire_grant(const struct ces_store *store, uid_t uid, const char *reference);

/* Calls each for every grant of a uid, whatever user has it. Damaged ones are passed over; -1 when
 * not all could be read. */
int ces_store_each_grant(const struct ces_store *store, uid_t uid,
			 void (*each)(const struct ces_grant *, void *), void *context);

#endif
