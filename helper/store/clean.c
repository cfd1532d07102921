/* Removes layers, images and what a pull has left. Must not open anything in them.
 *
 * Who controls what: the image chose every name below a layer, and a ces-unpack that it has taken
 * over may still be changing them. Only root can change the directory above, where the name is
 * CES's own. ces-clean sees one mount, of the directory that is to be emptied. The mount shows
 * owners as they are on the disk, as ids of the namespace of workers (helper/session/idmap.h). So
 * ces-clean has power over everything in this directory, and over nothing else of any owner. Its
 * own uid is none of the workers' accounts: if another request has the same account, its workers
 * have no right over this ces-clean. */
#include "helper/store/clean.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/core/beneath.h"
#include "helper/session/clean.h"
#include "helper/store/workers.h"

static void empty(const struct ces_session *session, int fd)
{
	const struct ces_clean_job root = {0, 0};
	struct ces_cleaner cleaner = CES_CLEANER_NONE;
	CES_CLEANUP_FD int userns = -1;
	struct ces_error ignored;

	if (ces_unpacker_userns(session, &userns, &ignored) < 0)
		return;
	ces_cleaner_start(userns, &root, -1, fd, true, &cleaner);
	(void)ces_cleaner_ask(&cleaner, CES_CLEAN_EMPTY);
	ces_cleaner_end(&cleaner);
}

int ces_clean_tree(const struct ces_session *session, int dirfd, const char *name)
{
	CES_CLEANUP_FD int fd = -1;

	if (unlinkat(dirfd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0)
		return 0;
	fd = ces_beneath_open(dirfd, name, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return -1;
	empty(session, fd);
	return unlinkat(dirfd, name, AT_REMOVEDIR);
}
