/* What a client may ask, and what the helper tells it: the messages of the request pipe (client to
 * helper, fd 3) and of the event pipe (helper to client, fd 4). The request has no field for a uid,
 * capability, namespace, device node, runtime, hook or policy; there is nothing to forge. */
#ifndef CES_COMMON_REQUEST_H
#define CES_COMMON_REQUEST_H

#include "common/wire.h"

enum ces_verb {
	CES_VERB_PULL = 1,
	CES_VERB_RUN = 2,
	CES_VERB_IMAGES = 3, /* list the caller's images */
	CES_VERB_REMOVE = 4, /* rmi */
	CES_VERB_RUNS = 5,   /* ps */
	CES_VERB_STOP = 6,
	CES_VERB_INSPECT = 7, /* a run or an image */
	CES_VERB_CLEAN = 8,   /* what dead runs left, of every user: the janitor's; root only */
};

#define CES_GRACE_MAX     3600 /* seconds that a stop may give a run to end */
#define CES_GRACE_DEFAULT 10

enum ces_request_flag {
	CES_FLAG_EXPLAIN = 1 << 0,     /* decide and say why, do nothing (also --dry-run) */
	CES_FLAG_INTERACTIVE = 1 << 1, /* stdin reaches the container */
	CES_FLAG_TTY = 1 << 2,         /* fds 0-2 are a pty of the client's */
	CES_FLAG_DETACH = 1 << 3,
	CES_FLAG_READ_ONLY = 1 << 4, /* container root file system read-only */
	CES_FLAG_ENTRYPOINT =
	    1 << 5,                  /* `entrypoint` replaces the image's; its CMD is dropped too */
	CES_FLAG_SAME_UID = 1 << 6,  /* ask for identity same-uid (ces-run apptainer) */
	CES_FLAG_NO_PROXY = 1 << 7,  /* no way out, also where the policy has a proxy */
	CES_FLAG_ALL = (1 << 8) - 1, /* every other bit is refused */
};

struct ces_request {
	void *memory;
	uint64_t verb;  /* enum ces_verb */
	uint64_t flags; /* enum ces_request_flag */
	char *image;    /* reference; or NULL */
	char *project;  /* or NULL: the only project the caller has */
	char *name;     /* --name */
	char *run;      /* a run's number or name, for stop and inspect */
	char *username; /* registry credential; both or neither */
	char *token;
	char *entrypoint;        /* with CES_FLAG_ENTRYPOINT; "" = no entrypoint */
	char *workdir;           /* absolute path in the container */
	struct ces_strings args; /* replace the image's CMD */
	struct ces_strings env;  /* "NAME=value" */
	uint64_t cpus;           /* thousandths; 0 = not asked */
	uint64_t memory_bytes;
	uint64_t time_seconds; /* run: its limit; stop: until it is killed, 0 = at once */
	uint64_t shm_bytes;
	char *gpu;                       /* "1", "all", or a device's name; NULL = none */
	struct ces_strings publish;      /* "HOST:CONTAINER" */
	struct ces_strings bind_sources; /* three lists of equal length */
	struct ces_strings bind_destinations;
	struct ces_u64s bind_read_only;
	struct ces_strings tmpfs_destinations; /* two lists of equal length */
	struct ces_u64s tmpfs_sizes;           /* bytes; 0 = the policy's default */
};
extern const struct ces_wire_schema ces_request_schema;

/* After the request: control frames, client to helper. End of file ends an attached run. */
enum ces_control_kind {
	CES_CONTROL_SIGNAL = 1, /* value: signal number, one of HUP INT QUIT TERM USR1 USR2 KILL */
	CES_CONTROL_WINDOW = 2, /* value: rows << 16 | columns */
};
struct ces_control {
	void *memory;
	uint64_t kind;
	uint64_t value;
};
extern const struct ces_wire_schema ces_control_schema;

/* Events, helper to client. Each has a frame type of its own; the last one of every request is
 * either EXITED (an attached run), DONE or ERROR. A detached run is DONE when it has started; who
 * still listens then gets its EXITED or ERROR too. */
struct ces_event_progress { /* about one layer of a pull */
	void *memory;
	uint64_t layer;  /* 0-based */
	uint64_t layers; /* how many in all */
	uint64_t state;  /* enum ces_progress_state */
	uint64_t bytes;  /* compressed bytes received so far */
	uint64_t size;   /* compressed size, from the manifest */
	char *digest;    /* of the compressed layer */
};
enum ces_progress_state {
	CES_PROGRESS_WAITING = 1,
	CES_PROGRESS_EXISTS = 2, /* already in the store */
	CES_PROGRESS_FETCHING = 3,
	CES_PROGRESS_DONE = 4, /* fetched, verified and unpacked */
};
extern const struct ces_wire_schema ces_event_progress_schema;

