/* A container as the kernel shows it, in files of a temporary directory: what the auditor reads
 * below /proc is read there. So a test can change one line, and no test needs a right. The system
 * calls that would leave the directory have stand-ins. */
#ifndef CES_TESTS_UNIT_PROOF_SCENE_H
#define CES_TESTS_UNIT_PROOF_SCENE_H

#include "helper/audit/proof.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/image.h"
#include "common/io.h"
#include "helper/session/journal.h"

#define HELD    100
#define RUNTIME 101

static char scene[40]; /* the directory */
static char steps[512];
static char found[16384]; /* what was recorded */
static bool recorded, durable, journal_full, interface_up;
static char mount_number[24]; /* of the file system that the scene is on */
static struct ces_error err;

static const char *below(const char *path)
{
	static char whole[PATH_MAX];

	(void)snprintf(whole, sizeof(whole), "%s/%s", scene, path);
	return whole;
}

static void step(const char *name)
{
	size_t used = strlen(steps);

	(void)snprintf(steps + used, sizeof(steps) - used, "%s%s", used > 0 ? " " : "", name);
}

/* ---- stand-ins */

int open(const char *path, int flags, ...)
{
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = va_arg(rest, mode_t);
	va_end(rest);
	if (scene[0] != '\0' && strncmp(path, "/proc/", 6) == 0)
		path = below(path + 6);
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int access(const char *path, int mode)
{
	(void)mode;
	return strcmp(path, "/proc/kcore") == 0 || strcmp(path, "/proc/sys") == 0 ? 0 : -1;
}

/* A file that says "c 1:3" is that character device. */
int fstatat(int dir, const char *path, struct stat *st, int flags)
{
	char text[32], kind;
	unsigned high, low;

	if (syscall(SYS_newfstatat, dir, path, st, flags) < 0)
		return -1;
	if (S_ISREG(st->st_mode) && ces_read_text(dir, path, text, sizeof(text)) > 0 &&
	    sscanf(text, "%c %u:%u", &kind, &high, &low) == 3) {
		st->st_mode = (kind == 'c' ? S_IFCHR : S_IFBLK) | 0666;
		st->st_rdev = makedev(high, low);
	}
	return 0;
}

int stat(const char *path, struct stat *st)
{
	return (int)syscall(SYS_newfstatat, AT_FDCWD, strcmp(path, "/m") == 0 ? below("m") : path,
			    st, 0);
}

int setns(int fd, int kind)
{
	(void)fd;
	(void)kind;
	return 0;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct ifreq *interface;
	va_list rest;

	va_start(rest, request);
	interface = va_arg(rest, struct ifreq *);
	va_end(rest);
	ck_assert_int_ge(fd, 0);
	ck_assert_uint_eq(request, SIOCGIFFLAGS);
	interface->ifr_flags = interface_up ? IFF_UP : 0;
	return 0;
}

int ces_container_ready(const struct ces_container *container, struct ces_error *error)
{
	(void)container;
	(void)error;
	step("ready");
	return 0;
}

int ces_hold_begin(const struct ces_container *container, struct ces_hold *ret,
		   struct ces_error *error)
{
	(void)container;
	(void)ret;
	(void)error;
	step("trace");
	return 0;
}

int ces_hold_wait(struct ces_hold *hold, const char *runtime, int64_t deadline_ms,
		  struct ces_error *error)
{
	(void)hold;
	(void)runtime;
	(void)error;
	ck_assert_int_gt(deadline_ms, ces_now_ms());
	step("wait");
	return 0;
}

static int release_result;

int ces_hold_release(struct ces_hold *hold, int64_t deadline_ms, struct ces_error *error)
{
	(void)hold;
	(void)deadline_ms;
	(void)error;
	step("release");
	return release_result;
}

void ces_hold_end(struct ces_hold *hold, int64_t deadline_ms)
{
	(void)hold;
	(void)deadline_ms;
	step("end");
}

void ces_cgroup_kill(const struct ces_cgroup *cgroup)
{
	(void)cgroup;
	step("kill");
}

struct ces_json ces_journal_proof(const struct ces_journal_subject *about,
				  const struct ces_json *object, const char *deviation)
{
	struct ces_json record = {0};

	ck_assert_str_eq(about->user, "alice");
	ck_assert_str_eq(about->project, "nsh");
	ck_assert_str_eq(about->run, "1");
	ces_json_object(&record, NULL);
	ces_json_members(&record, object);
	if (deviation != NULL)
		ces_json_text(&record, "deviation", deviation);
	return record;
}

int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool sync,
		       struct ces_error *error)
{
	const char *text = ces_json_end(&record);

