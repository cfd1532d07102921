/* doctor checks what systemd does for CES, and the space for the journal. It must only look at what
 * any user may see: it does not ask systemd. */
#include "client/doctor_checks.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/paths.h"

#define MIB ((uint64_t)1 << 20)

/* sd_booted(3) looks at the same directory. */
#define BOOTED "/run/systemd/system"

/* Returns whether `enable` has made its link. */
static bool is_enabled(const char *timer)
{
	char path[128];

	snprintf(path, sizeof(path), "/etc/systemd/system/timers.target.wants/%s", timer);
	return access(path, F_OK) == 0;
}

void ces_doctor_services(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	if (access(BOOTED, F_OK) < 0) {
		ces_doctor_find(
		    doctor, "services", CES_GRADE_WARNING,
		    "systemd does not run here: only the next start removes what killed runs left");
		ces_doctor_remedy(doctor, "as root: run ces-client clean at boot and every day");
		return;
	}
	if (!is_enabled("ces-janitor.timer")) {
		ces_doctor_find(doctor, "services", CES_GRADE_WARNING,
				"the janitor is not enabled: ces-janitor.timer");
		ces_doctor_remedy(doctor, "as root: systemctl enable --now ces-janitor.timer");
	} else {
		ces_doctor_find(doctor, "services", CES_GRADE_OK, "ces-janitor.timer is enabled");
	}
	if (policy != NULL && policy->audit_key != NULL && !is_enabled("ces-anchor.timer")) {
		ces_doctor_find(doctor, "services", CES_GRADE_WARNING,
				"the policy names a key for the journal (host.audit_key), and "
				"nothing signs with it: ces-anchor.timer is not enabled");
		ces_doctor_remedy(doctor, "as root: systemctl enable --now ces-anchor.timer");
	}
}

/* ---- the delegated cgroup ---- */

#define V2   "/sys/fs/cgroup"
#define UNIT "/system.slice/ces.service"

/* A cgroup of version 2 with processes of its own cannot pass controllers on, so the helper skips
 * it (cgroup-v2.rst, "No Internal Process Constraint"). */
static bool has_processes(const char *cgroup)
{
	CES_CLEANUP_FD int fd = -1;
	char path[128], byte;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, &byte, 1) > 0;
}

void ces_doctor_delegation(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	bool alone = access(V2 "/cgroup.controllers", F_OK) == 0;
	const char *cgroup = alone ? V2 UNIT : V2 "/unified" UNIT;

	if (access(BOOTED, F_OK) < 0 || policy->cgroup_parent != CES_CGROUP_AUTO)
		return;
	if (access(cgroup, F_OK) < 0) {
		ces_doctor_find(doctor, "cgroups", CES_GRADE_WARNING,
				"systemd delegates none to CES: ces.service is not active, so runs "
				"use cgroups that systemd manages");
		ces_doctor_remedy(doctor, "as root: systemctl enable --now ces.service");
	} else if (alone && has_processes(cgroup)) {
		ces_doctor_find(doctor, "cgroups", CES_GRADE_WARNING,
				"a process is in %s itself, so no run can be there", cgroup);
		ces_doctor_remedy(doctor,
				  "as root: restore the unit that came with CES, then: systemctl "
				  "restart ces.service (this ends the runs in it)");
	} else {
		ces_doctor_find(doctor, "cgroups", CES_GRADE_OK,
				"runs are in %s, or in the batch job that starts them", cgroup);
	}
}

/* ---- the journal ---- */

/* CES does nothing without a journal record: if this file system is full, CES denies everything. */
void ces_doctor_journal(struct ces_doctor *doctor)
{
	struct statvfs fs;
	char space[32];
	uint64_t bytes;

	if (statvfs(CES_JOURNAL_DIR, &fs) < 0)
		return;                             /* (CES makes it) */
	bytes = (uint64_t)fs.f_bfree * fs.f_frsize; /* with root's reserve: root writes it */
	ces_num_format_size(bytes, space, sizeof(space));
	if (bytes >= 100 * MIB && fs.f_files != 0 && fs.f_ffree <= 1000) {
		ces_doctor_find(doctor, "journal", CES_GRADE_WARNING,
				"%s has room for %llu files only: the journal needs a new one "
				"after each rotation",
				CES_JOURNAL_DIR, (unsigned long long)fs.f_ffree);
		ces_doctor_remedy(doctor, "as root: remove files there, or make a new file system "
					  "with more inodes");
		return;
	}
	if (bytes >= 100 * MIB) {
		ces_doctor_find(doctor, "journal", CES_GRADE_OK, "%s has %s free", CES_JOURNAL_DIR,
				space);
		return;
	}
	ces_doctor_find(doctor, "journal", bytes < MIB ? CES_GRADE_PROBLEM : CES_GRADE_WARNING,
			"%s has %s free: CES denies what it cannot record", CES_JOURNAL_DIR, space);
	ces_doctor_remedy(doctor, "as root: make room there, or move old parts of the journal to "
				  "another machine");
}
