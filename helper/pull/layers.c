/* Has layers unpacked, marked and sealed. Must not look into a layer, nor seal one whose ces-unpack
 * has not checked it.
 *
 * Who controls what: ces-store controls the staged directory and every field of a step. Root makes
 * a directory of its own in there, which keeps ces-store out, and works below that descriptor from
 * then on. What is unpacked can change until its ces-unpack has ended, and is sealed after that:
 * the file diff_id and the seal are made once, and no mark comes after them. */
#include "helper/pull/layers.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/store.h"
#include "helper/core/beneath.h"
#include "helper/launch/overlay.h"
#include "helper/session/mounts.h"

#define LAYER_ENTRIES_MAX 4000000ull

static struct ces_staged *find(struct ces_steps *s, const char *name)
{
	for (size_t i = 0; i < CES_STAGED_MAX; i++)
		if (strcmp(s->staged[i].name, name) == 0)
			return &s->staged[i];
	return NULL;
}

void ces_layers_forget(struct ces_steps *s, const char *name)
{
	struct ces_staged *staged = find(s, name);

	if (staged == NULL || name[0] == '\0')
		return;
	ces_unpacker_kill(&staged->unpacker);
	ces_cleanup_close(&staged->own);
	staged->whole = false;
	staged->name[0] = '\0';
}

/* Makes root's directory in a staged one, and "fs" in it, for the content. ces-store could put
 * another directory of root's, of an earlier step, in the place of the new one before it is opened.
 * That would have "fs" already: nobody but root can make that name, so one step alone gets it. */
static int make_own(const struct ces_steps *s, const char *name, int *ret_own, int *ret_fs,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int staging =
	    ces_beneath_open(s->store->staging, name, O_RDONLY | O_DIRECTORY, 0);
	CES_CLEANUP_FD int own = -1;
	CES_CLEANUP_FD int fs = -1;
	struct stat above, its;

	if (staging >= 0 && fstat(staging, &above) == 0 && mkdirat(staging, "root", 0700) == 0)
		own = ces_beneath_open(staging, "root", O_RDONLY | O_DIRECTORY, 0);
	if (own < 0 || fstat(own, &its) < 0)
		return ces_error_errno(err, CES_E_HOST, "staging directory");
	if (its.st_uid != 0 || (its.st_mode & 077) != 0 || its.st_dev != above.st_dev)
		return ces_steps_refuse(err);
	if (mkdirat(own, "fs", 0755) == 0)
		fs = ces_beneath_open(own, "fs", O_RDONLY | O_DIRECTORY, 0);
	/* the umask is 077; a layer's root is open to all ids of the container */
	if (fs < 0 || fchmod(fs, 0755) < 0)
		return ces_error_errno(err, CES_E_HOST, "staging directory");
	*ret_own = ces_steal_fd(&own);
	*ret_fs = ces_steal_fd(&fs);
	return 0;
}

static int start(struct ces_steps *s, const struct ces_step *step, struct ces_staged *staged,
		 struct ces_error *err)
{
	struct ces_unpack_job job = {
	    .kind = CES_UNPACK_LAYER,
	    .size = step->size,
	    .compression = step->number,
	    .max_bytes = step->left < CES_LAYER_BYTES_MAX ? step->left : CES_LAYER_BYTES_MAX,
	    .max_entries = LAYER_ENTRIES_MAX,
	    .reserve = s->session->host->store.reserve};
	CES_CLEANUP_FD int fs = -1;
	CES_CLEANUP_FD int mount = -1;

	memcpy(job.digest, step->digest, sizeof(job.digest));
	memcpy(job.diff_id, step->diff_id, sizeof(job.diff_id));
	return make_own(s, staged->name, &staged->own, &fs, err) < 0 ||
		       ces_mount_clone(fs, false, s->userns, &mount, err) < 0 ||
		       ces_unpacker_start(&job, s->userns, &mount, 1, &staged->unpacker, err) < 0
		   ? -1
		   : 0;
}

/* Root sets the limits of a layer. The space that the user has left is ces-store's word. */
int ces_layers_unpack(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	struct ces_staged *staged = find(s, "");

	if (staged == NULL || find(s, step->name) != NULL || !ces_digest_valid(step->digest) ||
	    !ces_digest_valid(step->diff_id))
		return ces_steps_refuse(err);
	memcpy(staged->name, step->name, sizeof(staged->name));
	memcpy(staged->diff_id, step->diff_id, sizeof(staged->diff_id));
	if (start(s, step, staged, err) < 0 ||
	    ces_steps_hand_out(s, &staged->unpacker.answer, err) < 0)
		return -1;
	return ces_steps_hand_out(s, &staged->unpacker.input, err);
}

/* The ces-unpack is dead from here on: nothing changes below fs any more. Its exit, and nobody
 * else's word, says that the bytes were those of both digests. */
int ces_layers_unpacked(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	struct ces_staged *staged = find(s, step->name);

	if (staged == NULL)
		return ces_steps_refuse(err);
	if (staged->unpacker.process.pid != 0)
		staged->whole = ces_unpacker_done(&staged->unpacker);
	return ces_steps_answer(s, staged->whole, err);
}

int ces_layers_mark(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	const struct ces_staged *staged = find(s, step->name);
	char path[CES_STEP_BYTES_MAX + 1];
	CES_CLEANUP_FD int fs = -1;

	if (staged == NULL || !staged->whole)
		return ces_steps_refuse(err);
	memcpy(path, step->bytes, step->length);
	path[step->length] = '\0';
	fs = ces_beneath_open(staged->own, "fs", O_RDONLY | O_DIRECTORY, 0);
	if (fs < 0)
		return ces_error_errno(err, CES_E_HOST, "staging directory");
	return ces_overlay_mark(fs, path, err) < 0 ? -1 : ces_steps_answer(s, 1, err);
}

int ces_layers_commit(struct ces_steps *s, const struct ces_step *step, struct ces_error *err)
{
	const struct ces_staged *staged = find(s, step->name);
	CES_CLEANUP_FD int fd = -1;

	if (staged == NULL || !staged->whole)
		return ces_steps_refuse(err);
	fd = ces_beneath_open(staged->own, "diff_id", O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ces_write_full(fd, staged->diff_id, CES_DIGEST_LENGTH, -1) < 0 ||
	    mknodat(staged->own, CES_STORE_SEAL, S_IFCHR, CES_STORE_SEAL_NUMBER) < 0)
		return ces_error_errno(err, CES_E_HOST, "writing diff_id");
	ces_layers_forget(s, step->name);
	return ces_steps_answer(s, 1, err);
}
