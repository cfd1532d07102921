/* Writes a changed policy in place of the old one. A child without root's rights has read, changed
 * and compared the text. Its result is written unchanged, with the rights of the caller, who sees
 * the change and commits it. It must never write a part of a policy, or over another person's
 * change. */
#include "policy/approve/change.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/evidence/apart.h"
#include "policy/evidence/store.h"
#include "policy/parse.h"
#include "policy/tool/diff_policy.h"
#include "policy/tool/input.h"
#include "policy/tool/rules.h"
#include "policy/tool/tool.h"

#define POLICY_MAX (4u * 1024 * 1024)

struct place {
	int dir;
	const char *name; /* in it */
	struct stat st;   /* of the old file */
};

struct job {
	const struct ces_change *change;
	ces_change_maker *maker;
};

/* The set, and after it the policy, in one piece. */
static int pack(const struct ces_change_result *result, struct ces_apart_result *ret,
		struct ces_error *err)
{
	struct ces_change_note note = {.set_length = result->set_length};

	memcpy(note.digest, result->digest, sizeof(note.digest));
	memcpy(ret->note, &note, sizeof(note));
	ret->bytes = malloc(result->set_length + result->policy_length + 1);
	if (ret->bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (result->set_length > 0)
		memcpy(ret->bytes, result->set, result->set_length);
	memcpy(ret->bytes + result->set_length, result->policy, result->policy_length);
	ret->length = result->set_length + result->policy_length;
	return 0;
}

static int work(void *context, struct ces_apart_result *ret, struct ces_error *err)
{
	const struct job *job = context;
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_change_result result = {.policy = NULL};
	struct ces_policy *policy = NULL;
	size_t length = 0;
	int status;

	if (ces_input_take(job->change->fd, job->change->policy, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, &policy, err) != 0)
		return ces_error_context(err, "%s: CES would refuse this policy",
					 job->change->policy);
	status = job->maker(job->change, bytes, length, policy, &result, err);
	if (status == 0)
		status = pack(&result, ret, err);
	free(result.policy);
	free(result.set);
	ces_policy_free(policy);
	return status;
}

int ces_change_say(const struct ces_policy *old, const struct ces_change_result *new, int more,
		   struct ces_error *err)
{
	struct ces_rules_walk before = {0}, after = {0};
	struct ces_policy *policy = NULL;
	struct ces_diff diff = {0};
	int n = 0;

