/* What ces-session and ces-inside send each other.
 *
 * ces-session executes ces-inside as root of a container's namespaces, before the container has a
 * file tree. fds 0 to 2 are the program's, 3 is the gate, 4 the pipe for a report, and 5 a sealed
 * memory file with the order. ces-inside sends one byte through the gate when it needs nothing of
 * the host's tree any more. Then it waits there for one byte, and takes no other step before. End
 * of file ends it.
 *
 * Who controls what: the order is root's, but words in it are the caller's or the image's. They are
 * data: each has its place in config.json, is a path in the image's tree, or is written to a file
 * there. ces-inside has no right over anything but its own namespaces. What takes it over can do
 * what the runtime could do with the same identity, and has read no byte of a file of the image's.
 * ces-session believes nothing of it but three numbers for an error, and compares the container
 * with the plan (helper/audit/) whatever config.json says. */
#ifndef CES_COMMON_INSIDE_H
#define CES_COMMON_INSIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/name.h"
#include "common/paths.h"
#include "common/verb.h"
#include "policy/decide.h"

#define CES_INSIDE_PATH CES_LIBEXECDIR "/ces-inside"

#define CES_INSIDE_GATE   3
#define CES_INSIDE_REPORT 4
#define CES_INSIDE_ORDER  5

#define CES_INSIDE_MAX (8u << 20) /* bytes of words */
/* CES's three places, the binds, and the socket of a display. */
#define CES_INSIDE_MOUNTS (3 + CES_BINDS_MAX + 1)
/* Groups of an image's user (common/form_image.c), and of the project. */
#define CES_INSIDE_GIDS (32 + CES_DECISION_GROUPS)

/* The words that every order has, in the first row; "": there is none. */
enum ces_inside_text {
	CES_INSIDE_HOSTNAME,
	CES_INSIDE_RUNTIME, /* its path */
	CES_INSIDE_CONTEXT, /* SELinux: of the runtime's process */
	CES_INSIDE_CWD,     /* of the program */
	CES_INSIDE_IMAGE_HOME,
	CES_INSIDE_HOME,    /* where the policy gives one */
	CES_INSIDE_USER,    /* the caller's name */
	CES_INSIDE_WORKDIR, /* of the image, to be given to the caller */
	CES_INSIDE_TEXTS,
};

/* The rows of words that follow the order, each ended by NUL, in this order. */
enum ces_inside_row {
	CES_INSIDE_ROW_TEXTS,
	CES_INSIDE_ROW_MOUNTS, /* destinations; the source of the first is /d/0 */
	CES_INSIDE_ROW_TMPFS,  /* destinations */
	CES_INSIDE_ROW_COMMAND,
	CES_INSIDE_ROW_IMAGE_ENV, /* "NAME=value" */
	CES_INSIDE_ROW_GPU_ENV,
	CES_INSIDE_ROW_CALLER_ENV,
	CES_INSIDE_ROW_GPUS,      /* the names of devices */
	CES_INSIDE_ROW_LIBRARIES, /* paths of the driver's libraries, below CES_GPU_DIR */
	CES_INSIDE_ROW_LINKS,     /* paths of the driver's other files */
	CES_INSIDE_ROWS,
};

#define CES_INSIDE_MAGIC 0x32534e4953454331ull /* changes with the meaning of a field */

struct ces_inside_order {
	uint64_t magic, size; /* of this struct */
	uint64_t length;      /* of the words */
	uint64_t shm, cpus;   /* limits: bytes, and thousandths */
	uint64_t display;     /* its number, plus 1; 0: none */
	uint64_t cookie[CES_COOKIE_WORDS];
	uint64_t sizes[CES_TMPFS_MAX];
	uint32_t words[CES_INSIDE_ROWS]; /* how many each row has */
	uint32_t uid, gid;               /* of the program, in the container */
	uint32_t gids[CES_INSIDE_GIDS], n_gids;
	uint32_t rows, columns; /* of the terminal */
	bool runc;              /* the runtime is runc, not crun */
	bool tty, root_read_only, proxy;
	bool same_uid; /* the caller keeps their uid: the image is to be fitted to them */
	bool read_only[CES_INSIDE_MOUNTS], file[CES_INSIDE_MOUNTS]; /* not a directory */
};

/* The steps that can fail; helper/launch/container.c has the words for them. The first four are
 * those of ces-session's child, before it is ces-inside. */
enum ces_inside_step {
	CES_STEP_CGROUPS,
	CES_STEP_NETWORK,
	CES_STEP_LOOPBACK,
	CES_STEP_INSIDE,
	CES_STEP_ORDER,
	CES_STEP_FILTER,
	CES_STEP_CONFIG,
	CES_STEP_MOUNTS,
	CES_STEP_PROC,
	CES_STEP_HOSTNAME,
	CES_STEP_USERNS,
	CES_STEP_POINTS,
	CES_STEP_FILES,
	CES_STEP_LINKS,
	CES_STEP_CONTEXT,
	CES_STEP_SETPRIV,
	CES_STEP_RUNTIME,
	CES_STEPS,
};

/* Written to the pipe in one piece, by the process that ends then. */
struct ces_inside_report {
	uint32_t step;  /* enum ces_inside_step */
	int32_t number; /* errno */
	uint32_t place; /* CES_STEP_POINTS: which of the mounts, plus 1; 0: another place */
};

#endif
