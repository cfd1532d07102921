/* Runs a job in a child that has given up root. A hijacked job can write what a job may write: one
 * struct and some bytes, in place of its own. It must never get a descriptor that can be written to
 * but the pipe and what the caller prints on. */
#include "policy/evidence/apart.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/tool/input.h"

#define MAGIC       UINT64_C(0x3154524150534543)
#define WAIT_MS     600000
#define CPU_SECONDS 120

struct head {
	uint64_t magic, length;
	int64_t status;
	struct ces_error err;
	unsigned char note[CES_APART_NOTE];
};

/* Lives as long as its parent, and no longer than its share of processor time. */
static void child(ces_apart_work *work, void *context, int out, pid_t parent)
{
	const struct rlimit cpu = {CPU_SECONDS, CPU_SECONDS};
	struct ces_apart_result result = {.bytes = NULL};
	struct head head = {.magic = MAGIC, .status = -1};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent ||
	    setrlimit(RLIMIT_CPU, &cpu) != 0)
		(void)ces_error_errno(&head.err, CES_E_HOST, "cannot begin");
	else if (ces_input_drop(&head.err) == 0)
		head.status = work(context, &result, &head.err);
	memcpy(head.note, result.note, sizeof(head.note));
	head.length = head.status == 0 && result.bytes != NULL ? result.length : 0;
	fflush(stdout);
	if (ces_write_full(out, &head, sizeof(head), -1) != 0 ||
	    (head.length > 0 && ces_write_full(out, result.bytes, result.length, -1) != 0))
		_exit(2);
	_exit(0);
}

/* Who controls it: the child, all of it. A length beyond max is refused before anything is made. */
static int take(int in, size_t max, struct ces_apart_result *ret, struct ces_error *err)
{
	int64_t deadline = ces_now_ms() + WAIT_MS;
	CES_CLEANUP_FREE char *bytes = NULL;
	struct head head;

	if (ces_read_full(in, &head, sizeof(head), deadline) != 0)
		return ces_error_set(err, CES_E_LIMIT,
				     errno == ETIMEDOUT ? "it takes too long to read"
							: "reading it ended early: too much time "
							  "or memory was needed");
	if (head.magic != MAGIC || head.length > max)
		return ces_error_set(err, CES_E_INTERNAL,
				     "the answer of the process that read it is not valid");
	if (head.status != 0) {
		head.err.text[sizeof(head.err.text) - 1] = '\0';
		return ces_error_set(err, CES_E_IMAGE, "%s", head.err.text);
	}
	bytes = calloc(1, head.length + 1);
	if (bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (head.length > 0 && ces_read_full(in, bytes, head.length, deadline) != 0)
		return ces_error_set(err, CES_E_LIMIT, "reading it ended early");
	memcpy(ret->note, head.note, sizeof(ret->note));
	ret->bytes = ces_steal_pointer(&bytes);
	ret->length = head.length;
	return 0;
}

int ces_apart_run(ces_apart_work *work, void *context, size_t max, struct ces_apart_result *ret,
		  struct ces_error *err)
{
	CES_CLEANUP_FD int in = -1, out = -1;
	pid_t parent = getpid(), pid;
	int ends[2], result;

	if (pipe2(ends, O_CLOEXEC) != 0)
		return ces_error_errno(err, CES_E_HOST, "cannot make a pipe");
	in = ends[0];
	out = ends[1];
	fflush(stdout);
	pid = fork();
	if (pid < 0)
		return ces_error_errno(err, CES_E_HOST, "cannot start a process");
	if (pid == 0) {
		close(in);
		child(work, context, out, parent);
	}
	ces_cleanup_close(&out);
	result = take(in, max, ret, err);
	/* (it has sent everything, or it must end) */
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return result;
}
