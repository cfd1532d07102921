/* The cage of ces-parse and ces-decode, and their one answer. */
#ifndef CES_HELPER_PARSE_SANDBOX_H
#define CES_HELPER_PARSE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CES_PARSE_JOB    3
#define CES_PARSE_ANSWER 4

/* Refuses to run as root or with capabilities. From then on this process reads, writes, has memory
 * and ends, and everything else kills it (seccomp(2)); so it does `work`, whose block (malloc'd),
 * or error, is the answer. An exit status. */
int ces_parse_serve(int (*work)(uint8_t **ret, size_t *ret_length, struct ces_error *err));

#endif
