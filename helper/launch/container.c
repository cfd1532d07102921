/* Takes the container's process from the clone to ces-inside. Must not let it have a descriptor of
 * root's, nor any identity but root of its own namespace, from then on.
 *
 * The helper clones the process while it is root, so the new user namespace belongs to root. The
 * caller, though it will have the caller's uid, has no capability in that namespace and can neither
 * trace nor enter it (user_namespaces(7); bubblewrap's CVE-2016-8659 was the other order).
 *
 * Who controls what: the plan is root's. ces-inside (common/inside.h) answers with a byte and
 * at most one report. The caller can stop or kill it, if the container's root is the caller: then
 * their run does not begin. */
#include "helper/launch/container.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "common/inside.h"
#include "helper/launch/config.h"
#include "helper/session/userns.h"

#define AWAIT_MS 20000 /* for each of two bytes */

static void fail(enum ces_inside_step step)
{
	struct ces_inside_report report = {.step = step, .number = errno};

	(void)ces_write_full(CES_INSIDE_REPORT, &report, sizeof(report), -1);
	_exit(125);
}

/* This namespace is by far the slowest: the process makes it while the parent builds the tree.
 * Until the parent knows of it, this process is in the network of the host. */
static void make_network(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	CES_CLEANUP_FD int fd = -1;

	if (unshare(CLONE_NEWNET) < 0)
		fail(CES_STEP_NETWORK);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
		fail(CES_STEP_LOOPBACK);
	if (write(CES_INSIDE_GATE, "", 1) != 1)
		_exit(125);
}

/* Becomes root of the namespace, as soon as the parent has written the id map. The parent may have
 * died between that and the setting of the death signal. Its end of the gate shows this. */
static void become_root(void)
{
	struct pollfd gate = {.fd = CES_INSIDE_GATE, .events = POLLIN};
	char byte;

	if (ces_read_full(CES_INSIDE_GATE, &byte, 1, -1) < 0)
		_exit(125);
	ces_process_become(0, 0);
	if (poll(&gate, 1, 0) != 0)
		_exit(125);
}

static void child(const struct ces_plan *plan, const struct ces_cgroup *cgroup, int gate,
		  int report, int order)
{
	static char *const argv[] = {"ces-inside", NULL}, *const environment[] = {NULL};
	const int fds[] = {gate, report, order};
	int joined = ces_cgroup_join(cgroup);

	if ((plan->session->request->flags & CES_FLAG_INTERACTIVE) == 0 && !plan->tty) {
		CES_CLEANUP_FD int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		if (null < 0 || dup2(null, STDIN_FILENO) < 0)
			_exit(125);
	}
	ces_process_arrange(fds, CES_COUNT(fds));
	if (joined < 0)
		fail(CES_STEP_CGROUPS);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_SETFD, 0) < 0)
			_exit(125);
	make_network();
	become_root();
	execve(CES_INSIDE_PATH, argv, environment);
	fail(CES_STEP_INSIDE);
}

int ces_container_start(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
			struct ces_container *ret, struct ces_error *err)
{
	static const uint64_t spaces =
	    CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP;
	CES_CLEANUP_FD int gate_inside = -1;
	CES_CLEANUP_FD int report_write = -1;
	CES_CLEANUP_FD int order = -1;
	int gate[2], report[2], side;

	if (ces_config_order(plan, &order, err) < 0)
		return -1;
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
		child(plan, cgroup, gate_inside, report_write, order);
	}
	if (ces_idmap_write(ret->process.pid, &plan->map, err) < 0 ||
	    ces_container_release(ret, err) < 0)
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

int ces_container_await(const struct ces_container *container, struct ces_error *err)
{
	struct pollfd gate = {.fd = container->gate, .events = POLLIN};
	char byte;

	/* the byte for the network, and then the one of ces-inside, which stays; a process that has
	 * ended is no error here */
	(void)ces_read_full(container->gate, &byte, 1, ces_now_ms() + AWAIT_MS);
	if (poll(&gate, 1, AWAIT_MS) == 0)
		return ces_error_set(err, CES_E_HOST, "ces-inside did not start in time");
	return 0;
}

int ces_container_release(struct ces_container *container, struct ces_error *err)
{
	return write(container->gate, "", 1) == 1
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "starting the container");
}

int ces_container_failure(const struct ces_plan *plan, const struct ces_container *container,
			  struct ces_error *err)
{
	static const char *const words[CES_STEPS] = {
	    [CES_STEP_CGROUPS] = "joining the cgroups",
	    [CES_STEP_NETWORK] = "network namespace",
	    [CES_STEP_LOOPBACK] = "bringing lo up",
	    [CES_STEP_INSIDE] = "starting ces-inside",
	    [CES_STEP_ORDER] = "the order for ces-inside",
	    [CES_STEP_FILTER] = "the system call filter; CES is not fully installed",
	    [CES_STEP_CONFIG] = "config.json",
	    [CES_STEP_MOUNTS] = "mount namespace",
	    [CES_STEP_PROC] = "mounting /proc",
	    [CES_STEP_HOSTNAME] = "hostname",
	    [CES_STEP_USERNS] = "/proc/sys/user/max_user_namespaces",
	    [CES_STEP_POINTS] = "a mount point, or /tmp, in the image",
	    [CES_STEP_FILES] = "a file of CES's in the image's /etc",
	    [CES_STEP_LINKS] = "a link to a file of the GPU's driver",
	    [CES_STEP_CONTEXT] = "SELinux context of the runtime",
	    [CES_STEP_SETPRIV] = CES_SETPRIV_PATH,
	};
	struct ces_inside_report report;

	if (ces_read_full(container->report, &report, sizeof(report), ces_now_ms() + 1000) < 0)
		return 0;
	errno = report.number;
	if (report.step == CES_STEP_POINTS && report.place - 1 < plan->n_mounts)
		return ces_error_errno(err, CES_E_HOST, "mounting at %s, in the image",
				       plan->mounts[report.place - 1].destination);
	return ces_error_errno(err, CES_E_HOST, "setting up the container: %s",
			       report.step < CES_STEP_RUNTIME ? words[report.step] : plan->runtime);
}
