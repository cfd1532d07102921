/* ces-unpack: one job, one answer. Reads a job on fd 3, closes the sandbox, does the job with the
 * bytes on fd 5, answers on fd 4 (common/worker.h). Must not read a byte of fd 5, or of a layer,
 * before the sandbox is closed; holds no privilege on the host at any time. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/schema.h"
#include "common/worker.h"
#include "helper/unpack/config.h"
#include "helper/unpack/layer.h"
#include "helper/unpack/manifest.h"
#include "helper/unpack/sandbox.h"
#include "helper/unpack/signatures.h"
#include "helper/unpack/user.h"

#define JOB_FD    3
#define ANSWER_FD 4
#define INPUT_FD  5
#define FIRST_DIR 6

#define JOB_WITHIN_MS 10000

static const char *label(const struct ces_unpack_job *job, char *buffer, size_t size)
{
	static const char *const names[] = {"",      "manifest", "image configuration",
					    "layer", "user",     "list of signatures"};

	if (job->digest[0] == '\0')
		return names[job->kind];
	snprintf(buffer, size, "%s %.19s", names[job->kind], job->digest);
	return buffer;
}

/* Reads all of fd 5, at most job->size bytes, and compares the digest before any parser sees a
 * byte. */
static int read_document(const struct ces_unpack_job *job, uint64_t max, char **ret,
			 size_t *ret_length, char digest[CES_DIGEST_LENGTH + 1],
			 struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;

	if (job->size < max)
		max = job->size;
	if (ces_read_file(INPUT_FD, max, &bytes, &length) < 0)
		return errno == EFBIG
			   ? ces_error_set(err, CES_E_IMAGE, "it is longer than %llu bytes",
					   (unsigned long long)max)
			   : ces_error_errno(err, CES_E_INTERNAL, "cannot read");
	ces_digest_of(bytes, length, digest);
	if (job->digest[0] != '\0' && strcmp(job->digest, digest) != 0)
		return ces_error_set(err, CES_E_IMAGE, "its bytes have another digest, %.19s...",
				     digest);
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

static int answer(const struct ces_wire_schema *schema, const void *object, struct ces_error *err)
{
	return ces_wire_send(ANSWER_FD, schema, object, -1, err);
}

static int do_manifest(const struct ces_unpack_job *job, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_manifest manifest;
	size_t length = 0;
	int result;

	if (ces_sandbox_close(CES_UNPACK_MANIFEST, err) < 0 ||
	    read_document(job, CES_MANIFEST_MAX, &bytes, &length, digest, err) < 0 ||
	    ces_manifest_parse(bytes, length, (enum ces_manifest_type)job->type, &manifest, err) <
		0)
		return -1;
	manifest.answer.digest = digest;
	result = answer(&ces_unpack_manifest_schema, &manifest.answer, err);
	ces_manifest_free(&manifest);
	return result;
}

static int do_config(const struct ces_unpack_job *job, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_config config;
	size_t length = 0;
	int result;

	if (ces_sandbox_close(CES_UNPACK_CONFIG, err) < 0 ||
	    read_document(job, CES_CONFIG_MAX, &bytes, &length, digest, err) < 0)
		return -1;
	if (length != job->size)
		return ces_error_set(err, CES_E_IMAGE, "it has %zu bytes, the manifest says %llu",
				     length, (unsigned long long)job->size);
	if (ces_config_parse(bytes, length, job->layers, &config, err) < 0)
		return -1;
	config.record.config_digest = digest;
	result = answer(&ces_image_record_schema, &config.record, err);
	ces_config_free(&config);
	return result;
}

static int do_signatures(const struct ces_unpack_job *job, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_signatures signatures;
	size_t length = 0;
	int result;

	if (ces_sandbox_close(CES_UNPACK_SIGNATURES, err) < 0 ||
	    read_document(job, CES_BAG_DOCUMENT, &bytes, &length, digest, err) < 0 ||
	    ces_signatures_parse(bytes, length, &signatures, err) < 0)
		return -1;
	result = answer(&ces_unpack_signatures_schema, &signatures.answer, err);
	ces_signatures_free(&signatures);
	return result;
}

static int do_layer(const struct ces_unpack_job *job, int root, struct ces_error *err)
{
	const struct ces_stream_source source = {
	    .fd = INPUT_FD,
	    .size = job->size,
	    .digest = job->digest,
	    .diff_id = job->diff_id,
	    .compression = (enum ces_compression)job->compression,
	};
	const struct ces_layer_limits limits = {job->max_bytes, job->max_entries, job->reserve};
	struct ces_unpack_layer layer = {0};
	struct ces_stream *stream;
	int result;

	/* The thread starts before the filter, which then covers both and allows no other. */
	if (ces_stream_open(&source, &stream, err) < 0)
		return -1;
	if (ces_sandbox_close(CES_UNPACK_LAYER, err) < 0 ||
	    ces_layer_extract(stream, root, &limits, &layer, err) < 0) {
		ces_stream_close(stream);
		return -1;
	}
	ces_stream_close(stream);
	layer.diff_id = (char *)(uintptr_t)job->diff_id;
	result = answer(&ces_unpack_layer_schema, &layer, err);
	ces_layer_free(&layer);
	return result;
}

static int do_user(const struct ces_unpack_job *job, const int *layers, size_t n_layers,
		   struct ces_error *err)
{
	CES_CLEANUP_FREE char *passwd = NULL, *group = NULL;
	struct ces_image_record record = {0};
	struct ces_user user;

	if (ces_sandbox_close(CES_UNPACK_FIND_USER, err) < 0 ||
	    ces_user_find_file(layers, n_layers, "passwd", &passwd, err) < 0 ||
	    ces_user_find_file(layers, n_layers, "group", &group, err) < 0 ||
	    ces_user_resolve(job->user[0] != '\0' ? job->user : NULL, passwd, group, &user, err) <
		0)
		return -1;
	record.uid = user.uid;
	record.gid = user.gid;
	record.groups = (struct ces_u64s){user.groups, user.n_groups};
	record.home = user.home;
	return answer(&ces_image_record_schema, &record, err);
}

static int check_job(const struct ces_unpack_job *job, struct ces_error *err)
{
	bool document = job->kind == CES_UNPACK_MANIFEST || job->kind == CES_UNPACK_CONFIG ||
			job->kind == CES_UNPACK_SIGNATURES;
	bool layer = job->kind == CES_UNPACK_LAYER;

	if (!document && !layer && job->kind != CES_UNPACK_FIND_USER)
		return ces_error_set(err, CES_E_INTERNAL, "unknown job");
	if (job->digest[0] != '\0' ? !ces_digest_valid(job->digest)
				   : layer || job->kind == CES_UNPACK_CONFIG)
		return ces_error_set(err, CES_E_INTERNAL, "the job has no digest");
	if (layer && (!ces_digest_valid(job->diff_id) || job->compression > CES_COMPRESSION_ZSTD))
		return ces_error_set(err, CES_E_INTERNAL,
				     "the job has no diff_id or no compression");
	if (job->type > CES_MANIFEST_DOCKER)
		return ces_error_set(err, CES_E_INTERNAL, "the job has an unknown type");
	return 0;
}

static int check_directory(int fd, struct ces_error *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !S_ISDIR(st.st_mode))
		return ces_error_set(err, CES_E_INTERNAL, "fd %d is not a directory", fd);
	return 0;
}

