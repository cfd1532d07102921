/* A run without root: the process that watches, a stand-in for its runtime, and the program as the
 * runtime's child. The cgroup is a directory with the kernel's files; what is written to
 * cgroup.kill comes to the test, which kills the run as the kernel would. The clock is the
 * kernel's, and the test puts it forward. */
#ifndef CES_TESTS_UNIT_SUPERVISE_SCENE_H
#define CES_TESTS_UNIT_SUPERVISE_SCENE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/request.h"
#include "helper/core/fds.h"
#include "helper/watch/supervise.h"
#include "tests/unit/directory.h"
#include "tests/unit/noted.h"

#define MOST_MS  20000 /* of waiting for what must come */
#define MIB      (1u << 20)
#define TIME     100 /* seconds of the run's limit */
#define OPEN_FDS 256
#define CHATTER  200000 /* bytes, more than a pipe takes */

static struct scene {
	struct ces_end end;
	_Atomic int64_t ahead; /* of the clock, ms */
	_Atomic unsigned idle; /* looks at the clock that found nothing to do */
	_Atomic int waits;     /* the last timeout that poll was given */
	_Atomic bool break_poll, linger, hush, ended;
	_Atomic unsigned alarm, listened;
	_Atomic int size_flags; /* with which the terminal was opened */
	_Atomic pid_t runtime, program;
	int leaked; /* fds more than before */
} * scene;

static struct ces_policy_limits limits;
static struct ces_decision decision;
static struct ces_request request;
static struct ces_session session;
static struct ces_image_record image;
static struct ces_plan plan;
static struct ces_cgroup cgroup;
static struct ces_container container;
static struct ces_ports ports;

static int fd_full = -1; /* the place that has no room left */
static int fd_files = -1;
static bool forbidden;           /* the caller may not read the output */
static bool no_pipe;             /* there is none */
static size_t blocks_left = MIB; /* there, of 4096 bytes */
static int kills;                /* read end of cgroup.kill */
static int to_client[2], from_client[2], out[2], stop_pipe[2], orders[2], ready[2];
static int relay[2];
static pid_t watcher;
static bool watching; /* this process is the watcher */

/* ---- the kernel's calls that the test leads ---- */

int clock_gettime(clockid_t id, struct timespec *ret)
{
	int result = (int)syscall(SYS_clock_gettime, id, ret);
	int64_t ahead = scene != NULL ? scene->ahead : 0;

	ret->tv_sec += ahead / 1000;
	ret->tv_nsec += ahead % 1000 * 1000000;
	if (ret->tv_nsec >= 1000000000) {
		ret->tv_nsec -= 1000000000;
		ret->tv_sec++;
	}
	return result;
}

int poll(struct pollfd *fds, nfds_t n, int timeout)
{
	int64_t until = ces_now_ms() + timeout;
	int got;

	if (watching)
		scene->waits = timeout;
	if (watching && scene->break_poll) {
		scene->break_poll = false;
		for (nfds_t i = 0; i < n; i++)
			fds[i].revents = 0;
		errno = ENOMEM;
		return -1;
	}
	while ((got = (int)syscall(SYS_poll, fds, n, timeout == 0 ? 0 : 2)) == 0 &&
	       (timeout < 0 || ces_now_ms() < until))
		if (watching)
			scene->idle++;
	return got;
}

unsigned alarm(unsigned seconds)
{
	scene->alarm = seconds;
	return 0;
}

int fstatfs(int fd, struct statfs *ret)
{
	if (fd < 0)
		return -1;
	*ret = (struct statfs){.f_bsize = 4096, .f_blocks = 2560};
	ret->f_bavail = fd == fd_full || fd == fd_files ? blocks_left : MIB / 4096;
	return 0;
}

/* Notes with whose rights an output is opened, and what comes after. /u has the files of the
 * container. */
int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	if (watching && strncmp(path, "/proc/self/fd/", 14) == 0 && path[15] != '\0')
		scene->size_flags = flags;
	else if (watching && strncmp(path, "/proc/self/fd/", 14) == 0) {
		note("%s opens %s", by(), path + 14);
		if (forbidden) {
			errno = EACCES;
			return -1;
		}
	}
	if (watching && strcmp(path, "/u") == 0)
		return fd_full < 0 ? fd_files = dup(directory) : dup(directory);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

/* (of helper/launch/ports.c) */
void ces_ports_listen(const struct ces_plan *of, struct ces_ports *which)
{
	char byte;

	(void)of;
	if (read(which->relay.channel, &byte, 1) != 1)
		ces_cleanup_close(&which->relay.channel);
	scene->listened++;
}

/* ---- the run ---- */

