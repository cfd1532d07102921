/* The one file of ces-unpack that calls openat2 on paths of a layer. Every open is beneath the root
 * and refuses symlinks. Where the layer goes through a symlink that it made itself, this file
 * resolves the link as text, one component at a time, so that no lookup of the kernel's ever leaves
 * the root or grows deeper than CES_PATH_DEPTH. Nobody else writes in the staging directory, so
 * there is nothing to race with. */
#include "helper/unpack/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "common/worker.h"

#define KEPT      8
#define LINKS_MAX 40 /* as the kernel's MAXSYMLINKS */

struct kept {
	int fd; /* -1: free */
	uint64_t used;
	struct ces_path asked, real;
};

struct ces_walk {
	int root;
	uint64_t entries, max_entries;
	uint64_t clock;
	struct kept kept[KEPT];
	char pending[2 * PATH_MAX];
	struct ces_strings opaque;
	size_t opaque_bytes;
};

int ces_walk_failed(struct ces_error *err, const char *what)
{
	switch (errno) {
	case ENAMETOOLONG:
	case ELOOP:
	case ENOTDIR:
	case EISDIR:
	case EMLINK:
		return ces_error_errno(err, CES_E_IMAGE, "cannot %s", what);
	default:
		return ces_error_errno(err, CES_E_HOST, "cannot %s", what);
	}
}

int ces_walk_open(int root, uint64_t max_entries, struct ces_walk **ret, struct ces_error *err)
{
	struct ces_walk *walk = calloc(1, sizeof(*walk));

	if (walk == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	walk->root = root;
	walk->max_entries = max_entries;
	for (size_t i = 0; i < KEPT; i++)
		walk->kept[i].fd = -1;
	*ret = walk;
	return 0;
}

void ces_walk_forget(struct ces_walk *walk)
{
	for (size_t i = 0; i < KEPT; i++)
		ces_cleanup_close(&walk->kept[i].fd);
}

void ces_walk_close(struct ces_walk *walk)
{
	if (walk == NULL)
		return;
	ces_walk_forget(walk);
	for (size_t i = 0; i < walk->opaque.n; i++)
		free(walk->opaque.v[i]);
	free(walk->opaque.v);
	free(walk);
}

int ces_walk_count(struct ces_walk *walk, struct ces_error *err)
{
	if (walk->entries >= walk->max_entries)
		return ces_error_set(err, CES_E_LIMIT, "the layer has more than %llu entries",
				     (unsigned long long)walk->max_entries);
	walk->entries++;
	return 0;
}

uint64_t ces_walk_counted(const struct ces_walk *walk)
{
	return walk->entries;
}

int ces_walk_reopen(struct ces_walk *walk, const char *real)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, walk->root, real[0] != '\0' ? real : ".", &how,
			    sizeof(how));
}

static int keep_opaque(struct ces_walk *walk, const struct ces_path *real, struct ces_error *err)
{
	struct ces_strings *list = &walk->opaque;

	walk->opaque_bytes += CES_WIRE_FIELD_HEADER + real->length;
	if (list->n == CES_OPAQUE_MAX || walk->opaque_bytes > CES_OPAQUE_BYTES)
		return ces_error_set(err, CES_E_LIMIT,
				     "the layer has too many directories that hide lower ones");
	if ((list->n & (list->n - 1)) == 0) {
		char **bigger =
		    reallocarray(list->v, list->n == 0 ? 1 : 2 * list->n, sizeof(*bigger));

		if (bigger == NULL)
			return ces_error_set(err, CES_E_INTERNAL, "out of memory");
		list->v = bigger;
	}
	list->v[list->n] = strdup(real->text);
	if (list->v[list->n] == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	list->n++;
	return 0;
}

/* A layer may make a directory opaque any number of times; it is kept once. */
int ces_walk_make_opaque(struct ces_walk *walk, const struct ces_path *real, int directory,
			 struct ces_error *err)
{
	if (fsetxattr(directory, "user.overlay.opaque", "y", 1, XATTR_CREATE) == 0)
		return keep_opaque(walk, real, err);
	return errno == EEXIST
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "cannot mark an opaque directory");
}

void ces_walk_take_opaque(struct ces_walk *walk, struct ces_strings *ret)
{
	size_t n = 0;

	*ret = walk->opaque;
	walk->opaque = (struct ces_strings){NULL, 0};
	for (size_t i = 0; i < ret->n; i++) {
		CES_CLEANUP_FD int fd = ces_walk_reopen(walk, ret->v[i]);

		if (fd >= 0)
			ret->v[n++] = ret->v[i];
		else
			free(ret->v[i]);
	}
	ret->n = n;
}

/* Makes `name` in `directory` if there is nothing, or only a whiteout. */
static int make(struct ces_walk *walk, int directory, const char *name, bool replaces_whiteout,
		struct ces_error *err)
{
	if (ces_walk_count(walk, err) < 0)
		return -1;
	if (replaces_whiteout && unlinkat(directory, name, 0) < 0)
		return ces_walk_failed(err, "replace a whiteout");
	if (mkdirat(directory, name, 0755) < 0)
		return ces_walk_failed(err, "make a directory");
	return 0;
}

/* A directory that replaces a whiteout is new in this layer: the lower one of that name must not
 * show. */
static int hide_lower(struct ces_walk *walk, const struct ces_path *real, struct ces_error *err)
{
	CES_CLEANUP_FD int made = ces_walk_reopen(walk, real->text);

	if (made < 0)
		return ces_walk_failed(err, "open a directory");
	return ces_walk_make_opaque(walk, real, made, err);
}

