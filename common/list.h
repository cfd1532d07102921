/* The protocol between ces-session and ces-list. fd 3 of ces-list is the outputs directory of one
 * run, and fd 4 one end of a SOCK_STREAM socket pair. ces-list gets one job at once, and one byte
 * when the run has ended and its files are the caller's. It sends one answer back. End of file on
 * fd 4 ends ces-list. */
#ifndef CES_COMMON_LIST_H
#define CES_COMMON_LIST_H

#include <linux/capability.h>
#include <stdint.h>

#include "common/name.h"
#include "common/paths.h"
#include "policy/policy.h"

#define CES_LIST_PATH CES_LIBEXECDIR "/ces-list"

/* It starts with these over its user namespace, and gives them up: for the uid that file servers
 * see, and for giving up the rest. */
#define CES_LIST_CAPABILITIES (1u << CAP_SETUID | 1u << CAP_SETPCAP | 1u << CAP_SYS_CHROOT)

enum ces_list_state { CES_LIST_WHOLE, CES_LIST_CUT, CES_LIST_CHANGED, CES_LIST_STATES };
/* The result of a check of the outputs. The last one is never an answer: it means that none
 * came. */
enum ces_list_checked { CES_LIST_UNASKED, CES_LIST_PASSED, CES_LIST_FAILED, CES_LIST_UNCHECKED };

struct ces_list_job {
	char run[CES_RUN_DIGITS + 1];
	uint32_t user, group; /* the caller, in the run's user namespace. (ces-list itself starts
				 with this group, and with another user.) */
	struct ces_policy_manifest most;
	char check[CES_CHECK_TEXT]; /* of the policy, as policy/outputs.h says; "": none */
};

struct ces_list_answer {
	uint64_t state;                     /* enum ces_list_state */
	uint64_t files, bytes;              /* listed; and read */
	uint64_t check, findings;           /* enum ces_list_checked; files that did not pass */
	char digest[CES_DIGEST_LENGTH + 1]; /* of the manifest */
};

#endif
