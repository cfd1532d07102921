/* CES's own records on disk: grants, and live runs. */
#ifndef CES_COMMON_RECORD_H
#define CES_COMMON_RECORD_H

#include "common/image.h"

/* A grant: one user pulled this reference (with a credential if the policy requires one), and then
 * it meant this image. Without a grant, the user has no image, though the store may hold it. Its
 * file has two frames: the grant, and the image's record. So what one user's pull says of an image
 * counts for that user alone. */
struct ces_grant {
	void *memory;
	char *reference; /* canonical */
	char *user;      /* the account's name; a grant without one belongs to nobody */
	char
	    *top_digest; /* of what the registry served: an index's digest, or the same as digest */
	char *digest;    /* of the image manifest */
	char *project;   /* the pull was allowed for it */
	uint64_t size;   /* unpacked bytes */
	uint64_t layers;
	uint64_t pulled; /* seconds since 1970 */
	uint64_t used;   /* last run; 0 = never. Not stored here: see helper/store/grants.c */
	uint64_t retain; /* seconds after its last use (or the pull) until it may go; 0 = never */
	struct ces_image_record image; /* the second frame; not in the schema */
};
extern const struct ces_wire_schema ces_grant_schema;

/* The record of a live run, /run/ces/<run>/record, or of a pull under way (run is "pull-" and ten
 * digits; of the rest only uid, project, image, digest, started and layers are set). Its helper
 * locks it for as long as the helper lives, so a record that can be locked belongs to a dead run.
 * It holds what the clean-up needs. */
struct ces_run_record {
	void *memory;
	char *run;
	char *name;
	uint64_t uid;
	char *project;
	char *image;
	char *digest;
	uint64_t started;
	char *outputs;                /* host path */
	char *scratch;                /* host path; NULL: do not delete it */
	uint64_t user, group;         /* these ids inside are the caller */
	struct ces_u64s project_gids; /* on the host */
	uint64_t retain_run;          /* 1: the image goes with the run */
	struct ces_u64s ports;        /* published: host port << 16 | container port */
	struct ces_u64s gpus;         /* the device nodes it has, see helper/launch/gpu.c */
	struct ces_strings
	    cgroups;         /* its places in the hierarchies, as helper/launch/parent.h has them */
	uint64_t categories; /* SELinux's, see helper/session/selinux.h; 0: none */
	struct ces_strings layers; /* diff_ids that must stay in the store meanwhile */
};
extern const struct ces_wire_schema ces_run_record_schema;

#endif
