/* Proves a run. Must not believe anything but the kernel, and must not open a file of the image's:
 * it opens directories of the container by descriptor, without following a link, and only looks at
 * them. It takes the plan's values, and compares by code of its own: no step of launch/, nor a
 * function that such a step calls, is in a comparison (tests/harness/audit.bats). A fault there
 * would hide itself here.
 *
 * Who controls what: everything read here comes from the kernel, on processes that cannot move (the
 * program is held). The runtime could still change the container from outside. It is root's
 * program: it is checked here for faults, not for malice. */
#include "helper/audit/proof.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "helper/audit/proc.h"
#include "helper/audit/proof_filter.h"
#include "helper/audit/proof_mounts.h"
#include "helper/audit/proof_nodes.h"
#include "helper/core/beneath.h"
#include "helper/launch/profile.h"
#include "helper/session/journal.h"

#define STATUS_MAX 8192
#define HOLD_MS    60000 /* until the program is held */
#define RELEASE_MS 10000

static const char *const spaces[] = {"cgroup", "ipc", "net", "user", "uts", "mnt", "pid"};

struct look {
	const struct ces_plan *plan;
	const struct ces_cgroup *cgroup;
	const struct ces_proof *proof;
	int proc;                /* /proc/PID of the held program */
	struct ces_json *record; /* what was found */
};

#define DEVIATES(err, ...) ces_error_set(err, CES_E_HOST, __VA_ARGS__)

static int open_proc(pid_t pid, int *ret, struct ces_error *err)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	*ret = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? ces_error_errno(err, CES_E_HOST, "/proc of the container") : 0;
}

