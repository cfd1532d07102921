/* Puts CES's own places into the image's tree: mount points, the files that name the run, and links
 * to the files of a GPU's driver. Must not follow a link of the image's, nor read a file.
 *
 * Who controls what: the image chose what is at these places, and the caller some of the places.
 * Nothing of the image has run yet, and nobody else sees this tree, so nothing changes meanwhile. A
 * link, a file or a device in the way goes (CVE-2015-1335, CVE-2019-16884), in the run's writable
 * layer alone. Wherever the image leads this process, it can do no more than root of the container
 * could a moment later. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/verb.h"
#include "common/way.h"
#include "helper/inside/inside.h"
#include "policy/cdi.h"
#include "policy/template.h"

/* The directory that has a place, and the place's name in it. */
struct place {
	int dir;
	char name[NAME_MAX + 1];
};

/* Removes what is there, if it is no directory. */
static int clear(int dir, const char *name)
{
	return unlinkat(dir, name, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/* Opens a directory, and makes it where there is none. */
static int enter(int dir, const char *name)
{
	int fd = ces_beneath_open(dir, name, O_PATH | O_DIRECTORY, 0);

	if (fd >= 0 || (errno != ENOENT && errno != ENOTDIR && errno != ELOOP))
		return fd;
	return clear(dir, name) < 0 || mkdirat(dir, name, 0755) < 0
		   ? -1
		   : ces_beneath_open(dir, name, O_PATH | O_DIRECTORY, 0);
}

/* Walks from tree to the last name of the path, and makes the directories above it. */
static struct place find(int tree, const char *path, enum ces_inside_step step)
{
	struct place at = {.dir = ces_beneath_open(tree, "", O_PATH | O_DIRECTORY, 0)};

	for (;;) {
		int above = at.dir;
		size_t length;

		path += strspn(path, "/");
		length = strcspn(path, "/");
		errno = ENAMETOOLONG;
		if (length > NAME_MAX)
			ces_inside_fail(step);
		(void)snprintf(at.name, sizeof(at.name), "%.*s", (int)length, path);
		path += length;
		if (path[strspn(path, "/")] == '\0')
			return at;
		at.dir = enter(above, at.name);
		if (at.dir < 0)
			ces_inside_fail(step);
		close(above);
	}
}

static void put_directory(int tree, const char *path, bool open_to_all)
{
	struct place at = find(tree, path, CES_STEP_POINTS);
	CES_CLEANUP_FD int fd = enter(at.dir, at.name);

	/* (runc gives a tmpfs the mode of the directory that it hides) */
	if (fd < 0 || (open_to_all && fchmodat(at.dir, at.name, 01777, 0) < 0))
		ces_inside_fail(CES_STEP_POINTS);
	close(at.dir);
}

static void put_file(int tree, const char *path, const void *bytes, size_t length,
		     enum ces_inside_step step)
{
	struct place at = find(tree, path, step);
	CES_CLEANUP_FD int fd = -1;

	if (clear(at.dir, at.name) == 0)
		fd = ces_beneath_open(at.dir, at.name, O_WRONLY | O_CREAT | O_EXCL, 0644);
	if (fd < 0 || ces_write_full(fd, bytes, length, -1) < 0)
		ces_inside_fail(step);
	close(at.dir);
}

static void put_text(int tree, const char *path, const char *text)
{
	put_file(tree, path, text, strlen(text), CES_STEP_FILES);
}

/* A file of the driver that is no library has a link at its place, unless the image has a directory
 * there. Not every file that the specifications name is there. */
static void put_links(int tree, const struct ces_strings *paths)
{
	CES_CLEANUP_FD int driver = open("/g", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < paths->n; i++) {
		const char *path = paths->v[i];
		char target[CES_PATH_TEXT + sizeof(CES_GPU_DIR)];
		struct place at;

		if (faccessat(driver, path + 1, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		at = find(tree, path, CES_STEP_LINKS);
		(void)snprintf(target, sizeof(target), CES_GPU_DIR "%s", path);
		if (clear(at.dir, at.name) < 0 ? errno != EISDIR
					       : symlinkat(target, at.dir, at.name) < 0)
			ces_inside_fail(CES_STEP_LINKS);
		close(at.dir);
	}
}

/* The key of the display, for any address, and any user inside: some images change to another
 * user.
 *
 * Xau's format (Xau(3), libXau's AuRead.c): family (FamilyWild is 0xffff), address, number, name
 * and data. Each but the first has its length before it; every number has two bytes, the higher
 * first. */
static void put_key(int tree, const uint64_t cookie[CES_COOKIE_WORDS])
{
	static const char head[] = "\xff\xff\0\0\0\0\0\x12MIT-MAGIC-COOKIE-1\0\x10";
	uint8_t key[sizeof(head) - 1 + 8 * CES_COOKIE_WORDS];

	memcpy(key, head, sizeof(head) - 1);
	for (size_t i = 0; i < 8 * CES_COOKIE_WORDS; i++)
		key[sizeof(head) - 1 + i] = (uint8_t)(cookie[i / 8] >> (56 - 8 * (i % 8)));
	put_file(tree, CES_DISPLAY_KEY, key, sizeof(key), CES_STEP_FILES);
}

static void put_files(int tree, const struct ces_inside *inside)
{
	const char *hostname = ces_inside_text(inside, CES_INSIDE_HOSTNAME);
	char text[160];

	(void)snprintf(text, sizeof(text), "127.0.0.1\tlocalhost %s\n::1\tlocalhost\n", hostname);
	put_text(tree, "etc/hosts", text);
	(void)snprintf(text, sizeof(text), "%s\n", hostname);
	put_text(tree, "etc/hostname", text);
	put_text(tree, "etc/resolv.conf", "");
	if (inside->order.display > 0)
		put_key(tree, inside->order.cookie);
}

/* Makes the mount points that are directories, or the others. */
static void put_mounts(int tree, const struct ces_inside *inside, bool files)
{
	const struct ces_strings *mounts = &inside->rows[CES_INSIDE_ROW_MOUNTS];

	for (size_t i = 0; i < mounts->n; i++) {
		ces_inside_place = (uint32_t)i + 1;
		if (inside->order.file[i] && files)
			put_file(tree, mounts->v[i], "", 0, CES_STEP_POINTS);
		if (!inside->order.file[i] && !files)
			put_directory(tree, mounts->v[i], false);
	}
	ces_inside_place = 0;
}

void ces_inside_tree(const struct ces_inside *inside)
{
	static const char *const always[] = {"dev", "proc", "sys"};
	const struct ces_strings *tmpfs = &inside->rows[CES_INSIDE_ROW_TMPFS];
	CES_CLEANUP_FD int tree = open("/m", O_PATH | O_DIRECTORY | O_CLOEXEC);

	put_links(tree, &inside->rows[CES_INSIDE_ROW_LINKS]);
	for (size_t i = 0; i < CES_COUNT(always); i++)
		put_directory(tree, always[i], false);
	if (inside->rows[CES_INSIDE_ROW_GPUS].n > 0)
		put_directory(tree, CES_GPU_DIR, false);
	for (size_t i = 0; i < tmpfs->n; i++)
		put_directory(tree, tmpfs->v[i], true);
	/* small images lack it, and programs that ignore TMPDIR want it */
	put_directory(tree, "tmp", true);
	/* (a file has no directory's place, also if that is the place of another mount) */
	put_mounts(tree, inside, false);
	put_mounts(tree, inside, true);
	put_files(tree, inside);
}
