/* logs: shows what a detached run wrote, and with -f what it goes on to write. It must not change a
 * byte, as with the output of an attached run. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/follow.h"
#include "client/lifecycle.h"
#include "client/live.h"
#include "client/say.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/num.h"
#include "common/paths.h"

/* A log from some offset on. */
struct source {
	int log;         /* -1: none */
	FILE *times;     /* NULL: not wanted, or not known */
	uint64_t at;     /* in the log */
	uint64_t number; /* of the log among those of its run, from 1; 0: not known */
	uint64_t ms, next_at, next_ms;
	bool next;   /* there is another */
	bool inside; /* a line has begun */
	bool shown;  /* and it is printed */
};

/* Reads the next line of the times. The file may grow meanwhile. */
static bool read_time(struct source *from)
{
	char line[64], *space;

	clearerr(from->times);
	if (fgets(line, sizeof(line), from->times) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	space = strchr(line, ' ');
	if (space == NULL)
		return false;
	*space++ = '\0';
	space[strcspn(space, " ")] = '\0'; /* (the number of the log comes after it) */
	return ces_num_parse(line, 0, UINT64_MAX, &from->next_at) == 0 &&
	       ces_num_parse(space, 0, UINT64_MAX, &from->next_ms) == 0;
}

/* Returns the time at this offset, if known; 0: unknown. */
static uint64_t time_at(struct source *from)
{
	while (from->times != NULL) {
		if (!from->next)
			from->next = read_time(from);
		if (!from->next)
			break;
		if (from->next_at > from->at)
			break;
		from->ms = from->next_ms;
		from->next = false;
	}
	return from->ms;
}

static int put(const char *bytes, size_t n)
{
	return ces_write_full(STDOUT_FILENO, bytes, n, -1);
}

/* The times may be missing: the user may remove them, and a full home has no room for them. */
static void say_untimed(void)
{
	static bool said;

	if (!said)
		ces_say_error("it is not known when a part of this log was written: its lines are "
			      "shown without a time");
	said = true;
}

static int begin_line(const struct ces_options *options, struct source *from)
{
	uint64_t ms = time_at(from);
	time_t when = (time_t)(ms / 1000);
	char text[48];
	struct tm parts;
	size_t n;

	from->inside = true;
	from->shown = ms >= options->since || ms == 0;
	if (ms == 0) {
		say_untimed();
		return 0;
	}
	if (!from->shown || !options->timestamps || gmtime_r(&when, &parts) == NULL)
		return 0;
	n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	n += (size_t)snprintf(text + n, sizeof(text) - n, ".%03uZ ", (unsigned)(ms % 1000));
	return put(text, n);
}

static int put_lines(const struct ces_options *options, struct source *from, const char *bytes,
		     size_t n)
{
	while (n > 0) {
		const char *end = memchr(bytes, '\n', n);
		size_t length = end != NULL ? (size_t)(end + 1 - bytes) : n;

		if (!from->inside && begin_line(options, from) < 0)
			return -1;
		if (from->shown && put(bytes, length) < 0)
			return -1;
		from->inside = end == NULL;
		from->at += length;
		bytes += length;
		n -= length;
	}
	return 0;
}

/* Copies up to the present end. -1: stdout takes no more. */
static int copy(const struct ces_options *options, struct source *from)
{
	bool plain = options->since == 0 && !options->timestamps;
	char bytes[65536];
	ssize_t n;

	while (from->log >= 0 && (n = read(from->log, bytes, sizeof(bytes))) > 0)
		if ((plain ? put(bytes, (size_t)n) : put_lines(options, from, bytes, (size_t)n)) <
		    0)
			return -1;
	return 0;
}

static bool same(int one, int other)
{
	struct stat a, b;

	return fstat(one, &a) == 0 && fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
	       a.st_dev == b.st_dev;
}

/* The third word of the first line; 0: not known. */
static uint64_t number_in(int times)
{
	char line[64] = "", *word = line;
	uint64_t number = 0;

	if (times < 0 || pread(times, line, sizeof(line) - 1, 0) <= 0)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < 2 && word != NULL; i++)
		word = strchr(word, ' ') != NULL ? strchr(word, ' ') + 1 : NULL;
	if (word == NULL || ces_num_parse(word, 1, UINT64_MAX, &number) < 0)
		return 0;
	return number;
}

/* Takes over an open log, and opens its times. If the log has lost its name meanwhile, these are
 * the times of another. */
static void take_source(const struct ces_options *options, int dir, const char *run, bool older,
			int *log, struct source *ret)
{
	CES_CLEANUP_FD int times = ces_kept_times(dir, run, older, O_RDONLY);
	CES_CLEANUP_FD int again = ces_kept_log(dir, run, older, O_RDONLY);

	*ret = (struct source){.log = ces_steal_fd(log)};
	if (times < 0 || again < 0 || !same(again, ret->log))
		return;
	ret->number = number_in(times);
	if (options->since != 0 || options->timestamps)
		ret->times = fdopen(times, "r");
	if (ret->times != NULL)
		(void)ces_steal_fd(&times);
}

