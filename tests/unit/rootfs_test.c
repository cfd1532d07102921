/* Tests the file tree of a run: the steps that make it, in order, with the flags of each mount; the
 * owners and modes of what is in it; and that a step that fails is the last. */
/* links: helper/launch/rootfs.c helper/launch/overlay.c helper/launch/devices.c helper/launch/gpu_files.c helper/session/mounts.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "tests/unit/rootfs_scene.h"

#include "helper/launch/overlay.h"

static struct ces_cgroup cgroup = CES_CGROUP_NONE;
static int places[5];

static int make_place(const char *name)
{
	int fd;

	ck_assert_int_eq(syscall(SYS_mkdirat, directory, name, 0755), 0);
	fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

static void set_up(void)
{
	static char *layers[] = {"layer0", "layer1"};

	directory_begin();
	steps_begin(0, 0);
	plan_begin();
	bottom = context_is = "";
	tree = make_place("tree");
	cgroup.dir[CES_HIERARCHY_V2] = places[0] = make_place("cgroup");
	close(make_place("layer0"));
	close(make_place("layer1"));
	image.diff_ids = (struct ces_strings){layers, 2};
	plan_map(5, 6);
	plan_mount("/safe_data", places[1] = make_place("data"), true, false);
	plan_mount("/safe_outputs", places[2] = make_place("outputs"), false, false);
	plan_mount("/scratch", places[3] = make_place("scratch"), false, false);
	plan_mount("/home/x/file", places[4] = make_place("bind"), true, true);
	decision.n_tmpfs = 1;
	strcpy(decision.tmpfs[0].destination, "/var/cache");
}

static void tear_down(void)
{
	for (size_t i = 0; i < CES_COUNT(places); i++)
		close(places[i]);
	close(tree);
	clear_directory(directory_path);
	directory_end();
}

static int build(void)
{
	CES_CLEANUP_FD int root = -1;
	size_t before = open_fds();
	int result;

	steps->n = 0;
	result = ces_rootfs_build(&plan, 33, &cgroup, &root, &err);
	ck_assert_int_eq(root >= 0, result == 0);
	ck_assert_uint_eq(open_fds(), before + (root >= 0));
	return result;
}

/* clone: OPEN_TREE_CLONE 1, AT_EMPTY_PATH 1000, AT_RECURSIVE 8000, OPEN_TREE_CLOEXEC 80000
 * flags: RDONLY 1, NOSUID 2, NODEV 4, IDMAP 100000; propagation: MS_PRIVATE 40000
 * attach: MOVE_MOUNT_F_EMPTY_PATH 4; fsmount: FSMOUNT_CLOEXEC 1 */
static const char *const mounts[] = {
    "fsopen tmpfs 1", "fsconfig 1 size=16777216", "fsconfig 1 nr_inodes=8192",
    "fsconfig 1 mode=755", "fsconfig 6 =", "fsmount 1 2", /* nosuid; device nodes work */
    "attach :/run/ces 4", "layer layer1", "clone layer1 81001",
    "flags layer1 100007 40000 1000 userns 33", "attach tree:l/0 4", "bottom layer1",
    "layer layer0", "clone layer0 81001", "flags layer0 100007 40000 1000 userns 33",
    "attach tree:l/1 4", "bottom layer0", "fsopen tmpfs 1", "fsconfig 1 size=1073741824",
    "fsconfig 1 nr_inodes=270336", "fsconfig 1 mode=755",
    "fsconfig 6 =", "fsmount 1 6", /* nosuid, nodev */
    "attach tree:u 4",
    /* CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, FSETID 4, SYS_ADMIN 21 */
    "capabilities 20001b",
    "mount overlay /run/ces/m overlay 6 redirect_dir=nofollow,metacopy=off,index=off,"
    "upperdir=/run/ces/u/u,workdir=/run/ces/u/w,lowerdir=/run/ces/l/0:/run/ces/l/1:/run/ces/e",
    "capabilities ffffffffffffffff", "clone data 89001", "flags data 7 40000 9000 userns 0",
    "attach tree:d/0 4", "clone outputs 89001", "flags outputs 6 40000 9000 userns 0",
    "attach tree:d/1 4", "clone scratch 89001", "flags scratch 6 40000 9000 userns 0",
    "attach tree:d/2 4", "clone bind 89001", "flags bind 7 40000 9000 userns 0",
    "attach tree:d/3 4", "clone /usr 89001", "flags /usr 7 40000 9000 userns 0",
    "attach tree:usr 4", "clone /proc 80001", "attach tree:proc 4", "clone /sys 80001",
    "attach tree:sys 4", "clone cgroup 89001", "flags cgroup 7 40000 9000 userns 0",
    "attach tree:sys/fs/cgroup 4", NULL};