/* Refuses a directory that is not empty: the files of an earlier try would become part of the
 * layer. */
static int check_empty(int fd, struct ces_error *err)
{
	CES_CLEANUP_FD int again = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_DIR DIR *dir = again < 0 ? NULL : fdopendir(again);
	const struct dirent *entry;

	if (dir == NULL)
		return ces_error_errno(err, CES_E_HOST, "cannot read the staging directory");
	ces_steal_fd(&again);
	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return ces_error_set(err, CES_E_INTERNAL,
					     "the staging directory is not empty");
	}
	return 0;
}

/* Counts the given directories, from fd 6 upward, and closes all fds above. */
static int count_directories(int *ret_fds, size_t *ret, struct ces_error *err)
{
	size_t n = 0;

	while (n < CES_LAYERS_MAX && fcntl(FIRST_DIR + (int)n, F_GETFD) >= 0) {
		ret_fds[n] = FIRST_DIR + (int)n;
		if (check_directory(ret_fds[n], err) < 0)
			return -1;
		n++;
	}
	*ret = n;
	return close_range((unsigned)(FIRST_DIR + n), ~0U, 0);
}

static int do_job(const struct ces_unpack_job *job, struct ces_error *err)
{
	enum ces_unpack_kind kind = (enum ces_unpack_kind)job->kind;
	int layers[CES_LAYERS_MAX];
	size_t n_layers = 0;
	int root = -1;

	if (kind == CES_UNPACK_LAYER) {
		root = FIRST_DIR;
		if (check_directory(root, err) < 0 || check_empty(root, err) < 0)
			return -1;
		close_range(FIRST_DIR + 1, ~0U, 0);
	} else if (kind == CES_UNPACK_FIND_USER) {
		if (count_directories(layers, &n_layers, err) < 0)
			return -1;
	} else {
		close_range(FIRST_DIR, ~0U, 0);
	}
	if (kind == CES_UNPACK_LAYER)
		ces_layer_prepare();
	if (ces_sandbox_enter(kind, root, job->size, err) < 0)
		return -1;
	switch (kind) {
	case CES_UNPACK_MANIFEST:
		return do_manifest(job, err);
	case CES_UNPACK_CONFIG:
		return do_config(job, err);
	case CES_UNPACK_LAYER:
		return do_layer(job, root, err);
	case CES_UNPACK_FIND_USER:
		return do_user(job, layers, n_layers, err);
	case CES_UNPACK_SIGNATURES:
		return do_signatures(job, err);
	default:
		return ces_error_set(err, CES_E_INTERNAL, "unknown job");
	}
}