static int read_space(int proc, const char *name, uint64_t *ret, struct ces_error *err)
{
	char path[16];
	struct stat st;

	(void)snprintf(path, sizeof(path), "ns/%s", name);
	if (fstatat(proc, path, &st, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "/proc: %s", path);
	*ret = st.st_ino;
	return 0;
}

int ces_proof_begin(const struct ces_container *container, struct ces_proof *ret,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int proc = -1;

	if (ces_container_ready(container, err) < 0 ||
	    open_proc(container->process.pid, &proc, err) < 0)
		return -1;
	for (size_t i = 0; i < CES_SPACES; i++)
		if (read_space(proc, spaces[i], &ret->made[i], err) < 0)
			return -1;
	return ces_hold_begin(container, &ret->hold, err);
}

/* Checks the namespaces: they must be those that the helper made. For mounts and processes they
 * must differ from the helper's and the runtime's. The last is that of processes, which its /proc
 * must show: a runtime that may not mount one may take its own, or the host's. */
static int check_spaces(const struct look *look, struct ces_error *err)
{
	CES_CLEANUP_FD int root = openat(look->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int first = ces_beneath_open(root, "proc/1", O_PATH | O_DIRECTORY, 0);
	CES_CLEANUP_FD int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int runtime = -1;
	uint64_t its, own, runtimes;

	ces_json_object(look->record, "namespaces");
	if (open_proc(look->proof->hold.leader, &runtime, err) < 0)
		return -1;
	for (size_t i = 0; i < CES_COUNT(spaces); i++) {
		if (read_space(look->proc, spaces[i], &its, err) < 0 ||
		    read_space(self, spaces[i], &own, err) < 0 ||
		    read_space(runtime, spaces[i], &runtimes, err) < 0)
			return -1;
		ces_json_number(look->record, spaces[i], its);
		if (its == own)
			return DEVIATES(err, "its %s namespace is the host's", spaces[i]);
		if (i < CES_SPACES && its != look->proof->made[i])
			return DEVIATES(err, "its %s namespace is not the one made for it",
					spaces[i]);
		if (i >= CES_SPACES && its == runtimes)
			return DEVIATES(err, "its %s namespace is the runtime's", spaces[i]);
	}
	ces_json_close(look->record);
	if (read_space(first, "pid", &own, err) < 0)
		return -1;
	return own == its ? 0 : DEVIATES(err, "its /proc shows other processes");
}

/* A socket of the same network namespace reads the flags of an interface: this process enters that
 * namespace for that one call. */
static int socket_there(int proc)
{
	CES_CLEANUP_FD int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FD int there = openat(proc, "ns/net", O_RDONLY | O_CLOEXEC);
	int fd;

	if (here < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
		return -1;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (setns(here, CLONE_NEWNET) < 0)
		abort(); /* never go on in a container's namespace */
	return fd;
}

static bool is_up(int proc, const char *name)
{
	CES_CLEANUP_FD int fd = socket_there(proc);
	struct ifreq request = {0};

	(void)snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	return fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0 || (request.ifr_flags & IFF_UP) != 0;
}

/* Only lo may be up. A kernel with tunnel modules puts their first devices, down, into every new
 * namespace (net.core.fb_tunnels_only_for_init_net); the container has no capability to raise them
 * there. */
static int check_network(const struct look *look, struct ces_error *err)
{
	char text[8192], *save = NULL, *line;
	bool loopback = false;

	ces_json_list(look->record, "network");
	if (ces_proc_read(look->proc, "net/dev", text, sizeof(text), err) < 0)
		return -1;
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		char *name = line + strspn(line, " "), *colon = strchr(name, ':');

		if (colon == NULL)
			continue; /* the two lines of the heading */
		*colon = '\0';
		ces_text_clean(name);
		ces_json_text(look->record, NULL, name);
		if (strcmp(name, "lo") == 0)
			loopback = true;
		else if (is_up(look->proc, name))
			return DEVIATES(err, "it has a network interface %s", name);
	}
	ces_json_close(look->record);
	return loopback ? 0 : DEVIATES(err, "it has no loopback interface");
}

/* Finds the value after a key of /proc/PID/status, to the end of its line, tabs as spaces. */
static const char *status_of(const char *status, const char *key, char *buffer, size_t size)
{
	char mark[24];
	const char *at;

	(void)snprintf(mark, sizeof(mark), "\n%s:", key);
	at = strstr(status, mark);
	at = at == NULL ? "" : at + strlen(mark);
	at += strspn(at, " \t");
	(void)snprintf(buffer, size, "%.*s", (int)strcspn(at, "\n"), at);
	for (char *tab = strchr(buffer, '\t'); tab != NULL; tab = strchr(tab, '\t'))
		*tab = ' ';
	return buffer;
}

static int check_capabilities(const struct look *look, const char *status, struct ces_error *err)
{
	uint64_t all = ces_profile_capability_mask(), held = look->plan->uid == 0 ? all : 0;
	const struct {
		const char *key, *name;
		uint64_t planned;
	} sets[] = {{"CapInh", "inheritable", 0},
		    {"CapPrm", "permitted", held},
		    {"CapEff", "effective", held},
		    {"CapBnd", "bounding", all},
		    {"CapAmb", "ambient", 0}};
	char text[32], planned[32];

	ces_json_object(look->record, "capabilities");
	for (size_t i = 0; i < CES_COUNT(sets); i++) {
		ces_json_text(look->record, sets[i].name,
			      status_of(status, sets[i].key, text, sizeof(text)));
		(void)snprintf(planned, sizeof(planned), "%016" PRIx64, sets[i].planned);
		if (strcmp(text, planned) != 0)
			return DEVIATES(err, "its %s capabilities are %s, not %s", sets[i].name,
					text, planned);
	}
	ces_json_close(look->record);
	return 0;
}

static int check_filter(const struct look *look, const char *status, struct ces_error *err)
{
	char privileges[16], mode[16], filters[16];

	ces_json_text(look->record, "no_new_privs",
		      status_of(status, "NoNewPrivs", privileges, sizeof(privileges)));
	ces_json_text(look->record, "seccomp", status_of(status, "Seccomp", mode, sizeof(mode)));
	ces_json_text(look->record, "seccomp_filters",
		      status_of(status, "Seccomp_filters", filters, sizeof(filters)));
	if (strcmp(privileges, "1") != 0)
		return DEVIATES(err, "it may gain privileges (no_new_privs is not set)");
	if (strcmp(mode, "2") != 0 || strtoul(filters, NULL, 10) < 1)
		return DEVIATES(err, "it has no system call filter");
	return ces_proof_filter(look->plan, look->proof->hold.held, look->record, err);
}

/* The host's id for an id of the container's. */
static uint32_t outside(const struct ces_idmap_side *side, uint32_t inside)
{
	for (size_t i = 0; i < side->n; i++)
		if (inside - side->v[i].inside < side->v[i].count)
			return side->v[i].outside + (inside - side->v[i].inside);
	return UINT32_MAX;
}

/* The text has the one id four times: real, effective, saved, file system. */
static int check_id(const char *what, const char *text, uint32_t planned, struct ces_error *err)
{
	char wanted[64];

	(void)snprintf(wanted, sizeof(wanted), "%u %u %u %u", planned, planned, planned, planned);
	return strcmp(text, wanted) == 0
		   ? 0
		   : DEVIATES(err, "its %s is %.60s, not %u (ids of the host)", what, text,
			      planned);
}

static bool has_group(const struct ces_plan *plan, uint32_t gid)
{
	const struct ces_idmap *map = &plan->map;

	for (size_t i = 0; i < map->n_project_gids; i++)
		if (outside(&map->gid, map->project_gids[i]) == gid)
			return true;
	for (size_t i = 0; i < plan->image->groups.n && plan->uid == plan->image->uid; i++)
		if (outside(&map->gid, (uint32_t)plan->image->groups.v[i]) == gid)
			return true;
	return false;
}

/* There must be no more groups than planned; fewer give fewer rights. */
static int check_ids(const struct look *look, const char *status, struct ces_error *err)
{
	const struct ces_plan *plan = look->plan;
	char text[STATUS_MAX], *save = NULL;

	ces_json_text(look->record, "uids", status_of(status, "Uid", text, sizeof(text)));
	if (check_id("uid", text, outside(&plan->map.uid, plan->uid), err) < 0)
		return -1;
	ces_json_text(look->record, "gids", status_of(status, "Gid", text, sizeof(text)));
	if (check_id("gid", text, outside(&plan->map.gid, plan->gid), err) < 0)
		return -1;
	ces_json_list(look->record, "groups");
	(void)status_of(status, "Groups", text, sizeof(text));
	for (char *word = strtok_r(text, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		uint32_t gid = (uint32_t)strtoul(word, NULL, 10);

		ces_json_number(look->record, NULL, gid);
		if (!has_group(plan, gid))
			return DEVIATES(err, "it is in the group %u of the host", gid);
	}
	ces_json_close(look->record);
	return 0;
}

static int check_status(const struct look *look, struct ces_error *err)
{
	char status[STATUS_MAX];

	if (ces_proc_read(look->proc, "status", status, sizeof(status), err) < 0 ||
	    check_ids(look, status, err) < 0 || check_capabilities(look, status, err) < 0)
		return -1;
	return check_filter(look, status, err);
}

/* Removes the padding that the kernel gives its numbers. */
static void squeeze(char *text)
{
	char *to = text;

	for (const char *from = text; *from != '\0'; from++)
		if (*from != ' ' || (to > text && to[-1] != ' ' && to[-1] != '\n'))
			*to++ = *from;
	while (to > text && to[-1] == '\n')
		to--;
	*to = '\0';
	for (to = text; *to != '\0'; to++)
		if (*to == '\n')
			*to = ',';
}

/* text: "INSIDE OUTSIDE COUNT,..." */
static bool is_map(char *text, const struct ces_idmap_side *planned)
{
	char *save = NULL;
	size_t n = 0;

	for (char *line = strtok_r(text, ",", &save); line != NULL;
	     line = strtok_r(NULL, ",", &save), n++) {
		uint32_t its[3]; /* as struct ces_idmap_extent has them */
		char *at = line;

		for (size_t i = 0; i < CES_COUNT(its); i++)
			its[i] = (uint32_t)strtoul(at, &at, 10);
		if (n == planned->n || *at != '\0' || memcmp(its, &planned->v[n], sizeof(its)) != 0)
			return false;
	}
	return n == planned->n;
}

static int check_maps(const struct look *look, struct ces_error *err)
{
	static const char *const files[] = {"uid_map", "gid_map"};
	const struct ces_idmap_side *const sides[] = {&look->plan->map.uid, &look->plan->map.gid};
	char text[4096];

	for (size_t i = 0; i < CES_COUNT(files); i++) {
		if (ces_proc_read(look->proc, files[i], text, sizeof(text), err) < 0)
			return -1;
		squeeze(text);
		ces_json_text(look->record, files[i], text);
		if (!is_map(text, sides[i]))
			return DEVIATES(err, "its %s is not the planned one", files[i]);
	}
	return 0;
}

/* text: one number a line. */
static bool is_among(char *text, pid_t pid)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save))
		if (strtol(line, NULL, 10) == pid)
			return true;
	return false;
}

