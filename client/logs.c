/* logs: what a detached run wrote, and with -f what it goes on to write. Bytes are passed on
 * unchanged, like the output of an attached run. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/follow.h"
#include "client/lifecycle.h"
#include "client/live.h"
#include "client/say.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"

/* Copies to the present end. -1: stdout takes no more. */
static int copy(int from)
{
	char bytes[65536];
	ssize_t n;

	while ((n = read(from, bytes, sizeof(bytes))) > 0)
		if (ces_write_full(STDOUT_FILENO, bytes, (size_t)n, -1) < 0)
			return -1;
	return 0;
}

static bool same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* Copies on, also over a rotation: what was open is copied to its end, then the new file. */
static int copy_on(int dir, const char *run, int *log)
{
	CES_CLEANUP_FD int now = ces_kept_log(dir, run, false, O_RDONLY);

	if (*log >= 0 && copy(*log) < 0)
		return -1;
	if (now < 0 || (*log >= 0 && same(now, *log)))
		return 0;
	/* written between the copy and the rotation */
	if (*log >= 0 && copy(*log) < 0)
		return -1;
	ces_cleanup_close(log);
	*log = ces_steal_fd(&now);
	return copy(*log);
}

static int follow(int dir, struct ces_kept *kept, int *log)
{
	struct ces_follow news = CES_FOLLOW_NONE;
	int result;

	ces_follow_start(&news, dir, kept->run);
	do
		result = ces_follow_next(&news, kept);
	while (copy_on(dir, kept->run, log) == 0 && result > 0);
	ces_follow_end(&news);
	return result < 0 ? -1 : 0;
}

/* The end of what is in fd, *left line ends back; what is not found stays in *left. */
static void seek_back(int fd, uint64_t *left)
{
	char bytes[65536];
	off_t at = lseek(fd, 0, SEEK_END);

	while (at > 0 && *left > 0) {
		off_t from = at > (off_t)sizeof(bytes) ? at - (off_t)sizeof(bytes) : 0;
		ssize_t n = pread(fd, bytes, (size_t)(at - from), from);

		for (; n > 0 && *left > 0; n--)
			if (bytes[n - 1] == '\n' && --*left == 0)
				from += n;
		at = from;
	}
	(void)lseek(fd, at < 0 ? 0 : at, SEEK_SET);
}

static bool ends_a_line(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last;

	return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last == '\n';
}

/* Only the last lines are to be copied: of the log, and where it is too short, of its older half.
 */
static void skip_to_tail(uint64_t lines, int log, int older)
{
	int newest = log >= 0 ? log : older;
	/* a line that has an end is not begun by it */
	uint64_t left = lines + (ends_a_line(newest) ? 1 : 0);

	if (lines == 0)
		left = 0;
	if (log >= 0)
		seek_back(log, &left);
	if (older >= 0)
		seek_back(older, &left);
}

int ces_logs(struct ces_options *options)
{
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int log = -1;
	CES_CLEANUP_FD int older = -1;
	struct ces_error err;
	struct ces_kept kept;

	ces_say_only_errors(options->quiet);
	if (ces_kept_open(false, &dir, &err) < 0 ||
	    !ces_kept_find(dir, options->request.run, &kept)) {
		ces_say_error("no log of a run %s: a log is kept of detached runs (run -d); "
			      "ces-client ps -a lists them",
			      options->request.run);
		return CES_EXIT_REFUSED;
	}
	/* the newer first: a rotation in between shows a part twice, and loses none */
	log = ces_kept_log(dir, kept.run, false, O_RDONLY);
	older = ces_kept_log(dir, kept.run, true, O_RDONLY);
	if (log < 0 && older < 0) {
		ces_say_error("the log of run %s: %s", kept.run, strerror(errno));
		return CES_EXIT_REFUSED;
	}
	if (options->tailed)
		skip_to_tail(options->tail, log, older);
	if ((older >= 0 && copy(older) < 0) || (log >= 0 && copy(log) < 0))
		return errno == EPIPE ? 0 : CES_EXIT_REFUSED;
	if (options->follow && kept.ended == 0 && follow(dir, &kept, &log) < 0)
		return CES_EXIT_REFUSED;
	if (kept.lost)
		ces_say_error("the log is incomplete: it could not be written for a while");
	return 0;
}