/* Leaves out the steps that make a directory, a link or a node, or give it away. */
static void leave_out_names(void)
{
	static const char *const words[] = {"mkdir ", "link ", "mknod ", "chown ", "chmod "};
	size_t n = 0;

	for (size_t i = 0; i < steps->n; i++) {
		bool keep = true;

		for (size_t j = 0; j < CES_COUNT(words); j++)
			keep = keep && strncmp(steps->v[i], words[j], strlen(words[j])) != 0;
		if (keep)
			memmove(steps->v[n++], steps->v[i], sizeof(steps->v[0]));
	}
	steps->n = n;
}

START_TEST(the_mounts_of_a_run_are_made_in_this_order_with_these_flags)
{
	ck_assert_msg(build() == 0, "%s", err.text);
	leave_out_names();
	steps_check(mounts, 0);
}
END_TEST

static bool is_step(const char *words)
{
	return steps_count(words) == 1;
}

START_TEST(what_the_container_may_change_is_its_roots_and_the_rest_is_roots)
{
	struct stat st;

	ck_assert_int_eq(build(), 0);
	/* (5 and 6 are the caller inside, 0 is 200000) */
	ck_assert(is_step("chown tree/run 200000:200000 100"));
	ck_assert(is_step("chown tree/bundle 200000:200000 100"));
	ck_assert(is_step("chown tree/u/u 200000:200000 100"));
	ck_assert(is_step("chown tree/u/w 200000:200000 100"));
	ck_assert(is_step("chown tree/dev/console 1000:1000"));
	ck_assert_uint_eq(steps_count("chown tree/l"), 0);
	ck_assert_uint_eq(steps_count("chown tree/m"), 0);
	ck_assert_uint_eq(steps_count("chown tree/usr"), 0);
	ck_assert_uint_eq(steps_count("chown tree/proc"), 0);
	ck_assert_uint_eq(steps_count("chown tree/d"), 1); /* (dev/console) */
	ck_assert_uint_eq(steps_count("chown "), 5);
	ck_assert_int_eq(fstatat(tree, "dev/shm", &st, AT_SYMLINK_NOFOLLOW), 0);
	ck_assert_uint_eq(st.st_mode, S_IFDIR | 01777);
}
END_TEST

static const struct {
	const char *path;
	mode_t mode;
} made[] = {{"l", S_IFDIR | 0755},       {"d/0", S_IFDIR | 0755},
	    {"d/3", S_IFREG | 0644},     {"bundle", S_IFDIR | 0755},
	    {"dev/pts", S_IFDIR | 0755}, {"dev/console", S_IFREG | 0620},
	    {"run", S_IFDIR | 0755},     {"lib64", S_IFLNK | 0777}};

START_TEST(modes_do_not_depend_on_the_mask_of_the_caller)
{
	struct stat st;

	(void)umask(077);
	ck_assert_int_eq(build(), 0);
	for (size_t i = 0; i < CES_COUNT(made); i++) {
		ck_assert_int_eq(fstatat(tree, made[i].path, &st, AT_SYMLINK_NOFOLLOW), 0);
		ck_assert_msg(st.st_mode == made[i].mode, "%s: %o", made[i].path, st.st_mode);
	}
}
END_TEST

/* Each step in turn: nothing is done after it, and no descriptor stays. */
START_TEST(a_step_that_fails_is_the_last)
{
	static char all[STEPS_MAX][sizeof(steps->v[0])];
	size_t n, tried = 0;

	ck_assert_int_eq(build(), 0);
	n = steps->n;
	memcpy(all, steps->v, sizeof(all));
	ck_assert_uint_gt(n, 80);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(all[i], "bottom", 6) == 0)
			continue; /* (its failure is not one of the run's) */
		clear_directory(strcat(strcpy((char[80]){0}, directory_path), "/tree"));
		err = (struct ces_error){0};
		steps->failing = i + 1;
		steps->error = EDQUOT;
		ck_assert_msg(build() < 0, "%s", all[i]);
		/* the capabilities come back after a mount that fails */
		ck_assert_msg(steps->n == i + 1 + (strncmp(all[i], "mount ", 6) == 0),
			      "after %s comes %s", all[i], steps->v[i + 1]);
		for (size_t j = 0; j <= i; j++)
			ck_assert_str_eq(steps->v[j], all[j]);
		ck_assert_int_eq(err.sys, EDQUOT);
		tried++;
	}
	ck_assert_uint_eq(tried, n - 2);
}
END_TEST

START_TEST(layers_below_one_that_hides_them_are_not_mounted)
{
	bottom = "layer1";
	ck_assert_int_eq(build(), 0);
	ck_assert_uint_eq(steps_count("layer layer0"), 0);
	ck_assert_uint_eq(
	    steps_count("mount overlay /run/ces/m overlay 6 redirect_dir=nofollow,metacopy=off,"
			"index=off,upperdir=/run/ces/u/u,workdir=/run/ces/u/w,"
			"lowerdir=/run/ces/l/0:/run/ces/e"),
	    1);
	ck_assert_ptr_null(strstr(steps->v[steps->n - 1], "l/1"));
}
END_TEST

