/* A machine with four GPUs, two slices and other runs, for tests of what a run gets. */
#ifndef CES_TESTS_UNIT_GPU_CHOICE_H
#define CES_TESTS_UNIT_GPU_CHOICE_H

#include "common/io.h"
#include "common/record.h"
#include "common/worker.h"
#include "helper/core/ask.h"
#include "helper/session/runs.h"
#include "policy/cdi_parse.h"
#include "policy/flat.h"
#include "tests/unit/gpu_scene.h"

static struct ces_error err;
static struct ces_gpus gpus;
static struct ces_host host;
static struct ces_decision decision;

/* The other runs, by the marks in their records. */
static struct {
	uint64_t marks[CES_GPU_MARKS];
	size_t n;
} runs[8];
static size_t n_runs;
static bool unreadable; /* the register */

int ces_runs_each(int fd, unsigned which,
		  void (*each)(const struct ces_run_record *, bool alive, void *), void *context)
{
	ck_assert_int_eq(fd, 77);
	ck_assert_uint_eq(which, CES_EACH_RUN);
	for (size_t i = 0; i < n_runs; i++) {
		struct ces_run_record record = {.gpus = {runs[i].marks, runs[i].n}};

		each(&record, i % 2 == 0, context);
	}
	errno = EIO;
	return unreadable ? -1 : 0;
}

/* (of policy/read.c, which also wants the file to be root's) */
int ces_policy_read(const char *path, char **ret, size_t *ret_length, struct ces_error *ret_err)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (step("read %s", path) || fd < 0 || ces_read_file(fd, 1u << 20, ret, ret_length) < 0)
		return ces_error_errno(ret_err, CES_E_POLICY, "%s", path);
	return 0;
}

/* (of helper/core/ask.c: the worker that reads JSON) */
int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *names, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *ret_err)
{
	char *list[CES_DECISION_NAMES];
	struct ces_strings kinds = {list, names->n};
	struct ces_cdi_spec *spec = NULL;
	int result = 0;

	ck_assert_int_eq(kind, CES_PARSE_CDI);
	ck_assert_int_eq(code, CES_E_HOST);
	for (size_t i = 0; i < names->n; i++)
		list[i] = (char *)(uintptr_t)names->v[i];
	if (ces_cdi_parse(bytes, length, &kinds, &spec, ret_err) < 0)
		return -1;
	*ret = NULL;
	if (spec != NULL)
		result = ces_flat_pack(&ces_cdi_flat, spec, ret, ret_length, ret_err);
	ces_cdi_free(spec);
	return result;
}

/* Writes a specification of this kind, where ' is ". */
static void put_spec(const char *path, const char *kind, const char *devices, const char *edits)
{
	static char text[65536];

	(void)snprintf(text, sizeof(text),
		       "{'cdiVersion': '0.6.0', 'kind': '%s', 'devices': [%s], 'containerEdits': "
		       "{%s}}",
		       kind, devices, edits);
	for (char *p = text; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	put_words(path, text);
}

#define NODE(path)          "{'path': '" path "'}"
#define NODES(nodes)        "'deviceNodes': [" nodes "]"
#define DEVICE(name, nodes) "{'name': '" name "', 'containerEdits': {" NODES(nodes) "}}"
#define GPU(n)              DEVICE(n, NODE("/dev/nvidia" n))

static void set_up(void)
{
	gpu_scene_begin();
	put_words("proc/devices", DEVICES);
	for (unsigned i = 0; i < 4; i++) {
		char path[20];

		(void)snprintf(path, sizeof(path), "dev/nvidia%u", i);
		(void)put_node(path, 195, i);
	}
	(void)put_node("dev/nvidiactl", 195, 255);
	for (unsigned i = 3; i < 6; i++) {
		char path[40];

		(void)snprintf(path, sizeof(path), "dev/nvidia-caps/nvidia-cap%u", i);
		(void)put_node(path, 240, i);
	}
	err = (struct ces_error){0};
	gpus = CES_GPUS_NONE;
	host = (struct ces_host){.cdi_dirs = {2, {"/etc/cdi", "/run/cdi"}}};
	decision = (struct ces_decision){.gpus = 1, .gpu_kinds = {1, {"nvidia.com/gpu"}}};
	n_runs = 0;
	unreadable = false;
	put_spec("etc/cdi/nvidia.json", "nvidia.com/gpu",
		 GPU("0") "," GPU("1") "," GPU("2") "," GPU("3") "," DEVICE(
		     "GPU-2", NODE("/dev/nvidia2")) "," DEVICE("all",
							       NODE("/dev/nvidia0") "," NODE(
								   "/dev/nvidia1")),
		 NODES(NODE("/dev/nvidiactl")));
}

static size_t before;

static void find(void)
{
	before = open_fds();
	ck_assert_msg(ces_gpus_find(&host, &decision, &gpus, &err) == 0, "%s", err.text);
}

/* Finds and chooses. Returns the names, in a row. */
static inline const char *choose(int expected)
{
	static char names[4096];
	size_t used = 0;

	if (gpus.n_specs == 0)
		find();
	err = (struct ces_error){0};
	ck_assert_msg(ces_gpus_choose(&gpus, &decision, 77, &err) == expected, "%s", err.text);
	names[0] = '\0';
	for (size_t i = 0; i < gpus.n_names; i++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
					 i > 0 ? " " : "", strchr(gpus.names[i], '=') + 1);
	return names;
}

/* (in a run all of this goes with the process) */
static void let_go(void)
{
	for (size_t i = 0; i < gpus.n_names; i++)
		free(gpus.names[i]);
	for (size_t i = 0; i < gpus.n_specs; i++)
		free(gpus.specs[i]);
	free(gpus.found);
	free(gpus.majors);
	ces_cleanup_close(&gpus.dev);
	gpus = CES_GPUS_NONE;
}

static void tear_down(void)
{
	bool found = gpus.dev >= 0;

	let_go();
	if (found)
		ck_assert_uint_eq(open_fds(), before);
	gpu_scene_end();
}

#endif