/* Asks each cgroup of the run whether the program is in it. */
static int check_cgroup(const struct look *look, struct ces_error *err)
{
	const struct ces_cgroup *cgroup = look->cgroup;
	char text[8192];

	ces_json_text(look->record, "cgroup", cgroup->name);
	for (size_t i = 0; i < CES_HIERARCHIES; i++) {
		if (cgroup->dir[i] < 0)
			continue;
		if (ces_proc_read(cgroup->dir[i], "cgroup.procs", text, sizeof(text), err) < 0)
			return -1;
		if (!is_among(text, look->proof->hold.held))
			return DEVIATES(err, "it is not in the cgroup %s", cgroup->name);
	}
	return 0;
}

/* If the kernel did not reach the context as the policy has it, the container would have the rights
 * of the runtime, or of another run. The policy's own transition (selinux/ces.te) sets the type. */
static int check_context(const struct look *look, struct ces_error *err)
{
	static const char *const types[] = {"container_t", "ces_container_t"};
	uint64_t pair = look->plan->selinux.pair;
	char text[256], wanted[sizeof(text)];

	if (!look->plan->selinux.on)
		return 0;
	if (ces_proc_read(look->proc, "attr/current", text, sizeof(text), err) < 0)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	ces_text_clean(text);
	ces_json_text(look->record, "selinux", text);
	for (size_t i = 0; i < CES_COUNT(types); i++) {
		(void)snprintf(wanted, sizeof(wanted), "system_u:system_r:%s:s0:c%u,c%u", types[i],
			       (unsigned)(pair >> 16), (unsigned)(pair & 0xffff));
		if (strcmp(text, wanted) == 0)
			return 0;
	}
	return DEVIATES(err, "its SELinux context is %.100s", text);
}

