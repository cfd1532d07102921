/* The watch over a run. Must not take a pid from anyone: signals go through the pidfd, the end
 * through the cgroup. The client may send a few signals, or go; it cannot hold this process up,
 * since nothing here waits for it. */
#include "helper/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/num.h"
#include "helper/cleanroom.h"

#define GRACE_MS   10000
#define CONTROL_MS 2000

struct watch {
	const struct ces_plan *plan;
	const struct ces_cgroup *cgroup;
	const struct ces_container *container;
	int64_t time_limit; /* of ces_now_ms */
	int64_t kill_at;    /* -1: nobody has asked it to stop */
	const char *why;    /* it was asked to stop, or NULL */
	bool client;        /* still there */
};

static void send_signal(const struct watch *watch, int number)
{
	(void)syscall(SYS_pidfd_send_signal, watch->container->process.pidfd, number, NULL, 0);
}

/* TERM now, the kill after the grace. */
static void stop(struct watch *watch, const char *why)
{
	if (watch->kill_at >= 0)
		return;
	watch->why = why;
	watch->kill_at = ces_now_ms() + GRACE_MS;
	send_signal(watch, watch->plan->image.stop_signal != 0 ? (int)watch->plan->image.stop_signal
							       : SIGTERM);
}

static void obey(struct watch *watch, const struct ces_control *control)
{
	static const int allowed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

	if (control->kind != CES_CONTROL_SIGNAL)
		return;
	if (control->value == SIGKILL)
		ces_cgroup_kill(watch->cgroup);
	for (size_t i = 0; i < CES_COUNT(allowed); i++)
		if (control->value == (uint64_t)allowed[i])
			send_signal(watch, allowed[i]);
}

static void listen_to_client(struct watch *watch)
{
	struct ces_control control;
	struct ces_error ignored;
	int got = ces_wire_receive(CES_FD_REQUEST, &ces_control_schema, 256,
				   ces_now_ms() + CONTROL_MS, &control, &ignored);

	if (got <= 0) {
		watch->client = false;
		stop(watch, "client gone");
		return;
	}
	/* the pty is the client's: its size is set already, the runtime has to copy it to the
	 * container's */
	if (control.kind == CES_CONTROL_WINDOW)
		send_signal(watch, SIGWINCH);
	else
		obey(watch, &control);
	ces_wire_free(&ces_control_schema, &control);
}

static int64_t next_deadline(const struct watch *watch)
{
	if (watch->kill_at >= 0)
		return watch->kill_at;
	return watch->time_limit;
}

/* What is due by the clock. */
static void keep_time(struct watch *watch)
{
	int64_t now = ces_now_ms();

	if (watch->kill_at >= 0 && now >= watch->kill_at) {
		ces_cgroup_kill(watch->cgroup);
		watch->kill_at = now + GRACE_MS;
	}
	if (now >= watch->time_limit)
		stop(watch, "time limit");
}

static void wait_for_end(struct watch *watch)
{
	for (;;) {
		struct pollfd fds[2] = {
		    {.fd = watch->container->process.pidfd, .events = POLLIN},
		    {.fd = watch->client ? CES_FD_REQUEST : -1, .events = POLLIN}};
		int64_t left = next_deadline(watch) - ces_now_ms();

		left = left < 0 ? 0 : left > 3600 * 1000 ? 3600 * 1000 : left;
		if (poll(fds, CES_COUNT(fds), (int)left) < 0 && errno != EINTR)
			ces_cgroup_kill(watch->cgroup);
		if (fds[0].revents != 0)
			return;
		if (fds[1].revents != 0)
			listen_to_client(watch);
		keep_time(watch);
	}
}

static void say_limit(struct ces_end *end, const struct ces_plan *plan,
		      const struct ces_cgroup *cgroup)
{
	struct ces_cgroup_usage usage;
	char limit[32], peak[32];

	ces_cgroup_read(cgroup, &usage);
	ces_num_format_size(plan->decision->limits.memory, limit, sizeof(limit));
	ces_num_format_size(usage.peak_memory, peak, sizeof(peak));
	(void)snprintf(end->text, sizeof(end->text),
		       "killed at the memory limit of %s (peak %s); ask for more with --memory",
		       limit, peak);
}

/* crun and runc pass on 128 + n for a signal; 137 with an out-of-memory kill in the cgroup was the
 * limit. */
static void judge(const struct watch *watch, int status, struct ces_end *ret)
{
	struct ces_cgroup_usage usage;
	char limit[32];

	ces_cgroup_read(watch->cgroup, &usage);
	memset(ret, 0, sizeof(*ret));
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	ret->reason = ret->status > 128 && ret->status < 128 + NSIG ? "signal" : "exit";
	if (watch->why != NULL) {
		ret->reason = watch->why;
		ces_num_format_time(watch->plan->decision->limits.time, limit, sizeof(limit));
		if (strcmp(watch->why, "time limit") == 0)
			(void)snprintf(ret->text, sizeof(ret->text),
				       "ended at the time limit of %s", limit);
	} else if (usage.out_of_memory && ret->status == 128 + SIGKILL) {
		ret->reason = "memory limit";
		say_limit(ret, watch->plan, watch->cgroup);
	}
}

static void let_stdio_go(void)
{
	CES_CLEANUP_FD int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* the container holds its own copies; with these closed too, its end is end of file for the
	 * client */
	for (int fd = 0; fd <= STDERR_FILENO && null >= 0; fd++)
		(void)dup2(null, fd);
}

void ces_supervise(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		   struct ces_container *container, struct ces_end *ret)
{
	struct watch watch = {
	    plan, cgroup, container, ces_now_ms() + (int64_t)plan->decision->limits.time * 1000,
	    -1,   NULL,   true};
	int status = 0;

	let_stdio_go();
	wait_for_end(&watch);
	(void)waitpid(container->process.pid, &status, 0);
	container->process.pid = 0;
	ces_cgroup_kill(cgroup);
	judge(&watch, status, ret);
}