START_TEST(of_a_layer_that_an_image_has_twice_the_higher_one_is_mounted)
{
	static char *v[] = {"layer0", "layer1", "layer0", "layer1", "layer1"};

	image.diff_ids = (struct ces_strings){v, CES_COUNT(v)};
	ck_assert_int_eq(build(), 0);
	ck_assert_uint_eq(steps_count("layer layer0"), 1);
	ck_assert_uint_eq(steps_count("layer layer1"), 1);
	ck_assert_uint_eq(
	    steps_count("mount overlay /run/ces/m overlay 6 redirect_dir=nofollow,metacopy=off,"
			"index=off,upperdir=/run/ces/u/u,workdir=/run/ces/u/w,"
			"lowerdir=/run/ces/l/0:/run/ces/l/1:/run/ces/e"),
	    1);
}
END_TEST

START_TEST(an_image_without_layers_is_an_empty_directory)
{
	image.diff_ids.n = 0;
	ck_assert_int_eq(build(), 0);
	ck_assert_uint_eq(steps_count("layer"), 0);
	ck_assert_uint_eq(
	    steps_count("mount overlay /run/ces/m overlay 6 redirect_dir=nofollow,metacopy=off,"
			"index=off,upperdir=/run/ces/u/u,workdir=/run/ces/u/w,lowerdir=/run/ces/e"),
	    1);
}
END_TEST

START_TEST(a_context_is_in_quotes_before_the_other_options)
{
	context_is = "system_u:object_r:f_t:s0:c1,c2";
	ck_assert_int_eq(build(), 0);
	ck_assert_uint_eq(steps_count("mount overlay /run/ces/m overlay 6 "
				      "context=\"system_u:object_r:f_t:s0:c1,c2\",redirect_dir="),
			  1);
}
END_TEST

START_TEST(more_layers_than_one_mount_takes_are_refused_before_it)
{
	static char *many[600];

	for (size_t i = 0; i < CES_COUNT(many); i++)
		many[i] = "layer0";
	/* (fewer steps than the list can have) */
	ck_assert_int_lt(ces_overlay_mount("/run/ces", "", CES_COUNT(many), &err), 0);
	ck_assert_str_eq(err.text, "mounting the overlay: too many layers");
	ck_assert_uint_eq(steps->n, 0);
}
END_TEST

START_TEST(a_tmpfs_of_the_least_size_has_room_for_its_directories)
{
	decision.limits.writable_layer = 0;
	ck_assert_int_eq(build(), 0);
	ck_assert_uint_eq(steps_count("fsconfig 1 size=0"), 1);
	ck_assert_uint_eq(steps_count("fsconfig 1 nr_inodes=8192"), 2); /* (the tree has as many) */
}
END_TEST

START_TEST(the_mount_namespace_is_private_before_anything_else)
{
	ck_assert_int_eq(ces_rootfs_unshare(&err), 0);
	/* CLONE_NEWNS; MS_REC | MS_PRIVATE */
	steps_check((const char *const[]){"unshare 20000", "mount - / - 44000 -", NULL}, 0);
	for (size_t i = 1; i <= 2; i++) {
		steps_begin(i, EPERM);
		ck_assert_int_lt(ces_rootfs_unshare(&err), 0);
		ck_assert_uint_eq(steps->n, i);
		ck_assert_str_eq(err.text, "private mount namespace: Operation not permitted");
	}
}
END_TEST

START_TEST(the_hosts_tree_goes_when_the_runs_takes_its_place)
{
	static const char *const enter[] = {"chdir tree", "pivot . .", "umount . 2", "chdir /",
					    NULL};

	ck_assert_int_eq(ces_rootfs_enter(tree, &err), 0);
	steps_check(enter, 0); /* MNT_DETACH 2 */
	ck_assert_uint_eq(umask(0), 077);
	for (size_t i = 1; i <= 4; i++) {
		steps_begin(i, EBUSY);
		ck_assert_int_lt(ces_rootfs_enter(tree, &err), 0);
		steps_check(enter, i);
		ck_assert_int_eq(err.sys, EBUSY);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("rootfs");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_mounts_of_a_run_are_made_in_this_order_with_these_flags);
	tcase_add_test(t, what_the_container_may_change_is_its_roots_and_the_rest_is_roots);
	tcase_add_test(t, modes_do_not_depend_on_the_mask_of_the_caller);
	tcase_add_test(t, a_step_that_fails_is_the_last);
	tcase_add_test(t, layers_below_one_that_hides_them_are_not_mounted);
	tcase_add_test(t, of_a_layer_that_an_image_has_twice_the_higher_one_is_mounted);
	tcase_add_test(t, an_image_without_layers_is_an_empty_directory);
	tcase_add_test(t, a_context_is_in_quotes_before_the_other_options);
	tcase_add_test(t, more_layers_than_one_mount_takes_are_refused_before_it);
	tcase_add_test(t, a_tmpfs_of_the_least_size_has_room_for_its_directories);
	tcase_add_test(t, the_mount_namespace_is_private_before_anything_else);
	tcase_add_test(t, the_hosts_tree_goes_when_the_runs_takes_its_place);
	return run_suite("rootfs", t);
}