/* Puts the target of a symlink before `rest`, which is the end of the pending text. */
static int substitute(struct ces_walk *walk, int directory, const char *name, const char *rest,
		      struct ces_path *real, struct ces_error *err)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(directory, name, target, sizeof(target));
	size_t length = n > 0 ? (size_t)n : 0, left = strlen(rest);

	if (length == 0 || length == sizeof(target))
		return ces_error_set(err, CES_E_IMAGE, "a symlink on its way cannot be read");
	if (length + 1 + left >= sizeof(walk->pending))
		return ces_error_set(err, CES_E_IMAGE, "the symlinks on its way are too long");
	memmove(walk->pending + length + 1, rest, left + 1);
	memcpy(walk->pending, target, length);
	walk->pending[length] = '/';
	if (target[0] == '/')
		memset(real, 0, sizeof(*real));
	return 0;
}

enum found { FOUND_DIRECTORY, FOUND_LINK, FOUND_NOTHING, FOUND_WHITEOUT, FOUND_OTHER };

static enum found look(int directory, const char *name)
{
	struct stat st;

	if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? FOUND_NOTHING : FOUND_OTHER;
	if (S_ISDIR(st.st_mode))
		return FOUND_DIRECTORY;
	if (S_ISLNK(st.st_mode))
		return FOUND_LINK;
	return S_ISCHR(st.st_mode) && st.st_rdev == 0 ? FOUND_WHITEOUT : FOUND_OTHER;
}

/* Handles one pending component. 1: done, go on with *rest; 0: missing and not to be made; -1. */
static int step(struct ces_walk *walk, const char *name, const char **rest, bool create,
		struct ces_path *real, unsigned *links, struct ces_error *err)
{
	CES_CLEANUP_FD int directory = ces_walk_reopen(walk, real->text);
	enum found found;

	if (directory < 0)
		return ces_walk_failed(err, "open a directory");
	found = look(directory, name);
	switch (found) {
	case FOUND_DIRECTORY:
		break;
	case FOUND_LINK:
		if (++*links > LINKS_MAX)
			return ces_error_set(err, CES_E_IMAGE,
					     "there are too many symlinks on its way");
		if (substitute(walk, directory, name, *rest, real, err) < 0)
			return -1;
		*rest = walk->pending;
		return 1;
	case FOUND_NOTHING:
	case FOUND_WHITEOUT:
		if (!create)
			return 0;
		if (real->depth == CES_PATH_DEPTH)
			break; /* the push below refuses it, before anything is made */
		if (make(walk, directory, name, found == FOUND_WHITEOUT, err) < 0)
			return -1;
		break;
	case FOUND_OTHER:
	default:
		return ces_error_set(err, CES_E_IMAGE,
				     "it is below something that is not a directory");
	}
	if (ces_path_push(real, name, strlen(name), err) < 0 ||
	    (found == FOUND_WHITEOUT && hide_lower(walk, real, err) < 0))
		return -1;
	return 1;
}

/* Walks from the root, component by component. 1, 0 if missing, -1. */
static int walk_slowly(struct ces_walk *walk, const struct ces_path *path, bool create,
		       struct ces_path *real, struct ces_error *err)
{
	const char *rest = walk->pending;
	unsigned links = 0;
	char name[NAME_MAX + 1];

	memset(real, 0, sizeof(*real));
	memcpy(walk->pending, path->text, path->length + 1);
	for (;;) {
		size_t length;
		int went;

		rest += strspn(rest, "/");
		length = strcspn(rest, "/");
		if (length == 0)
			return 1;
		if (length > NAME_MAX)
			return ces_error_set(err, CES_E_IMAGE, "a name on its way is too long");
		memcpy(name, rest, length);
		name[length] = '\0';
		rest += length;
		if (strcmp(name, ".") == 0)
			continue;
		if (strcmp(name, "..") == 0) {
			ces_path_pop(real);
			continue;
		}
		went = step(walk, name, &rest, create, real, &links, err);
		if (went <= 0)
			return went;
	}
}

static struct kept *find(struct ces_walk *walk, const struct ces_path *path)
{
	for (size_t i = 0; i < KEPT; i++) {
		struct kept *kept = &walk->kept[i];

		if (kept->fd >= 0 && kept->asked.length == path->length &&
		    memcmp(kept->asked.text, path->text, path->length) == 0)
			return kept;
	}
	return NULL;
}

static struct kept *oldest(struct ces_walk *walk)
{
	struct kept *oldest_one = &walk->kept[0];

	for (size_t i = 0; i < KEPT; i++) {
		if (walk->kept[i].fd < 0)
			return &walk->kept[i];
		if (walk->kept[i].used < oldest_one->used)
			oldest_one = &walk->kept[i];
	}
	ces_cleanup_close(&oldest_one->fd);
	return oldest_one;
}

static void copy(struct ces_path *to, const struct ces_path *from)
{
	memcpy(to->text, from->text, from->length + 1);
	to->length = from->length;
	to->name = from->name;
	to->depth = from->depth;
}

int ces_walk_directory(struct ces_walk *walk, const struct ces_path *path, bool create, int *ret,
		       const struct ces_path **ret_real, struct ces_error *err)
{
	struct kept *kept = find(walk, path);
	int went;

	if (kept == NULL) {
		kept = oldest(walk);
		copy(&kept->asked, path);
		copy(&kept->real, path);
		kept->fd = ces_walk_reopen(walk, path->text);
		if (kept->fd < 0) {
			went = walk_slowly(walk, path, create, &kept->real, err);
			if (went < 0)
				return -1;
			if (went == 0) {
				*ret = -1;
				return 0;
			}
			kept->fd = ces_walk_reopen(walk, kept->real.text);
		}
		if (kept->fd < 0)
			return ces_walk_failed(err, "open a directory");
	}
	kept->used = ++walk->clock;
	*ret = kept->fd;
	*ret_real = &kept->real;
	return 0;
}
