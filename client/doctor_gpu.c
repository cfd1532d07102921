/* doctor checks the specifications of GPUs (CDI) if the policy grants any. It reads them with the
 * helper's own readers, and reports what the helper would refuse at a run. It must not open a
 * device, which may wake it up. */
#include "client/doctor_checks.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/way.h"
#include "policy/cdi.h"
#include "policy/cdi_parse.h"

#define KINDS_MAX 64
#define AGAIN                                                                                      \
	"as root: make it anew with the driver's own tool, such as: nvidia-ctk cdi generate "      \
	"--format=json --output=%s"

struct search {
	struct ces_doctor *doctor;
	const char *file;
	char *majors; /* /proc/devices */
	char *kinds[KINDS_MAX];
	struct ces_strings wanted;
	const struct ces_decision *decision; /* only these devices count; NULL: all do */
	size_t devices;                      /* found sound */
	bool faults;
	bool unread; /* there may be more that this user may not read */
};

static void add_kinds(struct search *search, const struct ces_policy_settings *settings)
{
	for (size_t i = 0; settings->gpus_max > 0 && i < settings->gpu_kinds.n; i++) {
		bool known = false;

		for (size_t j = 0; j < search->wanted.n; j++)
			known |= strcmp(search->kinds[j], settings->gpu_kinds.v[i]) == 0;
		if (!known && search->wanted.n < KINDS_MAX)
			search->kinds[search->wanted.n++] = settings->gpu_kinds.v[i];
	}
}

static void find_kinds(struct search *search, const struct ces_policy *policy)
{
	search->wanted.v = search->kinds;
	if (policy->infer)
		add_kinds(search, &policy->defaults);
	for (size_t i = 0; i < policy->n_projects; i++)
		add_kinds(search, &policy->projects[i].settings);
}

static void fault(struct search *search, const char *remedy, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void fault(struct search *search, const char *remedy, const char *format, ...)
{
	char text[512];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	search->faults = true;
	ces_doctor_find(search->doctor, "gpus", CES_GRADE_PROBLEM, "%s", text);
	ces_doctor_remedy(search->doctor, "%s", remedy);
}

/* Checks that the tool's file fits this machine and asks for nothing but GPUs. */
static bool node_is_sound(struct search *search, const struct ces_cdi_node *node)
{
	const char *path = node->host_path != NULL ? node->host_path : node->path;
	char remedy[400];
	struct stat st;

	snprintf(remedy, sizeof(remedy), AGAIN, search->file);
	if (!ces_cdi_place_valid(node->path)) {
		fault(search, remedy, "%s names %s, which is not a device that CES gives to a run",
		      search->file, node->path);
		return false;
	}
	if (lstat(path, &st) < 0) {
		fault(search, remedy, "%s names %s: %s", search->file, path, strerror(errno));
		return false;
	}
	if (!S_ISCHR(st.st_mode) ||
	    !ces_cdi_number_valid(search->majors, major(st.st_rdev), minor(st.st_rdev))) {
		fault(search, remedy, "%s names %s, which is not a device that CES gives to a run",
		      search->file, path);
		return false;
	}
	if (node->numbered &&
	    (node->major != major(st.st_rdev) || node->minor != minor(st.st_rdev))) {
		fault(search, remedy, "%s says that %s is device %llu:%llu, and it is %u:%u",
		      search->file, path, (unsigned long long)node->major,
		      (unsigned long long)node->minor, major(st.st_rdev), minor(st.st_rdev));
		return false;
	}
	return true;
}

/* Returns whether CES does itself what the hook does, or need not do it. No other hook's work is
 * done. */
static bool hook_is_known(const struct ces_strings *args)
{
	/* the last: no process in the container can make a device node */
	static const char *const known[] = {"create-symlinks", "update-ldcache", "chmod",
					    "disable-device-node-modification"};
	size_t at = args->n > 1 && strcmp(args->v[1], "hook") == 0 ? 2 : 1;

	for (size_t i = 0; i < CES_COUNT(known); i++)
		if (args->n > at && strcmp(args->v[at], known[i]) == 0)
			return true;
	return false;
}

static bool edits_are_sound(struct search *search, const struct ces_cdi_edits *edits)
{
	bool sound = true;

	for (size_t i = 0; i < edits->n_nodes; i++)
		sound &= node_is_sound(search, &edits->nodes[i]);
	for (size_t i = 0; i < edits->n_hooks; i++) {
		const struct ces_strings *args = &edits->hooks[i].args;

		if (hook_is_known(args))
			continue;
		ces_doctor_find(search->doctor, "gpus", CES_GRADE_WARNING,
				"%s has a hook that CES neither runs nor knows: %s %s",
				search->file, args->n > 0 ? args->v[0] : "",
				args->n > 1 ? args->v[1] : "");
		ces_doctor_remedy(
		    search->doctor,
		    "try a program that needs the GPU; if something is missing, the hook makes it");
	}
	return sound;
}

static bool is_wanted(const struct search *search, const char *name)
{
	const struct ces_decision *decision = search->decision;
	bool listed = decision == NULL || decision->gpu_devices.n == 0;

	if (strcmp(name, "all") == 0)
		return false;
	if (decision != NULL && decision->gpu_id[0] != '\0' && strcmp(decision->gpu_id, name) != 0)
		return false;
	for (size_t i = 0; !listed && i < decision->gpu_devices.n; i++)
		listed = strcmp(decision->gpu_devices.v[i], name) == 0;
	return listed;
}

/* A device has several names: its number, its UUID. */
static bool is_same(const struct ces_cdi_device *one, const struct ces_cdi_device *other)
{
	if (one->edits.n_nodes != other->edits.n_nodes)
		return false;
	for (size_t i = 0; i < one->edits.n_nodes; i++)
		if (strcmp(one->edits.nodes[i].path, other->edits.nodes[i].path) != 0)
			return false;
	return true;
}

static bool is_first(const struct search *search, const struct ces_cdi_spec *spec, size_t which)
{
	for (size_t i = 0; i < which; i++)
		if (is_wanted(search, spec->devices[i].name) &&
		    is_same(&spec->devices[i], &spec->devices[which]))
			return false;
	return true;
}

static void look_into(struct search *search, const struct ces_cdi_spec *spec)
{
	size_t n = 0;
	bool sound = edits_are_sound(search, &spec->edits);

	for (size_t i = 0; i < spec->n_devices; i++)
		n += edits_are_sound(search, &spec->devices[i].edits) &&
		     is_wanted(search, spec->devices[i].name) && is_first(search, spec, i);
	search->devices += n;
	if (sound && n > 0)
		ces_doctor_find(search->doctor, "gpus", CES_GRADE_OK, "%s: %zu of %s", search->file,
				n, spec->kind);
}

static void check_file(struct search *search)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};
	char remedy[700];
	size_t length;

	if (access(search->file, R_OK) < 0 && errno == EACCES) {
		search->unread = true;
		ces_doctor_find(search->doctor, "gpus", CES_GRADE_WARNING,
				"you cannot read %s, so it was not checked", search->file);
		ces_doctor_remedy(search->doctor, "as root: ces-client doctor");
		return;
	}
	if (ces_policy_read(search->file, &bytes, &length, &err) < 0) {
		snprintf(remedy, sizeof(remedy),
			 "as root: make it a file of root's own in directories of root's own: "
			 "chown root:root %s && chmod 644 %s",
			 search->file, search->file);
		fault(search, remedy, "%s", err.text);
	} else if (ces_cdi_parse(bytes, length, &search->wanted, &spec, &err) < 0) {
		snprintf(remedy, sizeof(remedy), AGAIN, search->file);
		fault(search, remedy, "%s: %s", search->file, err.text);
	} else if (spec != NULL) {
		look_into(search, spec);
		ces_cdi_free(spec);
	}
}

