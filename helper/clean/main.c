/* ces-clean hands over the outputs of one run, and empties its scratch; or it empties one directory
 * of the store. It has power over the ids of one user namespace, and must never see more than the
 * two directories.
 *
 * It is started with the run and not at its end: what watches a run cannot start a program. Root
 * takes one byte of answer from it, and looks itself whether the scratch can be removed. */
#include <unistd.h>

#include "common/io.h"
#include "helper/clean/clean.h"
#include "helper/clean/tree.h"

#define JOB_MS 10000

/* A directory that changes while it is read may show an entry late: two rounds are enough for one
 * that no longer changes. */
static int twice(int (*remove)(int), int dirfd)
{
	return remove(dirfd) == 0 ? 0 : remove(dirfd);
}

static int work(const struct ces_clean_job *job, unsigned char task)
{
	switch (task) {
	case CES_CLEAN_GIVE:
		return ces_tree_chown(CES_CLEAN_OUTPUTS, job->user, job->group, job->shared);
	case CES_CLEAN_SHARE:
		return ces_tree_share(CES_CLEAN_OUTPUTS);
	case CES_CLEAN_EMPTY:
		return twice(ces_tree_empty, CES_CLEAN_SCRATCH);
	case CES_CLEAN_DISCARD:
		return twice(ces_tree_discard, CES_CLEAN_SCRATCH);
	default:
		return -1;
	}
}

int main(void)
{
	struct ces_clean_job job;
	unsigned char byte;

	if (ces_read_full(CES_CLEAN_CHANNEL, &job, sizeof(job), ces_now_ms() + JOB_MS) < 0)
		return 1;
	ces_clean_confine(&job);
	/* (the run takes as long as it takes; this program ends with ces-session) */
	while (ces_read_full(CES_CLEAN_CHANNEL, &byte, 1, -1) == 0) {
		byte = work(&job, byte) != 0;
		if (ces_write_full(CES_CLEAN_CHANNEL, &byte, 1, -1) < 0)
			return 1;
	}
	return 0;
}
