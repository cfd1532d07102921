/* Opens the parts of an image. Names come from its documents: each is a digest. It is opened below
 * the one directory, and never through a link, or requested from the one registry. */
#include "policy/conform/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/way.h"
#include "helper/unpack/json.h"
#include "policy/conform/registry.h"

/* O_NONBLOCK: a FIFO answers at once and is then refused. */
int ces_layout_file(const struct ces_layout *layout, const char *path, int *ret_fd,
		    uint64_t *ret_size, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(layout->dir, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0 && errno == ELOOP)
		return ces_error_set(err, CES_E_IMAGE, "%s is a symbolic link", path);
	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, errno == ENOENT ? CES_E_NOTFOUND : CES_E_IMAGE, "%s",
				       path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_IMAGE, "%s is not a regular file", path);
	*ret_fd = ces_steal_fd(&fd);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

#define PATH_TEXT 96

static void blob_path(const struct ces_layout *layout, const char *digest, char ret[PATH_TEXT])
{
	snprintf(ret, PATH_TEXT, "%s%s", layout->flat ? "" : "blobs/sha256/",
		 digest + strlen("sha256:"));
}

int ces_layout_blob(const struct ces_layout *layout, const char *digest, uint64_t size, int *ret_fd,
		    uint64_t *ret_size, struct ces_error *err)
{
	char path[PATH_TEXT];

	if (layout->registry != NULL) {
		*ret_size = size;
		return ces_registry_blob(layout->registry, digest, size, ret_fd, err);
	}
	blob_path(layout, digest, path);
	return ces_layout_file(layout, path, ret_fd, ret_size, err);
}

int ces_layout_blob_end(const struct ces_layout *layout, struct ces_error *err)
{
	return layout->registry != NULL ? ces_registry_end(layout->registry, err) : 0;
}

enum ces_manifest_type ces_layout_served(const struct ces_layout *layout)
{
	return layout->registry != NULL ? ces_registry_type(layout->registry) : CES_MANIFEST_UNSAID;
}

static int read_whole(const struct ces_layout *layout, const char *path, char **ret,
		      size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	uint64_t size = 0;

	if (ces_layout_file(layout, path, &fd, &size, err) < 0)
		return -1;
	if (size > CES_LAYOUT_JSON_MAX)
		return ces_error_set(err, CES_E_IMAGE, "%s is larger than 4 MiB", path);
	if (ces_read_file(fd, CES_LAYOUT_JSON_MAX, ret, ret_length) < 0)
		return ces_error_errno(err, CES_E_IMAGE, "%s", path);
	return 0;
}

/* Without these it is no image. */
int ces_layout_json(const struct ces_layout *layout, const char *path, char **ret,
		    size_t *ret_length, struct ces_error *err)
{
	if (read_whole(layout, path, ret, ret_length, err) == 0)
		return 0;
	err->code = CES_E_USAGE;
	return -1;
}

static int read_sent(const struct ces_layout *layout, const char *digest, uint64_t size, char **ret,
		     size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	int result;

	if (size == 0)
		return ces_registry_manifest(layout->registry, digest, ret, ret_length, err);
	if (ces_registry_blob(layout->registry, digest, size, &fd, err) < 0)
		return -1;
	result = ces_read_file(fd, CES_LAYOUT_JSON_MAX, ret, ret_length);
	ces_cleanup_close(&fd);
	if (result < 0)
		return ces_error_errno(err, CES_E_IMAGE, "%s", digest);
	return ces_registry_end(layout->registry, err);
}

int ces_layout_read(const struct ces_layout *layout, const char *digest, uint64_t size, char **ret,
		    size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char found[CES_DIGEST_LENGTH + 1], path[PATH_TEXT];
	size_t length = 0;

	blob_path(layout, digest, path);
	if ((layout->registry != NULL ? read_sent(layout, digest, size, &bytes, &length, err)
				      : read_whole(layout, path, &bytes, &length, err)) < 0)
		return -1;
	ces_digest_of(bytes, length, found);
	if (strcmp(found, digest) != 0)
		return ces_error_set(err, CES_E_IMAGE, "%s has another digest, %.19s...",
				     layout->registry != NULL ? digest : path, found);
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

static bool is_there(const struct ces_layout *layout, const char *path)
{
	struct stat st;

	return fstatat(layout->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* "{"imageLayoutVersion": "1.0.0"}": a later version may keep its blobs elsewhere. */
static int check_version(const struct ces_layout *layout, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct json_object *json = NULL;
	const char *version = NULL;
	size_t length = 0;
	int result;

	if (ces_layout_json(layout, "oci-layout", &bytes, &length, err) < 0)
		return -1;
	if (ces_json_parse(bytes, length, &json, err) < 0) {
		err->code = CES_E_USAGE;
		return ces_error_context(err, "oci-layout");
	}
	result = ces_json_text(json, "imageLayoutVersion", &version, err);
	if (result == 0 && (version == NULL || strncmp(version, "1.", 2) != 0))
		result = ces_error_set(err, CES_E_USAGE, "oci-layout: its version is not 1");
	json_object_put(json);
	return result;
}

int ces_layout_open(int dir, struct ces_layout *ret, struct ces_error *err)
{
	struct ces_layout layout = {.dir = dir};

	layout.flat = !is_there(&layout, "index.json") && is_there(&layout, "manifest.json") &&
		      is_there(&layout, "version");
	if (!layout.flat && !is_there(&layout, "index.json")) {
		if (is_there(&layout, "Dockerfile"))
			return ces_error_set(err, CES_E_USAGE,
					     "it is not an image; type the path of its Dockerfile");
		return ces_error_set(err, CES_E_USAGE,
				     "it is not an image: it has no index.json; to make one, type "
				     "skopeo copy docker://IMAGE oci:DIRECTORY");
	}
	if (!layout.flat && check_version(&layout, err) < 0)
		return -1;
	*ret = layout;
	return 0;
}
