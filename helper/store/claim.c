/* Claims on layers. Must not wait for the holder of a claim.
 *
 * Who controls what: the files are root's, in root's own directory. Callers control which digests
 * are claimed, by their pulls, and how fast their own pulls are. A pull that is held back (by its
 * cgroup) delays others by a few times CES_CLAIM_STALL_MS. */
#include "helper/store/claim.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/core/beneath.h"
#include "helper/store/store_internal.h"

static const char *name_of(const char *digest, char ret[80])
{
	(void)snprintf(ret, 80, ".layer-%s", ces_store_hex(digest));
	return ret;
}

/* A file is no claim if another process let go of it and removed it in the meantime. */
static bool is_there(int runs, const char *digest, int fd)
{
	char name[80];
	struct stat its, now;

	return fstat(fd, &its) == 0 && fstatat(runs, name_of(digest, name), &now, 0) == 0 &&
	       its.st_ino == now.st_ino;
}

bool ces_claim_take(int runs, const char *digest, struct ces_claim *claim)
{
	char name[80];

	claim->bytes = claim->mark = 0;
	claim->marked_at = ces_now_ms();
	if (claim->began_at == 0)
		claim->began_at = claim->marked_at;
	do {
		ces_cleanup_close(&claim->fd);
		claim->fd = ces_beneath_open(runs, name_of(digest, name), O_RDWR | O_CREAT, 0600);
		claim->held = claim->fd >= 0 && flock(claim->fd, LOCK_EX | LOCK_NB) == 0;
	} while (claim->held && !is_there(runs, digest, claim->fd));
	return claim->held || claim->fd < 0;
}

static bool is_slow(struct ces_claim *claim, uint64_t size)
{
	uint64_t wanted = size / 8 < CES_CLAIM_STALL_BYTES ? size / 8 : CES_CLAIM_STALL_BYTES;
	int64_t now = ces_now_ms();

	if (now - claim->began_at > CES_CLAIM_MOST_MS)
		return true;
	if (now - claim->marked_at <= CES_CLAIM_STALL_MS)
		return false;
	if (claim->bytes < claim->mark + wanted)
		return true;
	claim->mark = claim->bytes;
	claim->marked_at = now;
	return false;
}

enum ces_claim_state ces_claim_look(int runs, const char *digest, uint64_t size,
				    struct ces_claim *claim)
{
	uint64_t bytes = 0;

	if (flock(claim->fd, LOCK_EX | LOCK_NB) == 0 && ces_claim_take(runs, digest, claim))
		return CES_CLAIM_FREE;
	if (is_slow(claim, size))
		return CES_CLAIM_STALLED;
	if (pread(claim->fd, &bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes) ||
	    bytes <= claim->bytes)
		return CES_CLAIM_WAIT;
	claim->bytes = bytes;
	return CES_CLAIM_MOVED;
}

void ces_claim_note(const struct ces_claim *claim, uint64_t bytes)
{
	if (claim->held)
		(void)!pwrite(claim->fd, &bytes, sizeof(bytes), 0);
}

void ces_claim_drop(int runs, const char *digest, struct ces_claim *claim)
{
	char name[80];

	if (claim->held)
		(void)unlinkat(runs, name_of(digest, name), 0);
	ces_cleanup_close(&claim->fd);
	claim->held = false;
}
