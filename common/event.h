/* The messages of the event pipe, helper to client, fd 4. */
#ifndef CES_COMMON_EVENT_H
#define CES_COMMON_EVENT_H

#include "common/wire.h"

/* Each message has a frame type of its own. The last event of a request is EXITED (an attached
 * run), DONE or ERROR. A detached run is DONE when it has started; a client that still listens then
 * gets its EXITED or ERROR too. */
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
	char *digest;       /* of the image */
	uint64_t most_time; /* the run's limits: seconds */
	uint64_t most_memory;
	uint64_t most_cpus; /* in thousandths */
};
extern const struct ces_wire_schema ces_event_started_schema;

/* The limit that a run reached. A limit of memory or processes belongs to the run (+ 0), to all
 * runs of the user (+ 1), to the batch job around it (+ 2) or to the machine (+ 3). */
enum ces_limit {
	CES_LIMIT_NONE = 0,
	CES_LIMIT_TIME = 1,
	CES_LIMIT_MEMORY = 10,
	CES_LIMIT_PROCESSES = 20,
	CES_LIMIT_SPACE = 30, /* + enum ces_limit_space: full at the end of a run that failed */
};
enum ces_limit_space {
	CES_LIMIT_FILES, /* changes to the image's files */
	CES_LIMIT_SHM,
	CES_LIMIT_SCRATCH,
	CES_LIMIT_OUTPUTS,
	CES_LIMIT_SPACES
};
enum ces_limit_whose {
	CES_LIMIT_OWN,
	CES_LIMIT_USER,
	CES_LIMIT_JOB,
	CES_LIMIT_HOST,
	CES_LIMIT_KINDS
};

#define CES_EXITED_RUNTIME "runtime" /* the runtime started no program */

struct ces_event_exited {
	void *memory;
	uint64_t status; /* exit status by section 10: 0..255 */
	char *reason;    /* "exit", "signal", "memory limit", "time limit", "stopped", "runtime" */
	uint64_t peak_memory; /* bytes; 0 = unknown */
	uint64_t cpu_us;      /* microseconds of cpu time */
	char *text;        /* "runtime": "cannot start COMMAND: " and the runtime's log; or NULL */
	uint64_t limit;    /* enum ces_limit */
	uint64_t value;    /* of that limit: seconds, bytes, processes, size; 0 = unknown */
	uint64_t most;     /* memory: the most that the caller could have asked for */
	uint64_t check;    /* of the outputs, enum ces_list_checked */
	uint64_t withheld; /* 1: the caller does not get them */
	uint64_t findings; /* files that did not pass */
	uint64_t files;    /* files that were checked */
	char *contact;     /* whom to ask then, by the policy; or NULL */
};
extern const struct ces_wire_schema ces_event_exited_schema;

struct ces_event_error {
	void *memory;
	uint64_t code; /* enum ces_code */
	char *rule;    /* or NULL */
	char *text;
	char *contact;     /* whom to ask, by the policy; or NULL */
	uint64_t ticket;   /* for a run that waits: the client sends it with its next try; or 0 */
	uint64_t position; /* among those who wait for the same; 1 is the first */
};
extern const struct ces_wire_schema ces_event_error_schema;

struct ces_event_text { /* one line of an explanation, to be shown unchanged */
	void *memory;
	char *text;
};
extern const struct ces_wire_schema ces_event_text_schema;

#define CES_EVENT_CONFIG_MAX (192u << 10)

struct ces_event_image { /* one row of `images`, also the answer to inspect IMAGE */
	void *memory;
	char *reference;
	char *digest;
	uint64_t size;   /* bytes unpacked, all layers */
	uint64_t pulled; /* seconds since 1970 */
	uint64_t used;   /* last run; 0 = never */
	uint64_t layers;
	char *config; /* inspect: its configuration as fetched, which nobody has read; or NULL */
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
	struct ces_u64s ports; /* published: host port << 16 | container port */
};
extern const struct ces_wire_schema ces_event_run_schema;

struct ces_event_done { /* success of a request other than an attached run */
	void *memory;
	char *digest;        /* pull: the digest of the reference now; else NULL */
	uint64_t up_to_date; /* pull: 1 if nothing had to be fetched */
	char *run;           /* detached run: its number */
};
extern const struct ces_wire_schema ces_event_done_schema;

#endif
