/* What a run leaves, in a directory of the test's: outputs, scratch, the register and the kept
 * records. The register, the records and the walks are the real ones. What needs the host's root,
 * or is another file's part, notes its step, and fails when the test says so. */
#ifndef CES_TESTS_UNIT_FINISH_SCENE_H
#define CES_TESTS_UNIT_FINISH_SCENE_H

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/record.h"
#include "common/request.h"
#include "common/wire_stream.h"
#include "helper/core/caller.h"
#include "helper/launch/config.h"
#include "helper/session/object.h"
#include "helper/session/record.h"
#include "helper/session/runs.h"
#include "helper/clean/tree.h"
#include "helper/session/userns.h"
#include "helper/watch/finish.h"
#include "helper/watch/kept.h"
#include "tests/unit/directory.h"
#include "tests/unit/noted.h"
#include "tests/unit/policy_fixture.h"

#define RUN   "0123456789"
#define IMAGE "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* The step that fails; "": none. */
static const char *fails = "";

static bool step(const char *name)
{
	note("%s", name);
	return strcmp(name, fails) == 0;
}

/* ---- system calls ---- */

unsigned alarm(unsigned seconds)
{
	note("%u seconds", seconds);
	return 0;
}

/* Where it is, below the test's directory. */
static const char *where(int dir, const char *name)
{
	static char text[400];
	char link[32], at[300];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
	n = readlink(link, at, sizeof(at) - 1);
	at[n < 0 ? 0 : n] = '\0';
	if (strncmp(at, directory_path, strlen(directory_path)) == 0)
		(void)snprintf(text, sizeof(text), "%s/%s", at + strlen(directory_path), name);
	else
		(void)snprintf(text, sizeof(text), "%s", name);
	return text;
}

int unlinkat(int dir, const char *name, int flags)
{
	int result = (int)syscall(SYS_unlinkat, dir, name, flags), saved = errno;

	if (strchr(name, '.') == NULL && strcmp(name, "record") != 0 &&
	    strstr(name, "stop") == NULL)
		note("%s removes%s %s%s", by(), flags == AT_REMOVEDIR ? " directory" : "",
		     where(dir, name), result == 0 ? "" : ": no");
	errno = saved;
	return result;
}

int renameat(int from, const char *name, int to, const char *other)
{
	char place[400];
	int result = (int)syscall(SYS_renameat2, from, name, to, other, 0), saved = errno;

	(void)snprintf(place, sizeof(place), "%s", where(from, name));
	if (strchr(name, '.') == NULL)
		note("%s moves %s to %s%s", by(), place, where(to, other),
		     result == 0 ? "" : ": no");
	errno = saved;
	return result;
}

/* A text that a runtime left. */
int openat(int dir, const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list rest;

	va_start(rest, flags);
	if ((flags & O_CREAT) != 0)
		mode = va_arg(rest, mode_t);
	va_end(rest);
	if (strcmp(path, "/run/log") != 0)
		return (int)syscall(SYS_openat, dir, path, flags, mode);
	note("reads the log%s", (flags & O_NOFOLLOW) != 0 ? "" : " through a link");
	return (int)syscall(SYS_openat, directory, "log", flags, 0);
}

/* ---- other files' parts ---- */

void ces_cgroup_kill(const struct ces_cgroup *cgroup)
{
	(void)cgroup;
	step("the cgroup is killed");
}

bool ces_cgroup_remove(struct ces_cgroup *cgroup)
{
	(void)cgroup;
	return !step("the cgroup is removed");
}

bool ces_cgroup_clear(const struct ces_run_record *record)
{
	note("the cgroup of %s is cleared", record->run);
	return strcmp(fails, "cgroup") != 0;
}

void ces_ports_end(const struct ces_plan *plan, struct ces_ports *ports)
{
	(void)plan;
	(void)ports;
	step("the ports are free");
}

void ces_relay_end(struct ces_relay *relay)
{
	(void)relay;
	step("the way out is closed");
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	note("%s %d", kill_it ? "kills" : "waits for", (int)process->pid);
	return 0;
}

