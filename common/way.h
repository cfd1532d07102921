/* Paths of the host to descriptors (openat2(2)). A path that was checked becomes a descriptor once,
 * and stays one. */
#ifndef CES_COMMON_WAY_H
#define CES_COMMON_WAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CES_WAY_MAX 4096 /* PATH_MAX of the kernel's */

/* Opens path below dirfd (O_CLOEXEC is added). Follows no symbolic link, and never leaves dirfd.
 * Leading '/' are ignored, and an empty path is dirfd itself. -1 with errno: ELOOP of a link, EXDEV
 * of a ".." that leads out of dirfd. */
int ces_beneath_open(int dirfd, const char *path, int flags, mode_t mode);

/* Opens an absolute path of the host (nothing is made). A symbolic link in it is followed only
 * where nobody but root can have put it: root owns it and every directory before it, and none of
 * them can be written by others (/home -> /mnt/beegfs/home). -1 with ELOOP of any other link. */
int ces_way_open(const char *path, int flags);

/* Where that leads: the path without links. -1 with ELOOP: the link that is not followed. */
int ces_way_plain(const char *path, char plain[CES_WAY_MAX]);

/* Whether it is on a file system where data, homes and outputs may be. *ret_kind: its magic number
 * (statfs(2)). */
bool ces_way_holds_data(int fd, unsigned *ret_kind);

#endif