static int is_spec(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".json") == 0;
}

/* Users who can write to an empty directory can also fill it. */
static void check_directory(struct search *search, const char *path)
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int fd = ces_beneath_open(root, path, O_PATH, 0);
	struct dirent **list = NULL;
	char file[1100], remedy[400];
	struct stat st;
	int n;

	/* (also where nothing is behind the link) */
	if (fd < 0 && errno == ELOOP) {
		fault(search, "as root: name the directory that it leads to in host.cdi_dirs",
		      "%s: a part of this path is a symbolic link: no run gets a GPU", path);
		return;
	}
	if (lstat(path, &st) < 0 && errno == ENOENT)
		return;
	if (S_ISDIR(st.st_mode) && (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0)) {
		snprintf(remedy, sizeof(remedy), "as root: chown root:root %s && chmod 755 %s",
			 path, path);
		fault(search, remedy, "%s can be changed by others than root", path);
	}
	n = scandir(path, &list, is_spec, alphasort);
	search->unread |= n < 0 && errno == EACCES;
	if (n < 0)
		fault(search, "as root: make it a directory, or correct host.cdi_dirs", "%s: %s",
		      path, strerror(errno));
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		search->file = file;
		check_file(search);
		free(list[i]);
	}
	search->file = NULL;
	free(list);
}

static void look(struct search *search, const struct ces_policy *policy)
{
	CES_CLEANUP_FD int fd = open("/proc/devices", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FREE char *majors = NULL;
	size_t length;

	if (fd < 0 || ces_read_file(fd, 65536, &majors, &length) < 0)
		return;
	search->majors = majors;
	for (size_t i = 0; i < policy->cdi_dirs.n; i++)
		check_directory(search, policy->cdi_dirs.v[i]);
}

size_t ces_doctor_count_gpus(const struct ces_policy *policy, const struct ces_decision *decision)
{
	struct ces_doctor doctor = {0};
	struct search search = {.doctor = &doctor, .decision = decision};

	search.wanted.v = search.kinds;
	for (size_t i = 0; i < decision->gpu_kinds.n && i < KINDS_MAX; i++)
		search.kinds[search.wanted.n++] = (char *)(uintptr_t)decision->gpu_kinds.v[i];
	look(&search, policy);
	free(doctor.findings);
	return search.unread ? SIZE_MAX : search.devices;
}

void ces_doctor_gpus(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	struct search search = {.doctor = doctor};

	find_kinds(&search, policy);
	if (search.wanted.n == 0) {
		ces_doctor_find(doctor, "gpus", CES_GRADE_OK, "the policy grants none");
		return;
	}
	look(&search, policy);
	if (search.devices > 0 || search.faults)
		return;
	ces_doctor_find(doctor, "gpus", CES_GRADE_WARNING,
			"the policy grants GPUs, but this machine has no specification of one");
	ces_doctor_remedy(doctor,
			  "as root, if this machine has a GPU: nvidia-ctk cdi generate "
			  "--format=json --output=%s/gpus.json",
			  policy->cdi_dirs.n > 0 ? policy->cdi_dirs.v[0] : "/etc/cdi");
}
