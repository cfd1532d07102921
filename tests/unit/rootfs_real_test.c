/* Tests the file tree of a run with real mounts, in a user namespace of the test's own: what a
 * process sees of the host once the tree is its root, and which flags hold. The kernel gives such a
 * namespace no device nodes and no owners, so these are played. */
/* links: helper/launch/rootfs.c helper/launch/overlay.c helper/launch/devices.c helper/launch/gpu_files.c helper/session/mounts.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c helper/core/capability.c */
#include "helper/launch/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "tests/unit/launch_plan.h"

#define HERE "/run/ces-test" /* in the test's own tmpfs */

static struct ces_cgroup cgroup = CES_CGROUP_NONE;

static int userns_is = 77; /* the container's */
static size_t n_mapped;    /* mounts that were to be mapped by it */

static void give_up(const char *what)
{
	(void)fprintf(stderr, "%s: %s (%s)\n", what, strerror(errno), err.text);
	_exit(1);
}

#define MUST(done) ((done) ? (void)0 : give_up(#done))

int mknodat(int dir, const char *path, mode_t mode, dev_t number)
{
	CES_CLEANUP_FD int fd = openat(dir, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);

	(void)mode;
	(void)number;
	return fd < 0 ? -1 : 0;
}

int fchown(int fd, uid_t uid, gid_t gid)
{
	(void)fd;
	(void)uid;
	(void)gid;
	return 0;
}

int fchownat(int dir, const char *path, uid_t uid, gid_t gid, int flags)
{
	struct stat st;

	(void)uid;
	(void)gid;
	return fstatat(dir, path, &st, flags);
}

/* (a copy of a mount of the host's takes along what is mounted below it, or the kernel, which must
 * not show what that hides, refuses it) */
int open_tree(int dir, const char *path, unsigned flags)
{
	if (dir == AT_FDCWD)
		flags |= AT_RECURSIVE;
	return (int)syscall(SYS_open_tree, dir, path, flags);
}

/* (a tmpfs has id-mapped mounts since Linux 6.3 alone) */
int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attr, size_t size)
{
	bool mapped = (attr->attr_set & MOUNT_ATTR_IDMAP) != 0;
	struct mount_attr rest = *attr;

	if (mapped && (int)attr->userns_fd != userns_is) {
		errno = EBADF;
		return -1;
	}
	rest.attr_set &= ~(uint64_t)MOUNT_ATTR_IDMAP;
	rest.userns_fd = 0;
	n_mapped += mapped;
	return (int)syscall(SYS_mount_setattr, fd, path, flags, &rest, size);
}

void ces_selinux_file_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	(void)selinux;
	ret[0] = '\0';
}

int ces_store_open_layer(const struct ces_store *store, const char *diff_id, int *ret,
			 struct ces_error *ret_err)
{
	(void)store;
	(void)ret_err;
	*ret = open(diff_id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret < 0 ? -1 : 0;
}

static void put(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	MUST(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void put_id(const char *path, unsigned id)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CLOEXEC);
	char text[40];
	int n = snprintf(text, sizeof(text), "0 %u 1\n", id);

	MUST(fd >= 0 && write(fd, text, (size_t)n) == n);
}

static void be_root_of_a_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();

	MUST(unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0);
	put("/proc/self/setgroups", "deny");
	put_id("/proc/self/uid_map", uid);
	put_id("/proc/self/gid_map", gid);
}

static int make_place(const char *path)
{
	int fd;

	MUST(mkdir(path, 0755) == 0);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	MUST(fd >= 0);
	return fd;
}

/* Checks the flags of the mount at a path: these, and of those no other. */
static void flags_are(const char *path, unsigned long flags)
{
	const unsigned long all = ST_RDONLY | ST_NOSUID | ST_NODEV;
	struct statvfs fs;

	MUST(statvfs(path, &fs) == 0);
	if ((fs.f_flag & all) != flags) {
		(void)fprintf(stderr, "%s has the flags %lx\n", path, fs.f_flag);
		_exit(1);
	}
}

static void has_text(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char found[200] = "";

	MUST(fd >= 0 && read(fd, found, sizeof(found) - 1) >= 0);
	if (strcmp(found, text) != 0) {
		(void)fprintf(stderr, "%s has \"%s\"\n", path, found);
		_exit(1);
	}
}

