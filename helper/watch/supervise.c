/* Watches over a run. Must not take a pid from anyone: signals go through the pidfd, the end
 * through the cgroup. The client may send a few signals, or go. It cannot hold this process up,
 * since nothing here waits for it. */
#include "helper/watch/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/io.h"
#include "common/request.h"
#include "helper/core/deadline.h"
#include "helper/core/order.h"
#include "helper/session/frames.h"
#include "helper/watch/drain.h"

#define JUDGE_SECONDS 1800  /* a file server may not answer, or be back in minutes */
#define GRACE_MS      10000 /* between the request to stop and the kill */
#define GRACE_GONE_MS 3000  /* when nobody is left to see the end */
#define SENT_MS       3000
#define SENT_TICK_MS  100
#define CONTROL_MS    2000
#define END_SECONDS   1800      /* beyond the time limit */
#define FULL_BYTES    (1 << 20) /* a place with less room than this is full */

struct watch {
	const struct ces_plan *plan;
	const struct ces_cgroup *cgroup;
	const struct ces_container *container;
	int64_t time_limit; /* of ces_now_ms */
	int64_t kill_at;    /* -1: nobody has asked it to stop */
	const char *why;    /* the reason for stopping it, or NULL */
	int number;         /* the signal it was ended for, or 0 */
	int sent;           /* the last signal passed on, and when: see keep_time */
	int64_t sent_at;
	bool client; /* still there, and listened to */
	int stop;    /* see ces_runs_enter */
	int signals; /* see take_signals */
	struct ces_ports *ports;
	struct ces_drain drain;
};

static void send_signal(const struct watch *watch, int number)
{
	(void)syscall(SYS_pidfd_send_signal, watch->container->process.pidfd, number, NULL, 0);
}

static pid_t first_child(int tasks, const char *thread)
{
	char path[280], text[32];

	(void)snprintf(path, sizeof(path), "%s/children", thread);
	return ces_read_text(tasks, path, text, sizeof(text)) > 0 ? (pid_t)strtol(text, NULL, 10)
								  : 0;
}

/* The child of the runtime (of any of its threads), process 1 of the container; 0 when it is not
 * there (yet). This process still sees the host's /proc, below its new root. */