	(void)journal;
	ck_assert_ptr_nonnull(text);
	(void)snprintf(found, sizeof(found), "%s", text);
	ces_json_free(&record);
	recorded = true;
	durable = sync;
	step("record");
	return journal_full ? ces_error_set(error, CES_E_HOST, "the journal is full") : 0;
}

/* ---- the container */

static void put(const char *path, const char *text)
{
	char name[PATH_MAX];
	FILE *file;

	(void)snprintf(name, sizeof(name), "%s", below(path));
	for (char *slash = strchr(name + strlen(scene) + 1, '/'); slash != NULL;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(name, 0755);
		*slash = '/';
	}
	(void)unlink(name); /* a new inode */
	file = fopen(name, "w");
	ck_assert_ptr_nonnull(file);
	ck_assert_int_ge(fputs(text, file), 0);
	ck_assert_int_eq(fclose(file), 0);
}

/* Puts text in place of old in a file. */
static void change(const char *path, const char *old, const char *text)
{
	char before[8192], after[16384];
	char *at;

	ck_assert_int_gt(ces_read_text(AT_FDCWD, below(path), before, sizeof(before)), 0);
	at = strstr(before, old);
	ck_assert_msg(at != NULL, "%s has no %s", path, old);
	(void)snprintf(after, sizeof(after), "%.*s%s%s", (int)(at - before), before, text,
		       at + strlen(old));
	put(path, after);
}

static void share(const char *from, const char *to)
{
	char old[PATH_MAX];

	(void)snprintf(old, sizeof(old), "%s", below(from));
	(void)unlink(below(to));
	ck_assert_int_eq(link(old, below(to)), 0);
}

static const char status[] =
    "Name:\tsh\nUid:\t1000\t1000\t1000\t1000\nGid:\t1000\t1000\t1000\t1000\n"
    "Groups:\t4411 200008 \nNoNewPrivs:\t1\nSeccomp:\t2\nSeccomp_filters:\t1\n"
    "CapInh:\t0000000000000000\nCapPrm:\t00000000000004fb\n"
    "CapEff:\t00000000000004fb\nCapBnd:\t00000000000004fb\n"
    "CapAmb:\t0000000000000000\n";
static const char mounts[] = "1 0 0:1 / / rw,nosuid,nodev,relatime master:1 - overlay o rw\n"
			     "2 1 0:2 / /proc rw,nosuid,nodev,noexec - proc proc rw\n"
			     "3 1 0:3 /dev /dev rw,nosuid,noexec - tmpfs d rw\n"
			     "4 3 0:4 / /dev/pts rw,nosuid,noexec - devpts devpts rw\n"
			     "5 3 0:5 / /dev/mqueue rw,nosuid,nodev,noexec - mqueue mqueue rw\n"
			     "6 1 0:6 / /sys ro,nosuid,nodev,noexec - sysfs sysfs rw\n"
			     "7 3 0:7 / /dev/shm rw,nosuid,nodev - tmpfs shm rw\n"
			     "8 1 8:1 /data /safe_data ro,nosuid,nodev - ext4 /dev/sda rw\n"
			     "9 8 8:2 / /safe_data/a\\040b ro,nosuid,nodev - nfs4 server:/x rw\n"
			     "10 1 8:1 /out /safe_outputs rw,nosuid,nodev - ext4 /dev/sda rw\n"
			     "11 1 0:8 / /run/tmp rw,nosuid,nodev - tmpfs t rw\n"
			     "12 2 0:3 /dev/null /proc/kcore rw,nosuid - tmpfs d rw\n"
			     "13 2 0:2 /sys /proc/sys ro,nosuid,nodev,noexec - proc proc rw\n";

static struct ces_decision decision;
static struct ces_session session;
static struct ces_image_record image;
static uint64_t image_groups[] = {8};
static struct ces_cgroup cgroup;
static struct ces_plan plan;
static struct ces_proof proof;

