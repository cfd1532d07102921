/* doctor checks the kernel and the administrator's settings. It must only look, by calls that
 * change nothing. */
#include "client/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/io.h"

#define CGROUP "/sys/fs/cgroup"

/* ---- the kernel ---- */

/* Makes each call with arguments that every kernel refuses. Only ENOSYS means something. */
static bool lacks_call(long number)
{
	return syscall(number, -1, NULL, 0, 0, 0, 0) < 0 && errno == ENOSYS;
}

static void check_calls(struct ces_doctor *doctor)
{
	static const struct {
		long number;
		const char *name, *since;
	} calls[] = {
	    {SYS_pidfd_open, "pidfd_open", "5.3"},   {SYS_clone3, "clone3", "5.3"},
	    {SYS_open_tree, "open_tree", "5.2"},     {SYS_openat2, "openat2", "5.6"},
	    {SYS_close_range, "close_range", "5.9"}, {SYS_mount_setattr, "mount_setattr", "5.12"},
	};
	bool complete = true;

	for (size_t i = 0; i < CES_COUNT(calls); i++) {
		if (!lacks_call(calls[i].number))
			continue;
		complete = false;
		ces_doctor_find(doctor, "kernel", CES_GRADE_PROBLEM, "it lacks %s", calls[i].name);
		ces_doctor_remedy(doctor, "as root: install Linux %s or later (RHEL 9 or later)",
				  calls[i].since);
	}
	if (complete)
		ces_doctor_find(doctor, "kernel", CES_GRADE_OK,
				"has openat2, mount_setattr, clone3, pidfd and close_range");
}

/* The file is a list of words, one or more on a line. */
static bool file_has_word(const char *path, const char *word)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FREE char *text = NULL;
	char *save = NULL;
	size_t length;

	if (fd < 0 || ces_read_file(fd, 65536, &text, &length) < 0)
		return false;
	for (char *one = strtok_r(text, " \t\n", &save); one != NULL;
	     one = strtok_r(NULL, " \t\n", &save)) {
		if (strcmp(one, word) == 0)
			return true;
	}
	return false;
}

void ces_doctor_kernel(struct ces_doctor *doctor)
{
	struct utsname name;

	if (uname(&name) < 0)
		return;
	if (ces_doctor_version(name.release, 5, 19, 0)) {
		ces_doctor_find(doctor, "kernel", CES_GRADE_OK,
				"Linux %s has overlays of id-mapped layers", name.release);
	} else {
		ces_doctor_find(doctor, "kernel",
				ces_doctor_version(name.release, 5, 12, 0) ? CES_GRADE_WARNING
									   : CES_GRADE_PROBLEM,
				"Linux %s may lack overlays of id-mapped layers", name.release);
		ces_doctor_remedy(
		    doctor, "as root: install Linux 5.19 or later, or the newest kernel of RHEL 9");
	}
	check_calls(doctor);
	if (!file_has_word("/proc/filesystems", "overlay")) {
		ces_doctor_find(doctor, "kernel", CES_GRADE_WARNING, "overlay is not loaded");
		ces_doctor_remedy(doctor, "as root: modprobe overlay && echo overlay > "
					  "/etc/modules-load.d/ces.conf");
	}
	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0) {
		ces_doctor_find(doctor, "kernel", CES_GRADE_PROBLEM, "it has no seccomp filters");
		ces_doctor_remedy(doctor, "as root: install a kernel with CONFIG_SECCOMP_FILTER");
	}
}

/* ---- namespaces ---- */

static bool read_line(const char *path, char *ret, size_t size)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	if (n < 0)
		return false;
	ret[n] = '\0';
	ret[strcspn(ret, "\n")] = '\0';
	return true;
}

/* The helper refuses to start outside the initial user namespace, because root there is not
 * root. */
static void check_initial(struct ces_doctor *doctor)
{
	char map[256], *end;

	/* "0 0 4294967295": every id maps to itself */
	if (!read_line("/proc/self/uid_map", map, sizeof(map)) ||
	    (strtoul(map, &end, 10) == 0 && strtoul(end, &end, 10) == 0 &&
	     strtoul(end, NULL, 10) == UINT32_MAX))
		return;
	ces_doctor_find(
	    doctor, "namespaces", CES_GRADE_PROBLEM,
	    "this session is in a user namespace of its own, as in a rootless container");
	ces_doctor_remedy(doctor, "use a login on the machine itself");
}

