/* Tests the runtime's config.json: what it says for a plan, field by field. */
/* links: helper/launch/config.c helper/inside/order.c helper/inside/config.c helper/inside/environment.c helper/launch/profile.c helper/session/json.c helper/session/idmap.c helper/session/lock.c */
#include "tests/unit/config_scene.h"

#define PROC_AND_DEV                                                                               \
	"{'destination': '/proc', 'type': 'proc', 'source': 'proc', 'options': ['nosuid', "        \
	"'noexec', 'nodev']}, {'destination': '/dev', 'type': 'bind', 'source': '/dev', "          \
	"'options': ['rbind', 'nosuid', 'noexec']}, {'destination': '/dev/pts', 'type': "          \
	"'devpts', 'source': 'devpts', 'options': ['newinstance', 'ptmxmode=0666', 'mode=0620', "  \
	"'nosuid', 'noexec']}, {'destination': '/dev/mqueue', 'type': 'mqueue', 'source': "        \
	"'mqueue', 'options': ['nosuid', 'noexec', 'nodev']}, {'destination': '/sys', 'type': "    \
	"'sysfs', 'source': 'sysfs', 'options': ['nosuid', 'noexec', 'nodev', 'ro']}"
#define TMPFS(to, size)                                                                            \
	"{'destination': '" to "', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['mode=1777', "  \
	"'size=" size "', 'nosuid', 'nodev']}"
START_TEST(the_smallest_plan_gives_this_document_and_nothing_more)
{
	fill();
	is("",
	   "{'ociVersion': '1.0.2', 'root': {'path': '/m', 'readonly': false}, 'process': "
	   "{'terminal': false, 'user': {'uid': 0, 'gid': 0, 'umask': 18, 'additionalGids': "
	   "[65536]}, 'args': ['sh'], 'env': "
	   "['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/', "
	   "'HOSTNAME=ces-0123456789', 'OMP_NUM_THREADS=2', 'NVIDIA_VISIBLE_DEVICES=void', "
	   "'NVIDIA_DRIVER_CAPABILITIES=', 'TMP=/scratch', 'TMPDIR=/scratch'], 'cwd': '/', "
	   "'capabilities': {'bounding': ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', "
	   "'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], "
	   "'effective': ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', "
	   "'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], 'permitted': "
	   "['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', "
	   "'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], 'inheritable': [], "
	   "'ambient': []}, 'noNewPrivileges': true}, 'mounts': [" PROC_AND_DEV ", " TMPFS(
	       "/dev/shm",
	       "67108864") "], 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'pid'}], "
			   "'maskedPaths': "
			   "['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kallsyms', "
			   "'/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/latency_stats', "
			   "'/proc/sched_debug', '/proc/scsi', '/proc/timer_list', "
			   "'/proc/timer_stats', "
			   "'/proc/kpagecount', '/proc/kpageflags', '/proc/sysrq-trigger', "
			   "'/sys/devices/virtual/powercap', '/sys/dev/block', '/sys/firmware', "
			   "'/sys/fs/cgroup', '/sys/fs/selinux', '/sys/kernel/debug', "
			   "'/sys/kernel/security'], 'readonlyPaths': ['/proc/bus', '/proc/fs', "
			   "'/proc/irq', '/proc/pressure', "
			   "'/proc/sys']}, 'annotations': {'run.oci.seccomp_bpf_data': "
			   "'RklMVEVS'}}");
}
END_TEST

START_TEST(runc_gets_the_filter_as_json_and_crun_as_an_annotation)
{
	plan.runc = true;
	fill();
	is("linux/seccomp", "{'defaultAction': 'SCMP_ACT_ERRNO'}");
	ck_assert_ptr_null(at("annotations"));
	plan.runc = false;
	fill();
	ck_assert_ptr_null(at("linux/seccomp"));
	is("annotations", "{'run.oci.seccomp_bpf_data': 'RklMVEVS'}");
}
END_TEST

START_TEST(without_its_filter_a_runtime_gets_no_document)
{
	static const char *const files[] = {"seccomp.bpf.base64", "seccomp.json"};

	plan.runc = _i == 1;
	ck_assert_int_eq(unlinkat(directory, files[_i], 0), 0);
	ck_assert_ptr_null(compose());
	ck_assert_int_eq(failed, CES_STEP_FILTER);
	/* nor is a link followed to one */
	ck_assert_int_eq(symlinkat("/dev/null", directory, files[_i]), 0);
	ck_assert_ptr_null(compose());
	ck_assert_int_eq(failed, CES_STEP_FILTER);
	ck_assert_int_eq(errno, ELOOP);
}
END_TEST