static pid_t first_process(const struct watch *watch)
{
	CES_CLEANUP_DIR DIR *dir = NULL;
	const struct dirent *entry;
	char path[40];
	pid_t found = 0;

	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)watch->container->process.pid);
	dir = opendir(path);
	while (dir != NULL && found <= 0 && (entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			found = first_child(dirfd(dir), entry->d_name);
	return found;
}

/* Would this signal have ended process 1, if that were any other process? Process 1 of a pid
 * namespace never dies of a signal it has no handler for (pid_namespaces(7)), so an ordinary
 * program could not be interrupted. The answer may be out of date at once; it only chooses between
 * asking and killing a container that was to end anyhow. absent: the answer where there is no such
 * process. Before it has started there is nothing to ask. After it has ended, its status is still
 * on its way through the runtime, which must not be killed for that. */
static bool would_end(const struct watch *watch, int number, bool absent)
{
	char path[40], text[4096];
	uint64_t ignored, caught;
	const char *at;
	pid_t pid = first_process(watch);

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (pid <= 0 || ces_read_text(AT_FDCWD, path, text, sizeof(text)) <= 0)
		return absent;
	at = strstr(text, "\nSigIgn:\t");
	ignored = at == NULL ? 0 : strtoull(at + 9, NULL, 16);
	at = strstr(text, "\nSigCgt:\t");
	caught = at == NULL ? 0 : strtoull(at + 9, NULL, 16);
	return ((ignored | caught) >> (number - 1) & 1) == 0;
}

static void end_by(struct watch *watch, int number)
{
	if (watch->number == 0)
		watch->number = number;
	ces_cgroup_kill(watch->cgroup);
}

/* Asks the run to stop: sends the signal now, kills after the grace. No grace passes the limit of
 * time. */
static void stop(struct watch *watch, const char *why, int64_t grace)
{
	int64_t at = ces_now_ms() + grace, last = watch->time_limit + GRACE_MS;
	int number =
	    watch->plan->image->stop_signal != 0 ? (int)watch->plan->image->stop_signal : SIGTERM;

	/* asked already: a second request may shorten the wait, and none lengthens it */
	at = at < last ? at : last;
	if (watch->kill_at >= 0) {
		watch->kill_at = at < watch->kill_at ? at : watch->kill_at;
		return;
	}
	watch->why = why;
	watch->kill_at = at;
	if (would_end(watch, number, true))
		end_by(watch, number);
	else
		send_signal(watch, number);
}

/* What a client may pass on; the first ENDS ask for an end. */
static const int known[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGKILL};
#define ENDS 4

/* Does what the client passes on, as if the container's process were the client's child. */
static void obey(struct watch *watch, uint64_t number)
{
	for (size_t i = 0; i < CES_COUNT(known); i++) {
		if ((uint64_t)known[i] != number)
			continue;
		if (would_end(watch, known[i], true)) {
			end_by(watch, known[i]);
			return;
		}
		send_signal(watch, known[i]);
		watch->sent = known[i];
		watch->sent_at = ces_now_ms();
	}
}

/* Gives the program's terminal the size of the client's; the kernel notifies the program. crun
 * before 1.9 passes the signal on and leaves the size as it was.
 *
 * Who controls what: the client gives the size, two numbers that the kernel keeps. The terminal was
 * opened before the program began. Its node is in a file system that holds terminals of the
 * container alone. A terminal that the program has closed since cannot be opened. */
static void resize(const struct watch *watch, uint64_t window)
{
	const struct winsize size = {.ws_row = (unsigned short)(window >> 16),
				     .ws_col = (unsigned short)window};
	CES_CLEANUP_FD int fd = -1;
	char path[40];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", watch->container->terminal);
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		(void)ioctl(fd, TIOCSWINSZ, &size);
}

static void listen_to_client(struct watch *watch)
{
	enum ces_control_kind kind;
	uint64_t value;

	if (ces_control_receive(CES_FD_REQUEST, &kind, &value) < 0) {
		watch->client = false;
		stop(watch, "client gone", GRACE_GONE_MS);
		return;
	}
	if (kind == CES_CONTROL_WINDOW)
		resize(watch, value);
	else if (kind == CES_CONTROL_SIGNAL)
		obey(watch, value);
}

static int64_t next_deadline(const struct watch *watch)
{
	if (watch->sent != 0)
		return ces_now_ms() + SENT_TICK_MS;
	return watch->kill_at >= 0 ? watch->kill_at : watch->time_limit;
}

/* Does what is due by the clock. */
static void keep_time(struct watch *watch)
{
	int64_t now = ces_now_ms();

	/* the program never gets a signal that met the runtime's own handlers, just before the
	 * program was executed */
	if (watch->sent != 0 && now - watch->sent_at > SENT_MS)
		watch->sent = 0;
	if (watch->sent != 0 && would_end(watch, watch->sent, false))
		end_by(watch, watch->sent);

	if (watch->kill_at >= 0 && now >= watch->kill_at) {
		ces_cgroup_kill(watch->cgroup);
		watch->kill_at = now + GRACE_MS;
	}
	if (watch->kill_at < 0 && now >= watch->time_limit)
		stop(watch, "time limit", GRACE_MS);
}

static void on_stop(struct watch *watch)
{
	uint32_t grace;

	/* root's own FIFO: only ces_runs_stop writes to it, one whole value at a time */
	if (read(watch->stop, &grace, sizeof(grace)) == (ssize_t)sizeof(grace))
		stop(watch, "stopped", (int64_t)grace * 1000);
}

/* Only root can signal this process, and means all of a cgroup: systemd-logind at the end of a
 * session, systemd at shutdown, a batch system that ends a job or warns it. By the default actions
 * of these signals a run would be left as after a crash: outputs not handed over, scratch not
 * removed, no end on record. So a signal that asks for an end leads to a complete one, and a signal
 * for the program (USR1) changes nothing here. All signals stay blocked to the end of this process,
 * except ALRM: see ces_deadline. (A user to whom a cgroup is delegated can kill all of it by
 * cgroup.kill: that is a crash.) */
static void take_signals(struct watch *watch)
{
	sigset_t asked, all;

	sigemptyset(&asked);
	for (size_t i = 0; i < ENDS; i++)
		sigaddset(&asked, known[i]);
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	watch->signals = signalfd(-1, &asked, SFD_CLOEXEC | SFD_NONBLOCK);
	if (watch->signals >= 0) /* else the signals end the process as before */
		(void)sigprocmask(SIG_BLOCK, &all, NULL);
}

static void on_signal(struct watch *watch)
{
	struct signalfd_siginfo info;

	if (read(watch->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		stop(watch, "stopped", GRACE_MS);
}

static void wait_for_end(struct watch *watch)
{
	for (;;) {
		struct pollfd fds[] = {
		    {.fd = watch->container->process.pidfd, .events = POLLIN},
		    {.fd = watch->client ? CES_FD_REQUEST : -1, .events = POLLIN},
		    {.fd = watch->stop, .events = POLLIN},
		    {.fd = watch->ports->relay.channel, .events = POLLIN},
		    {.fd = watch->signals, .events = POLLIN},
		    ces_drain_poll(&watch->drain, 0),
		    ces_drain_poll(&watch->drain, 1)};
		int64_t left = next_deadline(watch) - ces_now_ms();

		left = left < 0 ? 0 : left > 3600 * 1000 ? 3600 * 1000 : left;
		if (poll(fds, CES_COUNT(fds), (int)left) < 0 && errno != EINTR)
			ces_cgroup_kill(watch->cgroup);
		if (fds[0].revents != 0)
			return;
		if (fds[1].revents != 0)
			listen_to_client(watch);
		if (fds[2].revents != 0)
			on_stop(watch);
		if (fds[3].revents != 0)
			ces_ports_listen(watch->plan, watch->ports);
		if (fds[4].revents != 0)
			on_signal(watch);
		ces_drain_step(&watch->drain, fds[5].revents, fds[6].revents);
		keep_time(watch);
	}
}

/* Finds out what a limit did to a run that ended by itself: often the run's own message does not
 * say. Gives figures only: the client words them. */
static void find_limit(struct ces_end *end, const struct ces_plan *plan)
{
	const struct ces_cgroup_usage *usage = &end->usage;
	const struct ces_policy_limits *own = &plan->decision->limits;
	const struct ces_policy_limits *user = &plan->decision->together;

	if (usage->out_of_memory) {
		if (end->status == 128 + SIGKILL)
			end->reason = "memory limit";
		end->limit = CES_LIMIT_MEMORY + usage->memory;
		end->most = plan->decision->most.memory;
		end->value = usage->memory == CES_LIMIT_USER ? user->memory : own->memory;
	} else if (usage->out_of_processes && end->status != 0) {
		end->limit = CES_LIMIT_PROCESSES + usage->processes;
		end->value = usage->processes == CES_LIMIT_USER ? user->pids : own->pids;
	}
}

/* Finds a place that had no room left when the program failed. */
static void find_full(struct ces_end *end, const struct watch *watch)
{
	const struct ces_plan_mount *mounts = watch->plan->mounts;
	CES_CLEANUP_FD int files = open("/u", O_PATH | O_CLOEXEC);
	const int places[CES_LIMIT_SPACES] = {
	    files, watch->container->shm, mounts[CES_PLAN_SCRATCH].fd, mounts[CES_PLAN_OUTPUTS].fd};
	struct statfs fs;

	for (size_t i = 0; i < CES_LIMIT_SPACES && end->status != 0 && end->limit == 0; i++) {
		if (fstatfs(places[i], &fs) < 0 || fs.f_blocks == 0 ||
		    (uint64_t)fs.f_bavail * (uint64_t)fs.f_bsize >= FULL_BYTES)
			continue;
		end->limit = CES_LIMIT_SPACE + i;
		end->value = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	}
}

/* crun and runc pass on 128 + n for a signal. 137 with an out-of-memory kill in the cgroup was the
 * limit: see find_limit. */
static void judge(const struct watch *watch, int status, struct ces_end *ret)
{
	memset(ret, 0, sizeof(*ret));
	ces_cgroup_read(watch->cgroup, &watch->plan->decision->limits, &ret->usage);
	ret->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	/* the kill replaced a signal that would have ended it */
	if (watch->number != 0 && ret->status == 128 + SIGKILL)
		ret->status = 128 + watch->number;
	ret->reason = ret->status > 128 && ret->status < 128 + NSIG ? "signal" : "exit";
	if (watch->why != NULL) {
		ret->reason = watch->why;
		if (strcmp(watch->why, "time limit") == 0) {
			ret->limit = CES_LIMIT_TIME;
			ret->value = watch->plan->decision->limits.time;
		}
	} else {
		find_limit(ret, watch->plan);
		find_full(ret, watch);
	}
}

void ces_supervise(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		   struct ces_container *container, int stop_fd, struct ces_ports *ports,
		   struct ces_end *ret)
{
	struct watch watch = {
	    .plan = plan,
	    .cgroup = cgroup,
	    .container = container,
	    .time_limit = ces_now_ms() + (int64_t)plan->decision->limits.time * 1000,
	    .kill_at = -1,
	    .client = (plan->session->request->flags & CES_FLAG_DETACH) == 0,
	    .stop = stop_fd,
	    .ports = ports,
	};
	const uint64_t most = plan->decision->limits.time;
	int status = 0;

	/* a caller can freeze this process by a cgroup of theirs, and no time limit would hold. An
	 * alarm ends even a frozen process, and the run with it; and one that waits, after the
	 * run's end, for a file server that is gone */
	ces_deadline(most < INT32_MAX ? (unsigned)most + END_SECONDS : 0);
	ces_drain_open(&watch.drain, &plan->session->caller,
		       (plan->session->request->flags & CES_FLAG_DETACH) != 0);
	/* the container holds its own copies: once these are closed too, the client reads end of
	 * file when the container ends */
	(void)ces_process_forget(STDERR_FILENO);
	take_signals(&watch);
	wait_for_end(&watch);
	(void)waitpid(container->process.pid, &status, 0);
	container->process.pid = 0;
	ces_cgroup_kill(cgroup);
	ces_deadline(JUDGE_SECONDS);
	judge(&watch, status, ret);
}
