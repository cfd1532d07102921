/* The protocol between ces-session and ces-clean. fd 3 of ces-clean is the outputs directory of one
 * run. fd 4 is its scratch directory, or a directory of the store that nobody needs. Where there is
 * none, the fd is /dev/null. fd 5 is one end of a SOCK_STREAM socket pair. ces-clean gets one job
 * at once, then a byte for each task. It answers each with a byte: 0 when all was done. End of file
 * on fd 5 ends ces-clean. */
#ifndef CES_COMMON_CLEAN_H
#define CES_COMMON_CLEAN_H

#include <linux/capability.h>
#include <stdint.h>

#include "common/paths.h"

#define CES_CLEAN_PATH CES_LIBEXECDIR "/ces-clean"

#define CES_CLEAN_OUTPUTS 3
#define CES_CLEAN_SCRATCH 4
#define CES_CLEAN_CHANNEL 5

/* Its capabilities over the ids of its user namespace: for the walk, and for giving up the rest. */
#define CES_CLEAN_WALKS                                                                            \
	(1u << CAP_CHOWN |        /* outputs of the run's other ids */                             \
	 1u << CAP_DAC_OVERRIDE | /* directories that a program has closed */                      \
	 1u << CAP_FOWNER)        /* modes of files of others; sticky directories */
#define CES_CLEAN_CAPABILITIES                                                                     \
	(CES_CLEAN_WALKS | 1u << CAP_SETUID | 1u << CAP_SETPCAP | 1u << CAP_SYS_CHROOT)

struct ces_clean_job {
	uint32_t user, group; /* the owner, in the user namespace of ces-clean. (ces-clean itself
				 starts with this group, and with another user.) */
	uint32_t shared;      /* files keep this group, if the outputs directory has it; 0: none */
};

enum ces_clean_task {
	CES_CLEAN_GIVE,    /* gives the outputs to the owner */
	CES_CLEAN_SHARE,   /* lets everybody read the outputs */
	CES_CLEAN_EMPTY,   /* removes what is in the scratch */
	CES_CLEAN_DISCARD, /* removes what is in a directory of the store. Opens each directory to
			      its group first, so that it is no whole layer any more */
	CES_CLEAN_TASKS
};

#endif