/* Returns whether fds 3 and 4 are pipes and fd 5 is open. If not, this was not started by the
 * helper. */
static bool fds_are_good(void)
{
	struct stat job, answer_st, input;

	return fstat(JOB_FD, &job) == 0 && fstat(ANSWER_FD, &answer_st) == 0 &&
	       fstat(INPUT_FD, &input) == 0 && S_ISFIFO(job.st_mode) &&
	       S_ISFIFO(answer_st.st_mode) && !S_ISDIR(input.st_mode);
}

static int tell(const struct ces_error *what)
{
	char text[CES_ERROR_TEXT];
	struct ces_unpack_error message = {.code = what->code, .text = text};
	struct ces_error err;

	snprintf(text, sizeof(text), "%s", what->text);
	return answer(&ces_unpack_error_schema, &message, &err);
}

/* Takes the job, which is all that comes. */
static int take_job(struct ces_unpack_job *ret)
{
	int64_t deadline = ces_now_ms() + JOB_WITHIN_MS;
	char more;

	if (ces_read_full(JOB_FD, ret, sizeof(*ret), deadline) < 0 ||
	    ces_read_full(JOB_FD, &more, 1, deadline) == 0 || errno != ENODATA)
		return -1;
	ret->digest[CES_DIGEST_LENGTH] = ret->diff_id[CES_DIGEST_LENGTH] = '\0';
	ret->user[sizeof(ret->user) - 1] = '\0';
	return 0;
}

int main(void)
{
	struct ces_unpack_job job = {0};
	struct ces_error err = {0};
	char name[128];
	int result;

	if (!fds_are_good() || ces_sandbox_begin(&err) < 0)
		_exit(1);
	if (take_job(&job) < 0)
		_exit(1);
	close(JOB_FD);
	result = check_job(&job, &err);
	if (result == 0) {
		result = do_job(&job, &err);
		if (result < 0 && (err.code == CES_E_IMAGE || err.code == CES_E_LIMIT) &&
		    job.kind != CES_UNPACK_FIND_USER)
			ces_error_context(&err, "%s", label(&job, name, sizeof(name)));
	}
	if (result == 0)
		_exit(0);
	_exit(tell(&err) == 0 ? CES_UNPACK_FAILED : 1);
}
