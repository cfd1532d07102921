/* Takes any bytes for a layer. Nothing may appear outside the directory that it is unpacked into.
 * The first byte chooses the compression. Without root it becomes root of a user namespace, in a
 * tmpfs of its own. */
/* links: helper/unpack/layer.c helper/unpack/archive.c helper/unpack/headers.c helper/unpack/tree.c */
/* links: helper/unpack/walk.c helper/unpack/path.c */
/* links: helper/unpack/whiteout.c helper/unpack/stream.c helper/unpack/decode.c */
/* parses: helper/unpack/layer.c helper/unpack/archive.c */
/* parses: helper/unpack/headers.c helper/unpack/tree.c helper/unpack/walk.c */
/* parses: helper/unpack/path.c helper/unpack/whiteout.c */
/* parses: helper/unpack/stream.c helper/unpack/decode.c */
#include <fcntl.h>
#include <dirent.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "helper/unpack/layer.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static int base = -1;

static void set(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
}

static void become_root(void)
{
	unsigned uid = geteuid(), gid = getegid();
	char map[64];

	if (unshare(CLONE_NEWNS | (uid != 0 ? CLONE_NEWUSER : 0)) < 0)
		abort();
	if (uid == 0)
		return;
	set("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	set("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	set("/proc/self/gid_map", map);
}

/* Reaches the tmpfs by its fd alone, so that the fuzzer's own files stay where they are. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	become_root();
	base = fsopen("tmpfs", FSOPEN_CLOEXEC);
	if (base < 0 || fsconfig(base, FSCONFIG_SET_STRING, "size", "64m", 0) < 0 ||
	    fsconfig(base, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		abort();
	base = fsmount(base, FSMOUNT_CLOEXEC, 0);
	if (base < 0)
		abort();
	umask(0);
	ces_layer_prepare();
	return 0;
}

static void empty(int directory)
{
	DIR *dir = fdopendir(directory);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (unlinkat(dirfd(dir), name, 0) == 0)
			continue;
		empty(openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
		if (unlinkat(dirfd(dir), name, AT_REMOVEDIR) < 0)
			abort();
	}
	closedir(dir);
}

static void only_root_is_there(void)
{
	DIR *dir = fdopendir(openat(base, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *entry;

	while ((entry = readdir(dir)) != NULL) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "root") != 0)
			abort();
	}
	closedir(dir);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	const struct ces_layer_limits limits = {.max_bytes = 8 << 20, .max_entries = 500};
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_stream_source source = {.digest = digest, .diff_id = digest};
	struct ces_unpack_layer answer = {0};
	struct ces_stream *stream;
	struct ces_error err = {0};
	int root;

	if (length == 0)
		return 0;
	source.compression = (enum ces_compression)(bytes[0] % 3);
	bytes++;
	length--;
	source.size = length;
	source.fd = memfd_create("layer", MFD_CLOEXEC);
	if (write(source.fd, bytes, length) != (ssize_t)length ||
	    lseek(source.fd, 0, SEEK_SET) != 0)
		abort();
	ces_digest_of(bytes, length, digest);
	if (mkdirat(base, "root", 0755) < 0)
		abort();
	root = openat(base, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ces_stream_open(&source, &stream, &err) < 0)
		abort();
	if (ces_layer_extract(stream, root, &limits, &answer, &err) < 0 && err.text[0] == '\0')
		abort();
	ces_layer_free(&answer);
	ces_stream_close(stream);
	close(source.fd);
	only_root_is_there();
	empty(root);
	if (unlinkat(base, "root", AT_REMOVEDIR) < 0)
		abort();
	return 0;
}
