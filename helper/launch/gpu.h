/* The GPUs of a run: finds them in the site's CDI specifications, chooses free ones, and lists what
 * each needs in the container. */
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
	struct ces_error broken; /* why a device that was found is of no use; CES_OK: none */

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
 * device that it could mean. Who controls what: root owns the directories and files, which are
 * checked like the policy; the caller chooses a number or a name. */
int ces_gpus_find(const struct ces_host *host, const struct ces_decision *decision,
		  struct ces_gpus *ret, struct ces_error *err);

/* Chooses the devices. Call it with the runs locked, and enter the run with the marks before
 * unlocking them: of two runs that want the last device exactly one gets it. The records of live
 * runs are the ledger, so the devices of a killed helper are free when its run has been cleared. */
int ces_gpus_choose(struct ces_gpus *gpus, const struct ces_decision *decision, int runs,
		    struct ces_error *err);

/* Call after ces_gpus_choose, whether it failed or not. Counts the devices of this machine that the
 * decision allows, each once under whatever names, and the free ones among these. A device that is
 * closed to the caller's job does not count.
 *
 * The sets of devices have a bit for each, which two devices may share. */
struct ces_gpu_count {
	size_t all, idle;
	uint64_t devices, idle_devices;
};
struct ces_gpu_count ces_gpus_count(const struct ces_gpus *gpus);

/* helper/launch/gpu_nodes.c: looks at a node of a specification on the host. It must be a character
 * device with the stated number, of a kind that CES gives. *ret_closed: the caller's cgroup (a
 * batch job's) may not open it. */
int ces_gpu_node(int dev, const char *majors, const struct ces_cdi_node *node,
		 struct ces_device *ret, bool *ret_closed, struct ces_error *err);

/* helper/launch/gpu_files.c. CES mounts the driver's files, read-only, below one directory of the
 * run's root ("g"), at the paths that the specifications give; the container sees that directory as
 * CES_GPU_DIR. A file that is no library gets a link at its expected place from ces-inside.
 * Libraries have no link: CES changes no directory of the image's, and LD_LIBRARY_PATH leads to
 * them. */
int ces_gpu_files(const struct ces_gpus *gpus, int root, struct ces_error *err);

#endif
