/* Root's side of ces-clean, which hands over and empties directories that others may change. */
#ifndef CES_HELPER_SESSION_CLEAN_H
#define CES_HELPER_SESSION_CLEAN_H

#include "common/clean.h"
#include "helper/core/spawn.h"

struct ces_cleaner {
	struct ces_process process;
	int channel; /* -1: none was started */
};

#define CES_CLEANER_NONE                                                                           \
	{                                                                                          \
		CES_PROCESS_NONE, -1                                                               \
	}

/* Starts ces-clean in a user namespace, where it works as the owner. outputs, scratch: directories,
 * or -1. It sees mounts of these alone, which are made here: so this process must be in the mount
 * namespace in which it opened them. stored: of the image store, whose owners are ids of the
 * namespace. If it cannot be started, no task will be done. */
void ces_cleaner_start(int userns, const struct ces_clean_job *owner, int outputs, int scratch,
		       bool stored, struct ces_cleaner *ret);

/* Has it do one task, for ten minutes at most. Returns 0 if it says that all is done. If it did not
 * answer in time, it is ended: a walk that hangs stays so. */
int ces_cleaner_ask(struct ces_cleaner *cleaner, enum ces_clean_task task);

void ces_cleaner_end(struct ces_cleaner *cleaner);

#endif
