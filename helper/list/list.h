/* ces-list: writes what a run has left in its outputs directory, as a manifest. See
 * common/list.h. */
#ifndef CES_HELPER_LIST_LIST_H
#define CES_HELPER_LIST_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/list.h"

/* What bounds one manifest; manual ces-audit(5). */
#define CES_LIST_TEXT   (8u << 20) /* of the manifest; files, bytes and time: policy/policy.h */
#define CES_LIST_LEVELS 64
#define CES_LIST_SAMPLE 4096 /* bytes that show what a file is */
#define CES_LIST_REST   10   /* seconds for the rest, without digests */

/* A text that grows, up to CES_LIST_TEXT. */
struct ces_list_text {
	char *bytes;
	size_t length, size;
	bool full;
};

void ces_list_add(struct ces_list_text *text, const char *bytes, size_t length);
void ces_list_print(struct ces_list_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* "key":"value" as JSON. A name that is not UTF-8, or has a DEL, becomes "key_hex". */
void ces_list_name(struct ces_list_text *text, const char *key, const char *value, size_t length);

/* One word for the content, by the first bytes of a file. */
const char *ces_list_content(const unsigned char *bytes, size_t length);

/* Writes the manifest of the directory into text. */
struct ces_list_check;
void ces_list_walk(int dirfd, const struct ces_list_job *job, struct ces_list_check *check,
		   struct ces_list_text *text, struct ces_list_answer *ret);

/* Gives up everything but reading files of the caller's. Ends the process on failure. From here on
 * `/` is the directory on fd. */
void ces_list_confine(const struct ces_list_job *job, int fd);

#endif
