/* ces-list waits for the end of one run, lists what the run has left in its outputs directory, and
 * writes the list there, as a file of the caller's. It must never change another file.
 *
 * It is started with the run and not at its end: what watches a run cannot start a program. Root
 * takes a digest and a few numbers from it (helper/watch/list.c). */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/list/check.h"

#define FD_OUTPUTS 3
#define FD_CHANNEL 4
#define JOB_MS     10000

/* A program can close its outputs directory, which belongs to the caller, also to the caller. */
static void open_to_owner(void)
{
	struct stat st;

	if (fstat(FD_OUTPUTS, &st) == 0 && (st.st_mode & 0700) != 0700)
		(void)fchmod(FD_OUTPUTS, (st.st_mode & 07777) | 0700);
}

/* The name has the number of this run: only the run itself can have taken it, so that its own words
 * were read as what was found. A file of that name goes when the list is written, and is in the
 * list. A directory, which cannot go, gets another name first. */
static void move_directory(const char *name)
{
	char other[64];
	struct stat st;

	(void)snprintf(other, sizeof(other), "%s.moved", name);
	if (fstatat(FD_OUTPUTS, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode))
		(void)renameat2(FD_OUTPUTS, name, FD_OUTPUTS, other, RENAME_NOREPLACE);
}

/* ces-client puts it into ces-run.json and removes it; without a client it stays. */
static int write_file(const char *name, const struct ces_list_text *text)
{
	CES_CLEANUP_FD int fd = -1;

	(void)unlinkat(FD_OUTPUTS, name, 0);
	fd = openat(FD_OUTPUTS, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (ces_write_full(fd, text->bytes, text->length, -1) == 0)
		return 0;
	(void)unlinkat(FD_OUTPUTS, name, 0);
	return -1;
}

int main(void)
{
	struct ces_list_answer answer = {0};
	struct ces_list_text text = {0};
	struct ces_list_job job;
	struct ces_list_check check;
	char byte, name[40];

	if (ces_read_full(FD_CHANNEL, &job, sizeof(job), ces_now_ms() + JOB_MS) < 0 ||
	    memchr(job.run, '\0', sizeof(job.run)) == NULL || !ces_run_valid(job.run) ||
	    memchr(job.check, '\0', sizeof(job.check)) == NULL)
		return 1;
	ces_list_confine(&job, FD_OUTPUTS);
	if (ces_list_check_begin(&check, job.check, &answer) < 0)
		return 1;
	/* (the run takes as long as it takes; this program ends with ces-session) */
	if (ces_read_full(FD_CHANNEL, &byte, 1, -1) < 0)
		return 1;
	(void)snprintf(name, sizeof(name), "ces-manifest-%s.json", job.run);
	open_to_owner();
	move_directory(name);
	ces_list_walk(FD_OUTPUTS, &job, &check, &text, &answer);
	/* (a digest of a list that nobody has says nothing) */
	if (answer.files > 0 && write_file(name, &text) < 0)
		return 1;
	return ces_write_full(FD_CHANNEL, &answer, sizeof(answer), -1) < 0;
}
