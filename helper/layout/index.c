/* Finds images in an OCI image layout. Must open nothing but index.json and blobs, and no blob of
 * another image's.
 *
 * Who controls what: the administrator writes the directory, so its bytes are as good as a
 * registry's. ces-unpack checks each digest and reads each document. The caller controls the
 * reference. A hijacked ces-resolve controls each digest that is asked for: it gets what a registry
 * would hand out for this image's name, and nothing else. */
#include "helper/layout/index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/way.h"
#include "common/worker.h"
#include "helper/fetch/tags.h"
#include "helper/unpack/json.h"

#define INDEX_MAX (16u * 1024 * 1024)
#define REF_NAME  "org.opencontainers.image.ref.name"

/* O_NONBLOCK: a FIFO answers at once, and is then refused. */
static int open_file(int dir, const char *path, int *ret_fd, uint64_t *ret_size,
		     struct ces_error *err)
{
	CES_CLEANUP_FD int fd = ces_beneath_open(dir, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, errno == ENOENT ? CES_E_NOTFOUND : CES_E_HOST,
				       "%s in the image layout", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_HOST, "%s in the image layout is not a file", path);
	*ret_fd = ces_steal_fd(&fd);
	*ret_size = (uint64_t)st.st_size;
	return 0;
}

/* The digest of entry i if it is of this image: *ret_part is its tag or digest then, else NULL. */
static const char *entry(const struct ces_index *index, size_t i, const char **ret_part)
{
	struct json_object *manifests = NULL, *descriptor, *annotations = NULL;
	struct ces_error ignored;
	const char *name = NULL, *digest = NULL;
	size_t length = strlen(index->name);

	*ret_part = NULL;
	(void)json_object_object_get_ex(index->json, "manifests", &manifests);
	descriptor = json_object_array_get_idx(manifests, i);
	if (!json_object_is_type(descriptor, json_type_object) ||
	    ces_json_member(descriptor, "annotations", json_type_object, &annotations, &ignored) <
		0 ||
	    annotations == NULL || ces_json_text(annotations, REF_NAME, &name, &ignored) < 0 ||
	    ces_json_text(descriptor, "digest", &digest, &ignored) < 0)
		return NULL;
	if (name != NULL && digest != NULL && ces_digest_valid(digest) &&
	    strncmp(name, index->name, length) == 0 && (name[length] == ':' || name[length] == '@'))
		*ret_part = name + length + 1;
	return digest;
}

static size_t entries(const struct ces_index *index)
{
	struct json_object *manifests = NULL;

	(void)json_object_object_get_ex(index->json, "manifests", &manifests);
	return json_object_array_length(manifests);
}

int ces_index_parse(const char *bytes, size_t length, struct ces_index *ret, struct ces_error *err)
{
	struct json_object *manifests = NULL;

	if (ces_json_parse(bytes, length, &ret->json, err) < 0 ||
	    ces_json_member(ret->json, "manifests", json_type_array, &manifests, err) < 0) {
		err->code = CES_E_HOST;
		return ces_error_context(err, "index.json in the image layout");
	}
	return manifests != NULL ? 0
				 : ces_error_set(err, CES_E_HOST,
						 "index.json in the image layout has no manifests");
}

int ces_index_open(int dir, const char *registry, const char *repository, struct ces_index *ret,
		   struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FD int fd = -1;
	uint64_t size;
	size_t length = 0;
	int n;

	*ret = (struct ces_index){.dir = dir};
	n = snprintf(ret->name, sizeof(ret->name), "%s/%s", registry, repository);
	if (n < 0 || (size_t)n >= sizeof(ret->name))
		return ces_error_set(err, CES_E_INTERNAL, "the image's name is too long");
	if (open_file(dir, "index.json", &fd, &size, err) < 0) {
		err->code = CES_E_HOST;
		return -1;
	}
	return ces_read_file(fd, INDEX_MAX, &bytes, &length) < 0
		   ? ces_error_errno(err, CES_E_HOST, "index.json in the image layout")
		   : ces_index_parse(bytes, length, ret, err);
}

void ces_index_close(struct ces_index *index)
{
	for (size_t i = 0; i < index->n_sent; i++)
		free(index->sent[i]);
	json_object_put(index->json);
	*index = (struct ces_index){.dir = -1};
}

/* Names similar tags of the image, as for a registry that lists them. */
static int no_such_tag(const struct ces_index *index, const char *tag, struct ces_error *err)
{
	struct json_object *reply = json_object_new_object(), *tags = json_object_new_array();
	const char *part, *text;
	char said[CES_TAGS_TEXT] = "it has no tags";

	for (size_t i = 0; i < entries(index); i++)
		if (entry(index, i, &part) != NULL && part != NULL && !ces_digest_valid(part))
			json_object_array_add(tags, json_object_new_string(part));
	json_object_object_add(reply, "tags", tags);
	text = json_object_to_json_string(reply);
	(void)ces_tags_tell(text, strlen(text), tag, said);
	json_object_put(reply);
	return ces_error_set(err, CES_E_NOTFOUND, "no such tag in the image layout: %s:%s (%s)",
			     index->name, tag, said);
}

int ces_index_find(const struct ces_index *index, const char *reference, bool suggest,
		   char ret[CES_DIGEST_LENGTH + 1], struct ces_error *err)
{
	const char *digest, *part;

	if (ces_digest_valid(reference)) {
		memcpy(ret, reference, CES_DIGEST_LENGTH + 1);
		return 0;
	}
	for (size_t i = 0; i < entries(index); i++) {
		digest = entry(index, i, &part);
		if (part == NULL || strcmp(part, reference) != 0)
			continue;
		memcpy(ret, digest, CES_DIGEST_LENGTH + 1);
		return 0;
	}
	return suggest ? no_such_tag(index, reference, err)
		       : ces_error_set(err, CES_E_NOTFOUND, "no %s in the image layout", reference);
}

static bool may_have(const struct ces_index *index, const char *digest)
{
	const char *part, *its;

	for (size_t i = 0; i < entries(index); i++) {
		its = entry(index, i, &part);
		if (part != NULL && strcmp(its, digest) == 0)
			return true;
	}
	for (size_t i = 0; i < index->n_sent; i++)
		if (strstr(index->sent[i], digest) != NULL)
			return true;
	return false;
}

int ces_index_blob(const struct ces_index *index, const char *digest, int *ret_fd,
		   uint64_t *ret_size, struct ces_error *err)
{
	char path[CES_DIGEST_LENGTH + 16];

	if (!ces_digest_valid(digest) || !may_have(index, digest))
		return ces_error_set(err, CES_E_NOTFOUND, "%s has no %.19s in the image layout",
				     index->name, digest);
	(void)snprintf(path, sizeof(path), "blobs/sha256/%s", digest + strlen("sha256:"));
	return open_file(index->dir, path, ret_fd, ret_size, err);
}

int ces_index_note(struct ces_index *index, int fd, struct ces_error *err)
{
	size_t length;

	if (index->n_sent == CES_INDEX_SENT)
		return ces_error_set(err, CES_E_INTERNAL, "a pull wants too many manifests");
	if (ces_read_file(fd, CES_MANIFEST_MAX, &index->sent[index->n_sent], &length) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		return ces_error_errno(err, errno == EFBIG ? CES_E_IMAGE : CES_E_HOST,
				       "a manifest in the image layout");
	index->n_sent++;
	return 0;
}
