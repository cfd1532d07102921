/* The flat image record: all that a run needs to know of an image, made by ces-unpack from the
 * manifest and configuration, stored beside them, and read by the helper, which never parses JSON
 * of an image. Source of the meanings: OCI image-spec v1.0.2, config.md and manifest.md. */
#ifndef CES_COMMON_IMAGE_H
#define CES_COMMON_IMAGE_H

#include "common/wire.h"

#define CES_LAYERS_MAX 127 /* as Docker; also what fits one page of overlay options */

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
	char *home;             /* of that user in the image; "/" when unknown */
	uint64_t stop_signal;   /* 0 = TERM */
	uint64_t size;          /* unpacked bytes of all layers */
};
extern const struct ces_wire_schema ces_image_record_schema;

/* A grant: one user pulled this reference, with a credential where the policy wants one, and it
 * meant this image then. Without a grant an image in the store does not exist for the user. */
struct ces_grant {
	void *memory;
	char *reference; /* canonical */
	char *user;      /* the account's name; a grant without one is nobody's */
	char
	    *top_digest; /* of what the registry served: an index's digest, or the same as digest */
	char *digest;    /* of the image manifest */
	char *project;   /* under which the pull was allowed */
	uint64_t size;   /* unpacked bytes */
	uint64_t layers;
	uint64_t pulled; /* seconds since 1970 */
	uint64_t used;   /* last run; 0 = never. Not stored here: see helper/store/grants.c */
	uint64_t retain; /* seconds after the last use (or the pull) until it may go; 0 = never */
};
extern const struct ces_wire_schema ces_grant_schema;

/* The record of a live run, /run/ces/<run>/record, or of a pull under way (run is "pull-" and ten
 * digits, and of the rest only uid, project, image, digest, started and layers are set); locked by
 * its helper for as long as that lives, so that a record that can be locked belongs to a dead run.
 * Holds what cleaning up needs. */
struct ces_run_record {
	void *memory;
	char *run;
	char *name;
	uint64_t uid;
	char *project;
	char *image;
	char *digest;
	uint64_t started;
	char *outputs;        /* host path */
	char *scratch;        /* host path; NULL when it is not to be deleted */
	uint64_t user, group; /* inside ids that are the caller */
	uint64_t retain_run;  /* 1: the image goes with the run */
	struct ces_u64s gpus; /* the device nodes it has, see helper/launch/gpu.c */
	struct ces_strings
	    cgroups;         /* its places in the hierarchies, as helper/launch/parent.h has them */
	uint64_t categories; /* SELinux's, see helper/session/selinux.h; 0: none */
	struct ces_strings layers; /* of a pull: diff_ids that must stay in the store meanwhile */
};
extern const struct ces_wire_schema ces_run_record_schema;

#endif