static int check_devices(const struct look *look, struct ces_error *err)
{
	CES_CLEANUP_FD int root = openat(look->proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int dev =
	    root < 0 ? -1 : ces_beneath_open(root, "dev", O_RDONLY | O_DIRECTORY, 0);

	ces_json_list(look->record, "nodes");
	if (dev < 0)
		return DEVIATES(err, "it has no /dev");
	return ces_proof_nodes(dev, look->plan->gpus.nodes, look->plan->gpus.n_nodes, look->record,
			       err);
}

static int compare(const struct look *look, struct ces_error *err)
{
	if (check_spaces(look, err) < 0 || check_maps(look, err) < 0 ||
	    check_status(look, err) < 0 || check_context(look, err) < 0 ||
	    check_cgroup(look, err) < 0 || check_network(look, err) < 0 ||
	    ces_proof_mounts(look->plan, look->proc, look->record, err) < 0)
		return -1;
	return check_devices(look, err);
}

/* Records the result before the program begins; a deviation also reaches the disk. */
static int record(const struct look *look, const struct ces_error *deviation, struct ces_error *err)
{
	const struct ces_session *session = look->plan->session;
	struct ces_journal_subject about = {.uid = session->uid,
					    .user = session->caller.user,
					    .project = look->plan->decision->project,
					    .run = look->plan->run};

	return ces_journal_append(
	    &session->journal,
	    ces_journal_proof(&about, look->record, deviation != NULL ? deviation->text : NULL),
	    deviation != NULL, err);
}

static int prove(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		 const struct ces_proof *proof, struct ces_error *err)
{
	struct ces_json found = {0};
	struct look look = {
	    .plan = plan, .cgroup = cgroup, .proof = proof, .proc = -1, .record = &found};
	struct ces_error unrecorded;
	int result = open_proc(proof->hold.held, &look.proc, err);

	if (result < 0)
		return -1;
	ces_json_object(&found, NULL);
	result = compare(&look, err);
	(void)ces_json_end(&found);
	close(look.proc);
	if (result < 0)
		(void)ces_error_context(err,
					"the runtime %s made another container than planned; CES "
					"ended it before its program began",
					plan->runtime);
	if (record(&look, result < 0 ? err : NULL, &unrecorded) < 0 && result == 0) {
		*err = unrecorded;
		result = -1;
	}
	ces_json_free(&found);
	return result;
}

int ces_proof_of(const struct ces_plan *plan, const struct ces_cgroup *cgroup,
		 struct ces_proof *proof, struct ces_error *err)
{
	int result = ces_hold_wait(&proof->hold, plan->runtime, ces_now_ms() + HOLD_MS, err);

	if (result == 0 && proof->hold.held != 0)
		result = prove(plan, cgroup, proof, err);
	return result;
}

int ces_proof_end(const struct ces_cgroup *cgroup, struct ces_proof *proof, int result,
		  struct ces_error *err)
{
	if (result == 0 && proof->hold.held != 0)
		result = ces_hold_release(&proof->hold, ces_now_ms() + RELEASE_MS, err);
	if (result < 0)
		ces_cgroup_kill(cgroup);
	ces_hold_end(&proof->hold, ces_now_ms() + RELEASE_MS);
	return result;
}
