/* Container Device Interface specifications: a driver's own tool says there, as data, what a
 * container needs (https://github.com/cncf-tags/container-device-interface, SPEC.md). Pure: it must
 * not look at a file. */
#ifndef CES_POLICY_CDI_H
#define CES_POLICY_CDI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/error.h"
#include "common/wire.h"

#define CES_CDI_LIST_MAX 512 /* elements of any list */

struct ces_cdi_node {
	char *path;      /* in the container */
	char *host_path; /* NULL: the same */
	char *type;      /* "c", "b", "u", "p"; NULL: not said */
	uint64_t major, minor;
	bool numbered;     /* major and minor are said */
	char *permissions; /* of "rwm"; NULL: all */
};

/* The directory of the container that the driver's files are in, at the paths that the
 * specifications give. */
#define CES_GPU_DIR "/usr/lib/ces-gpu"

enum ces_cdi_place {
	CES_CDI_REFUSED,  /* CES puts nothing there: no run can have the device */
	CES_CDI_LEFT_OUT, /* no run needs it */
	CES_CDI_LIBRARY,  /* LD_LIBRARY_PATH leads to it */
	CES_CDI_LINKED,   /* a link at the path leads to it */
};

struct ces_cdi_mount {
	char *host_path, *container_path;
	uint64_t place; /* enum ces_cdi_place */
};

/* A link that a hook would make. */
struct ces_cdi_link {
	char *target, *path; /* refused: the target is all that was written, for an error */
	uint64_t place;      /* enum ces_cdi_place */
};

struct ces_cdi_edits {
	struct ces_strings env; /* "NAME=value" */
	struct ces_cdi_node *nodes;
	size_t n_nodes;
	struct ces_cdi_mount *mounts;
	size_t n_mounts;
	struct ces_cdi_hook *hooks; /* policy/cdi_parse.h; none in root's programs */
	size_t n_hooks;
	struct ces_cdi_link *links; /* of all hooks */
	size_t n_links;
};

struct ces_cdi_device {
	char *name;
	struct ces_cdi_edits edits;
};

struct ces_cdi_spec {
	char *version, *kind;
	struct ces_cdi_device *devices;
	size_t n_devices;
	struct ces_cdi_edits edits; /* of every device */
	void *memory;               /* private to policy/cdi.c */
};

/* Returns whether a node may appear there in the container. */
bool ces_cdi_place_valid(const char *path);

/* Returns whether a character device of this number is a GPU's, by the text of /proc/devices. */
bool ces_cdi_number_valid(const char *majors, unsigned major, unsigned minor);

#endif
