/* Takes the place of an image's layer for the measurement of formats: `layers at IMAGE DIRECTORY`
 * mounts a file with an EROFS there, read-only and without a loop device, and `layers time ROUNDS
 * image|directory PATH` measures how long a layer takes until it can be mounted: the kernel reads
 * the file's superblock, or clones the mount of the directory. Prints a line as timeit does. */
#include <err.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int image(const char *path)
{
	int context = (int)syscall(SYS_fsopen, "erofs", FSOPEN_CLOEXEC), fd;

	if (context < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", path, 0) < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		err(1, "%s", path);
	fd = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
			  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
	if (fd < 0)
		err(1, "%s", path);
	close(context);
	return fd;
}

static int directory(const char *path)
{
	int fd = (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (fd < 0)
		err(1, "%s", path);
	return fd;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void measure(size_t rounds, int (*make)(const char *), const char *path)
{
	uint64_t *ns = calloc(rounds, sizeof(*ns));

	if (ns == NULL)
		err(1, "memory");
	for (size_t i = 0; i < rounds; i++) {
		uint64_t begin = now_ns();
		int fd = make(path);

		ns[i] = now_ns() - begin;
		close(fd);
	}
	qsort(ns, rounds, sizeof(*ns), compare);
	printf("%llu %llu %llu 0\n", (unsigned long long)ns[rounds / 2] / 1000,
	       (unsigned long long)ns[rounds / 10] / 1000,
	       (unsigned long long)ns[rounds * 9 / 10] / 1000);
	free(ns);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "at") == 0) {
		if (syscall(SYS_move_mount, image(argv[2]), "", AT_FDCWD, argv[3],
			    MOVE_MOUNT_F_EMPTY_PATH) < 0)
			err(1, "%s", argv[3]);
		return 0;
	}
	if (argc == 5 && strcmp(argv[1], "time") == 0 && atoi(argv[2]) > 0) {
		measure((size_t)atoi(argv[2]), strcmp(argv[3], "image") == 0 ? image : directory,
			argv[4]);
		return 0;
	}
	errx(2, "layers at IMAGE DIRECTORY | layers time ROUNDS image|directory PATH");
}
