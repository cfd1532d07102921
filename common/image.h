/* The flat image record: everything that a run needs to know about an image. ces-unpack makes it
 * from the manifest and configuration, the store keeps it in the user's grant, and the helper reads
 * it. The helper must never parse JSON of an image. Source of the meanings: OCI image-spec v1.0.2,
 * config.md and manifest.md. */
#ifndef CES_COMMON_IMAGE_H
#define CES_COMMON_IMAGE_H

#include "common/name.h"
#include "common/wire.h"

struct ces_image_record {
	void *memory;
	char *digest; /* of the image manifest (not of an index) */
	char *config_digest;
	struct ces_strings diff_ids; /* lowest layer first */
	struct ces_strings entrypoint;
	struct ces_strings cmd;
	struct ces_strings env; /* "NAME=value" */
	char *workdir;          /* absolute, or NULL */
	char *user;             /* as written in the image, or NULL; for display */
	uint64_t uid, gid;      /* resolved against the image's own passwd and group; 0..65535 */
	struct ces_u64s groups; /* supplementary groups of that user in the image */
	char *home;             /* of that user in the image; "/" if unknown */
	uint64_t stop_signal;   /* 0 = TERM */
	uint64_t size;          /* unpacked bytes of all layers */
};

#endif
