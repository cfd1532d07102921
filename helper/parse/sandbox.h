/* The sandbox of ces-parse and ces-decode, and their one answer. */
#ifndef CES_HELPER_PARSE_SANDBOX_H
#define CES_HELPER_PARSE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CES_PARSE_JOB    3
#define CES_PARSE_ANSWER 4

/* Refuses to run as root or with capabilities. From then on this process can only read, write, have
 * memory and end; the kernel kills it for anything else (seccomp(2)). In this state it does `work`,
 * and answers with the block (malloc'd) or the error of `work`. Returns an exit status. */
int ces_parse_serve(int (*work)(uint8_t **ret, size_t *ret_length, struct ces_error *err));

#endif
