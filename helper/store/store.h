/* The image store, /var/lib/ces: layers by diff_id, images by digest, grants by user, and staging
 * for things in the making. All of it is root's and closed to others. Root never opens anything in
 * it by a name that came from outside: names are checked digests, uids, and CES's own random
 * digits. */
#ifndef CES_HELPER_STORE_STORE_H
#define CES_HELPER_STORE_STORE_H

#include <stdbool.h>

#include "common/name.h"
#include "common/record.h"
#include "helper/core/caller.h"
#include "helper/session/lock.h"

struct ces_image_record; /* common/image.h */

struct ces_store {
	int dir, layers, images, grants, staging, runs;
	int lock; /* see below */
};

/* Opens (makes) the store; takes no lock. A failure ends the request. */
int ces_store_open(struct ces_store *ret, struct ces_error *err);

/* The store's one lock is held for moments: while one thing is put in its place, and while the
 * collector works. It is never held during a wait. A process that holds it for longer than
 * CES_LOCK_SECONDS is killed (ces_lock_take), so that no caller can hold it against others. An
 * entry in the register of runs and pulls keeps an image, or layers, for longer. */
int ces_store_lock(const struct ces_store *store, struct ces_lock *ret, struct ces_error *err);

/* Call it after an entry in the register, before looking in the store for the things that the entry
 * names: a collector that did not see the entry has ended when this returns. */
int ces_store_await_collector(const struct ces_store *store, struct ces_error *err);

/* Opens the root directory of a layer; -1 with CES_E_NOTFOUND when it is not in the store. */
int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *err);

/* Makes a staging directory (locked for the life of *ret, so that the janitor leaves it alone).
 * name takes 32 bytes. A layer's content goes into its directory "fs", *ret_fs (mode 0755), which
 * is -1 before. NULL: it is for no layer. */
int ces_store_stage(const struct ces_store *store, char *name, int *ret, int *ret_fs,
		    struct ces_error *err);

/* Keeps beside a staged layer its unpacked size, and the boot that it was made in. The boot is a
 * mark: the layer may not have reached the disk yet. A layer with the mark of an earlier boot
 * counts as absent (a power cut may have torn it). ces_store_settle takes the mark off. */
int ces_store_note_layer(int staging, uint64_t bytes, const char *digest, struct ces_error *err);

/* Says whether this compressed digest gave the layer when it was fetched. Only then can a manifest
 * that names both have the layer without fetching it, and only if its registry has that blob for
 * this caller, see layers.c. */
bool ces_store_layer_from(const struct ces_store *store, const char *diff_id, const char *digest);

/* Waits until the store is on the disk, then takes the marks off these layers, CES_LAYERS_MAX at
 * most. Leaves fds open: its process is to end. */
void ces_store_settle(const struct ces_store *store, const struct ces_strings *diff_ids);

/* Unpacked size of a layer in the store (0 = unknown). */
uint64_t ces_store_layer_size(const struct ces_store *store, const char *diff_id);

/* Renames a staged layer to its place. If another came there in the meantime it stays, unless a
 * power cut may have torn it. Then the staged one stays too, and is for the caller to remove. */
int ces_store_commit_layer(const struct ces_store *store, const char *name, const char *diff_id,
			   struct ces_error *err);

struct ces_bytes {
	char *bytes;
	size_t length;
};

/* Stores manifest, config and record of an image as one directory, by rename. If another came there
 * in the meantime it stays, unless its record is damaged. */
int ces_store_commit_image(const struct ces_store *store, const struct ces_image_record *record,
			   const struct ces_bytes *manifest, const struct ces_bytes *config,
			   struct ces_error *err);

/* Loads an image's record. CES_E_NOTFOUND if it is not here, CES_E_INTERNAL if its record is
 * damaged (a power cut tore it), CES_E_HOST if it cannot be read now. */
int ces_store_load_image(const struct ces_store *store, const char *digest,
			 struct ces_image_record *ret, struct ces_error *err);

/* Reads the configuration of an image as it was fetched, of at most max bytes, NUL-terminated,
 * malloc'd. -1 if it cannot be read. */
int ces_store_read_config(const struct ces_store *store, const char *digest, size_t max,
			  char **ret);

/* Keeps beside an image the documents that may hold its signatures, as opaque bytes, in place of
 * those kept before. name: the digest of the repository that they are from. */
int ces_store_keep_signed(const struct ces_store *store, const char *digest, const char *name,
			  const struct ces_bytes *documents, struct ces_error *err);

/* Reads them: malloc'd. -1 if there are none, or more than max bytes. */
int ces_store_read_signed(const struct ces_store *store, const char *digest, const char *name,
			  size_t max, char **ret, size_t *ret_length);

/* Grants. reference is canonical (ces_reference_format). A grant belongs to an account: to a uid
 * and the name that the user database had for it. If another account gets the uid later, it has no
 * grant. Read gives CES_E_NOTFOUND if there is none. */
int ces_store_write_grant(const struct ces_store *store, uid_t uid, const struct ces_grant *grant,
			  struct ces_error *err);
int ces_store_read_grant(const struct ces_store *store, const struct ces_caller *caller,
			 const char *reference, struct ces_grant *ret, struct ces_error *err);

/* Says whether the grant is that account's. */
bool ces_grant_is_of(const struct ces_grant *grant, const char *user);

/* Notes that the grant was used now, if it still means this image: it may have been pulled anew, or
 * removed. */
void ces_store_use_grant(const struct ces_store *store, uid_t uid, const char *reference,
			 const char *digest);
int ces_store_remove_grant(const struct ces_store *store, uid_t uid, const char *reference,
			   struct ces_error *err);

/* The same, but never waits for a process that changes the user's grants. Returns whether the grant
 * is gone. */
bool ces_store_expire_grant(const struct ces_store *store, uid_t uid, const char *reference);

/* Calls each for every grant of a uid, no matter which user has it. Passes over damaged ones; -1 if
 * not all could be read. */
int ces_store_each_grant(const struct ces_store *store, uid_t uid,
			 void (*each)(const struct ces_grant *, void *), void *context);

#endif