	if (ces_policy_parse(new->policy, new->policy_length, &policy, err) != 0)
		return ces_error_context(err, "the change would break the policy");
	while (ces_rules_next(old, &before))
		n--;
	while (ces_rules_next(policy, &after))
		n++;
	if (n == more) {
		ces_diff_policies(&diff, old, policy);
		(void)ces_diff_print(&diff, false);
		ces_diff_free(&diff);
	}
	ces_policy_free(policy);
	return n == more ? 0
			 : ces_error_set(err, CES_E_INTERNAL, "the change is not what was asked");
}

/* The directory and the file. The file is no link: a rename would replace the link. */
static int open_place(struct ces_change *change, struct place *ret, struct ces_error *err)
{
	const char *slash = strrchr(change->policy, '/');
	CES_CLEANUP_FREE char *dir = NULL;

	if (asprintf(&dir, "%.*s", slash != NULL ? (int)(slash + 1 - change->policy) : 2,
		     slash != NULL ? change->policy : "./") < 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	ret->name = slash != NULL ? slash + 1 : change->policy;
	ret->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->dir < 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", dir);
	change->fd =
	    openat(ret->dir, ret->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (change->fd < 0 && errno == ELOOP)
		return ces_error_set(err, CES_E_USAGE, "%s is a link: name the file itself",
				     change->policy);
	if (change->fd < 0 || fstat(change->fd, &ret->st) != 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", change->policy);
	if (!S_ISREG(ret->st.st_mode))
		return ces_error_set(err, CES_E_USAGE, "%s: not a regular file", change->policy);
	if (!change->dry_run && flock(change->fd, LOCK_EX | LOCK_NB) != 0)
		return ces_error_set(err, CES_E_HOST, "somebody else is changing %s: try again",
				     change->policy);
	return 0;
}

/* Returns whether somebody has written another policy since the old one was opened. */
static bool same_file(const struct place *place)
{
	struct stat now;

	return fstatat(place->dir, place->name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       now.st_dev == place->st.st_dev && now.st_ino == place->st.st_ino &&
	       now.st_size == place->st.st_size && now.st_mtim.tv_sec == place->st.st_mtim.tv_sec &&
	       now.st_mtim.tv_nsec == place->st.st_mtim.tv_nsec;
}

/* With the owner and mode of the old one. Only root can give a file away. */
static int write_beside(const struct place *place, const char *temporary, const char *bytes,
			size_t length)
{
	CES_CLEANUP_FD int fd = openat(place->dir, temporary,
				       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return -1;
	if (geteuid() == 0 && fchown(fd, place->st.st_uid, place->st.st_gid) != 0)
		return -1;
	if (fchmod(fd, place->st.st_mode & 0777) != 0 ||
	    ces_write_full(fd, bytes, length, -1) != 0 || fsync(fd) != 0)
		return -1;
	return 0;
}

static int replace(const struct ces_change *change, const struct place *place, const char *bytes,
		   size_t length, struct ces_error *err)
{
	char temporary[64];

	snprintf(temporary, sizeof(temporary), ".ces-policy-%ld.new", (long)getpid());
	if (write_beside(place, temporary, bytes, length) != 0) {
		(void)ces_error_errno(err, CES_E_HOST, "cannot write beside %s", change->policy);
		(void)unlinkat(place->dir, temporary, 0);
		return -1;
	}
	if (!same_file(place)) {
		(void)unlinkat(place->dir, temporary, 0);
		return ces_error_set(err, CES_E_HOST,
				     "somebody else has changed %s meanwhile: try again",
				     change->policy);
	}
	if (renameat(place->dir, temporary, place->dir, place->name) != 0 ||
	    fsync(place->dir) != 0) {
		(void)ces_error_errno(err, CES_E_HOST, "%s", change->policy);
		(void)unlinkat(place->dir, temporary, 0);
		return -1;
	}
	return 0;
}

/* The set first: a rule must never name evidence that is not there. */
static int write_all(const struct ces_change *change, const struct place *place,
		     const struct ces_apart_result *result, struct ces_error *err)
{
	struct ces_change_note note;
	bool is_new;

	memcpy(&note, result->note, sizeof(note));
	note.digest[sizeof(note.digest) - 1] = '\0';
	if (note.set_length > CES_SET_BYTES || note.set_length >= result->length ||
	    result->length - note.set_length > POLICY_MAX)
		return ces_error_set(err, CES_E_INTERNAL,
				     "the answer of the process that read it is not valid");
	if (change->dry_run)
		return 0;
	if (note.set_length > 0 && ces_store_put(change->directory, note.digest, "approved",
						 result->bytes, note.set_length, &is_new, err) != 0)
		return -1;
	return replace(change, place, result->bytes + note.set_length,
		       result->length - note.set_length, err);
}

static int run(struct ces_change *change, ces_change_maker *maker, struct place *place,
	       struct ces_error *err)
{
	struct job job = {change, maker};
	struct ces_apart_result result = {.bytes = NULL};
	int status;

	if (open_place(change, place, err) != 0 ||
	    ces_store_open(change->directory, &change->evidence_dir, err) != 0)
		return -1;
	status = ces_apart_run(work, &job, POLICY_MAX + CES_SET_BYTES, &result, err);
	if (status == 0)
		status = write_all(change, place, &result, err);
	free(result.bytes);
	return status;
}

int ces_change_run(struct ces_change *change, ces_change_maker *maker)
{
	struct place place = {.dir = -1};
	struct ces_error err = {0};
	CES_CLEANUP_FREE char *beside = ces_store_beside(change->policy);
	int status;

	change->fd = change->evidence_dir = -1;
	if (change->directory == NULL)
		change->directory = beside;
	if (change->directory == NULL)
		status = ces_error_set(&err, CES_E_HOST, "out of memory");
	else
		status = run(change, maker, &place, &err);
	ces_cleanup_close(&change->fd);
	ces_cleanup_close(&change->evidence_dir);
	ces_cleanup_close(&place.dir);
	if (status != 0)
		return ces_tool_fail(&err);
	printf(change->dry_run ? "nothing was written (--dry-run)\n" : "written: %s\n",
	       change->policy);
	return CES_TOOL_GOOD;
}