static void open_source(const struct ces_options *options, int dir, const char *run, bool older,
			struct source *ret)
{
	CES_CLEANUP_FD int log = ces_kept_log(dir, run, older, O_RDONLY);

	take_source(options, dir, run, older, &log, ret);
}

static void close_source(struct source *from)
{
	ces_cleanup_close(&from->log);
	if (from->times != NULL)
		fclose(from->times);
	from->times = NULL;
}

/* A reader that is slower than the run may find that two logs were begun since. The older one of
 * them is still there; one before it is not. */
static void go_on(const struct ces_options *options, int dir, const char *run, bool older, int *log,
		  struct source *from)
{
	struct source next;

	take_source(options, dir, run, older, log, &next);
	if (from->number != 0 && next.number > from->number + 1)
		ces_say_error("a part of the log is missing here: the run wrote more than the log "
			      "holds before that was read");
	close_source(from);
	*from = next;
}

/* Goes on copying across rotations: copies the open file to its end, then the next one. The names
 * are opened first: nothing is written any more to a file that has lost its name by then. */
static int copy_on(const struct ces_options *options, int dir, const char *run, struct source *from)
{
	for (;;) {
		CES_CLEANUP_FD int now = ces_kept_log(dir, run, false, O_RDONLY);
		CES_CLEANUP_FD int older = ces_kept_log(dir, run, true, O_RDONLY);
		bool begun = now >= 0 && (from->log < 0 || !same(now, from->log));
		bool skipped = begun && older >= 0 && from->log >= 0 && !same(older, from->log);

		if (copy(options, from) < 0)
			return -1;
		if (!begun)
			return 0;
		go_on(options, dir, run, skipped, skipped ? &older : &now, from);
	}
}

static int unwritten(void)
{
	if (errno == EPIPE)
		return 0;
	ces_say_error("cannot write stdout: %s", strerror(errno));
	return CES_EXIT_REFUSED;
}

static int follow(const struct ces_options *options, int dir, struct ces_kept *kept,
		  struct source *from)
{
	struct ces_follow news = CES_FOLLOW_NONE;
	int result = 1, status = 0;

	ces_follow_start(&news, dir, kept->run);
	while (result > 0) {
		result = ces_follow_next(&news, kept);
		if (copy_on(options, dir, kept->run, from) == 0)
			continue;
		ces_follow_end(&news);
		return unwritten();
	}
	ces_follow_end(&news);
	if (result < 0)
		return CES_EXIT_REFUSED;
	if (kept->ended == 0 && kept->elsewhere) {
		ces_say_error("run %s runs on %s, or has ended there: type ces-client logs -f %s "
			      "there",
			      kept->run, kept->host, kept->run);
		status = CES_EXIT_REFUSED;
	}
	return status;
}

/* Goes back by *left lines from the end of fd. *left becomes the number of lines that the file
 * lacks. */
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

/* Skips to the last lines of the log, or of its older half if the log is too short. */
static void skip_to_tail(uint64_t lines, struct source *log, struct source *older)
{
	int newest = log->log >= 0 ? log->log : older->log;
	/* (a line feed at the very end begins no new line) */
	uint64_t left = lines + (ends_a_line(newest) ? 1 : 0);

	if (lines == 0)
		left = 0;
	if (log->log >= 0)
		seek_back(log->log, &left);
	if (older->log >= 0)
		seek_back(older->log, &left);
	log->at = log->log >= 0 ? (uint64_t)lseek(log->log, 0, SEEK_CUR) : 0;
	older->at = older->log >= 0 ? (uint64_t)lseek(older->log, 0, SEEK_CUR) : 0;
}

static int show(const struct ces_options *options, int dir, struct ces_kept *kept)
{
	struct source log, older;
	int result = 0;

	/* the newer one first: a rotation meanwhile shows a part twice, and loses nothing */
	open_source(options, dir, kept->run, false, &log);
	open_source(options, dir, kept->run, true, &older);
	if (log.log < 0 && older.log < 0) {
		ces_say_error("the log of run %s: %s", kept->run, strerror(errno));
		return CES_EXIT_REFUSED;
	}
	if (options->tailed)
		skip_to_tail(options->tail, &log, &older);
	if (copy(options, &older) < 0 || copy(options, &log) < 0)
		result = unwritten();
	else if (options->follow && kept->ended == 0)
		result = follow(options, dir, kept, &log);
	close_source(&log);
	close_source(&older);
	return result;
}

int ces_logs(struct ces_options *options)
{
	CES_CLEANUP_FD int dir = -1;
	struct ces_error err;
	struct ces_kept kept;
	int result;

	ces_say_only_errors(options->quiet);
	if (ces_kept_open(false, &dir, &err) < 0 ||
	    !ces_kept_find(dir, options->request.run, &kept) || kept.attached) {
		ces_say_error("no log of a run %s: a log is kept of detached runs (run -d); "
			      "ces-client ps -a lists your runs",
			      options->request.run);
		return CES_EXIT_REFUSED;
	}
	result = show(options, dir, &kept);
	if (result == 0 && kept.lost)
		ces_say_error("the log is incomplete: it could not be written for a while");
	return result;
}
