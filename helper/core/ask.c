/* Asking ces-parse. Must not believe a length before it is bounded, nor wait without a deadline.
 *
 * Who controls what: the bytes are a file of root's; the process that answers has an account of its
 * own and sees nothing else, but it may be wrong, slow, or gone. */
#include "helper/core/ask.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/core/spawn.h"

#define ANSWER_MS 5000

static int question(enum ces_parse_kind kind, const struct ces_decision_names *kinds,
		    const char *bytes, size_t length)
{
	struct ces_parse_job job = {.magic = CES_PARSE_MAGIC, .kind = kind};
	CES_CLEANUP_FD int fd = memfd_create("ces-file", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (kinds != NULL)
		job.kinds = *kinds;
	if (fd < 0 || ces_write_full(fd, &job, sizeof(job), -1) < 0 ||
	    ces_write_full(fd, bytes, length, -1) < 0 || lseek(fd, 0, SEEK_SET) != 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return -1;
	return ces_steal_fd(&fd);
}

static int take(int fd, enum ces_code code, uint8_t **ret, size_t *ret_length,
		struct ces_error *err)
{
	struct ces_parse_answer answer;
	int64_t deadline = ces_now_ms() + ANSWER_MS;
	uint8_t *block;

	if (ces_read_full(fd, &answer, sizeof(answer), deadline) < 0 ||
	    answer.magic != CES_PARSE_MAGIC || answer.length > CES_PARSE_BLOCK)
		return ces_error_set(err, CES_E_HOST, "ces-parse gave no answer");
	answer.err.text[sizeof(answer.err.text) - 1] = '\0';
	if (answer.err.code != CES_OK)
		return ces_error_set(err, code, "%s", answer.err.text);
	*ret = NULL;
	*ret_length = answer.length;
	if (answer.length == 0)
		return 0;
	block = malloc(answer.length);
	if (block == NULL || ces_read_full(fd, block, answer.length, deadline) < 0) {
		free(block);
		return ces_error_set(err, CES_E_HOST, "ces-parse gave no answer");
	}
	*ret = block;
	return 0;
}

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *err)
{
	struct ces_process process = CES_PROCESS_NONE;
	int fds[2] = {question(kind, kinds, bytes, length), -1}, ends[2] = {-1, -1}, result = -1;
	struct ces_spawn how = {.path = CES_PARSE_PATH, .userns = -1, .fds = fds, .n_fds = 2};

	if (fds[0] < 0 || pipe2(ends, O_CLOEXEC) < 0)
		ces_error_errno(err, CES_E_HOST, "asking ces-parse");
	else if (ces_worker_ids(CES_PARSE_USER, &how.uid, &how.gid, err) == 0) {
		fds[1] = ends[1];
		result = ces_spawn_worker(&how, &process, err);
	}
	ces_cleanup_close(&ends[1]);
	if (result == 0)
		result = take(ends[0], code, ret, ret_length, err);
	(void)ces_process_end(&process, true);
	ces_cleanup_close(&fds[0]);
	ces_cleanup_close(&ends[0]);
	return result;
}
