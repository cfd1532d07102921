/* What ces-store does in the image store, beside reading it (helper/session/store.h). */
#ifndef CES_HELPER_STORE_STORE_H
#define CES_HELPER_STORE_STORE_H

#include "helper/session/store.h"
#include "helper/store/step.h"

/* Makes 16 random digits. Returns whether it could. */
bool ces_store_name(char name[CES_STEP_NAME + 1]);

/* Makes a staging directory (locked for the life of *ret, so that the collector leaves it alone).
 */
int ces_store_stage(const struct ces_store *store, char name[CES_STEP_NAME + 1], int *ret,
		    struct ces_error *err);

/* Moves a thing out of its place at once, to be removed when there is time. Returns whether it is
 * out. */
bool ces_store_discard(const struct ces_store *store, int parent, const char *name);

/* Has a staged thing removed, and its ces-unpack ended. */
void ces_store_drop(const struct ces_store *store, const char *name);

int ces_store_write_file(int dir, const char *name, const void *bytes, size_t length,
			 struct ces_error *err);

/* The same, and waits until it is on the disk: a run compares the documents of an image with their
 * digests, so they are there before the grant is. */
int ces_store_write_document(int dir, const char *name, const struct ces_bytes *document,
			     struct ces_error *err);

/* Keeps beside a staged layer its unpacked size, the compressed digest that it came from, and the
 * boot that it was made in. The boot is a mark: the layer may not have reached the disk yet. A
 * layer with the mark of an earlier boot counts as absent (a power cut may have torn it).
 * ces_store_settle takes the mark off. */
int ces_store_note_layer(int staging, uint64_t bytes, const char *digest, struct ces_error *err);

/* Says whether this compressed digest gave the layer when it was fetched. Only then can a manifest
 * that names both have the layer without fetching it, and only if its registry has that blob for
 * this caller, see helper/resolve/layers.c. */
bool ces_store_layer_from(const struct ces_store *store, const char *diff_id, const char *digest);

/* Waits until the store is on the disk, then takes the marks off the layers of the order. Leaves
 * fds open: its process is to end. */
void ces_store_settle(const struct ces_store *store, const struct ces_store_order *order);

/* Says whether a layer has no such mark. */
bool ces_store_is_settled(const struct ces_store *store, const char *diff_id);

/* Says whether a layer is in the store, and no power cut may have torn it. */
bool ces_store_has_layer(const struct ces_store *store, const char *diff_id);

/* Unpacked size of a layer in the store (0 = unknown). */
uint64_t ces_store_layer_size(const struct ces_store *store, const char *diff_id);

/* Bytes of an image's manifest and configuration in the store, in blocks as layers are counted. */
uint64_t ces_store_documents_size(const struct ces_store *store, const char *digest);

/* Renames a staged layer to its place. If another came there in the meantime it stays, unless a
 * power cut may have torn it, and the staged one is removed. */
int ces_store_commit_layer(const struct ces_store *store, const char *name, const char *diff_id,
			   struct ces_error *err);

/* Stores manifest and config of an image as one directory, by rename. If another came there in the
 * meantime it stays, unless its documents do not prove the record. */
int ces_store_commit_image(const struct ces_store *store, const struct ces_image_record *record,
			   const struct ces_bytes *manifest, const struct ces_bytes *config,
			   struct ces_error *err);

/* Reads the configuration of an image as it was fetched, of at most max bytes, NUL-terminated,
 * malloc'd. -1 if it cannot be read. */
int ces_store_read_config(const struct ces_store *store, const char *digest, size_t max,
			  char **ret);

/* Writes a grant, in place of the user's other one for that reference. fits (or NULL) is asked
 * under the user's lock: what it sees of their grants is still so when this one is there. If
 * anything fails, the other one stays. */
int ces_store_write_grant(const struct ces_store *store, uid_t uid, const struct ces_grant *grant,
			  int (*fits)(void *context, struct ces_error *err), void *context,
			  struct ces_error *err);
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
