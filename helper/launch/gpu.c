/* Finds and chooses GPUs. Must not start a program that a specification names, nor take a device by
 * its name alone: the same hardware has several names (index, UUID), so its nodes identify a
 * device. */
#include "helper/launch/gpu.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/record.h"
#include "helper/core/ask.h"
#include "helper/core/beneath.h"
#include "helper/session/runs.h"
#include "policy/flat.h"

#define DEVICE_NODES 16

/* A mark is a node in the ledger: major and minor, and what the node means to other runs. */
#define MARK_OWN       (1ull << 63) /* nobody else's; without: the parent of a MIG slice */
#define MARK_EXCLUSIVE (1ull << 62)
#define MARK_NODE      (MARK_EXCLUSIVE - 1)

struct ces_gpu {
	const struct ces_cdi_spec *spec;
	const struct ces_cdi_device *device;
	struct ces_device nodes[DEVICE_NODES];
	uint64_t marks[DEVICE_NODES];
	size_t n_nodes, n_marks;
	uint64_t load; /* runs that have it */
	bool busy;     /* a run that has it, or this one, wants it alone */
	bool closed;   /* to this caller's cgroup */
};

static int read_spec(struct ces_gpus *gpus, const struct ces_decision_names *kinds,
		     const char *path, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	uint8_t *spec;
	size_t length, size;

	if (ces_policy_read(path, &bytes, &length, err) < 0) {
		err->code = CES_E_HOST;
		return -1;
	}
	if (gpus->n_specs == CES_GPU_SPECS)
		return ces_error_set(err, CES_E_HOST, "more than %d specifications of devices",
				     CES_GPU_SPECS);
	if (ces_ask(CES_PARSE_CDI, kinds, bytes, length, CES_E_HOST, &spec, &size, err) < 0)
		return ces_error_context(err, "%s", path);
	if (spec == NULL)
		return 0;
	gpus->specs[gpus->n_specs++] = (struct ces_cdi_spec *)(void *)spec;
	return ces_flat_load(&ces_cdi_flat, spec, size, err);
}

static int is_spec(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* Takes only names from the listing: it opens each file, and checks it with every directory on the
 * way, from the root directory on. */
static int read_directory(struct ces_gpus *gpus, const struct ces_decision_names *kinds,
			  const char *path, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = ces_beneath_open(CES_AT_ROOT, path, O_RDONLY | O_DIRECTORY, 0);
	struct dirent **list = NULL;
	int result = 0, n;

	if (dir < 0 && errno == ENOENT)
		return 0;
	n = dir < 0 ? -1 : scandirat(dir, ".", &list, is_spec, alphasort);
	if (n < 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	for (int i = 0; i < n; i++) {
		char file[1024];

		(void)snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (result == 0)
			result = read_spec(gpus, kinds, file, err);
		free(list[i]);
	}
	free(list);
	return result;
}

static bool listed(const struct ces_decision_names *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], text) == 0)
			return true;
	return false;
}

static bool is_below(const struct ces_device *node, const char *what)
{
	return strncmp(node->path, what, strlen(what)) == 0;
}

/* The capability nodes identify a slice of a GPU (MIG). The slice shares its parent's node with
 * other slices, but with no run that has the whole GPU. All AMD GPUs share kfd. */
static void make_marks(struct ces_gpu *gpu)
{
	bool slice = false;

	for (size_t i = 0; i < gpu->n_nodes; i++)
		slice |= is_below(&gpu->nodes[i], "nvidia-caps/");
	for (size_t i = 0; i < gpu->n_nodes; i++) {
		const struct ces_device *node = &gpu->nodes[i];
		bool own = !slice || is_below(node, "nvidia-caps/");

		if (strcmp(node->path, "kfd") != 0)
			gpu->marks[gpu->n_marks++] =
			    ((uint64_t)node->major << 32 | node->minor) | (own ? MARK_OWN : 0);
	}
}

static int look_at(const struct ces_gpus *gpus, struct ces_gpu *gpu, struct ces_error *err)
{
	const struct ces_cdi_edits *edits = &gpu->device->edits;

	for (size_t i = 0; i < edits->n_nodes; i++) {
		bool closed = false;

		if (gpu->n_nodes == DEVICE_NODES)
			return ces_error_set(err, CES_E_HOST, "too many nodes");
		if (ces_gpu_node(gpus->dev, gpus->majors, &edits->nodes[i],
				 &gpu->nodes[gpu->n_nodes], &closed, err) < 0)
			return -1;
		gpu->closed |= closed;
		gpu->n_nodes++;
	}
	make_marks(gpu);
	return gpu->n_marks > 0 ? 0 : ces_error_set(err, CES_E_HOST, "it has no node of its own");
}

