/* The image store, /var/lib/ces: layers by diff_id, images by digest, grants by user. It is the
 * account ces-store's, except the content of layers. The process ces-store fills and empties it
 * (helper/store). For a run, root reads one grant and one image, opens the layers, and ends the
 * grant. Names in it are checked digests, uids, and random digits of CES's own.
 *
 *   layers/sha256/HEX/   ces-store's, mode 0700, as everything that is not named here
 *     size digest unsettled
 *     root/              root's, mode 0700: ces-store can move a layer, and never enter it
 *       diff_id          of the bytes that ces-unpack has checked
 *       fs/              the content, with the ids and modes of the image
 *   images/sha256/HEX/   manifest config signed-HEX
 *   grants/UID/HEX       by the hash of the reference; with the image's record
 *   staging/NAME/        a layer or an image in the making; locked by the pull that makes it
 *   trash/NAME           out of its place, to be removed by root
 *   locks/               the store's lock is on this directory; claims on layers
 *   runs/                root's: helper/watch/kept.h */
#ifndef CES_HELPER_SESSION_STORE_H
#define CES_HELPER_SESSION_STORE_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/name.h"
#include "common/record.h"
#include "helper/session/frames.h"
#include "helper/session/lock.h"
#include "helper/session/object.h"

/* A document of a registry's: opaque. */
struct ces_bytes {
	char *bytes;
	size_t length;
};

struct ces_store {
	int dir, runs;                                     /* root's; in ces-store -1 */
	int layers, images, grants, staging, trash, locks; /* ces-store's */
	uid_t uid;                                         /* the account */
	gid_t gid;
};
#define CES_STORE_NONE                                                                             \
	{                                                                                          \
		-1, -1, -1, -1, -1, -1, -1, -1, 0, 0                                               \
	}

/* ---- for root and for ces-store ---- */

/* The 64 hex digits of a valid digest; "invalid" of any other text. */
const char *ces_store_hex(const char *digest);

/* Opens a regular file below dir, for reading. The other program could have put anything there: a
 * link, a FIFO and a file with a lease are errors, and nobody waits. */
int ces_store_open_file(int dir, const char *path);

/* The store's one lock is held for moments: while one thing is put in its place, and while the
 * collector works. It is never held during a wait. A process that holds it for longer than
 * CES_LOCK_SECONDS is killed (ces_lock_take), so that no caller can hold it against others. An
 * entry in the register of runs and pulls keeps an image, or layers, for longer. */
int ces_store_lock(const struct ces_store *store, struct ces_lock *ret, struct ces_error *err);

/* Call it after an entry in the register, before looking in the store for the things that the entry
 * names: a collector that did not see the entry has ended when this returns. */
int ces_store_await_collector(const struct ces_store *store, struct ces_error *err);

/* Says whether the layer was made in an earlier boot that ended before the layer was settled: a
 * power cut may have torn it. */
bool ces_store_is_torn(const struct ces_store *store, const char *diff_id);

/* Do the stored manifest and configuration, by their digests, name the configuration and the layers
 * of the record? If not, somebody has put the record together: it is of no image. */
bool ces_store_proves(const struct ces_store *store, const struct ces_image_record *record);

/* Grants. reference is canonical (ces_reference_format). A grant belongs to an account: to a uid
 * and the name that the user database had for it. If another account gets the uid later, it has no
 * grant. CES_E_NOTFOUND if there is none, or a damaged one. Release it with ces_grant_free. */
int ces_store_read_grant(const struct ces_store *store, uid_t uid, const char *user,
			 const char *reference, struct ces_grant *ret, struct ces_error *err);

/* Says whether the grant is that account's. */
bool ces_grant_is_of(const struct ces_grant *grant, const char *user);

/* Loads a grant from its file (-1: with errno), with the time of its last use. */
int ces_grant_load(int fd, struct ces_grant *ret, struct ces_error *err);

/* The name of a grant's file: the hash of its reference. No byte of a reference becomes a path. */
void ces_grant_name(const char *reference, char name[CES_DIGEST_LENGTH + 1]);

/* The name under which ces-store keeps an image's documents that may hold signatures: the digest of
 * the repository. Documents of one repository leave those of another alone, which may have the same
 * image, and other signatures of it. */
void ces_store_signed_name(const struct ces_reference *image, char ret[CES_DIGEST_LENGTH + 1]);

/* ---- for root alone: store_open.c ---- */

/* Opens (makes) the store; takes no lock. A failure ends the request. */
int ces_store_open(struct ces_store *ret, struct ces_error *err);

/* Opens the root directory of a layer; -1 with CES_E_NOTFOUND when it is not in the store, or not
 * the one that ces-unpack made of this diff_id. */
int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *err);

/* Reads a file of ces-store's of at most max bytes: malloc'd. -1 if there is none, or a longer. */
int ces_store_read(int dir, const char *path, size_t max, char **ret, size_t *ret_length);

/* Notes that a grant was used now, or removes it, if it still means this image: it may have been
 * pulled anew, or removed. Does not wait for a process that changes the user's grants. */
void ces_store_change_grant(const struct ces_store *store, uid_t uid, const char *reference,
			    const char *digest, bool ends);

#endif
