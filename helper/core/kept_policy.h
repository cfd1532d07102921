/* The policy as it was read last: /run/ces/.policy, so that a start reads no JSON. */
#ifndef CES_HELPER_CORE_KEPT_POLICY_H
#define CES_HELPER_CORE_KEPT_POLICY_H

#include <stdint.h>

/* Before the block of policy/flat.h. The block was made of a file with this digest by this version
 * of the code; anything else is read anew. */
struct ces_kept_policy {
	uint64_t magic, size; /* of struct ces_policy */
	uint64_t length;      /* of the block */
	char digest[72];      /* of the file's bytes */
};

#define CES_KEPT_MAGIC 0x3150454b53454331ull /* changes with the meaning of a field */
#define CES_KEPT_NAME  ".policy"             /* in CES_RUN_DIR, among runs that have no dot */

#endif