/* Reports a broken device only when the run needs it: it may not be this run's concern. */
static void add_found(struct ces_gpus *gpus, const struct ces_cdi_spec *spec,
		      const struct ces_cdi_device *device)
{
	struct ces_gpu *gpu = &gpus->found[gpus->n_found];
	struct ces_error err = {0};

	gpu->spec = spec;
	gpu->device = device;
	if (look_at(gpus, gpu, &err) == 0) {
		gpus->n_found++;
		return;
	}
	*gpu = (struct ces_gpu){0};
	(void)ces_error_context(&err, "%s=%s", spec->kind, device->name);
	if (gpus->broken.code == CES_OK)
		gpus->broken = err;
}

static int find_all(struct ces_gpus *gpus, const struct ces_decision *decision,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int file = open("/proc/devices", O_RDONLY | O_CLOEXEC);
	size_t length, n = 0;

	gpus->dev = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (gpus->dev < 0 || file < 0 || ces_read_file(file, 65536, &gpus->majors, &length) < 0)
		return ces_error_errno(err, CES_E_HOST, "/dev and /proc/devices");
	for (size_t i = 0; i < gpus->n_specs; i++)
		n += gpus->specs[i]->n_devices;
	gpus->found = calloc(n + 1, sizeof(*gpus->found));
	if (gpus->found == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	for (size_t i = 0; i < gpus->n_specs; i++)
		for (size_t j = 0; j < gpus->specs[i]->n_devices; j++) {
			const struct ces_cdi_device *device = &gpus->specs[i]->devices[j];

			if (strcmp(device->name, "all") == 0 ||
			    (decision->gpu_devices.n > 0 &&
			     !listed(&decision->gpu_devices, device->name)) ||
			    (decision->gpu_id[0] != '\0' &&
			     strcmp(decision->gpu_id, device->name) != 0))
				continue;
			add_found(gpus, gpus->specs[i], device);
		}
	return 0;
}

int ces_gpus_find(const struct ces_host *host, const struct ces_decision *decision,
		  struct ces_gpus *ret, struct ces_error *err)
{
	const struct ces_decision_names *kinds = &decision->gpu_kinds;

	for (size_t i = 0; i < host->cdi_dirs.n; i++)
		if (read_directory(ret, kinds, host->cdi_dirs.v[i], err) < 0)
			return -1;
	if (ret->n_specs == 0)
		return ces_error_set(err, CES_E_HOST,
				     "this machine has no GPU that CES knows: no specification of "
				     "the kind %s%s in %s%s",
				     kinds->n > 0 ? kinds->v[0] : "-",
				     kinds->n > 1 ? " (or another that is allowed)" : "",
				     host->cdi_dirs.n > 0 ? host->cdi_dirs.v[0] : "-",
				     host->cdi_dirs.n > 1 ? " or the others of cdi_dirs" : "");
	return find_all(ret, decision, err);
}

static bool meets(const struct ces_gpu *gpu, const uint64_t *marks, size_t n)
{
	for (size_t i = 0; i < gpu->n_marks; i++)
		for (size_t j = 0; j < n; j++)
			if (((gpu->marks[i] ^ marks[j]) & MARK_NODE) == 0 &&
			    ((gpu->marks[i] | marks[j]) & MARK_OWN) != 0)
				return true;
	return false;
}

struct weighing {
	struct ces_gpus *gpus;
	bool exclusive;
};

/* Counts a dead run too until it has been cleared: its processes may still be there. */
static void weigh(const struct ces_run_record *record, bool alive, void *context)
{
	const struct weighing *with = context;

	(void)alive;
	for (size_t i = 0; i < with->gpus->n_found; i++) {
		struct ces_gpu *gpu = &with->gpus->found[i];

		if (!meets(gpu, record->gpus.v, record->gpus.n))
			continue;
		gpu->load++;
		gpu->busy |= with->exclusive || (record->gpus.v[0] & MARK_EXCLUSIVE) != 0;
	}
}

static int add_node(struct ces_gpus *gpus, const struct ces_device *node, struct ces_error *err)
{
	for (size_t i = 0; i < gpus->n_nodes; i++)
		if (strcmp(gpus->nodes[i].path, node->path) == 0)
			return 0;
	if (gpus->n_nodes == CES_GPU_NODES)
		return ces_error_set(err, CES_E_HOST, "more than %d device nodes", CES_GPU_NODES);
	gpus->nodes[gpus->n_nodes++] = *node;
	return 0;
}

/* Adds what every device of a specification needs in addition to its own edits. */
static int add_spec(struct ces_gpus *gpus, const struct ces_cdi_edits *edits, struct ces_error *err)
{
	for (size_t i = 0; i < gpus->n_edits; i++)
		if (gpus->edits[i] == edits)
			return 0;
	gpus->edits[gpus->n_edits++] = edits;
	for (size_t i = 0; i < edits->n_nodes; i++) {
		struct ces_device node;
		bool closed;

		if (ces_gpu_node(gpus->dev, gpus->majors, &edits->nodes[i], &node, &closed, err) <
			0 ||
		    add_node(gpus, &node, err) < 0)
			return -1;
		if (closed)
			return ces_error_set(err, CES_E_DENIED, "%s is not open to your job",
					     edits->nodes[i].path);
	}
	return 0;
}

static int take(struct ces_gpus *gpus, const struct ces_gpu *gpu, bool exclusive,
		struct ces_error *err)
{
	if (gpus->n_names == CES_GPU_MAX || gpus->n_marks + gpu->n_marks > CES_GPU_MARKS)
		return ces_error_set(err, CES_E_HOST, "more than %d GPUs", CES_GPU_MAX);
	if (add_spec(gpus, &gpu->spec->edits, err) < 0)
		return -1;
	for (size_t i = 0; i < gpu->n_nodes; i++)
		if (add_node(gpus, &gpu->nodes[i], err) < 0)
			return -1;
	for (size_t i = 0; i < gpu->n_marks; i++)
		gpus->marks[gpus->n_marks++] = gpu->marks[i] | (exclusive ? MARK_EXCLUSIVE : 0);
	gpus->edits[gpus->n_edits++] = &gpu->device->edits;
	if (asprintf(&gpus->names[gpus->n_names], "%s=%s", gpu->spec->kind, gpu->device->name) < 0)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	gpus->n_names++;
	return 0;
}

/* The least used of the free devices. Does not choose one device twice by two names. NULL: none. */
static const struct ces_gpu *best(const struct ces_gpus *gpus)
{
	const struct ces_gpu *ret = NULL;

	for (size_t i = 0; i < gpus->n_found; i++) {
		const struct ces_gpu *gpu = &gpus->found[i];

		if (!gpu->busy && !gpu->closed && !meets(gpu, gpus->marks, gpus->n_marks) &&
		    (ret == NULL || gpu->load < ret->load))
			ret = gpu;
	}
	return ret;
}

/* Does not say whose runs hold the others: the caller must not know. */
static int too_few(const struct ces_gpus *gpus, const struct ces_decision *decision,
		   struct ces_error *err)
{
	bool closed = false;

	if (gpus->broken.code != CES_OK) {
		*err = gpus->broken;
		return ces_error_failed();
	}
	for (size_t i = 0; i < gpus->n_found; i++)
		closed |= gpus->found[i].closed;
	if (decision->gpu_id[0] != '\0' && gpus->n_found == 0)
		return ces_error_set(err, CES_E_NOTFOUND, "this machine has no device %s",
				     decision->gpu_id);
	if (decision->gpu_id[0] != '\0')
		return ces_error_set(err, CES_E_LIMIT, "the device %s is %s", decision->gpu_id,
				     closed ? "not open to your job" : "in use by another run");
	return ces_error_set(
	    err, CES_E_LIMIT, "you asked for %llu of this machine's GPUs, and %zu %s free%s",
	    (unsigned long long)decision->gpus, gpus->n_names, gpus->n_names == 1 ? "is" : "are",
	    closed ? " (some are not open to your job)" : "");
}

/* Forgets what an earlier attempt chose. */
static void reset(struct ces_gpus *gpus)
{
	for (size_t i = 0; i < gpus->n_names; i++)
		free(gpus->names[i]);
	gpus->n_names = gpus->n_edits = gpus->n_nodes = gpus->n_marks = 0;
	for (size_t i = 0; i < gpus->n_found; i++) {
		gpus->found[i].load = 0;
		gpus->found[i].busy = false;
	}
}

int ces_gpus_choose(struct ces_gpus *gpus, const struct ces_decision *decision, int runs,
		    struct ces_error *err)
{
	struct weighing with = {gpus, decision->gpu_exclusive};
	const struct ces_gpu *gpu;

	reset(gpus);
	if (ces_runs_each(runs, CES_EACH_RUN, weigh, &with) < 0)
		return ces_error_errno(err, CES_E_HOST, "reading the register of runs");
	while (gpus->n_names < decision->gpus && (gpu = best(gpus)) != NULL)
		if (take(gpus, gpu, decision->gpu_exclusive, err) < 0)
			return -1;
	if (gpus->n_names == 0 || (gpus->n_names < decision->gpus && !decision->gpus_all))
		return too_few(gpus, decision, err);
	return 0;
}

struct ces_gpu_count ces_gpus_count(const struct ces_gpus *gpus)
{
	struct ces_gpu_count count = {0};

	for (size_t i = 0; i < gpus->n_found; i++) {
		const struct ces_gpu *gpu = &gpus->found[i];
		uint64_t bit = gpu->closed ? 0 : 1ull << gpu->marks[gpu->n_marks - 1] % 64;

		for (size_t j = 0; j < i && bit != 0; j++)
			bit = meets(gpu, gpus->found[j].marks, gpus->found[j].n_marks) ? 0 : bit;
		count.all += bit != 0;
		count.idle += bit != 0 && !gpu->busy;
		count.devices |= bit;
		count.idle_devices |= gpu->busy ? 0 : bit;
	}
	return count;
}
