/* The signed heads of a journal, and the search for them in a journal. */
#ifndef CES_POLICY_RECEIPT_HEADS_H
#define CES_POLICY_RECEIPT_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"

#define CES_HEAD_MEDIA "application/vnd.ces.journal-head+json"

struct ces_verify;
struct ces_record;
struct ces_heads;

/* Reads a file of signed heads, oldest first, one a line. It skips what syslog wrote before an
 * envelope, lines without one, and exact repeats. It leaves out envelopes that the key has not
 * signed as heads, and counts them. key_fd is a file with the public key. ces_heads_free releases
 * *ret. CES_E_DENIED: no line is signed by this key. */
int ces_heads_read(int key_fd, int fd, const char *path, struct ces_heads **ret,
		   struct ces_error *err);
void ces_heads_free(struct ces_heads *heads);

/* For each record of a journal in order, once its number and digest are in v. */
void ces_heads_see(struct ces_heads *heads, const struct ces_verify *v,
		   const struct ces_record *record);

/* After the last record: NULL, or the error. */
const char *ces_heads_judge(struct ces_heads *heads, const struct ces_verify *v);

/* Their number, and the time of the last. */
size_t ces_heads_count(const struct ces_heads *heads);
const char *ces_heads_last(const struct ces_heads *heads);

/* How many lines were left out, and the number of the first. */
size_t ces_heads_foreign(const struct ces_heads *heads, size_t *ret_first);

#endif
