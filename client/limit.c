/* Says what the figures from the helper mean, and what to type. It must not decide anything. */
#include "client/limit.h"

#include <signal.h>
#include <stdio.h>

#include "common/event.h"
#include "common/num.h"

static void own_memory(const struct ces_event_exited *exited, const char *what, const char *limit,
		       const char *peak, char *buffer, size_t size)
{
	char most[32];

	ces_num_format_size(exited->most, most, sizeof(most));
	if (exited->value < exited->most)
		(void)snprintf(
		    buffer, size,
		    "%s at the memory limit of %s (peak %s); ask for more with --memory, up "
		    "to %s",
		    what, limit, peak, most);
	else
		(void)snprintf(
		    buffer, size,
		    "%s at the memory limit of %s (peak %s); no more is allowed (--memory "
		    "up to %s)",
		    what, limit, peak, most);
}

static void memory(const struct ces_event_exited *exited, char *buffer, size_t size)
{
	const char *what = exited->status == 128 + SIGKILL ? "killed" : "a process was killed";
	char limit[32], peak[32];

	ces_num_format_size(exited->value, limit, sizeof(limit));
	ces_num_format_size(exited->peak_memory, peak, sizeof(peak));
	switch (exited->limit - CES_LIMIT_MEMORY) {
	case CES_LIMIT_USER:
		(void)snprintf(
		    buffer, size,
		    "%s at the memory limit of %s for all your runs together (peak of this "
		    "one %s); end another, or ask for less with --memory",
		    what, limit, peak);
		break;
	case CES_LIMIT_JOB:
		(void)snprintf(
		    buffer, size,
		    "%s at a memory limit of your batch job (peak of this run %s); ask for "
		    "more when you submit it",
		    what, peak);
		break;
	case CES_LIMIT_HOST:
		(void)snprintf(
		    buffer, size,
		    "%s because this machine ran out of memory (peak of this run %s, its "
		    "limit %s)",
		    what, peak, limit);
		break;
	default:
		own_memory(exited, what, limit, peak, buffer, size);
		break;
	}
}

static void processes(const struct ces_event_exited *exited, char *buffer, size_t size)
{
	unsigned long long limit = exited->value;

	switch (exited->limit - CES_LIMIT_PROCESSES) {
	case CES_LIMIT_OWN:
		(void)snprintf(buffer, size, "the limit of %llu processes was reached", limit);
		break;
	case CES_LIMIT_USER:
		(void)snprintf(buffer, size,
			       "the limit of %llu processes for all your runs together was reached",
			       limit);
		break;
	default:
		(void)snprintf(buffer, size,
			       "a limit of processes around this run was reached (its own is %llu)",
			       limit);
		break;
	}
}

static void space(const struct ces_event_exited *exited, char *buffer, size_t size)
{
	char whole[32];

	ces_num_format_size(exited->value, whole, sizeof(whole));
	switch (exited->limit - CES_LIMIT_SPACE) {
	case CES_LIMIT_FILES:
		(void)snprintf(buffer, size,
			       "the %s for changes to the image's files were full at the end; "
			       "write large files to /scratch or /safe_outputs",
			       whole);
		break;
	case CES_LIMIT_SHM:
		(void)snprintf(buffer, size,
			       "/dev/shm was full at the end (%s); ask for more with --shm-size",
			       whole);
		break;
	default:
		(void)snprintf(buffer, size, "the disk of %s was full at the end",
			       exited->limit == CES_LIMIT_SPACE + CES_LIMIT_SCRATCH
				   ? "/scratch"
				   : "/safe_outputs");
		break;
	}
}

void ces_limit_text(const struct ces_event_exited *exited, char *buffer, size_t size)
{
	char time[32];

	buffer[0] = '\0';
	if (exited->limit == CES_LIMIT_TIME) {
		ces_num_format_time(exited->value, time, sizeof(time));
		(void)snprintf(buffer, size, "ended at the time limit of %s", time);
	} else if (exited->limit >= CES_LIMIT_MEMORY &&
		   exited->limit < CES_LIMIT_MEMORY + CES_LIMIT_KINDS) {
		memory(exited, buffer, size);
	} else if (exited->limit >= CES_LIMIT_PROCESSES &&
		   exited->limit < CES_LIMIT_PROCESSES + CES_LIMIT_KINDS) {
		processes(exited, buffer, size);
	} else if (exited->limit >= CES_LIMIT_SPACE &&
		   exited->limit < CES_LIMIT_SPACE + CES_LIMIT_SPACES) {
		space(exited, buffer, size);
	}
}
