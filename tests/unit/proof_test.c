/* Tests that the auditor sees each difference between a container and its plan. */
/* links: helper/audit/proof.c helper/audit/proof_mounts.c helper/audit/proof_nodes.c helper/audit/proof_filter.c helper/audit/proc.c helper/launch/profile.c helper/session/json.c helper/core/beneath.c */
#include "tests/unit/proof_scene.h"

START_TEST(a_container_as_planned_is_recorded)
{
	ck_assert_int_eq(prove(), 0);
	ck_assert(recorded && !durable);
	ck_assert_ptr_null(strstr(found, "deviation"));
	ck_assert_ptr_nonnull(strstr(found, "\"uids\":\"1000 1000 1000 1000\""));
	ck_assert_ptr_nonnull(strstr(found, "\"groups\":[4411,200008]"));
	ck_assert_ptr_nonnull(strstr(found, "\"uid_map\":\"0 1000 1,1 200001 65535\""));
	ck_assert_ptr_nonnull(strstr(found, "\"cgroup\":\"ces/1000/1\""));
	ck_assert_ptr_nonnull(strstr(found, "\"/safe_data ro,nosuid,nodev ext4\""));
	ck_assert_ptr_nonnull(strstr(found, "\"masked\":1"));
	ck_assert_ptr_nonnull(strstr(found, "\"seccomp_program\":\"the runtime's\""));
}
END_TEST

