/* doctor checks the user: their projects, their home, and the data that a run could not reach. It
 * must not open anything in these directories. */
#include "client/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "client/local.h"
#include "common/cleanup.h"
#include "common/way.h"

/* Finds a link in the path that CES does not follow. */
static void find_link(struct ces_doctor *doctor, const char *check, const char *path)
{
	char plain[CES_WAY_MAX];

	/* beyond root's part of the path, only the link itself is known */
	if (ces_way_plain(path, plain) == 0)
		ces_doctor_find(doctor, check, CES_GRADE_PROBLEM,
				"%.200s: a part of this path is a symbolic link that others than "
				"root can set; CES does not follow it",
				path);
	else
		ces_doctor_find(
		    doctor, check, CES_GRADE_PROBLEM,
		    "%.200s: %.200s is a symbolic link that root does not own; CES does "
		    "not follow it",
		    path, plain);
	ces_doctor_remedy(doctor,
			  "as root: name the directory that it leads to, in the policy or the user "
			  "database; or chown -h root the link, in a directory that only root can "
			  "write");
}

/* Inside, mounts are nosuid. On the host, a member who executes a setuid file in shared data gets
 * the id of the member whose run made it, who may be in other projects too. */
static void check_nosuid(struct ces_doctor *doctor, const char *check, const char *path, int fd)
{
	struct statvfs fs;

	if (fstatvfs(fd, &fs) < 0 || (fs.f_flag & ST_NOSUID) != 0)
		return;
	ces_doctor_find(doctor, check, CES_GRADE_WARNING,
			"%s can be written by runs and is not mounted nosuid: a setuid file that "
			"a run makes there lets others act as the run's user",
			path);
	ces_doctor_remedy(doctor, "as root: mount its file system with nosuid (/etc/fstab)");
}

static void check_kind(struct ces_doctor *doctor, const char *check, const char *path, int fd)
{
	char plain[CES_WAY_MAX];
	unsigned kind = 0;

	if (!ces_way_holds_data(fd, &kind)) {
		ces_doctor_find(doctor, check, CES_GRADE_PROBLEM,
				"%s is on a kind of file system (0x%x) that CES does not use", path,
				kind);
		ces_doctor_remedy(doctor, "man 7 ces-admin has the file systems that it uses");
		return;
	}
	if (ces_way_plain(path, plain) == 0 && strcmp(plain, path) != 0)
		ces_doctor_find(doctor, check, CES_GRADE_OK,
				"%.200s is %.250s, behind a symbolic link of root's", path, plain);
	else
		ces_doctor_find(doctor, check, CES_GRADE_OK, "%s", path);
	if (kind != NFS_SUPER_MAGIC)
		return;
	ces_doctor_find(doctor, check, CES_GRADE_OK,
			"it is on NFS: CES uses it with your rights, so root_squash may be set; "
			"files of a container's other users keep their ids on the server");
}

static void check_directory(struct ces_doctor *doctor, const char *check, const char *path,
			    bool writable)
{
	CES_CLEANUP_FD int fd = ces_way_open(path, O_RDONLY | O_DIRECTORY);

	if (fd >= 0) {
		check_kind(doctor, check, path, fd);
		if (writable)
			check_nosuid(doctor, check, path, fd);
	} else if (errno == ELOOP) {
		find_link(doctor, check, path);
	} else {
		ces_doctor_find(doctor, check, CES_GRADE_PROBLEM, "%s: %s", path, strerror(errno));
		ces_doctor_remedy(doctor, "as root: check that it exists and that this user can "
					  "open it, or change the policy");
	}
}

void ces_doctor_you(struct ces_doctor *doctor, const struct ces_local *local)
{
	static struct ces_local_you you;
	struct ces_error err = {0};

	if (getuid() == 0)
		return; /* has no projects */
	if (ces_local_you(local, &you, &err) < 0) {
		ces_doctor_find(doctor, "you", CES_GRADE_PROBLEM, "%s", err.text);
		return;
	}
	if (you.n == 0) {
		ces_doctor_find(doctor, "you", CES_GRADE_WARNING,
				"%s is in no project of the policy; the user's groups: %.300s",
				you.user, you.groups);
		ces_doctor_remedy(doctor, "ask %s to add %s to a project",
				  local->policy->contact != NULL ? local->policy->contact
								 : "your administrator",
				  you.user);
	}
	for (size_t i = 0; i < you.n; i++)
		ces_doctor_find(doctor, "you",
				you.projects[i].ended ? CES_GRADE_WARNING : CES_GRADE_OK,
				"%s is in project %s%s", you.user, you.projects[i].name,
				you.projects[i].ended ? ", which has ended" : "");
	check_directory(doctor, "home", you.home, false);
	for (size_t i = 0; i < you.n; i++)
		check_directory(doctor, "data", you.projects[i].data, you.projects[i].writable);
}
