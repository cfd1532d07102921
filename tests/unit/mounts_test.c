/* Tests mounts by fd: the flags and the order of each step, and what the kernel then shows of such
 * a mount in a namespace of the test's own. */
/* links: helper/session/mounts.c helper/clean/tree.c */
#include "helper/session/mounts.h"

#include <check.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"
#include "tests/unit/session_steps.h"

static struct ces_error err;
static bool real; /* the kernel's own calls */

/* A new fd for a step that gives one. */
static int gives(int result)
{
	return result < 0 ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int open_tree(int fd, const char *path, unsigned flags)
{
	if (real)
		return (int)syscall(SYS_open_tree, fd, path, flags);
	ck_assert_uint_eq(
	    flags & ~(unsigned)(OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE),
	    0);
	return gives(
	    step("open_tree %d '%s'%s%s%s%s", fd, path, flags & OPEN_TREE_CLONE ? " clone" : "",
		 flags & OPEN_TREE_CLOEXEC ? " cloexec" : "", flags & AT_EMPTY_PATH ? " empty" : "",
		 flags & AT_RECURSIVE ? " recursive" : ""));
}

int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *a, size_t size)
{
	if (real)
		return (int)syscall(SYS_mount_setattr, fd, path, flags, a, size);
	ck_assert_uint_eq(size, sizeof(*a));
	return step("mount_setattr '%s'%s%s set %llx clear %llx%s userns %llu", path,
		    flags & AT_EMPTY_PATH ? " empty" : "", flags & AT_RECURSIVE ? " recursive" : "",
		    (unsigned long long)a->attr_set, (unsigned long long)a->attr_clr,
		    a->propagation == MS_PRIVATE ? " private" : "",
		    (unsigned long long)a->userns_fd);
}

int fsopen(const char *type, unsigned flags)
{
	if (real)
		return (int)syscall(SYS_fsopen, type, flags);
	return gives(step("fsopen %s%s", type, flags == FSOPEN_CLOEXEC ? " cloexec" : ""));
}

int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
	if (real)
		return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
	ck_assert_int_eq(aux, 0);
	return command == FSCONFIG_SET_STRING ? step("%s=%s", key, (const char *)value)
	       : command == FSCONFIG_CMD_CREATE && key == NULL && value == NULL
		   ? step("create")
		   : step("fsconfig %u", command);
}

int fsmount(int fd, unsigned flags, unsigned attributes)
{
	if (real)
		return (int)syscall(SYS_fsmount, fd, flags, attributes);
	return gives(step("fsmount%s attributes %x", flags == FSMOUNT_CLOEXEC ? " cloexec" : "",
			  attributes));
}

int move_mount(int from, const char *path, int to, const char *to_path, unsigned flags)
{
	if (real)
		return (int)syscall(SYS_move_mount, from, path, to, to_path, flags);
	return step("move_mount %d '%s' to %d '%s'%s", from, path, to, to_path,
		    flags == MOVE_MOUNT_F_EMPTY_PATH ? " empty" : "");
}

static const struct {
	bool read_only;
	int userns;
	const char *steps;
} clones[] = {
    {true, -1,
     "open_tree 7 '' clone cloexec empty recursive\n"
     "mount_setattr '' empty recursive set 7 clear 0 private userns 0\n"},
    {false, -1,
     "open_tree 7 '' clone cloexec empty recursive\n"
     "mount_setattr '' empty recursive set 6 clear 0 private userns 0\n"},
    {true, 0,
     "open_tree 7 '' clone cloexec empty\n"
     "mount_setattr '' empty set 100007 clear 0 private userns 0\n"},
    {false, 9,
     "open_tree 7 '' clone cloexec empty\n"
     "mount_setattr '' empty set 100006 clear 0 private userns 9\n"},
};

START_TEST(a_copy_is_private_and_has_its_flags_before_anybody_gets_it)
{
	size_t fds = open_fds();
	int fd = -7;

	steps_begin(0, 0);
	ck_assert_int_eq(ces_mount_clone(7, clones[_i].read_only, clones[_i].userns, &fd, &err), 0);
	steps_are(clones[_i].steps, 0);
	ck_assert_int_ge(fd, 0);
	close(fd);
	for (unsigned fail = 1; fail <= 2; fail++) {
		fd = -7;
		steps_begin(fail, EPERM);
		ck_assert_int_eq(
		    ces_mount_clone(7, clones[_i].read_only, clones[_i].userns, &fd, &err), -1);
		steps_are(clones[_i].steps, fail);
		ck_assert_int_eq(err.code, CES_E_HOST);
		ck_assert_int_eq(err.sys, EPERM);
		ck_assert_str_eq(err.text, fail == 1 ? "copying a mount: Operation not permitted"
						     : "flags of a mount: Operation not permitted");
		ck_assert_int_eq(fd, -7);
		ck_assert_uint_eq(open_fds(), fds);
	}
}
END_TEST

START_TEST(a_file_system_without_id_maps_is_named_as_the_cause)
{
	int fd = -7;

	steps_begin(2, EINVAL);
	ck_assert_int_eq(ces_mount_clone(7, true, 9, &fd, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "has no id-mapped mounts"));
	steps_begin(2, EINVAL);
	ck_assert_int_eq(ces_mount_clone(7, true, -1, &fd, &err), -1);
	ck_assert_ptr_null(strstr(err.text, "id-mapped"));
}
END_TEST

static const struct {
	uint64_t bytes, inodes;
	bool dev;
	const char *steps;
} memory[] = {
    {4096, 10, true,
     "fsopen tmpfs cloexec\nsize=4096\nnr_inodes=10\nmode=755\ncreate\nfsmount cloexec attributes "
     "2\n"},
    {UINT64_MAX, UINT64_MAX, false,
     "fsopen tmpfs "
     "cloexec\nsize=18446744073709551615\nnr_inodes=18446744073709551615\n"
     "mode=755\ncreate\nfsmount cloexec attributes 6\n"},
};

