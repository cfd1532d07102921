/* Evidence on disk. One directory an image, sha256-<hex>, and in it:
 *
 *   report-<hex>.json    a record (see evidence.h), named by its own digest
 *   approved-<hex>.json  which records somebody approved by, named by its own digest: this digest
 * is the `evidence` of an image rule
 *
 * Files are written once, and never changed. So a file that is not what its name says was changed
 * by somebody. A report that comes later leaves an approval as it is. */
#ifndef CES_POLICY_EVIDENCE_STORE_H
#define CES_POLICY_EVIDENCE_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/demand.h"
#include "policy/evidence/evidence.h"

#define CES_EVIDENCE_RECORDS 1000  /* of one image */
#define CES_EVIDENCE_IMAGES  50000 /* of one directory */
#define CES_SET_BYTES        (128u * 1024)

/* Opens a directory of evidence. If there is none, *ret_fd is -1, and that is no error. */
int ces_store_open(const char *path, int *ret_fd, struct ces_error *err);

/* The path of a policy's directory: evidence.d beside it. malloc'd, or NULL. */
char *ces_store_beside(const char *policy);

/* Writes a file of an image under the name "<kind>-<hex of its digest>.json": it makes missing
 * directories, follows no link, and replaces nothing. *ret_new is false if the file was there. It
 * must be called with the caller's own rights, and with bytes that the caller need not
 * understand. */
int ces_store_put(const char *path, const char *digest, const char *kind, const char *bytes,
		  size_t length, bool *ret_new, struct ces_error *err);

/* Calls `each` for every record of an image, in the order of their names. `record` is its digest. A
 * file that does not match its name is an error. */
typedef int ces_store_each(void *context, const char *record, const struct ces_evidence *evidence);
int ces_store_records(int dir, const char *digest, ces_store_each *each, void *context,
		      struct ces_error *err);

/* Calls `each` for every image, in order. */
int ces_store_images(int dir, int (*each)(void *context, const char *digest), void *context,
		     struct ces_error *err);

/* The set of all records of an image at this moment: its bytes, malloc'd, and its digest. *ret_n is
 * their number; without records nothing is made. */
int ces_store_set(int dir, const char *digest, char **ret, size_t *ret_length,
		  char ret_set[CES_DIGEST_LENGTH + 1], size_t *ret_n, struct ces_error *err);

/* Checks that the set of a rule is there, with all its records. NULL if it is; else the error, as a
 * text that follows "the evidence ". */
const char *ces_store_verify(int dir, const char *digest, const char *set);

/* Calls `each` for every record of an image's approval. */
int ces_store_approved(int dir, const char *digest, int (*each)(void *context, const char *record),
		       void *context, struct ces_error *err);

/* The values that a rule's demand needs, from the records that ces-admit would read. `set`: the one
 * in the rule, or NULL. No evidence is no error. */
int ces_store_facts(int dir, const char *digest, const char *set, struct ces_evidence_facts *ret,
		    struct ces_error *err);

#endif