/* In each row one line of the kernel's is another. */
static const struct {
	const char *file, *old, *new, *says;
} lines[] = {
    {"100/status", "Uid:\t1000\t1000\t1000\t1000", "Uid:\t1000\t0\t1000\t1000",
     "its uid is 1000 0"},
    {"100/status", "Uid:\t1000\t1000\t1000\t1000", "Uid:\t1001\t1001\t1001\t1001", "not 1000"},
    {"100/status", "Gid:\t1000\t1000\t1000\t1000", "Gid:\t1000\t1000\t1000\t0", "its gid is"},
    {"100/status", "Groups:\t4411", "Groups:\t0", "in the group 0 of the host"},
    {"100/status", "Groups:\t4411", "Groups:\t4411 4412", "in the group 4412 of the host"},
    {"100/status", "CapInh:\t0000000000000000", "CapInh:\t0000000000000001", "inheritable"},
    {"100/status", "CapPrm:\t00000000000004fb", "CapPrm:\t00000000002004fb", "permitted"},
    {"100/status", "CapEff:\t00000000000004fb", "CapEff:\t00000000002004fb", "effective"},
    {"100/status", "CapBnd:\t00000000000004fb", "CapBnd:\t000001ffffffffff", "bounding"},
    {"100/status", "CapAmb:\t0000000000000000", "CapAmb:\t00000000000004fb", "ambient"},
    {"100/status", "CapBnd:", "CapBnx:", "bounding"},
    {"100/status", "NoNewPrivs:\t1", "NoNewPrivs:\t0", "may gain privileges"},
    {"100/status", "Seccomp:\t2", "Seccomp:\t0", "no system call filter"},
    {"100/status", "Seccomp_filters:\t1", "Seccomp_filters:\t0", "no system call filter"},
    {"100/uid_map", "200001", "200002", "its uid_map is not the planned one"},
    {"100/uid_map", "65535", "65536", "its uid_map"},
    {"100/uid_map", "         1     200001      65535\n", "", "its uid_map"},
    {"100/gid_map", "65535\n", "65535\n 70000 0 1\n", "its gid_map is not the planned one"},
    {"100/gid_map", "       4411 ", "          0 ", "its gid_map"},
    {"cgroup/cgroup.procs", "100", "1000", "not in the cgroup ces/1000/1"},
    {"pids/cgroup.procs", "100\n", "", "not in the cgroup"},
    {"100/net/dev", "    lo", "  eth0", "it has no loopback interface"},
    {"100/net/dev", "    lo:", "    xo", "it has no loopback interface"},
    {"100/mountinfo", "/ / rw,nosuid", "/ / rw", "/ is mounted without its flags"},
    {"100/mountinfo", "- overlay", "- ext4", "/ is a ext4, not a overlay"},
    {"100/mountinfo", "/safe_data ro", "/safe_data rw", "/safe_data can be written"},
    {"100/mountinfo", "b ro,nosuid", "b ro", "/safe_data/a b is mounted without its flags"},
    {"100/mountinfo", "b ro,nosuid", "b rw,nosuid", "/safe_data/a b can be written"},
    {"100/mountinfo", "/safe_outputs rw,nosuid", "/safe_outputs rw", "without its flags"},
    {"100/mountinfo", "/safe_outputs", "/safe_outputz", "is not in the plan"},
    {"100/mountinfo", "/proc rw,nosuid,nodev,noexec", "/proc rw,nosuid,nodev", "without its flags"},
    {"100/mountinfo", "sysfs sysfs rw\n", "sysfs sysfs rw\n20 1 0:9 / /mnt rw - ext4 x rw\n",
     "/mnt is mounted, and is not in the plan"},
    {"100/mountinfo", "proc proc rw\n",
     "proc proc rw\n20 1 0:2 / /proc rw,nosuid,nodev,noexec - proc p rw\n",
     "/proc is mounted, and is not in the plan"},
    {"100/mountinfo", "/dev/null /proc/kcore", "/kcore /proc/kcore", "/proc/kcore can be seen"},
    {"100/mountinfo", "12 2 0:3 /dev/null /proc/kcore rw,nosuid - tmpfs d rw\n", "",
     "/proc/kcore is not hidden"},
    {"100/mountinfo", "/proc/sys ro", "/proc/sys rw", "/proc/sys can be written"},
    {"100/mountinfo", "13 2 0:2 /sys /proc/sys ro,nosuid,nodev,noexec - proc proc rw\n", "",
     "/proc/sys is not protected from writing"},
    {"100/mountinfo", "11 1 0:8 / /run/tmp rw,nosuid,nodev - tmpfs t rw\n", "",
     "/run/tmp is not mounted"},
    {"100/mountinfo", "0:8 / /run/tmp rw,nosuid,nodev - tmpfs",
     "0:8 / /run/tmp rw,nosuid,nodev - ext4", "/run/tmp is a ext4"},
    {"100/mountinfo", " - overlay o rw", "", "its mounts cannot be read"},
    {"m/dev/null", "1:3", "1:1", "it has a device /dev/null"},
    {"m/dev/zero", "c", "b", "it has a device /dev/zero"},
};

START_TEST(one_other_line_of_the_kernels_is_a_deviation)
{
	change(lines[_i].file, lines[_i].old, lines[_i].new);
	deviates(lines[_i].says);
}
END_TEST

START_TEST(a_user_who_is_not_root_has_no_capability)
{
	plan.uid = 5;
	plan.gid = 6;
	change("100/status", "Uid:\t1000\t1000\t1000\t1000",
	       "Uid:\t200005\t200005\t200005\t200005");
	change("100/status", "Gid:\t1000\t1000\t1000\t1000",
	       "Gid:\t200006\t200006\t200006\t200006");
	change("100/status", "Groups:\t4411 200008", "Groups:\t4411");
	change("100/status", "CapPrm:\t00000000000004fb", "CapPrm:\t0000000000000000");
	deviates("its effective capabilities are 00000000000004fb, not 0000000000000000");
	change("100/status", "CapEff:\t00000000000004fb", "CapEff:\t0000000000000000");
	steps[0] = '\0';
	ck_assert_int_eq(prove(), 0);
}
END_TEST

START_TEST(groups_of_the_images_user_are_for_that_user_alone)
{
	plan.image->uid = 5; /* the program starts as another */
	deviates("it is in the group 200008 of the host");
}
END_TEST

