/* Confines ces-layout as ces-resolve is, but for opening files and sending them on. Must not weaken
 * anything to make a test pass. */
#include "helper/layout/sandbox.h"

#include <seccomp.h>

#include "common/cleanup.h"
#include "helper/fetch/sandbox.h"
#include "helper/resolve/sandbox.h"

int ces_layout_confine(int dir, struct ces_error *err)
{
	static const int also[] = {SCMP_SYS(openat2), SCMP_SYS(fstat),    SCMP_SYS(newfstatat),
				   SCMP_SYS(fcntl),   SCMP_SYS(sendfile), SCMP_SYS(lseek),
				   SCMP_SYS(sendto),  SCMP_SYS(alarm),    SCMP_SYS(setitimer)};

	return ces_sandbox_only_below(dir, err) < 0
		   ? -1
		   : ces_resolve_confine(also, CES_COUNT(also), err);
}