START_TEST(a_tmpfs_has_its_bounds_before_it_is_made)
{
	size_t fds = open_fds();
	unsigned n = 0;
	int fd = -7;

	steps_begin(0, 0);
	ck_assert_int_eq(
	    ces_mount_tmpfs(memory[_i].bytes, memory[_i].inodes, memory[_i].dev, &fd, &err), 0);
	steps_are(memory[_i].steps, 0);
	close(fd);
	n = steps->n;
	for (unsigned fail = 1; fail <= n; fail++) {
		steps_begin(fail, ENOSPC);
		ck_assert_int_eq(
		    ces_mount_tmpfs(memory[_i].bytes, memory[_i].inodes, memory[_i].dev, &fd, &err),
		    -1);
		steps_are(memory[_i].steps, fail);
		ck_assert_int_eq(err.code, CES_E_HOST);
		ck_assert_int_eq(err.sys, ENOSPC);
		ck_assert_str_eq(err.text, fail < n ? "making a tmpfs: No space left on device"
						    : "mounting a tmpfs: No space left on device");
		ck_assert_uint_eq(open_fds(), fds);
	}
}
END_TEST

START_TEST(a_mount_is_attached_below_its_directory_by_its_fd)
{
	steps_begin(0, 0);
	ck_assert_int_eq(ces_mount_attach(7, 8, "a/b", &err), 0);
	steps_are("move_mount 7 '' to 8 'a/b' empty\n", 0);
	steps_begin(1, ENOENT);
	ck_assert_int_eq(ces_mount_attach(7, 8, "a/b", &err), -1);
	ck_assert_str_eq(err.text, "mounting at a/b: No such file or directory");
}
END_TEST

/* ---- in the kernel ---- */

static void set_up(void)
{
	real = true;
	scene_begin();
}

static unsigned long flags_at(const char *path)
{
	struct statvfs st;

	ck_assert_int_eq(statvfs(path, &st), 0);
	return st.f_flag;
}

START_TEST(the_kernel_makes_such_a_tmpfs)
{
	struct statvfs st;
	int fd = -1;

	ck_assert_int_eq(mkdir("at", 0700), 0);
	ck_assert_msg(ces_mount_tmpfs(1 << 20, 20, false, &fd, &err) == 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(ces_mount_attach(fd, AT_FDCWD, "at", &err), 0);
	ck_assert_int_eq(mode_of("at"), S_IFDIR | 0755);
	ck_assert_int_eq(statvfs("at", &st), 0);
	ck_assert_uint_eq(st.f_blocks * st.f_bsize, 1 << 20);
	ck_assert_uint_eq(st.f_files, 20);
	ck_assert_uint_eq(st.f_flag & (ST_NOSUID | ST_NODEV), ST_NOSUID | ST_NODEV);
	close(fd);
	ck_assert_int_eq(umount("at"), 0);
}
END_TEST

/* What is mounted below a directory is in the copy too, with the same flags: nothing that the mount
 * hides comes to light, and nothing in it can be written. */
START_TEST(the_kernel_copies_the_whole_tree_with_its_flags)
{
	CES_CLEANUP_FD int source = -1;
	int fd = -1;

	ck_assert_int_eq(mkdir("source", 0700), 0);
	ck_assert_int_eq(mkdir("at", 0700), 0);
	ck_assert_int_eq(mount("none", "source", "tmpfs", 0, NULL), 0);
	ck_assert_int_eq(mkdir("source/below", 0700), 0);
	write_text("source/below/hidden", "x");
	ck_assert_int_eq(mount("none", "source/below", "tmpfs", 0, NULL), 0);
	write_text("source/below/seen", "x");
	source = open("source", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_msg(ces_mount_clone(source, _i == 0, -1, &fd, &err) == 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
	ck_assert_int_eq(ces_mount_attach(fd, AT_FDCWD, "at", &err), 0);
	ck_assert_int_eq(access("at/below/hidden", F_OK), -1);
	ck_assert_int_eq(access("at/below/seen", F_OK), 0);
	for (int i = 0; i < 2; i++) {
		unsigned long flags = flags_at(i == 0 ? "at" : "at/below");

		ck_assert_uint_eq(flags & (ST_NOSUID | ST_NODEV), ST_NOSUID | ST_NODEV);
		ck_assert_uint_eq(flags & ST_RDONLY, _i == 0 ? ST_RDONLY : 0);
	}
	ck_assert_uint_eq(flags_at("source") & ST_RDONLY, 0);
	close(fd);
	ck_assert_int_eq(umount2("at", MNT_DETACH), 0);
	ces_cleanup_close(&source);
	ck_assert_int_eq(umount2("source", MNT_DETACH), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mounts");
	TCase *t = tcase_create("steps"), *kernel = tcase_create("kernel");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(t, a_copy_is_private_and_has_its_flags_before_anybody_gets_it, 0,
			    CES_COUNT(clones));
	tcase_add_test(t, a_file_system_without_id_maps_is_named_as_the_cause);
	tcase_add_loop_test(t, a_tmpfs_has_its_bounds_before_it_is_made, 0, CES_COUNT(memory));
	tcase_add_test(t, a_mount_is_attached_below_its_directory_by_its_fd);
	tcase_add_checked_fixture(kernel, set_up, scene_end);
	tcase_add_test(kernel, the_kernel_makes_such_a_tmpfs);
	tcase_add_loop_test(kernel, the_kernel_copies_the_whole_tree_with_its_flags, 0, 2);
	suite_add_tcase(suite, t);
	suite_add_tcase(suite, kernel);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