int ces_container_failure(const struct ces_plan *of, const struct ces_container *container,
			  struct ces_error *err)
{
	(void)of;
	(void)container;
	return step("did it start?") ? ces_error_set(err, CES_E_HOST, "no container") : 0;
}

int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret, struct ces_error *err)
{
	note("starts %s as %u:%u", strrchr(how->path, '/') + 1, how->uid, how->gid);
	ret->pid = 4;
	(void)err;
	return 0;
}

/* In place of ces-clean: this process does the walk. */
static int cleaned[2]; /* outputs, scratch */

void ces_cleaner_start(int userns, const struct ces_clean_job *owner, int outputs, int scratch,
		       bool stored, struct ces_cleaner *ret)
{
	(void)userns;
	(void)stored;
	cleaned[0] = outputs;
	cleaned[1] = scratch;
	ret->channel = step("starts ces-clean") ? -1 : 9;
	if (owner->user != getuid() || owner->group != getgid())
		note("as another");
}

int ces_cleaner_ask(struct ces_cleaner *cleaner, enum ces_clean_task task)
{
	static const char *const words[] = {"gives", "shares", "empties"};
	int dir = cleaned[task == CES_CLEAN_EMPTY];

	note("ces-clean %s %s", words[task], where(dir, ""));
	if (strcmp(fails, words[task]) == 0) /* it did not answer in time, and is ended */
		cleaner->channel = -1;
	if (cleaner->channel < 0 || strcmp(fails, "ces-clean") == 0)
		return -1;
	return task == CES_CLEAN_GIVE    ? ces_tree_chown(dir, getuid(), getgid(), 0)
	       : task == CES_CLEAN_SHARE ? ces_tree_share(dir)
					 : ces_tree_empty(dir);
}

void ces_cleaner_end(struct ces_cleaner *cleaner)
{
	(void)step("ends ces-clean");
	cleaner->channel = -1;
}

int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *err)
{
	(void)map;
	if (step("makes a namespace"))
		return ces_error_set(err, CES_E_HOST, "none");
	*ret = dup(directory);
	return 0;
}

int ces_idmap_base(const struct ces_host *host, int store, uid_t uid, uint32_t *ret,
		   struct ces_error *err)
{
	(void)host;
	(void)store;
	*ret = 100000;
	note("the ids of %u", uid);
	return strcmp(fails, "ids") == 0 ? ces_error_set(err, CES_E_HOST, "none") : 0;
}

int ces_idmap_make(const struct ces_caller *caller, uint32_t user, uint32_t group, uint32_t base,
		   const gid_t *project_gids, size_t n_project_gids, struct ces_idmap *ret,
		   struct ces_error *err)
{
	(void)caller;
	(void)err;
	ck_assert_uint_eq(base, 100000);
	ck_assert_uint_eq(n_project_gids, 2);
	ck_assert(project_gids[0] == 4411 && project_gids[1] == 4412);
	ret->user = user;
	ret->group = group;
	return 0;
}

void ces_store_change_grant(const struct ces_store *store, uid_t uid, const char *reference,
			    const char *digest, bool ends)
{
	const char *other = strcmp(digest, IMAGE) == 0 ? "" : " of another";

	(void)store;
	if (ends)
		note("the grant of %u for %s%s is removed", uid, reference, other);
	else
		note("%u used %s%s", uid, reference, other);
}

int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool durable,
		       struct ces_error *err)
{
	const char *text = ces_json_end(&record);

	(void)journal;
	note("record%s: %s", durable ? " for good" : "", text);
	ces_json_free(&record);
	return strcmp(fails, "record") == 0 ? ces_error_set(err, CES_E_HOST, "no journal") : 0;
}

/* (for a decision, and there is none here) */
int ces_journal_append_denial(const struct ces_journal *journal, uid_t uid, struct ces_json record,
			      struct ces_error *err)
{
	(void)journal;
	(void)uid;
	(void)record;
	return ces_error_set(err, CES_E_INTERNAL, "a denial");
}