static int open_directory(const char *path)
{
	int fd = open(below(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void make_plan(void)
{
	static const struct ces_idmap map = {
	    .uid = {{{0, 1000, 1}, {1, 200001, 65535}}, 2},
	    .gid = {{{0, 1000, 1}, {1, 200001, 65535}, {65536, 4411, 1}}, 3},
	    .project_gids = {65536},
	    .n_project_gids = 1};

	decision = (struct ces_decision){
	    .project = "nsh", .tmpfs = {{.destination = "/run/tmp/"}}, .n_tmpfs = 1};
	session = (struct ces_session){.uid = 1000, .caller = {.user = "alice"}};
	image = (struct ces_image_record){.groups = {image_groups, 1}};
	plan = (struct ces_plan){
	    .run = "1",
	    .session = &session,
	    .decision = &decision,
	    .image = &image,
	    .map = map,
	    .runtime = "/usr/bin/runc",
	    .runc = true,
	    .mounts = {{open_directory("m/safe_data"), "/safe_data", true, false},
		       {open_directory("m/safe_outputs"), "/safe_outputs", false, false}},
	    .n_mounts = 2};
	cgroup =
	    (struct ces_cgroup){.dir = {open_directory("cgroup"), -1, -1, open_directory("pids")},
				.name = "ces/1000/1"};
	proof = (struct ces_proof){.hold = {.leader = RUNTIME, .held = HELD}};
}

static void find_mount(void)
{
	struct statx st;

	ck_assert_int_eq(statx(AT_FDCWD, scene, 0, STATX_MNT_ID, &st), 0);
	(void)snprintf(mount_number, sizeof(mount_number), "%llu 0 0:1", st.stx_mnt_id);
}

static void scene_begin(void)
{
	static const char *const spaces[] = {"cgroup", "ipc", "net", "user", "uts", "mnt", "pid"};
	static const char *const nodes[][2] = {{"null", "c 1:3"},    {"zero", "c 1:5"},
					       {"full", "c 1:7"},    {"random", "c 1:8"},
					       {"urandom", "c 1:9"}, {"tty", "c 5:0"}};
	static const char *const processes[] = {"100", "101", "self"};
	struct ces_container container = {.process = {.pid = HELD}};
	char path[64];

	(void)snprintf(scene, sizeof(scene), "/tmp/ces-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(scene));
	for (size_t p = 0; p < CES_COUNT(processes); p++)
		for (size_t i = 0; i < CES_COUNT(spaces); i++) {
			(void)snprintf(path, sizeof(path), "%s/ns/%s", processes[p], spaces[i]);
			put(path, "");
		}
	for (size_t i = 0; i < CES_COUNT(nodes); i++) {
		(void)snprintf(path, sizeof(path), "m/dev/%s", nodes[i][0]);
		put(path, nodes[i][1]);
	}
	put("100/status", status);
	put("100/mountinfo", mounts);
	find_mount();
	change("100/mountinfo", "1 0 0:1", mount_number);
	put("100/uid_map", "         0       1000          1\n         1     200001      65535\n");
	put("100/gid_map", "         0       1000          1\n         1     200001      65535\n"
			   "     65536       4411          1\n");
	put("100/net/dev", "Inter-|   Receive\n face |bytes\n    lo:       0       0\n");
	put("100/attr/current", "system_u:system_r:container_t:s0:c1,c7\n");
	put("100/fd/0", "");
	put("100/fd/2", "");
	put("m/proc/1/ns/pid", "");
	share("100/ns/pid", "m/proc/1/ns/pid");
	put("cgroup/cgroup.procs", "7\n100\n");
	put("pids/cgroup.procs", "100\n");
	put("m/safe_data/file", "");
	put("m/safe_outputs/file", "");
	ck_assert_int_eq(symlink("../m", below("100/root")), 0);
	ck_assert_int_eq(symlink("../m", below("100/cwd")), 0);
	make_plan();
	steps[0] = '\0';
	recorded = durable = journal_full = interface_up = false;
	release_result = 0;
	ck_assert_int_eq(ces_proof_begin(&container, &proof, &err), 0);
	ck_assert_str_eq(steps, "ready trace");
	steps[0] = '\0';
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
	(void)st;
	(void)kind;
	(void)where;
	return remove(path);
}

static void scene_end(void)
{
	for (size_t i = 0; i < plan.n_mounts; i++)
		close(plan.mounts[i].fd);
	for (size_t i = 0; i < CES_HIERARCHIES; i++)
		if (cgroup.dir[i] >= 0)
			close(cgroup.dir[i]);
	ck_assert_int_eq(nftw(scene, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
	scene[0] = '\0';
}

static int prove(void)
{
	return ces_proof_of(&plan, &cgroup, &proof, &err);
}

/* The run deviates, and the record that says so is on the disk before anything goes on. */
static void deviates(const char *what)
{
	ck_assert_int_eq(prove(), -1);
	ck_assert_msg(strstr(err.text, what) != NULL, "not %s, but %s", what, err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "ended it before its program began"));
	ck_assert_ptr_nonnull(strstr(found, "\"deviation\":"));
	ck_assert(durable);
	ck_assert_str_eq(steps, "wait record");
}

#endif
