/* The GPUs of a run: found in the site's CDI specifications, chosen among those that are free, and
 * what each needs in the container. */
#ifndef CES_HELPER_LAUNCH_GPU_H
#define CES_HELPER_LAUNCH_GPU_H

#include "helper/launch/devices.h"
#include "helper/session/idmap.h"
#include "policy/cdi.h"
#include "policy/decide.h"

#define CES_GPU_SPECS 16
#define CES_GPU_MAX   64 /* devices of one run */
#define CES_GPU_NODES 128
#define CES_GPU_MARKS 256 /* also the cap in the run record, common/form_record.c */

struct ces_gpu; /* a device that may be chosen */

struct ces_gpus {
	struct ces_cdi_spec *specs[CES_GPU_SPECS];
	size_t n_specs;
	int dev;      /* /dev of the host */
	char *majors; /* /proc/devices */
	struct ces_gpu *found;
	size_t n_found;
	struct ces_error broken; /* why one that was found is of no use; CES_OK: none */

	/* what the run gets */
	char *names[CES_GPU_MAX]; /* "nvidia.com/gpu=0" */
	size_t n_names;
	const struct ces_cdi_edits *edits[CES_GPU_SPECS + CES_GPU_MAX];
	size_t n_edits;
	struct ces_device nodes[CES_GPU_NODES];
	size_t n_nodes;
	uint64_t marks[CES_GPU_MARKS]; /* the run's entry in the ledger, ces_run_record.gpus */
	size_t n_marks;
};

#define CES_GPUS_NONE ((struct ces_gpus){.dev = -1})

/* Reads the specifications of the kinds that the decision allows, and looks at the nodes of every
 * device that it could mean. Who controls what: directories and files are root's, checked like the
 * policy; the caller chooses a number or a name. */
int ces_gpus_find(const struct ces_host *host, const struct ces_decision *decision,
		  struct ces_gpus *ret, struct ces_error *err);

/* Chooses. Call with the runs locked, and enter the run with the marks before they are unlocked: of
 * two runs that want the last device exactly one gets it. The records of live runs are the ledger,
 * so that what a killed helper held is free when its run has been cleared. */
int ces_gpus_choose(struct ces_gpus *gpus, const struct ces_decision *decision, int runs,
		    struct ces_error *err);

/* After that, whatever came of it: how many the decision allows of this machine's, each once by
 * whatever names; and of these the ones that are free. One that is closed to the caller's job is
 * none. */
void ces_gpus_count(const struct ces_gpus *gpus, size_t *ret_all, size_t *ret_free);

void ces_gpus_free(struct ces_gpus *gpus);

/* helper/launch/gpu_nodes.c: looks at a node of a specification on the host. It must be a character
 * device with the stated number, of a kind that CES gives. *ret_closed: the cgroup that the caller
 * is in (a batch job's) may not open it. 1: a node that CES leaves out. */
int ces_gpu_node(int dev, const char *majors, const struct ces_cdi_node *node,
		 struct ces_device *ret, bool *ret_closed, struct ces_error *err);

/* helper/launch/gpu_files.c. The driver's files are mounted, read-only, below one directory of the
 * run's root ("g"), at the paths that the specifications give; the container sees it as
 * CES_GPU_DIR. What is not a library has a link in the top layer from where it is expected.
 * Libraries have none: no directory of the image's is changed, and LD_LIBRARY_PATH leads to them.
 */
#define CES_GPU_DIR "/usr/lib/ces-gpu"
int ces_gpu_files(const struct ces_gpus *gpus, int root, const struct ces_idmap *map,
		  struct ces_error *err);

/* The directories of the libraries, as the container sees them, with ':' between. */
void ces_gpu_library_path(const struct ces_gpus *gpus, char *buffer, size_t size);

#endif
