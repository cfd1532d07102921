/* Becomes the runtime. Must not give it a word or a variable that is not a constant, except the
 * run's own name. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/inside/inside.h"

#define WRAPPER 3 /* words of setpriv's own */

/* The domain that the next execve enters (attr(5) of /proc). Without it the kernel would not let
 * the runtime's domain execute anything. */
static void set_context(const char *context)
{
	CES_CLEANUP_FD int fd = open("/proc/thread-self/attr/exec", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, context, strlen(context)) <= 0)
		ces_inside_fail(CES_STEP_CONTEXT);
}

/* An execve that changes the SELinux domain makes the kernel forget the signal for the parent's
 * death: a killed helper would leave its container alive. So setpriv(1) enters the runtime's
 * domain: it asks for the signal again and executes the runtime, which stays in that domain. In
 * between, the helper's trace ends this process if the helper dies (helper/audit/hold.c). setpriv
 * is root's file, on the read-only /usr, and has the rights of this namespace's root alone, as the
 * runtime has. */
void ces_inside_execute(const struct ces_inside *inside)
{
	static char *const environment[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};
	const char *context = ces_inside_text(inside, CES_INSIDE_CONTEXT);
	char *path = inside->rows[CES_INSIDE_ROW_TEXTS].v[CES_INSIDE_RUNTIME];
	bool runc = inside->order.runc;
	char *arguments[] = {"setpriv",
			     "--pdeathsig=KILL",
			     "--",
			     runc ? "runc" : "crun",
			     "--root=/run",
			     runc ? "--rootless=true" : "--cgroup-manager=disabled",
			     "--log=/run/log",
			     "--log-format=json",
			     "run",
			     "--no-new-keyring",
			     "--bundle=/bundle",
			     inside->rows[CES_INSIDE_ROW_TEXTS].v[CES_INSIDE_HOSTNAME],
			     NULL};

	if (context[0] != '\0') {
		set_context(context);
		arguments[WRAPPER] = path;
		execve(CES_SETPRIV_PATH, arguments, environment);
		ces_inside_fail(CES_STEP_SETPRIV);
	}
	execve(path, arguments + WRAPPER, environment);
	ces_inside_fail(CES_STEP_RUNTIME);
}
