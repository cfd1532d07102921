/* Claims on layers. Must not wait for the holder of a claim.
 *
 * Who controls what: the files are ces-store's. Callers control which digests are claimed, by their
 * pulls, and how fast their own pulls are. A pull that is held back (by its cgroup) delays others
 * for as long as their own ces-resolve waits for it. */
#include "helper/store/claim.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/store/store.h"

static const char *name_of(const char *digest, char ret[80])
{
	(void)snprintf(ret, 80, CES_CLAIM_PREFIX "%s", ces_store_hex(digest));
	return ret;
}

/* A file is no claim if another process let go of it and removed it in the meantime. */
static bool is_there(int locks, const char *digest, int fd)
{
	char name[80];
	struct stat its, now;

	return fstat(fd, &its) == 0 && fstatat(locks, name_of(digest, name), &now, 0) == 0 &&
	       its.st_ino == now.st_ino;
}

bool ces_claim_take(int locks, const char *digest, struct ces_claim *claim)
{
	char name[80];

	do {
		ces_cleanup_close(&claim->fd);
		claim->fd = ces_beneath_open(locks, name_of(digest, name), O_RDWR | O_CREAT, 0600);
		claim->held = claim->fd >= 0 && flock(claim->fd, LOCK_EX | LOCK_NB) == 0;
	} while (claim->held && !is_there(locks, digest, claim->fd));
	return claim->held || claim->fd < 0;
}

bool ces_claim_look(int locks, const char *digest, struct ces_claim *claim, uint64_t *ret_bytes)
{
	*ret_bytes = 0;
	if (flock(claim->fd, LOCK_EX | LOCK_NB) == 0 && ces_claim_take(locks, digest, claim))
		return true;
	(void)!pread(claim->fd, ret_bytes, sizeof(*ret_bytes), 0);
	return false;
}

void ces_claim_note(const struct ces_claim *claim, uint64_t bytes)
{
	if (claim->held)
		(void)!pwrite(claim->fd, &bytes, sizeof(bytes), 0);
}

void ces_claim_drop(int locks, const char *digest, struct ces_claim *claim)
{
	char name[80];

	if (claim->held)
		(void)unlinkat(locks, name_of(digest, name), 0);
	ces_cleanup_close(&claim->fd);
	claim->held = false;
}