START_TEST(the_last_of_many_groups_is_compared_too)
{
	char groups[4096] = "Groups:\t";

	for (int i = 0; i < 500; i++)
		strcat(groups, "4411 ");
	strcat(groups, "7");
	change("100/status", "Groups:\t4411", groups);
	deviates("it is in the group 7 of the host");
}
END_TEST

START_TEST(each_namespace_is_the_one_that_was_made)
{
	static const char *const made[] = {"cgroup", "ipc", "net", "user", "uts"};
	char path[32], other[32];

	(void)snprintf(path, sizeof(path), "100/ns/%s", made[_i]);
	(void)snprintf(other, sizeof(other), "self/ns/%s", made[_i]);
	put("another", "");
	share("another", path);
	deviates("namespace is not the one made for it");
	share(other, path);
	steps[0] = '\0';
	deviates("namespace is the host's");
}
END_TEST

START_TEST(mounts_and_processes_are_neither_the_hosts_nor_the_runtimes)
{
	static const char *const kinds[] = {"mnt", "pid"};
	char path[32], other[32];

	(void)snprintf(path, sizeof(path), "100/ns/%s", kinds[_i]);
	(void)snprintf(other, sizeof(other), "101/ns/%s", kinds[_i]);
	share(other, path);
	deviates("namespace is the runtime's");
	(void)snprintf(other, sizeof(other), "self/ns/%s", kinds[_i]);
	share(other, path);
	steps[0] = '\0';
	deviates("namespace is the host's");
}
END_TEST

START_TEST(an_interface_that_is_down_is_recorded_and_one_that_is_up_deviates)
{
	change("100/net/dev", "    lo:", "tunl0: 0\n    lo:");
	ck_assert_int_eq(prove(), 0);
	ck_assert_ptr_nonnull(strstr(found, "\"network\":[\"tunl0\",\"lo\"]"));
	interface_up = true;
	steps[0] = '\0';
	deviates("it has a network interface tunl0");
}
END_TEST

START_TEST(devices_are_the_standard_ones_and_those_of_the_plan)
{
	put("m/dev/mem", "c 1:1");
	deviates("it has a device /dev/mem");
	ck_assert_int_eq(unlink(below("m/dev/mem")), 0);
	put("m/dev/dri/card0", "c 226:0");
	steps[0] = '\0';
	deviates("it has a device /dev/dri/card0");
	plan.gpus.nodes[0] = (struct ces_device){"dri/card0", 226, 0, false};
	plan.gpus.n_nodes = 1;
	put("m/dev/console", "c 136:3");
	steps[0] = '\0';
	ck_assert_int_eq(prove(), 0);
	put("m/dev/console", "c 5:1");
	steps[0] = '\0';
	deviates("it has a device /dev/console");
	ck_assert_int_eq(unlink(below("m/dev/console")), 0);
	ck_assert_int_eq(unlink(below("m/dev/tty")), 0);
	steps[0] = '\0';
	deviates("a device is missing in /dev");
}
END_TEST

START_TEST(a_container_without_dev_deviates)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", below("m/dev"));
	ck_assert_int_eq(rename(path, below("m/gone")), 0);
	deviates("it has no /dev");
}
END_TEST

START_TEST(the_root_and_each_directory_are_those_that_were_opened)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", below("m/safe_outputs"));
	ck_assert_int_eq(rename(path, below("m/old")), 0);
	ck_assert_int_eq(mkdir(path, 0755), 0);
	deviates("/safe_outputs is another directory");
	ck_assert_int_eq(unlink(below("100/root")), 0);
	ck_assert_int_eq(symlink("../m/old", below("100/root")), 0);
	put("m/old/proc/1/ns/pid", "");
	share("100/ns/pid", "m/old/proc/1/ns/pid");
	steps[0] = '\0';
	deviates("its root is another directory");
}
END_TEST