struct ces_event_started {
	void *memory;
	char *run;     /* ten digits */
	char *outputs; /* host path of the outputs directory */
	char *project;
};
extern const struct ces_wire_schema ces_event_started_schema;

/* The limit that a run reached: of memory or processes its own (+ 0), that of all the user's runs
 * (+ 1), of the batch job around it (+ 2), of the machine (+ 3). */
enum ces_limit {
	CES_LIMIT_NONE = 0,
	CES_LIMIT_TIME = 1,
	CES_LIMIT_MEMORY = 10,
	CES_LIMIT_PROCESSES = 20,
};
enum ces_limit_whose {
	CES_LIMIT_OWN,
	CES_LIMIT_USER,
	CES_LIMIT_JOB,
	CES_LIMIT_HOST,
	CES_LIMIT_KINDS
};

struct ces_event_exited {
	void *memory;
	uint64_t status; /* exit status as section 10: 0..255 */
	char *reason;    /* "exit", "signal", "memory limit", "time limit", "stopped", "not found",
			    "not executable" */
	uint64_t peak_memory; /* bytes; 0 = unknown */
	uint64_t cpu_us;      /* microseconds of cpu time */
	char *text;           /* one line to show, or NULL */
	uint64_t limit;       /* enum ces_limit */
	uint64_t value;       /* of it: seconds, bytes, processes; 0 = unknown */
	uint64_t most;        /* memory: what could have been asked for */
};
extern const struct ces_wire_schema ces_event_exited_schema;

struct ces_event_error {
	void *memory;
	uint64_t code; /* enum ces_code */
	char *rule;    /* or NULL */
	char *text;
	char *contact; /* whom to ask, from the policy; or NULL */
};
extern const struct ces_wire_schema ces_event_error_schema;

struct ces_event_text { /* one line of an explanation, to be shown as it is */
	void *memory;
	char *text;
};
extern const struct ces_wire_schema ces_event_text_schema;

struct ces_event_image { /* one row of `images`, also the answer to inspect IMAGE */
	void *memory;
	char *reference;
	char *digest;
	uint64_t size;   /* bytes unpacked, all layers */
	uint64_t pulled; /* seconds since 1970 */
	uint64_t used;   /* last run; 0 = never */
	uint64_t layers;
};
extern const struct ces_wire_schema ces_event_image_schema;

struct ces_event_run { /* one row of `ps`, also the answer to inspect RUN */
	void *memory;
	char *run;
	char *name; /* or NULL */
	char *image;
	char *digest;
	char *project;
	uint64_t started; /* seconds since 1970 */
	char *outputs;
};
extern const struct ces_wire_schema ces_event_run_schema;

struct ces_event_done { /* success of a verb other than an attached run */
	void *memory;
	char *digest;        /* pull: what the reference means now; else NULL */
	uint64_t up_to_date; /* pull: 1 when nothing had to be fetched */
	char *run;           /* detached run: its number */
};
extern const struct ces_wire_schema ces_event_done_schema;

/* Frame types. */
enum ces_frame {
	CES_FRAME_REQUEST = 1,
	CES_FRAME_CONTROL = 2,
	CES_FRAME_PROGRESS = 10,
	CES_FRAME_STARTED = 11,
	CES_FRAME_EXITED = 12,
	CES_FRAME_ERROR = 13,
	CES_FRAME_TEXT = 14,
	CES_FRAME_IMAGE = 15,
	CES_FRAME_RUN = 16,
	CES_FRAME_DONE = 17,
	CES_FRAME_FETCH_OPEN = 30,
	CES_FRAME_FETCH_GET = 31,
	CES_FRAME_FETCH_STATUS = 32,
	CES_FRAME_UNPACK_JOB = 40,
	CES_FRAME_UNPACK_MANIFEST = 41,
	CES_FRAME_UNPACK_LAYER = 42,
	CES_FRAME_UNPACK_ERROR = 43,
	CES_FRAME_RELAY_JOB = 44,
	CES_FRAME_RELAY_REPORT = 45,
	CES_FRAME_IMAGE_RECORD = 50,
	CES_FRAME_GRANT = 51,
	CES_FRAME_RUN_RECORD = 52,
};

#endif