const char *ces_config_command(const struct ces_plan *plan)
{
	(void)plan;
	return "COMMAND";
}

static bool has_end;

bool ces_journal_has_end(const struct ces_journal *journal, const char *entry)
{
	(void)journal;
	(void)entry;
	return has_end;
}

int ces_journal_open(struct ces_journal *ret, struct ces_error *err)
{
	struct stat st;

	(void)ret;
	/* (nothing of the caller's is left by now) */
	for (int fd = 0; fd <= CES_FD_EVENT; fd++)
		if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
			note("%d is the caller's", fd);
	return step("opens a journal of its own") ? ces_error_set(err, CES_E_HOST, "none") : 0;
}

void ces_journal_close(struct ces_journal *journal)
{
	(void)journal;
	step("closes the journal");
}

/* (the child of a child, in truth) */
bool ces_process_forget(int last)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	ck_assert_int_ge(null, 0);
	for (int fd = 0; fd <= last; fd++)
		ck_assert_int_eq(dup2(null, fd), fd);
	if (null > last)
		close(null);
	return true;
}

bool ces_process_detach(uint64_t flags)
{
	int status;
	pid_t pid;

	note("starts a process%s", flags == CLONE_NEWNS ? " with a mount namespace" : "");
	pid = fork();
	if (pid > 0)
		ck_assert(waitpid(pid, &status, 0) == pid && status == 0);
	return pid == 0;
}

static bool nobody_known;

int ces_caller_load(uid_t uid, struct ces_caller *ret, struct ces_error *err)
{
	if (nobody_known)
		return ces_error_set(err, CES_E_HOST, "the user database does not answer");
	*ret = (struct ces_caller){.uid = uid, .gid = 100, .n_groups = 1};
	ret->user = (char *)(uintptr_t)(uid == 1000 ? "ann" : "bob");
	return 0;
}

/* ---- the scene ---- */

static struct ces_request request;
static struct ces_host host;
static struct ces_decision decision;
static struct ces_session session;
static struct ces_grant grant = {.reference = (char *)(uintptr_t) "ghcr.io/a/b:1",
				 .digest = (char *)(uintptr_t)IMAGE};
static struct ces_error err;
static int events[2]; /* what the client reads */

static void make_directory(const char *path)
{
	ck_assert_int_eq(mkdirat(directory, path, 0700), 0);
}

static int open_directory(const char *path)
{
	int low = openat(directory, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;

	ck_assert_int_ge(low, 0);
	fd = fcntl(low, F_DUPFD_CLOEXEC, 20);
	close(low);
	return fd;
}

static void put(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = openat(directory, path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool is_there(const char *path)
{
	return faccessat(directory, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void set_up(void)
{
	int low[2];

	directory_begin();
	/* (away from the fd that events go to) */
	low[0] = directory;
	directory = fcntl(low[0], F_DUPFD_CLOEXEC, 50);
	close(low[0]);
	noted_begin();
	make_directory("runs");
	make_directory("kept");
	ck_assert_int_eq(pipe2(low, O_CLOEXEC), 0);
	for (int i = 0; i < 2; i++) {
		events[i] = fcntl(low[i], F_DUPFD_CLOEXEC, 40);
		close(low[i]);
	}
	ck_assert_int_eq(dup2(events[1], CES_FD_EVENT), CES_FD_EVENT);
	close(events[1]);
	session = (struct ces_session){.uid = 1000,
				       .request = &request,
				       .host = &host,
				       .runs = open_directory("runs"),
				       .store = {.runs = open_directory("kept"), .dir = -1}};
	session.caller =
	    (struct ces_caller){.uid = 1000, .gid = 100, .user = strdup("ann"), .n_groups = 2};
	request.verb = CES_VERB_RUN;
	strcpy(decision.project, "p");
}

static void tear_down(void)
{
	CES_CLEANUP_FD int own = dup(directory);

	ck_assert_int_eq(ces_tree_empty(own), 0);
	directory_end();
}

#endif
