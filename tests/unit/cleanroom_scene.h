/* A process as a caller leaves it: the calls that only root may make are noted, and each may fail
 * once; all others are the kernel's. A child of the test enters the clean room, and says in shared
 * memory what became of it. */
#ifndef CES_TESTS_UNIT_CLEANROOM_SCENE_H
#define CES_TESTS_UNIT_CLEANROOM_SCENE_H

#include <check.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/fds.h"
#include "helper/entry/cleanroom.h"
#include "tests/unit/policy_fixture.h"

#define OPEN_FDS   1024
#define NULL_LIMIT ((struct rlimit *)NULL)

static struct entered {
	char steps[8192];
	struct ces_error err;
	int result;
	uid_t uid;
	ino_t inodes[5]; /* of fds 0 to 4; 0: closed */
	int flags[5];
	unsigned open; /* how many fds */
	int signals_kept, blocked;
	bool has_environment;
	struct rlimit limits[RLIM_NLIMITS];
	int slack, death, dumpable;
	mode_t mask;
	char directory[64];
	bool leads_session;
	struct itimerval timers[3];
} * entered;

static const char *fails = "";   /* the step that fails */
static const char *ignored = ""; /* the step that has no effect, and says nothing */
static ino_t namespace = 0xEFFFFFFDu;
static uid_t caller = 1000, effective;
static uid_t ids[3] = {1000, 0, 0};
static gid_t gids[3] = {100, 100, 100};
static int n_groups = 3;

/* Notes a step; returns whether it fails. */
static bool __attribute__((format(printf, 1, 2))) step(const char *format, ...)
{
	char text[200];
	va_list values;
	size_t used;

	if (entered == NULL) /* (a sanitizer begins) */
		return false;
	used = strlen(entered->steps);
	va_start(values, format);
	(void)vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	(void)snprintf(entered->steps + used, sizeof(entered->steps) - used, "%s\n", text);
	if (strcmp(text, fails) != 0)
		return false;
	errno = EPERM;
	return true;
}

static bool is_ignored(const char *name)
{
	return strcmp(name, ignored) == 0;
}

/* ---- calls of root's ---- */

uid_t getuid(void)
{
	return caller;
}

uid_t geteuid(void)
{
	return effective;
}

int setgroups(size_t n, const gid_t *groups)
{
	(void)groups;
	if (step("groups: %zu", n))
		return -1;
	if (!is_ignored("groups"))
		n_groups = (int)n;
	return 0;
}

int getgroups(int n, gid_t *groups)
{
	(void)n;
	(void)groups;
	return n_groups;
}

int setresgid(gid_t real, gid_t active, gid_t saved)
{
	if (step("gids: %u %u %u", real, active, saved))
		return -1;
	if (!is_ignored("gid"))
		gids[0] = gids[1] = gids[2] = 0;
	return 0;
}

int setresuid(uid_t real, uid_t active, uid_t saved)
{
	if (step("uids: %u %u %u", real, active, saved))
		return -1;
	if (!is_ignored("uid"))
		ids[0] = ids[1] = ids[2] = 0;
	return 0;
}

int getresuid(uid_t *real, uid_t *active, uid_t *saved)
{
	*real = ids[0];
	*active = ids[1];
	*saved = ids[2];
	return 0;
}

int getresgid(gid_t *real, gid_t *active, gid_t *saved)
{
	*real = gids[0];
	*active = gids[1];
	*saved = gids[2];
	return 0;
}

int stat(const char *path, struct stat *ret)
{
	int result = (int)syscall(SYS_newfstatat, AT_FDCWD, path, ret, 0);

	if (strcmp(path, "/proc/self/ns/user") == 0)
		ret->st_ino = namespace;
	return result;
}

/* An ordinary user may not raise a hard limit; here the kernel is not asked for that. */
static int set_limit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	struct rlimit now;

	if (step("limit %d", (int)resource))
		return -1;
	entered->limits[resource] = *limit;
	(void)getrlimit(resource, &now);
	now.rlim_cur = limit->rlim_cur < now.rlim_max ? limit->rlim_cur : now.rlim_max;
	return (int)syscall(SYS_prlimit64, 0, resource, &now, NULL_LIMIT);
}

/* (a sanitizer calls it before its code can run) */
int __attribute__((no_sanitize("address", "undefined")))
setrlimit(__rlimit_resource_t resource, const struct rlimit *limit)
{
	return entered == NULL ? 0 : set_limit(resource, limit);
}

/* ---- calls of anybody's, noted for their order ---- */

int prctl(int option, ...)
{
	unsigned long value;
	va_list values;

	va_start(values, option);
	value = va_arg(values, unsigned long);
	va_end(values);
	if (step("prctl %d %lu", option, value))
		return -1;
	return (int)syscall(SYS_prctl, option, value, 0, 0, 0);
}