START_TEST(a_directory_that_is_a_link_in_the_container_deviates)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s", below("m/safe_outputs"));
	ck_assert_int_eq(rename(path, below("m/old")), 0);
	ck_assert_int_eq(symlink("old", path), 0);
	deviates("/safe_outputs");
}
END_TEST

START_TEST(its_proc_shows_the_processes_of_its_own_namespace)
{
	share("101/ns/pid", "m/proc/1/ns/pid");
	deviates("its /proc shows other processes");
	ck_assert_int_eq(unlink(below("m/proc/1/ns/pid")), 0);
	steps[0] = '\0';
	deviates("/proc: ns/pid");
}
END_TEST

START_TEST(a_descriptor_beyond_its_streams_deviates)
{
	put("100/fd/11", "");
	deviates("it has a descriptor of the runtime's");
}
END_TEST

START_TEST(its_working_directory_is_in_one_of_its_mounts)
{
	char other[32];

	change("100/mountinfo", mount_number, "1 0 0:1");
	deviates("its working directory is outside");
	(void)snprintf(other, sizeof(other), "1%s", mount_number); /* (another number) */
	change("100/mountinfo", "1 0 0:1", other);
	steps[0] = '\0';
	deviates("its working directory is outside");
	change("100/mountinfo", other, "1 0 0:1");
	(void)snprintf(other, sizeof(other), "\n%.*s 3 0:7", (int)strcspn(mount_number, " "),
		       mount_number);
	change("100/mountinfo", "\n7 3 0:7", other);
	steps[0] = '\0';
	ck_assert_int_eq(prove(), 0);
	ck_assert_int_eq(unlink(below("100/cwd")), 0);
	ck_assert_int_eq(symlink("/proc", below("100/cwd")), 0);
	steps[0] = '\0';
	deviates("its working directory is outside");
}
END_TEST

START_TEST(a_mount_below_a_later_one_of_the_plan_is_compared_too)
{
	plan.mounts[2] = plan.mounts[1];
	plan.mounts[1].destination = "/safe_outputs/in";
	plan.n_mounts = 3;
	put("m/safe_outputs/in/file", "");
	plan.mounts[1].fd = open(below("m/safe_outputs/in"), O_PATH | O_CLOEXEC);
	change("100/mountinfo", "10 1 8:1",
	       "14 1 8:1 /o /safe_outputs/in rw,nosuid,nodev - ext4 x rw\n10 1 8:1");
	ck_assert_int_eq(prove(), 0);
	plan.mounts[1].fd = plan.mounts[0].fd;
	steps[0] = '\0';
	deviates("/safe_outputs/in is another directory");
}
END_TEST

START_TEST(with_selinux_the_context_has_the_type_and_the_runs_categories)
{
	static const struct {
		const char *context;
		bool right;
	} rows[] = {{"system_u:system_r:container_t:s0:c1,c7\n", true},
		    {"system_u:system_r:ces_container_t:s0:c1,c7\n", true},
		    {"system_u:system_r:container_t:s0:c1,c8\n", false},
		    {"system_u:system_r:container_t:s0\n", false},
		    {"system_u:system_r:container_t:s0:c1,c7,c9\n", false},
		    {"system_u:system_r:spc_t:s0:c1,c7\n", false},
		    {"unconfined_u:system_r:container_t:s0:c1,c7\n", false},
		    {"\n", false}};

	plan.selinux.on = true;
	plan.selinux.pair = 1 << 16 | 7;
	put("100/attr/current", rows[_i].context);
	if (rows[_i].right)
		ck_assert_int_eq(prove(), 0);
	else
		deviates("its SELinux context is");
}
END_TEST

START_TEST(where_selinux_is_off_no_context_is_read)
{
	ck_assert_int_eq(unlink(below("100/attr/current")), 0);
	ck_assert_int_eq(prove(), 0);
}
END_TEST

