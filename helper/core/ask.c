/* Asks ces-parse and ces-decode. Must not believe a length before it is bounded, nor wait without a
 * deadline.
 *
 * Who controls what: root controls a file's bytes, and the caller a request. The process that
 * answers has an account of its own and sees nothing else, but it may be wrong, slow, or gone. If
 * it read a request, the caller may have taken it over, and it can say what they could have
 * typed. */
#include "helper/core/ask.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"

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

int ces_ask_begin(const char *path, int input, struct ces_asking *ret, struct ces_error *err)
{
	struct ces_asking asking = {CES_PROCESS_NONE, -1};
	CES_CLEANUP_FD int theirs = -1;
	int fds[2] = {input, -1}, ends[2];
	struct ces_spawn how = {.path = path, .userns = -1, .fds = fds, .n_fds = 2};

	if (ces_worker_ids(CES_PARSE_USER, &how.uid, &how.gid, err) < 0)
		return -1;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	asking.answer = ends[0];
	theirs = ends[1];
	fds[1] = theirs;
	if (ces_spawn_worker(&how, &asking.process, err) < 0) {
		close(asking.answer);
		return -1;
	}
	*ret = asking;
	return 0;
}

/* Keeps the code of a fault of the machine, and of a time-out. Any other code means that the input
 * was wrong. */
static enum ces_code code_of(enum ces_code code)
{
	if (code == CES_E_HOST || code == CES_E_INTERNAL)
		return CES_E_HOST;
	return code == CES_E_LIMIT ? CES_E_LIMIT : CES_E_USAGE;
}

static int take(int fd, size_t max, int64_t deadline, uint8_t **ret, size_t *ret_length,
		struct ces_error *err)
{
	struct ces_parse_answer answer;
	uint8_t *block;

	if (ces_read_full(fd, &answer, sizeof(answer), deadline) < 0 ||
	    answer.magic != CES_PARSE_MAGIC || answer.length > max)
		return -1;
	answer.err.text[sizeof(answer.err.text) - 1] = '\0';
	if (answer.err.code != CES_OK) {
		ces_error_set(err, code_of(answer.err.code), "%s", answer.err.text);
		return 0;
	}
	*ret = NULL;
	*ret_length = answer.length;
	if (answer.length == 0)
		return 1;
	block = calloc(1, answer.length + 1);
	if (block == NULL || ces_read_full(fd, block, answer.length, deadline) < 0) {
		free(block);
		return -1;
	}
	*ret = block;
	return 1;
}

int ces_ask_take(struct ces_asking *asking, size_t max, int64_t deadline_ms, uint8_t **ret,
		 size_t *ret_length, struct ces_error *err)
{
	int result = take(asking->answer, max, deadline_ms, ret, ret_length, err);

	ces_cleanup_close(&asking->answer);
	(void)ces_process_end(&asking->process, true);
	return result;
}

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *err)
{
	const char *path = kind == CES_PARSE_SIGNED ? CES_VERIFY_PATH : CES_PARSE_PATH;
	CES_CLEANUP_FD int input = question(kind, kinds, bytes, length);
	struct ces_asking asking;
	int result;

	if (input < 0)
		return ces_error_errno(err, CES_E_HOST, "asking ces-parse");
	if (ces_ask_begin(path, input, &asking, err) < 0)
		return -1;
	result =
	    ces_ask_take(&asking, CES_PARSE_BLOCK, ces_now_ms() + ANSWER_MS, ret, ret_length, err);
	if (result < 0)
		return ces_error_set(err, CES_E_HOST, "%s gave no answer", strrchr(path, '/') + 1);
	if (result == 0 && err != NULL && err->code == CES_E_USAGE)
		err->code = code;
	return result > 0 ? 0 : -1;
}
