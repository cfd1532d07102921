/* The cage of ces-parse and ces-decode. */
#ifndef CES_HELPER_PARSE_SANDBOX_H
#define CES_HELPER_PARSE_SANDBOX_H

#include "common/error.h"

#define CES_PARSE_JOB    3
#define CES_PARSE_ANSWER 4

/* Refuses to run as root or with capabilities; from here on this process reads, writes, has memory
 * and ends, and everything else kills it (seccomp(2)). */
int ces_parse_confine(struct ces_error *err);

#endif
