/* A machine with the directories of a user, "ann", in a temporary directory; and the steps of
 * ces-session that open and make things there, each with whose rights it does so. */
#ifndef CES_TESTS_UNIT_PLACES_SCENE_H
#define CES_TESTS_UNIT_PLACES_SCENE_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/verb.h"
#include "helper/core/caller.h"
#include "helper/launch/places.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

static const char *who = "root";
static uid_t owner; /* of all that is opened */

/* A path without the test's directory. */
static const char *brief(const char *path)
{
	const char *at = strstr(path, directory_path + 1);

	if (at == NULL)
		return path;
	at += strlen(directory_path + 1);
	return *at == '/' ? at + 1 : at;
}

void ces_caller_enter(const struct ces_caller *caller)
{
	ck_assert_ptr_eq(caller, &session.caller);
	ck_assert_str_eq(who, "root");
	who = "caller";
}

void ces_caller_leave(void)
{
	ck_assert_str_eq(who, "caller");
	who = "root";
}

int ces_selinux_create_private(const struct ces_selinux *selinux, bool begin)
{
	ck_assert_ptr_eq(selinux, &plan.selinux);
	return step("%s private %d", who, begin) ? -1 : 0;
}

/* (of policy/read.c, which also wants it to be root's and closed) */
int ces_policy_open_closed(const char *path, int *ret, struct ces_error *ret_err)
{
	if (step("%s open closed %s", who, brief(path)))
		return ces_error_errno(ret_err, CES_E_POLICY, "%s", path);
	*ret = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? ces_error_errno(ret_err, CES_E_POLICY, "%s", path) : 0;
}

int mkdirat(int dir, const char *path, mode_t mode)
{
	return step("%s mkdir %s:%s %o", who, path_below(directory_path, dir), path, mode)
		   ? -1
		   : (int)syscall(SYS_mkdirat, dir, path, mode);
}

int renameat(int from, const char *old, int to, const char *new)
{
	char source[200];

	(void)snprintf(source, sizeof(source), "%.199s", path_below(directory_path, from));
	return step("%s rename %s:%s %s:%s", who, source, old, path_below(directory_path, to), new)
		   ? -1
		   : (int)syscall(SYS_renameat, from, old, to, new);
}

int unlinkat(int dir, const char *path, int flags)
{
	return step("%s unlink %s:%s %x", who, path_below(directory_path, dir), path, flags)
		   ? -1
		   : (int)syscall(SYS_unlinkat, dir, path, flags);
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	return step("%s chown %s %u:%u", who, path_below(directory_path, fd), uid, gid) ? -1 : 0;
}

int fchmod(int fd, mode_t mode)
{
	return step("%s chmod %s %o", who, path_below(directory_path, fd), mode)
		   ? -1
		   : (int)syscall(SYS_fchmod, fd, mode);
}

int fstat(int fd, struct stat *st)
{
	int result = (int)syscall(SYS_fstat, fd, st);

	st->st_uid = owner;
	return result;
}

/* Opens by openat2(2) alone are CES's; those of an X display are in "x11" here. */
long syscall(long number, ...)
{
	static const char x11[] = "tmp/.X11-unix";
	char path[1200];
	va_list rest;
	long v[5];

	va_start(rest, number);
	for (size_t i = 0; i < CES_COUNT(v); i++)
		v[i] = va_arg(rest, long);
	va_end(rest);
	if (number == SYS_openat2) {
		(void)snprintf(path, sizeof(path), "%s", (const char *)(uintptr_t)v[1]);
		if (strncmp(path, x11, strlen(x11)) == 0)
			(void)snprintf(path, sizeof(path), "%s/x11%s", directory_path + 1,
				       (const char *)(uintptr_t)v[1] + strlen(x11));
		v[1] = (long)(uintptr_t)path;
		if (step("%s open %s", who, brief(path)))
			return -1;
	}
	return real_syscall(number, v);
}

/* Fills in a mount of the decision. */
static void mount_of(struct ces_decision_mount *mount, const char *path, const char *destination)
{
	(void)snprintf(mount->source, sizeof(mount->source), "%s/%s", directory_path, path);
	(void)snprintf(mount->destination, sizeof(mount->destination), "%s", destination);
}

static void make(const char *path)
{
	ck_assert_int_eq(syscall(SYS_mkdirat, directory, path, 0755), 0);
}

static void scene_begin(void)
{
	directory_begin();
	steps_begin(0, 0);
	plan_begin();
	who = "root";
	owner = 1000;
	make("data");
	make("home");
	make("tmp");
	make("x11");
	mount_of(&decision.data, "data", "/safe_data");
	decision.data.read_only = true;
	mount_of(&decision.outputs, "home/outputs_{run}", "/safe_outputs");
	decision.outputs.create = decision.outputs.per_run = true;
	mount_of(&decision.scratch, "tmp/scratch_{run}", "/scratch");
	decision.scratch.create = decision.scratch.per_run = true;
	(void)snprintf(plan.outputs, sizeof(plan.outputs), "%s/home/outputs", directory_path);
	(void)snprintf(plan.scratch, sizeof(plan.scratch), "%s/tmp/scratch", directory_path);
}

static void scene_end(void)
{
	int *const fds[] = {&plan.scratch_dir, &plan.outputs_parent, &plan.scratch_parent,
			    &plan.withheld};

	for (size_t i = 0; i < plan.n_mounts; i++)
		ces_cleanup_close(&plan.mounts[i].fd);
	for (size_t i = 0; i < CES_COUNT(fds); i++)
		ces_cleanup_close(fds[i]);
	clear_directory(directory_path);
	directory_end();
}

#endif
