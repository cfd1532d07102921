/* Takes the container's process from fork to the runtime. Must not touch the host: past the gate,
 * the host's tree is gone, the process has only the caller's ordinary ids there, and its only
 * privileges are over its own namespaces.
 *
 * The helper clones the process while it is root, so the new user namespace belongs to root. The
 * caller, though it will have the caller's uid, has no capability in that namespace and can neither
 * trace nor enter it (user_namespaces(7); bubblewrap's CVE-2016-8659 was the other order). */
#include "helper/launch/container.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/beneath.h"
#include "helper/session/userns.h"

#define FD_GATE    3
#define FD_REPORT  4
#define FD_JOURNAL 5
#define FD_KEPT    6

/* The process writes it to the report pipe in one piece; both ends are this program. */
struct failure {
	int number; /* errno */
	char step[60];
};

static void fail(const char *step)
{
	struct failure failure = {.number = errno};

	(void)snprintf(failure.step, sizeof(failure.step), "%s", step);
	(void)ces_write_full(FD_REPORT, &failure, sizeof(failure), -1);
	_exit(125);
}

static void wait_at_gate(void)
{
	char byte;

	if (ces_read_full(FD_GATE, &byte, 1, -1) < 0)
		_exit(125); /* the helper is gone: nothing was started */
}

/* The parent may have died between opening the gate and the setting of the death signal. Its end of
 * the gate shows this. */
static void check_parent(void)
{
	struct pollfd gate = {.fd = FD_GATE, .events = POLLIN};

	if (poll(&gate, 1, 0) != 0)
		_exit(125);
}

/* This namespace is by far the slowest: the process makes it while the parent builds the tree.
 * Until the parent knows of it, this process is in the network of the host. */
static void make_network(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	CES_CLEANUP_FD int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		fail("network namespace");
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail("bringing lo up");
	if (write(FD_GATE, "", 1) != 1)
		_exit(125);
}

static void write_sysctl(const char *path, const char *value)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fail(path);
}

/* Gives a directory of CES's top layer the owner and mode of the image's directory of that path, if
 * there is one. This process looks into the layers, not the helper: it sees them with the
 * container's ids, and every file open to it will be open to the container too. It works through
 * the overlay, since the layers under a mounted overlay must not change. */
static void take_attributes(const struct ces_plan *plan, const char *path)
{
	CES_CLEANUP_FD int whole = open("/m", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = plan->image->diff_ids.n; i > 0; i--) {
		CES_CLEANUP_FD int layer = -1;
		CES_CLEANUP_FD int directory = -1;
		char name[32];
		struct stat st;

		(void)snprintf(name, sizeof(name), "/l/%zu", i - 1);
		layer = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
		directory = ces_beneath_open(layer, path, O_PATH | O_DIRECTORY, 0);
		if (directory < 0 || fstat(directory, &st) < 0)
			continue;
		if (fchownat(whole, path, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
		    fchmodat(whole, path, st.st_mode & 07777, 0) < 0)
			fail("the directory of a mount point");
		return;
	}
}

/* The directories above a mount point were made with it (helper/launch/rootfs.c) and hide the
 * image's. Without this function, a bind into a user's home would take the home from that user. */
static void keep_parents(const struct ces_plan *plan, const char *destination)
{
	char path[300];

	(void)snprintf(path, sizeof(path), "%s", destination + 1);
	for (char *slash = strchr(path, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		take_attributes(plan, path);
		*slash = '/';
	}
}

static void set_up(const struct ces_plan *plan)
{
	if (chdir("/") < 0 || unshare(CLONE_NEWNS) < 0)
		fail("mount namespace");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) < 0)
		fail("mounting /proc");
	if (sethostname(plan->hostname, strlen(plan->hostname)) < 0)
		fail("hostname");
	/* no user namespace inside: most local kernel exploits begin with one */
	write_sysctl("/proc/sys/user/max_user_namespaces", "0");
	for (size_t i = 0; i < plan->n_mounts; i++)
		keep_parents(plan, plan->mounts[i].destination);
	for (size_t i = 0; i < plan->decision->n_tmpfs; i++)
		keep_parents(plan, plan->decision->tmpfs[i].destination);
}

/* An execve that changes the SELinux domain makes the kernel forget the signal for the parent's
 * death: a killed helper would leave its container alive. So setpriv(1) enters the runtime's
 * domain: it asks for the signal again and executes the runtime, which stays in that domain. In
 * between, the helper's trace ends this process if the helper dies (helper/audit/hold.c). setpriv
 * is root's file, on the read-only /usr, and has the rights of this namespace's root alone, as the
 * runtime has. */