/* Texts that would end a JSON string, or begin something else, if they were not escaped. Each is
 * the value of a variable, a word of the command, the directory, a destination. */
START_TEST(a_terminal_has_its_size)
{
	plan.rows = 24;
	plan.columns = 80;
	fill();
	ck_assert_ptr_null(at("process/consoleSize"));
	plan.tty = true;
	fill();
	is("process/terminal", "true");
	is("process/consoleSize", "{'height': 24, 'width': 80}");
	ck_assert_str_eq(variable("TERM"), "xterm");
}
END_TEST

START_TEST(a_root_that_is_asked_for_as_read_only_is_so)
{
	decision.read_only = true;
	fill();
	is("root", "{'path': '/m', 'readonly': true}");
}
END_TEST

/* A home comes first of all: a bind above it may have the caller's own. */
START_TEST(of_two_nested_mounts_the_outer_one_comes_first)
{
	strcpy(decision.home, "/home/ann");
	decision.limits.shm = UINT64_MAX;
	decision.n_tmpfs = 2;
	strcpy(decision.tmpfs[0].destination, "/work");
	decision.tmpfs[0].size = 4096;
	strcpy(decision.tmpfs[1].destination, "/home/ann");
	decision.tmpfs[1].size = 8192;
	plan_mount("/safe_data", -1, true, false);
	plan_mount("/home/ann/x", -1, true, true);
	plan_mount("/work/y/z", -1, false, false);
	plan_mount("/work/y", -1, false, false);
	fill();
	is("mounts",
	   "[" PROC_AND_DEV
	   ", " TMPFS("/dev/shm", "18446744073709551615") ", " TMPFS("/home/ann", "8192") ", " BIND(
	       "/safe_data", "/d/0",
	       ", 'ro'") ", " TMPFS("/work",
				    "4096") ", " BIND("/work/y", "/d/3",
						      "") ", " BIND("/home/ann/x", "/d/1",
								    ", 'ro'") ", " BIND("/work/y/z",
											"/d/2",
											"") "]");
}
END_TEST

START_TEST(the_compiled_filter_is_one_line_of_a_file_of_bounded_size)
{
	static char big[(1u << 20) + 1];
	char *filter = NULL;

	ck_assert_int_eq(unlinkat(directory, "seccomp.bpf.base64", 0), 0);
	ck_assert_int_lt(ces_config_filter(&filter, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "CES is not fully installed"));
	put_file("seccomp.bpf.base64", "QUJD\nmore\n", 10);
	ck_assert_int_eq(ces_config_filter(&filter, &err), 0);
	ck_assert_str_eq(filter, "QUJD");
	free(filter);
	memset(big, 'A', sizeof(big));
	put_file("seccomp.bpf.base64", big, sizeof(big));
	ck_assert_int_lt(ces_config_filter(&filter, &err), 0);
	ck_assert_int_eq(err.sys, EFBIG);
	put_file("seccomp.bpf.base64", big, sizeof(big) - 1);
	ck_assert_int_eq(ces_config_filter(&filter, &err), 0);
	ck_assert_uint_eq(strlen(filter), sizeof(big) - 1);
	free(filter);
}
END_TEST

START_TEST(the_mask_has_the_bits_of_the_eight_capabilities)
{
	/* linux/capability.h: 0 chown, 1 dac_override, 3 fowner, 4 fsetid, 5 kill, 6 setgid,
	 * 7 setuid, 10 net_bind_service */
	ck_assert_uint_eq(ces_profile_capability_mask(), 0x4fb);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_smallest_plan_gives_this_document_and_nothing_more);
	tcase_add_test(t, runc_gets_the_filter_as_json_and_crun_as_an_annotation);
	tcase_add_loop_test(t, without_its_filter_a_runtime_gets_no_document, 0, 2);
	tcase_add_test(t, a_terminal_has_its_size);
	tcase_add_test(t, a_root_that_is_asked_for_as_read_only_is_so);
	tcase_add_test(t, of_two_nested_mounts_the_outer_one_comes_first);
	tcase_add_test(t, the_compiled_filter_is_one_line_of_a_file_of_bounded_size);
	tcase_add_test(t, the_mask_has_the_bits_of_the_eight_capabilities);
	return run_suite("config", t);
}
