/* Finds /etc/passwd and /etc/group in a stack of layers, as overlayfs would show them. It must not
 * follow a symlink, open a device or FIFO, or read more than a cap. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/unpack/user.h"

#define FILE_MAX (1024 * 1024)

enum sight { SIGHT_FOUND, SIGHT_BELOW, SIGHT_NOTHING };

static int open_beneath(int base, const char *name, uint64_t flags)
{
	struct open_how how = {
	    .flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | flags,
	    .resolve =
		RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, base, name, &how, sizeof(how));
}

static bool is_opaque(int directory)
{
	char mark[2];

	return fgetxattr(directory, "user.overlay.opaque", mark, sizeof(mark)) == 1 &&
	       mark[0] == 'y';
}

/* Looks for `name` in one layer's directory `base`. The layer shows the file, or only what is
 * below, or something of another type (such as a whiteout), which also hides what is below. */
static enum sight look(int base, const char *name, mode_t type)
{
	struct stat st;

	if (fstatat(base, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? SIGHT_BELOW : SIGHT_NOTHING;
	return (st.st_mode & S_IFMT) == type ? SIGHT_FOUND : SIGHT_NOTHING;
}

static int read_file(int etc, const char *name, char **ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open_beneath(etc, name, 0);
	CES_CLEANUP_FREE char *text = NULL;
	struct stat st;
	size_t length;

	if (fd < 0)
		return ces_error_errno(err, CES_E_IMAGE, "cannot open the image's /etc/%s", name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_IMAGE, "the image's /etc/%s is not a file", name);
	if (ces_read_file(fd, FILE_MAX, &text, &length) < 0)
		return ces_error_errno(err, CES_E_IMAGE, "cannot read the image's /etc/%s", name);
	/* (with a NUL two readers would see two files) */
	if (memchr(text, '\0', length) != NULL)
		return ces_error_set(err, CES_E_IMAGE, "the image's /etc/%s has a NUL in it", name);
	*ret = ces_steal_pointer(&text);
	return 0;
}

/* 1 if found, 0 if a lower layer must be asked, 2 if there is none; -1. */
static int look_in_layer(int layer, const char *name, char **ret, struct ces_error *err)
{
	CES_CLEANUP_FD int etc = -1;
	enum sight sight = look(layer, "etc", S_IFDIR);

	if (sight != SIGHT_FOUND)
		return sight == SIGHT_BELOW && !is_opaque(layer) ? 0 : 2;
	etc = open_beneath(layer, "etc", O_DIRECTORY);
	if (etc < 0)
		return ces_error_errno(err, CES_E_IMAGE, "cannot open the image's /etc");
	sight = look(etc, name, S_IFREG);
	if (sight == SIGHT_FOUND)
		return read_file(etc, name, ret, err) < 0 ? -1 : 1;
	return sight == SIGHT_NOTHING || is_opaque(etc) || is_opaque(layer) ? 2 : 0;
}

int ces_user_find_file(const int *layers, size_t n_layers, const char *name, char **ret,
		       struct ces_error *err)
{
	char *text = NULL;
	int found = 0;

	for (size_t i = n_layers; i > 0 && found == 0; i--)
		found = look_in_layer(layers[i - 1], name, &text, err);
	if (found < 0)
		return -1;
	*ret = text;
	return 0;
}