static const int asked[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

static void set_all(void (*handler)(int))
{
	for (size_t i = 0; i < CES_COUNT(asked); i++)
		(void)signal(asked[i], handler);
}

static void end_by_signal(int number)
{
	_exit(100 + number);
}

static void chatter(int fd)
{
	static char bytes[CHATTER];

	if (ces_write_full(fd, bytes, sizeof(bytes), -1) < 0)
		_exit(9);
}

static void close_output(void)
{
	(void)close(STDOUT_FILENO);
	(void)close(STDERR_FILENO);
}

/* The program does what the test orders, one byte each. */
static void be_the_program(void)
{
	char order;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	set_all(SIG_DFL);
	scene->program = getpid();
	if (write(ready[1], "", 1) != 1)
		_exit(1);
	for (;;) {
		while (read(orders[0], &order, 1) != 1)
			;
		if (order == 'i')
			set_all(SIG_IGN);
		else if (order == 'c')
			set_all(end_by_signal);
		else if (order == 'd')
			set_all(SIG_DFL);
		else if (order == 'w') {
			chatter(STDOUT_FILENO);
			chatter(STDERR_FILENO);
		} else if (order == 'q')
			close_output();
		else
			_exit(order - '0');
		if (write(ready[1], "", 1) != 1)
			_exit(1);
	}
}

static void pass_on(int number)
{
	(void)kill(scene->program, number);
}

/* As crun does: passes signals on, and ends with the status of the program. */
static void be_the_runtime(bool starts)
{
	int status;
	pid_t pid;

	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_DFL);
	scene->runtime = getpid();
	if (!starts) {
		(void)!write(ready[1], "", 1);
		for (;;)
			(void)pause();
	}
	set_all(pass_on);
	pid = fork();
	if (pid == 0)
		be_the_program();
	if (scene->hush)
		close_output();
	while (waitpid(pid, &status, 0) < 0)
		;
	if (scene->linger)
		close_output();
	while (scene->linger)
		(void)usleep(1000);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < OPEN_FDS; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void watch(bool starts)
{
	int before;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(from_client[1]);
	close(to_client[0]);
	close(out[0]);
	close(stop_pipe[1]);
	if (relay[1] >= 0)
		close(relay[1]);
	if (dup2(from_client[0], CES_FD_REQUEST) < 0 || dup2(to_client[1], CES_FD_EVENT) < 0 ||
	    dup2(out[1], STDOUT_FILENO) < 0 || dup2(out[1], STDERR_FILENO) < 0)
		_exit(90);
	if (no_pipe && dup2(open("/dev/null", O_RDWR | O_CLOEXEC), STDERR_FILENO) < 0)
		_exit(91);
	close(from_client[0]);
	close(to_client[1]);
	close(out[1]);
	(void)signal(SIGPIPE, SIG_IGN);
	if (ces_process_clone(0, -1, &container.process) == 0)
		be_the_runtime(starts);
	while (scene->runtime == 0)
		;
	before = count_fds();
	watching = true;
	ces_supervise(&plan, &cgroup, &container, stop_pipe[0], &ports, &scene->end);
	scene->leaked = count_fds() - before;
	scene->ended = true;
	_exit(0);
}

/* ---- the test's side ---- */

static void put(const char *name, const char *text)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

/* (away from the fds that are the client's) */
static void make_pipe(int ends[2])
{
	int low[2];

	ck_assert_int_eq(pipe2(low, O_CLOEXEC), 0);
	for (int i = 0; i < 2; i++) {
		ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 20);
		ck_assert_int_ge(ends[i], 20);
		close(low[i]);
	}
}

static int place(void)
{
	int fd = fcntl(directory, F_DUPFD_CLOEXEC, 20);

	ck_assert_int_ge(fd, 20);
	return fd;
}

/* The kernel's files, and what they say at first. */
static const char *const files[][2] = {{"user/pids.max", "max\n"},
				       {"user/pids.events", "max 0\n"},
				       {"user/run/pids.events", "max 0\n"},
				       {"user/run/pids.peak", "3\n"},
				       {"user/run/cpu.stat", "usage_usec 1234\n"},
				       {"user/run/memory.peak", "5678\n"},
				       {"user/run/memory.events", "oom 0\noom_kill 0\n"},
				       {"user/run/memory.events.local", "oom 0\noom_kill 0\n"},
				       {"user/memory.events.local", "oom 0\noom_kill 0\n"}};

