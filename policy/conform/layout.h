/* The documents and blobs of an image. They are files of an OCI layout (image-spec v1.0.2
 * image-layout.md), or of the output of `skopeo copy ... dir:`; or a registry sends them. */
#ifndef CES_POLICY_CONFORM_LAYOUT_H
#define CES_POLICY_CONFORM_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/name.h"
#include "common/worker.h"

#define CES_LAYOUT_JSON_MAX (4u * 1024 * 1024)

struct ces_layout {
	int dir;   /* borrowed */
	bool flat; /* skopeo's "dir:": no index, each blob beside the manifest */

	struct ces_registry *registry; /* borrowed; NULL: a directory */
	const char *reference;         /* tag or digest */
};

/* Finds which of the two it is. CES_E_USAGE if it is neither. */
int ces_layout_open(int dir, struct ces_layout *ret, struct ces_error *err);

/* Opens a regular file and nothing else: no link, no FIFO, nothing outside the directory. */
int ces_layout_file(const struct ces_layout *layout, const char *path, int *ret_fd,
		    uint64_t *ret_size, struct ces_error *err);

/* The same for a blob (its digest must be valid) of `size` bytes by the manifest. A registry must
 * send as many: *ret_fd is then a pipe, and the reader asks for the end after closing it. */
int ces_layout_blob(const struct ces_layout *layout, const char *digest, uint64_t size, int *ret_fd,
		    uint64_t *ret_size, struct ces_error *err);
int ces_layout_blob_end(const struct ces_layout *layout, struct ces_error *err);

/* Reads one of the layout's own documents: "index.json". *ret is malloc'd. */
int ces_layout_json(const struct ces_layout *layout, const char *path, char **ret,
		    size_t *ret_length, struct ces_error *err);

/* Reads a document and compares its digest: a manifest or an index if `size` is 0, else a blob.
 * *ret is malloc'd. CES_E_IMAGE. */
int ces_layout_read(const struct ces_layout *layout, const char *digest, uint64_t size, char **ret,
		    size_t *ret_length, struct ces_error *err);

/* The registry's type for the manifest that was read last. A directory gives none. */
enum ces_manifest_type ces_layout_served(const struct ces_layout *layout);

struct ces_layout_choice {
	const char *ref;          /* of the annotation org.opencontainers.image.ref.name, or NULL */
	const char *architecture; /* the wanted one; else this machine's, else the first */
};

/* The manifest of the image to check, and its digest. -1 with CES_E_USAGE if none can be chosen;
 * CES_E_IMAGE if a blob on the way is not valid. */
int ces_layout_manifest(const struct ces_layout *layout, const struct ces_layout_choice *choice,
			char **ret, size_t *ret_length, char ret_digest[CES_DIGEST_LENGTH + 1],
			struct ces_error *err);

#endif
