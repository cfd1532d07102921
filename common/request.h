/* The messages of the request pipe, client to helper, fd 3: everything that a client may ask. The
 * request must have no field for a uid, capability, namespace, device node, runtime, hook or
 * policy, so that there is nothing to forge. */
#ifndef CES_COMMON_REQUEST_H
#define CES_COMMON_REQUEST_H

#include "common/name.h"
#include "common/verb.h"
#include "common/wire.h"

struct ces_request {
	void *memory;
	uint64_t verb;  /* enum ces_verb */
	uint64_t flags; /* enum ces_request_flag */
	char *image;    /* reference; or NULL */
	char *project;  /* or NULL: the caller has only one project */
	char *name;     /* --name */
	char *run;      /* a run's number or name, for stop and inspect */
	char *username; /* registry credential; both or neither */
	char *token;
	char *entrypoint;        /* with CES_FLAG_ENTRYPOINT; "" = none */
	char *workdir;           /* absolute path in the container */
	struct ces_strings args; /* they replace the image's CMD */
	struct ces_strings env;  /* "NAME=value" */
	uint64_t cpus;           /* thousandths; 0 = not asked */
	uint64_t memory_bytes;
	uint64_t time_seconds; /* run: its limit; stop: time before the kill, 0 = at once */
	uint64_t shm_bytes;
	char *gpu;                       /* "1", "all", or a device's name; NULL = none */
	struct ces_strings publish;      /* "HOST:CONTAINER" */
	struct ces_strings bind_sources; /* three lists of equal length */
	struct ces_strings bind_destinations;
	struct ces_u64s bind_read_only;
	struct ces_strings tmpfs_destinations; /* two lists of equal length */
	struct ces_u64s tmpfs_sizes;           /* bytes; 0 = the policy's default */
	uint64_t ticket;        /* with CES_FLAG_WAIT: the one from an error event, or 0 */
	uint64_t display;       /* the number of an X display of this machine, plus 1; 0: none */
	struct ces_u64s cookie; /* the key to it, CES_COOKIE_WORDS */
	struct ces_reference reference; /* the image's name, split by the program that reads the
					   request; never sent */
};

/* After the request: control frames, client to helper. End of file ends an attached run. */
enum ces_control_kind {
	CES_CONTROL_SIGNAL = 1, /* value: signal number, one of HUP INT QUIT TERM USR1 USR2 KILL */
	CES_CONTROL_WINDOW = 2, /* value: rows << 16 | columns */
};
/* All of these frames (common/wire.h) are alike but for two numbers, which have the lowest byte
 * first. So a program that reads one needs no table. */
struct ces_control {
	char head[16], kind[8], between[6], value[8];
};
#define CES_CONTROL_HEAD    "CES1\2\0\34\0\0\0\1\0\10\0\0\0" /* fields 1 and 2, of eight bytes */
#define CES_CONTROL_BETWEEN "\2\0\10\0\0\0"

#endif
