/* doctor checks the runtime: it starts it to ask its version. It must not wait longer than
 * RUNTIME_MS. */
#include "client/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/policy.h"

#define RUNTIME_MS 5000

static const struct {
	const char *name;
	unsigned major, minor;
	const char *feature; /* in its version text, or NULL */
} runtimes[] = {
    {"crun", 1, 8, "+SECCOMP"},
    {"runc", 1, 1, NULL},
};
#define RUNC 1

#define MISLED                                                                                     \
	"can be misled when containers that share a mount start at once (CVE-2025-31133, "         \
	"CVE-2025-52565, CVE-2025-52881)"

/* Known faults of older versions, and why CES is safe from each or not. A distribution may have
 * mended one without a new number. From the projects' own release notes. */
static const struct {
	const char *name;
	unsigned since;               /* 1.SINCE is the first that has it; 0: all do */
	unsigned major, minor, patch; /* fixed in this one */
	enum ces_grade grade;
	const char *what;
} known[] = {
    {"crun", 0, 1, 8, 7, CES_GRADE_OK,
     "does not pass on the size of a terminal that changes; CES does it itself"},
    {"crun", 0, 1, 14, 1, CES_GRADE_OK,
     "lets a working directory reach descriptors that are left open; CES leaves it none"},
    {"runc", 0, 1, 1, 12, CES_GRADE_OK,
     "leaves a descriptor open to the container (CVE-2024-21626); CES gives it namespaces of its "
     "own, where that leads nowhere else"},
    {"runc", 0, 1, 2, 8, CES_GRADE_WARNING, MISLED},
    {"runc", 3, 1, 3, 3, CES_GRADE_WARNING, MISLED},
};

/* Reads what the runtime prints for --version. The runtime gets no environment, no input, and five
 * seconds. */
static int ask_version(const char *runtime, char *ret, size_t size)
{
	char option[] = "--version", name[] = "runtime";
	char *const argv[] = {name, option, NULL}, *const environment[] = {NULL};
	int64_t deadline = ces_now_ms() + RUNTIME_MS;
	posix_spawn_file_actions_t actions;
	size_t length = 0;
	int ends[2], error;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_RDWR, 0);
	error = posix_spawn(&pid, runtime, &actions, NULL, argv, environment);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	while (error == 0 && length < size - 1 &&
	       ces_read_full(ends[0], ret + length, 1, deadline) == 0)
		length++;
	ret[length] = '\0';
	close(ends[0]);
	if (error != 0) {
		errno = error;
		return -1;
	}
	kill(pid, SIGKILL); /* it has ended, or it hangs */
	waitpid(pid, NULL, 0);
	return 0;
}

static void tell_known(struct ces_doctor *doctor, const char *name, const char *text)
{
	for (size_t i = 0; i < CES_COUNT(known); i++) {
		if (strcmp(known[i].name, name) != 0 ||
		    (known[i].since > 0 && !ces_doctor_version(text, 1, known[i].since, 0)) ||
		    ces_doctor_version(text, known[i].major, known[i].minor, known[i].patch))
			continue;
		ces_doctor_find(doctor, "runtime", known[i].grade, "%s before %u.%u.%u %s", name,
				known[i].major, known[i].minor, known[i].patch, known[i].what);
		if (known[i].grade != CES_GRADE_OK)
			ces_doctor_remedy(doctor,
					  "as root: install %s %u.%u.%u or later, or see your "
					  "distribution's security notes",
					  name, known[i].major, known[i].minor, known[i].patch);
	}
}

static void judge_version(struct ces_doctor *doctor, const char *runtime, char *text)
{
	for (size_t i = 0; i < CES_COUNT(runtimes); i++) {
		bool lacks =
		    runtimes[i].feature != NULL && strstr(text, runtimes[i].feature) == NULL;

		if (strncmp(text, runtimes[i].name, strlen(runtimes[i].name)) != 0)
			continue;
		text[strcspn(text, "\n")] = '\0';
		/* CES goes by the name alone */
		if ((i == RUNC) != (strcmp(strrchr(runtime, '/') + 1, "runc") == 0)) {
			ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
					"%s is %s: CES starts a file named runc as runc, and any "
					"other as crun",
					runtime, runtimes[i].name);
			ces_doctor_remedy(doctor, "as root: rename it to %s", runtimes[i].name);
			return;
		}
		if (ces_doctor_version(text, runtimes[i].major, runtimes[i].minor, 0) && !lacks) {
			ces_doctor_find(doctor, "runtime", CES_GRADE_OK, "%s: %s", runtime, text);
			tell_known(doctor, runtimes[i].name, text);
			return;
		}
		if (lacks)
			ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
					"%s (%s) was built without seccomp", runtime, text);
		else
			ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s is too old: %s",
					runtime, text);
		ces_doctor_remedy(doctor, "as root: install %s %u.%u or later", runtimes[i].name,
				  runtimes[i].major, runtimes[i].minor);
		return;
	}
	text[strcspn(text, "\n")] = '\0';
	ces_doctor_find(doctor, "runtime", CES_GRADE_WARNING,
			"%s is neither crun nor runc: it says '%s'", runtime, text);
	ces_doctor_remedy(doctor, "name crun or runc as host.runtime in the policy");
}

void ces_doctor_runtime(struct ces_doctor *doctor, const char *runtime)
{
	CES_CLEANUP_FD int fd = -1;
	struct ces_error err = {0};
	char text[4096] = "";
	struct stat st;

	if (stat(runtime, &st) < 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s: %s", runtime,
				strerror(errno));
		ces_doctor_remedy(doctor, "as root: install crun, or name another host.runtime in "
					  "the policy");
	} else if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
				"%s can be changed by others than root", runtime);
		ces_doctor_remedy(doctor, "as root: chown root:root %s && chmod 755 %s", runtime,
				  runtime);
	} else if (strncmp(runtime, "/usr/", 5) != 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM,
				"%s is not below /usr, and a runtime sees nothing else", runtime);
		ces_doctor_remedy(doctor, "as root: install it below /usr, and name it there as "
					  "host.runtime in the policy");
	} else if (ces_policy_open_trusted(runtime, &fd, &err) < 0 && err.sys != EACCES) {
		/* (root can read what this user cannot) */
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "CES does not start %s",
				err.text);
		ces_doctor_remedy(doctor, "as root: name the file itself and no link as "
					  "host.runtime in the policy, and let root alone write to "
					  "the directories above it");
	} else if (ask_version(runtime, text, sizeof(text)) < 0) {
		ces_doctor_find(doctor, "runtime", CES_GRADE_PROBLEM, "%s cannot be started: %s",
				runtime, strerror(errno));
		ces_doctor_remedy(doctor, "as root: install crun 1.8 or later");
	} else {
		judge_version(doctor, runtime, text);
	}
}
