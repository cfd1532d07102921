/* The index of an OCI image layout that holds images of a registry (OCI image-spec, "Image
 * Layout"), as one pull may see it. An entry has the image's whole name in the annotation
 * org.opencontainers.image.ref.name: REGISTRY/REPOSITORY:TAG, or with @DIGEST. `skopeo copy
 * docker://NAME oci:DIRECTORY:NAME` writes that. */
#ifndef CES_LAYOUT_INDEX_H
#define CES_LAYOUT_INDEX_H

#include <stdbool.h>

#include <json-c/json.h>

#include "common/error.h"
#include "common/name.h"

#define CES_INDEX_SENT 64 /* manifests that one pull may have */

struct ces_index {
	int dir;
	struct json_object *json;
	char name[520];             /* "ghcr.io/org/app": whose entries this pull may have */
	char *sent[CES_INDEX_SENT]; /* the manifests that it got: their parts it may have too */
	size_t n_sent;
};

/* Reads index.json below dir. Only entries of this image's name count. The directory stays open. */
int ces_index_open(int dir, const char *registry, const char *repository, struct ces_index *ret,
		   struct ces_error *err);

/* The same from its bytes, with the name set in ret. */
int ces_index_parse(const char *bytes, size_t length, struct ces_index *ret, struct ces_error *err);

/* Frees what the others took. */
void ces_index_close(struct ces_index *index);

/* The digest of a tag, or the digest itself. CES_E_NOTFOUND if the image's name has no such entry:
 * the error names similar tags if `suggest` is set. */
int ces_index_find(const struct ces_index *index, const char *reference, bool suggest,
		   char ret[CES_DIGEST_LENGTH + 1], struct ces_error *err);

/* Opens a blob that this pull may have: an entry of the image's name has its digest, or a manifest
 * does that was sent before. Others are CES_E_NOTFOUND, also if the file is there. */
int ces_index_blob(const struct ces_index *index, const char *digest, int *ret_fd,
		   uint64_t *ret_size, struct ces_error *err);

/* Remembers a manifest that is about to be sent: its parts may be asked for now. Leaves fd at its
 * beginning. */
int ces_index_note(struct ces_index *index, int fd, struct ces_error *err);

#endif
