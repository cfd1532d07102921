/* ces-helper, setuid root: makes the process that a caller left clean, and becomes ces-admit in it.
 * Must not read the request, the policy, or any path of the caller's.
 *
 * A program that was executed has memory of its own, which no caller's argument, variable or limit
 * had a part in. All that thinks about a request is therefore in the next program. */
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include "common/paths.h"
#include "helper/core/last_words.h"
#include "helper/entry/cleanroom.h"

int main(int argc, char **argv)
{
	char caller[16];
	const char *const next[] = {"ces-admit", caller, NULL}, *const environment[] = {NULL};
	struct ces_error err = {0};
	uid_t uid;

	(void)argv; /* the caller controls it: never a name, a path or a message */
	if (ces_cleanroom_enter(argc, &uid, &err) == 0) {
		(void)snprintf(caller, sizeof(caller), "%u", (unsigned)uid);
		(void)execve(CES_ADMIT_PATH, (char **)(uintptr_t)next,
			     (char **)(uintptr_t)environment);
		ces_error_errno(&err, CES_E_HOST, "%s; CES is not fully installed", CES_ADMIT_PATH);
	}
	ces_last_words(&err);
	return CES_EXIT_REFUSED;
}