static bool is_refused(const char *path, int number)
{
	CES_CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	return fd < 0 && errno == number;
}

static void prepare(void)
{
	static char *layers[] = {HERE "/high", HERE "/low", HERE "/high"}, *sh[] = {"sh"};

	MUST(mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0);
	MUST(mkdir(CES_RUN_DIR, 0755) == 0 && mkdir(HERE, 0755) == 0);
	close(make_place(HERE "/low"));
	close(make_place(HERE "/high"));
	MUST(mkdir(HERE "/low/dir", 0755) == 0 && mkdir(HERE "/high/dir", 0755) == 0);
	put(HERE "/low/dir/a", "low a");
	put(HERE "/low/dir/b", "low b");
	put(HERE "/high/dir/b", "high b");
	image.diff_ids = (struct ces_strings){layers, 3};
	image.cmd = (struct ces_strings){sh, 1};
	cgroup.dir[CES_HIERARCHY_V2] = make_place(HERE "/cgroup");
	plan_mount("/safe_data", make_place(HERE "/data"), true, false);
	plan_mount("/safe_outputs", make_place(HERE "/outputs"), false, false);
	put(HERE "/data/file", "data");
	/* a mount below the data comes along, so that it hides what it hid, and is read-only too */
	close(make_place(HERE "/data/below"));
	MUST(mount("tmpfs", HERE "/data/below", "tmpfs", 0, NULL) == 0);
	put(HERE "/data/below/file", "below");
}

static void look(void)
{
	has_text("/m/dir/a", "low a");
	has_text("/m/dir/b", "high b");
	has_text("/d/0/file", "data");
	has_text("/d/0/below/file", "below");
	flags_are("/l/0", ST_RDONLY | ST_NOSUID | ST_NODEV);
	flags_are("/l/1", ST_RDONLY | ST_NOSUID | ST_NODEV);
	flags_are("/d/0", ST_RDONLY | ST_NOSUID | ST_NODEV);
	flags_are("/d/0/below", ST_RDONLY | ST_NOSUID | ST_NODEV);
	flags_are("/d/1", ST_NOSUID | ST_NODEV);
	flags_are("/m", ST_NOSUID | ST_NODEV);
	flags_are("/u", ST_NOSUID | ST_NODEV);
	flags_are("/usr", ST_RDONLY | ST_NOSUID | ST_NODEV);
	flags_are("/sys/fs/cgroup", ST_RDONLY | ST_NOSUID | ST_NODEV);
	MUST(is_refused("/d/0/file", EROFS) && is_refused("/d/0/below/file", EROFS));
	MUST(is_refused("/l/1/dir/a", EROFS) && is_refused("/usr/x", EROFS));
	put("/d/1/new", "x");
	put("/m/dir/a", "new a"); /* into the upper layer alone */
	has_text("/l/1/dir/a", "low a");
	/* nothing else of the host */
	MUST(access("/etc", F_OK) < 0 && access("/home", F_OK) < 0 && access("/tmp", F_OK) < 0);
	MUST(access(HERE, F_OK) < 0 && access("/run/ces", F_OK) < 0);
	MUST(chdir("../../../..") == 0 && access("m/dir", F_OK) == 0 && access("home", F_OK) < 0);
	MUST(umask(0) == 077);
}

static void be_the_helper(void)
{
	int root = -1;

	be_root_of_a_namespace();
	MUST(ces_rootfs_unshare(&err) == 0);
	prepare();
	MUST(ces_rootfs_build(&plan, userns_is, &cgroup, &root, &err) == 0);
	MUST(ces_rootfs_enter(root, &err) == 0);
	close(root);
	MUST(n_mapped == 2);
	look();
	_exit(0);
}

/* A kernel without user namespaces for this user fails it. */
START_TEST(a_process_sees_the_tree_of_its_run_and_nothing_else_of_the_host)
{
	int status;
	pid_t pid;

	plan_begin();
	pid = fork();
	if (pid == 0)
		be_the_helper();
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("real");

	tcase_set_timeout(t, 30);
	tcase_add_test(t, a_process_sees_the_tree_of_its_run_and_nothing_else_of_the_host);
	return run_suite("rootfs_real", t);
}
