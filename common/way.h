/* Opens paths of the host as descriptors (openat2(2)). A path is checked once, and then it is a
 * descriptor. */
#ifndef CES_COMMON_WAY_H
#define CES_COMMON_WAY_H

#include <stdbool.h>
#include <sys/types.h>

#define CES_WAY_MAX 4096 /* the kernel's PATH_MAX */

/* Opens path below dirfd (it adds O_CLOEXEC). It must follow no symbolic link and never leave
 * dirfd. It ignores leading '/', and an empty path is dirfd itself. -1 with errno: ELOOP for a
 * link, EXDEV for a ".." that leads out of dirfd. */
int ces_beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* Opens an absolute path of the host. It must make nothing. It follows a symbolic link only if
 * nobody but root can have put it there: root owns the link and every directory before it, and
 * others can write to none (/home -> /mnt/beegfs/home). -1 with ELOOP for any other link. */
int ces_way_open(const char *path, int flags);

/* Writes where that leads: the path without links. On -1 with ELOOP, plain is the refused link. */
int ces_way_plain(const char *path, char plain[CES_WAY_MAX]);

/* Returns whether fd is on a file system that may hold data, homes and outputs. *ret_kind: its
 * magic number (statfs(2)). */
bool ces_way_holds_data(int fd, unsigned *ret_kind);

#endif