/* ces-session stops each container with ptrace(2) until it has compared it with the plan. */
static void check_tracing(struct ces_doctor *doctor)
{
	char scope[16];

	if (!read_line("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope)) ||
	    strcmp(scope, "3") != 0)
		return;
	ces_doctor_find(
	    doctor, "kernel", CES_GRADE_PROBLEM,
	    "not even root may trace a process (kernel.yama.ptrace_scope): CES cannot prove a run");
	ces_doctor_remedy(
	    doctor,
	    "as root: set kernel.yama.ptrace_scope = 2 in /etc/sysctl.d, and restart the machine");
}

/* CES brings no profile and needs none. A profile that confines the caller's session also confines
 * the helper, unless the profile says otherwise (apparmor.d(5), "px", "ux"). */
static void check_apparmor(struct ces_doctor *doctor)
{
	char on[8], profile[256];

	if (!read_line("/sys/module/apparmor/parameters/enabled", on, sizeof(on)) || *on != 'Y' ||
	    !read_line("/proc/self/attr/apparmor/current", profile, sizeof(profile)))
		return;
	if (strcmp(profile, "unconfined") == 0) {
		ces_doctor_find(doctor, "apparmor", CES_GRADE_OK,
				"AppArmor is on, and does not confine this session");
		return;
	}
	ces_text_clean(profile);
	ces_doctor_find(
	    doctor, "apparmor", CES_GRADE_WARNING,
	    "AppArmor confines this session with the profile %s: it may refuse what a run needs",
	    profile);
	ces_doctor_remedy(doctor, "use another login; as root: man 7 ces-admin, AppArmor");
}

void ces_doctor_namespaces(struct ces_doctor *doctor)
{
	static const char *const kinds[] = {"user", "mnt", "pid", "net", "ipc", "uts", "cgroup"};
	char path[64], value[64];
	bool fine = true;

	check_tracing(doctor);
	check_apparmor(doctor);
	for (size_t i = 0; i < CES_COUNT(kinds); i++) {
		snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kinds[i]);
		if (read_line(path, value, sizeof(value)) && strtoul(value, NULL, 10) > 0)
			continue;
		fine = false;
		/* (the last file by name counts: the site has switched them off in another) */
		ces_doctor_find(doctor, "namespaces", CES_GRADE_PROBLEM,
				"%s namespaces are switched off", kinds[i]);
		ces_doctor_remedy(
		    doctor,
		    "as root: echo user.max_%s_namespaces = 15000 >> "
		    "/etc/sysctl.d/zz-ces.conf && sysctl -p /etc/sysctl.d/zz-ces.conf",
		    kinds[i]);
	}
	check_initial(doctor);
	if (fine)
		ces_doctor_find(doctor, "namespaces", CES_GRADE_OK, "all kinds may be made");
}

/* ---- cgroups ---- */

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* Looks in the list of controllers of version 2, or for version 1's directory of the same name. */
static bool has_controller(const char *v2, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/cgroup.controllers", v2);
	if (file_has_word(path, name))
		return true;
	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", CGROUP, name);
	return access(path, F_OK) == 0;
}

/* Every cgroup except the root has this file, since Linux 5.14. */
static void check_kill(struct ces_doctor *doctor)
{
	struct utsname name;

	if (uname(&name) < 0 || ces_doctor_version(name.release, 5, 14, 0))
		return;
	ces_doctor_find(doctor, "cgroups", CES_GRADE_WARNING,
			"Linux %s has no cgroup.kill: CES ends a run through its pid namespace",
			name.release);
	ces_doctor_remedy(doctor, "as root: install Linux 5.14 or later");
}

void ces_doctor_cgroups(struct ces_doctor *doctor)
{
	static const char *const wanted[] = {"cpu", "memory", "pids"};
	const char *v2 = is_cgroup2(CGROUP) ? CGROUP : CGROUP "/unified";
	bool complete = true;

	if (!is_cgroup2(v2)) {
		ces_doctor_find(doctor, "cgroups", CES_GRADE_PROBLEM,
				"version 2 is not mounted at %s", CGROUP);
		ces_doctor_remedy(doctor, "as root: boot with systemd.unified_cgroup_hierarchy=1");
		return;
	}
	for (size_t i = 0; i < CES_COUNT(wanted); i++) {
		if (has_controller(v2, wanted[i]))
			continue;
		complete = false;
		ces_doctor_find(doctor, "cgroups", CES_GRADE_PROBLEM,
				"there is no %s controller: CES cannot enforce its limit",
				wanted[i]);
		ces_doctor_remedy(doctor, "as root: boot without cgroup_disable=%s", wanted[i]);
	}
	if (complete)
		ces_doctor_find(doctor, "cgroups", CES_GRADE_OK, "%s, with cpu, memory and pids",
				strcmp(v2, CGROUP) == 0 ? "version 2" : "versions 1 and 2");
	check_kill(doctor);
}

/* ---- subordinate ids ---- */

static void check_subid_line(struct ces_doctor *doctor, const struct ces_policy *policy,
			     const char *path, char *line)
{
	uint64_t first = policy->subid_first;
	uint64_t end = first + (policy->subid_users + 1) * policy->subid_per_user;
	char *numbers = strchr(line, ':'), *rest;
	uint64_t from, count;

	if (numbers == NULL)
		return;
	*numbers++ = '\0';
	from = strtoull(numbers, &rest, 10);
	count = *rest == ':' ? strtoull(rest + 1, NULL, 10) : 0;
	if (count == 0 || from >= end || from + count <= first)
		return;
	ces_doctor_find(doctor, "ids", CES_GRADE_WARNING,
			"%s gives %s ids from %llu, which CES uses too", path, line,
			(unsigned long long)from);
	ces_doctor_remedy(doctor, "choose another host.subordinate_ids.first in the policy, or "
				  "another range there");
}

void ces_doctor_subids(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	static const char *const paths[] = {"/etc/subuid", "/etc/subgid"};
	size_t before = doctor->n;

	for (size_t i = 0; i < CES_COUNT(paths); i++) {
		CES_CLEANUP_FD int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		CES_CLEANUP_FREE char *text = NULL;
		char *save = NULL;
		size_t length;

		if (fd < 0 || ces_read_file(fd, 1 << 20, &text, &length) < 0)
			continue;
		for (char *line = strtok_r(text, "\n", &save); line != NULL;
		     line = strtok_r(NULL, "\n", &save))
			check_subid_line(doctor, policy, paths[i], line);
	}
	if (doctor->n == before)
		ces_doctor_find(doctor, "ids", CES_GRADE_OK,
				"%llu users get %llu subordinate ids each, from %llu",
				(unsigned long long)policy->subid_users,
				(unsigned long long)policy->subid_per_user,
				(unsigned long long)policy->subid_first);
}