long syscall(long number, ...)
{
	static const struct {
		long number;
		const char *name;
	} named[] = {{SYS_ioprio_set, "io priority"},
		     {SYS_set_mempolicy, "memory policy"},
		     {SYS_keyctl, "keyring"}};
	static long (*real)(long, ...);
	long v[5]; /* (a sixth would not come in a register) */
	va_list values;

	va_start(values, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(values, long);
	va_end(values);
	if (real == NULL)
		*(void **)(&real) = dlsym(RTLD_NEXT, "syscall");
	for (size_t i = 0; i < CES_COUNT(named); i++)
		if (number == named[i].number && step("%s %ld", named[i].name, v[0]))
			return -1;
	return real(number, v[0], v[1], v[2], v[3], v[4]);
}

int clearenv(void)
{
	extern char **environ;

	if (step("environment"))
		return -1;
	environ = NULL;
	return 0;
}

int close_range(unsigned first, unsigned last, int flags)
{
	if (step("close from %u to %x", first, last))
		return -1;
	return (int)syscall(SYS_close_range, first, last, flags);
}

int chdir(const char *path)
{
	return step("directory %s", path) ? -1 : (int)syscall(SYS_chdir, path);
}

pid_t setsid(void)
{
	return step("session") ? -1 : (pid_t)syscall(SYS_setsid);
}

int setpriority(__priority_which_t which, id_t who, int value)
{
	step("priority %d %u %d", (int)which, who, value);
	return 0;
}

int sched_setscheduler(pid_t pid, int policy, const struct sched_param *param)
{
	step("scheduler %d %d %d", (int)pid, policy, param->sched_priority);
	return 0;
}

unsigned alarm(unsigned seconds)
{
	const struct itimerval in = {.it_value.tv_sec = seconds};

	step("alarm %u", seconds);
	(void)setitimer(ITIMER_REAL, &in, NULL);
	return 0;
}

/* ---- the scene ---- */

/* What an fd is. Each has a partner, which the child does not have. */
enum kind {
	READ,
	WRITE,
	BOTH,
	REGULAR,
	PTY,
	PTY_IN,
	PTY_OUT,
	SOCKET,
	DIRECTORY,
	ZEROS,
	CLOSED,
	KINDS
};

static const enum kind ordinary[] = {READ, WRITE, WRITE, READ, WRITE};

static int make(enum kind kind)
{
	int pair[2] = {-1, -1};

	switch (kind) {
	case READ:
		ck_assert_int_eq(pipe(pair), 0);
		return pair[0];
	case WRITE:
		ck_assert_int_eq(pipe(pair), 0);
		return pair[1];
	case BOTH: {
		char path[64];

		ck_assert_int_eq(pipe(pair), 0);
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", pair[0]);
		return open(path, O_RDWR);
	}
	case REGULAR:
		return memfd_create("file", 0);
	case PTY:
	case PTY_IN:
	case PTY_OUT: {
		int master = posix_openpt(O_RDWR | O_NOCTTY);

		ck_assert_int_ge(master, 0);
		ck_assert_int_eq(unlockpt(master), 0);
		return open(ptsname(master), O_NOCTTY | (kind == PTY_IN    ? O_RDONLY
							 : kind == PTY_OUT ? O_WRONLY
									   : O_RDWR));
	}
	case SOCKET:
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		return pair[0];
	case DIRECTORY:
		return open("/", O_RDONLY | O_DIRECTORY);
	case ZEROS:
		return open("/dev/zero", O_RDWR);
	case CLOSED:
	case KINDS:
		break;
	}
	return -1;
}

static ino_t inode(int fd)
{
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 ? st.st_ino : 0;
}

static void look(void)
{
	extern char **environ;
	struct sigaction action;
	sigset_t mask;

	for (int fd = 0; fd < OPEN_FDS; fd++)
		entered->open += fcntl(fd, F_GETFD) >= 0;
	for (int fd = 0; fd <= CES_FD_EVENT; fd++) {
		entered->inodes[fd] = inode(fd);
		entered->flags[fd] = fcntl(fd, F_GETFL);
	}
	(void)sigprocmask(SIG_BLOCK, NULL, &mask);
	for (int number = 1; number < NSIG; number++) {
		bool kept = sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL;

		if (number == SIGPIPE || number == SIGXFSZ)
			kept = action.sa_handler != SIG_IGN;
		entered->signals_kept += kept;
		entered->blocked += sigismember(&mask, number) == 1;
	}
	entered->has_environment = environ != NULL && environ[0] != NULL;
	entered->slack = (int)syscall(SYS_prctl, PR_GET_TIMERSLACK, 0, 0, 0, 0);
	(void)syscall(SYS_prctl, PR_GET_PDEATHSIG, &entered->death, 0, 0, 0);
	entered->dumpable = (int)syscall(SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
	entered->mask = umask(0);
	(void)!getcwd(entered->directory, sizeof(entered->directory));
	entered->leads_session = getsid(0) == getpid();
	for (int i = 0; i < 3; i++)
		(void)getitimer((__itimer_which_t)i, &entered->timers[i]);
}

static void set_up(void)
{
	entered =
	    mmap(NULL, sizeof(*entered), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(entered, MAP_FAILED);
}

/* In the child: fds 0 to 4 become these. */
static void arrange(const int fds[5])
{
	int high[5];

	for (int i = 0; i < 5; i++)
		high[i] = fds[i] < 0 ? -1 : fcntl(fds[i], F_DUPFD, 100);
	for (int i = 0; i < 5; i++) {
		if (high[i] < 0)
			(void)close(i);
		else if (dup2(high[i], i) < 0)
			_exit(90);
	}
	for (int i = 0; i < 5; i++)
		if (high[i] >= 0)
			(void)close(high[i]);
}

/* A child with these fds does `work`. */
static void child(const int fds[5], void (*spoil)(void), void (*work)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		arrange(fds);
		if (spoil != NULL)
			spoil();
		entered->steps[0] = '\0';
		work();
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static int n_arguments = 1;

static inline void enter(void)
{
	entered->result = ces_cleanroom_enter(n_arguments, &entered->uid, &entered->err);
	look();
}

static void make_all(const enum kind kinds[5], int ret[5])
{
	for (int i = 0; i < 5; i++)
		ret[i] = make(kinds[i]);
}

#endif