START_TEST(a_file_of_the_kernels_that_is_missing_or_too_long_ends_the_run)
{
	static const char *const files[] = {"100/status", "100/uid_map", "100/net/dev",
					    "100/mountinfo", "cgroup/cgroup.procs"};
	static char text[1 << 21];

	memset(text, 'x', sizeof(text) - 1);
	put(files[_i], text);
	deviates("is too long");
	ck_assert_int_eq(unlink(below(files[_i])), 0);
	steps[0] = '\0';
	deviates("/proc: ");
}
END_TEST

START_TEST(a_proof_that_cannot_be_recorded_releases_nothing)
{
	journal_full = true;
	ck_assert_int_eq(prove(), -1);
	ck_assert_str_eq(err.text, "the journal is full");
}
END_TEST

START_TEST(without_a_program_nothing_is_recorded)
{
	proof.hold.held = 0;
	ck_assert_int_eq(prove(), 0);
	ck_assert_str_eq(steps, "wait");
	ck_assert_int_eq(ces_proof_end(&cgroup, &proof, 0, &err), 0);
	ck_assert_str_eq(steps, "wait end");
}
END_TEST

START_TEST(only_a_proven_program_is_released_any_other_is_killed)
{
	ck_assert_int_eq(ces_proof_end(&cgroup, &proof, 0, &err), 0);
	ck_assert_str_eq(steps, "release end");
	steps[0] = '\0';
	ck_assert_int_eq(ces_proof_end(&cgroup, &proof, -1, &err), -1);
	ck_assert_str_eq(steps, "kill end");
	release_result = -1;
	steps[0] = '\0';
	ck_assert_int_eq(ces_proof_end(&cgroup, &proof, 0, &err), -1);
	ck_assert_str_eq(steps, "release kill end");
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("proof");
	TCase *tests = tcase_create("proof");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(tests, scene_begin, scene_end);
	tcase_add_test(tests, a_container_as_planned_is_recorded);
	tcase_add_loop_test(tests, one_other_line_of_the_kernels_is_a_deviation, 0,
			    CES_COUNT(lines));
	tcase_add_test(tests, a_user_who_is_not_root_has_no_capability);
	tcase_add_test(tests, groups_of_the_images_user_are_for_that_user_alone);
	tcase_add_test(tests, the_last_of_many_groups_is_compared_too);
	tcase_add_loop_test(tests, each_namespace_is_the_one_that_was_made, 0, 5);
	tcase_add_loop_test(tests, mounts_and_processes_are_neither_the_hosts_nor_the_runtimes, 0,
			    2);
	tcase_add_test(tests, an_interface_that_is_down_is_recorded_and_one_that_is_up_deviates);
	tcase_add_test(tests, devices_are_the_standard_ones_and_those_of_the_plan);
	tcase_add_test(tests, a_container_without_dev_deviates);
	tcase_add_test(tests, the_root_and_each_directory_are_those_that_were_opened);
	tcase_add_test(tests, a_directory_that_is_a_link_in_the_container_deviates);
	tcase_add_test(tests, its_proc_shows_the_processes_of_its_own_namespace);
	tcase_add_test(tests, a_descriptor_beyond_its_streams_deviates);
	tcase_add_test(tests, its_working_directory_is_in_one_of_its_mounts);
	tcase_add_test(tests, a_mount_below_a_later_one_of_the_plan_is_compared_too);
	tcase_add_loop_test(tests, with_selinux_the_context_has_the_type_and_the_runs_categories, 0,
			    8);
	tcase_add_test(tests, where_selinux_is_off_no_context_is_read);
	tcase_add_loop_test(tests, a_file_of_the_kernels_that_is_missing_or_too_long_ends_the_run,
			    0, 5);
	tcase_add_test(tests, a_proof_that_cannot_be_recorded_releases_nothing);
	tcase_add_test(tests, without_a_program_nothing_is_recorded);
	tcase_add_test(tests, only_a_proven_program_is_released_any_other_is_killed);
	suite_add_tcase(suite, tests);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
