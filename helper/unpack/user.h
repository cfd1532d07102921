/* The image's USER, resolved against the image's own /etc/passwd and /etc/group. */
#ifndef CES_UNPACK_USER_H
#define CES_UNPACK_USER_H

#include "common/image.h"

#define CES_USER_ID_MAX     65535
#define CES_USER_GROUPS_MAX 32
#define CES_USER_HOME_MAX   1024

struct ces_user {
	uint64_t uid, gid;
	uint64_t groups[CES_USER_GROUPS_MAX];
	size_t n_groups;
	char home[CES_USER_HOME_MAX + 1];
};

/* user: "", "name", "uid", "name:group", "uid:gid" or NULL; passwd and group: the text of the two
 * files, or NULL. As in Docker, all digits is always a number, and the supplementary groups count
 * only without a group in USER. CES_E_IMAGE for a missing name and for an id above CES_USER_ID_MAX.
 * Pure. */
int ces_user_resolve(const char *user, const char *passwd, const char *group, struct ces_user *ret,
		     struct ces_error *err);

/* The text of /etc/<name> as the layers (root directories, lowest first) make it together. NULL if
 * there is none: a whiteout hides it, it is not a regular file, or it is behind a symlink. At most
 * 1 MiB. It must never block on what it finds there. *ret is malloc'd. */
int ces_user_find_file(const int *layers, size_t n_layers, const char *name, char **ret,
		       struct ces_error *err);

#endif