static void set_up(void)
{
	directory_begin();
	noted_begin();
	scene =
	    mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(scene, MAP_FAILED);
	ck_assert_int_eq(mkdirat(directory, "user", 0700), 0);
	ck_assert_int_eq(mkdirat(directory, "user/run", 0700), 0);
	for (size_t i = 0; i < CES_COUNT(files); i++)
		put(files[i][0], files[i][1]);
	ck_assert_int_eq(mkfifoat(directory, "user/run/cgroup.kill", 0600), 0);
	kills = openat(directory, "user/run/cgroup.kill", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	make_pipe(to_client);
	make_pipe(from_client);
	make_pipe(out);
	make_pipe(stop_pipe);
	make_pipe(orders);
	make_pipe(ready);
	relay[0] = relay[1] = -1;
	limits = (struct ces_policy_limits){.time = TIME, .memory = 1000, .pids = 10};
	decision.limits = limits;
	decision.together = (struct ces_policy_limits){.memory = 4000, .pids = 40};
	decision.most.memory = 2000;
	session = (struct ces_session){.uid = 1000, .request = &request};
	session.caller = (struct ces_caller){.uid = 1000, .gid = 100, .n_groups = 3};
	plan = (struct ces_plan){.session = &session, .decision = &decision, .image = &image};
	for (size_t i = 0; i < 3; i++)
		plan.mounts[i].fd = place();
	cgroup = (struct ces_cgroup)CES_CGROUP_NONE;
	cgroup.dir[CES_HIERARCHY_V2] =
	    openat(directory, "user/run", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	container = (struct ces_container)CES_CONTAINER_NONE;
	container.shm = place();
	ports = (struct ces_ports)CES_PORTS_NONE;
}

static void is_ready(void)
{
	char byte;

	ck_assert_int_eq(ces_read_full(ready[0], &byte, 1, ces_now_ms() + MOST_MS), 0);
}

/* Waits until the watcher has looked at the clock as it is now, and found nothing to do. */
static void settle(void)
{
	int64_t most = ces_now_ms() + MOST_MS;
	unsigned from = scene->idle;

	while (scene->idle - from < 3 && !scene->ended && ces_now_ms() < most)
		(void)usleep(1000);
	ck_assert_uint_ge(scene->idle - from, scene->ended ? 0 : 3);
}

static void order(char what)
{
	ck_assert_int_eq(write(orders[1], &what, 1), 1);
	if (what < '0' || what > '9')
		is_ready();
}

static void start_with(bool starts)
{
	watcher = fork();
	if (watcher == 0)
		watch(starts);
	close(from_client[0]);
	close(to_client[1]);
	close(out[1]);
	if (relay[0] >= 0)
		close(relay[0]);
	is_ready();
	settle();
}

static void start(char how)
{
	start_with(true);
	order(how);
}

static void later(int64_t ms)
{
	scene->ahead += ms;
	settle();
}

static inline void tell(uint64_t kind, uint64_t value)
{
	struct ces_control control = {.head = CES_CONTROL_HEAD, .between = CES_CONTROL_BETWEEN};

	memcpy(control.head, CES_CONTROL_HEAD, sizeof(control.head));
	memcpy(control.between, CES_CONTROL_BETWEEN, sizeof(control.between));
	memcpy(control.kind, &kind, sizeof(kind));
	memcpy(control.value, &value, sizeof(value));
	ck_assert_int_eq(write(from_client[1], &control, sizeof(control)), sizeof(control));
	settle();
}

static bool asked_to_kill(void)
{
	char text[64];

	return read(kills, text, sizeof(text)) > 0;
}

/* The kernel's part: waits for the order to kill the run, and does it. */
static void killed(void)
{
	struct pollfd pollfd = {.fd = kills, .events = POLLIN};

	ck_assert_int_eq((int)syscall(SYS_poll, &pollfd, 1, MOST_MS), 1);
	ck_assert(asked_to_kill());
	ck_assert_int_eq(kill(-scene->runtime, SIGKILL), 0);
}

static const struct ces_end *ends(void)
{
	int64_t most = ces_now_ms() + MOST_MS;
	int status;

	while (!scene->ended && ces_now_ms() < most)
		(void)usleep(1000);
	ck_assert(scene->ended);
	ck_assert_int_eq(waitpid(watcher, &status, 0), watcher);
	ck_assert_int_eq(status, 0);
	watcher = 0;
	ck_assert(asked_to_kill()); /* (what is left of it, always) */
	return &scene->end;
}

static void ends_as(int status, const char *reason)
{
	const struct ces_end *end = ends();

	/* (texts are constants, and a child of this process has them at the same place) */
	ck_assert_str_eq(end->reason, reason);
	ck_assert_int_eq(end->status, status);
}

static void tear_down(void)
{
	if (watcher > 0) {
		(void)kill(watcher, SIGKILL);
		(void)waitpid(watcher, NULL, 0);
	}
	for (size_t i = 0; i < CES_COUNT(files); i++)
		(void)unlinkat(directory, files[i][0], 0);
	(void)unlinkat(directory, "user/run/cgroup.kill", 0);
	(void)unlinkat(directory, "user/run", AT_REMOVEDIR);
	(void)unlinkat(directory, "user", AT_REMOVEDIR);
	directory_end();
}

#endif