static void execute_confined(const struct ces_plan *plan, char *const *runtime,
			     char *const *environment)
{
	char *arguments[16] = {"setpriv", "--pdeathsig=KILL", "--",
			       (char *)(uintptr_t)plan->runtime};
	size_t n = 4;

	for (size_t i = 1; runtime[i] != NULL; i++) {
		if (n + 1 == CES_COUNT(arguments)) {
			errno = E2BIG;
			fail("arguments of the runtime");
		}
		arguments[n++] = runtime[i];
	}
	/* without this the kernel would not let this domain execute anything */
	if (ces_selinux_exec_runtime(&plan->selinux) < 0)
		fail("SELinux context of the runtime");
	execve(CES_SETPRIV_PATH, arguments, environment);
	fail(CES_SETPRIV_PATH);
}

static void execute(const struct ces_plan *plan)
{
	static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	char id[32];
	char *const runtime[] = {plan->runc ? "runc" : "crun",
				 "--root=/run",
				 plan->runc ? "--rootless=true" : "--cgroup-manager=disabled",
				 "--log=/run/log",
				 "--log-format=json",
				 "run",
				 "--no-new-keyring",
				 "--bundle=/bundle",
				 id,
				 NULL};

	(void)snprintf(id, sizeof(id), "%s", plan->hostname);
	if (plan->selinux.on)
		execute_confined(plan, runtime, environment);
	execve(plan->runtime, runtime, environment);
	fail(plan->runtime);
}

static void child(const struct ces_plan *plan, const struct ces_cgroup *cgroup, int gate,
		  int report)
{
	const int fds[] = {gate, report, plan->session->journal.fd, plan->kept};
	int joined = ces_cgroup_join(cgroup);

	if ((plan->session->request->flags & CES_FLAG_INTERACTIVE) == 0 && !plan->tty) {
		CES_CLEANUP_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (null < 0 || dup2(null, STDIN_FILENO) < 0)
			_exit(125);
	}
	ces_process_arrange(fds, CES_COUNT(fds));
	if (joined < 0)
		fail("joining the cgroups");
	for (int fd = 0; fd <= FD_REPORT; fd++)
		if (fcntl(fd, F_SETFD, fd > STDERR_FILENO ? FD_CLOEXEC : 0) < 0)
			_exit(125);
	make_network();
	/* no run without a durable record, nor one that nobody would clear after a power cut */
	if (fdatasync(FD_JOURNAL) < 0 || close(FD_JOURNAL) < 0 || fdatasync(FD_KEPT) < 0 ||
	    close(FD_KEPT) < 0)
		_exit(125);
	wait_at_gate();
	ces_process_become(0, 0); /* of the namespace */
	check_parent();
	(void)umask(022);
	set_up(plan);
	execute(plan);
}

int ces_container_start(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
			struct ces_container *ret, struct ces_error *err)
{
	static const uint64_t spaces =
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	CES_CLEANUP_FD int gate_inside = -1;
	CES_CLEANUP_FD int report_write = -1;
	int gate[2], report[2], side;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, gate) < 0)
		return ces_error_errno(err, CES_E_HOST, "socket pair");
	gate_inside = gate[0];
	ret->gate = gate[1];
	if (pipe2(report, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "pipe");
	ret->report = report[0];
	report_write = report[1];
	side = ces_process_clone(spaces, cgroup->dir[CES_HIERARCHY_V2], &ret->process);
	if (side < 0)
		return ces_error_errno(err, CES_E_HOST, "making the container's namespaces");
	if (side == 0) {
		close(ret->gate); /* or the child's own copy would keep the gate from ever reading
				     end of file */
		child(plan, cgroup, gate_inside, report_write);
	}
	if (ces_idmap_write(ret->process.pid, &plan->map, err) < 0)
		return -1;
	return ces_process_namespace(&ret->process, "user", &ret->userns, err);
}

int ces_container_ready(const struct ces_container *container, struct ces_error *err)
{
	char byte;

	/* the byte stays for the next check; there is none when the child has ended */
	return recv(container->gate, &byte, 1, MSG_PEEK) == 1
		   ? 0
		   : ces_error_set(err, CES_E_HOST, "the container has no network namespace");
}

int ces_container_release(struct ces_container *container, struct ces_error *err)
{
	return write(container->gate, "", 1) == 1
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "starting the container");
}

int ces_container_failure(struct ces_container *container, struct ces_error *err)
{
	struct failure failure;

	if (container->report < 0 ||
	    ces_read_full(container->report, &failure, sizeof(failure), ces_now_ms() + 1000) < 0)
		return 0;
	failure.step[sizeof(failure.step) - 1] = '\0';
	errno = failure.number;
	return ces_error_errno(err, CES_E_HOST, "setting up the container: %s", failure.step);
}
