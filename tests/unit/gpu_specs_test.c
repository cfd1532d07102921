/* Tests which specifications of GPUs are read, and the bounds of what they may say. */
/* links: helper/launch/gpu.c helper/launch/gpu_nodes.c helper/core/beneath.c */
#include "tests/unit/gpu_choice.h"

START_TEST(specifications_are_the_json_files_of_the_directories_in_order)
{
	static const char *const expected[] = {"read /etc/cdi/a.json", "read /etc/cdi/b.json",
					       "read /etc/cdi/nvidia.json", "read /run/cdi/c.json"};

	put_spec("etc/cdi/b.json", "nvidia.com/gpu", GPU("1"), "");
	put_spec("etc/cdi/a.json", "other.com/gpu", GPU("0"), "");
	put_spec("etc/cdi/.hidden.json", "nvidia.com/gpu", "!", "");
	put_spec("etc/cdi/x.yaml", "nvidia.com/gpu", "!", "");
	put_spec("etc/cdi/x.json~", "nvidia.com/gpu", "!", "");
	put_words("run/cdi/c.json", "{\"cdiVersion\": \"0.6.0\", \"kind\": \"nvidia.com/gpu\", "
				    "\"devices\": []}");
	find();
	ck_assert_uint_eq(steps_count("read"), CES_COUNT(expected));
	for (size_t i = 0; i < CES_COUNT(expected); i++)
		ck_assert_str_eq(steps->v[i], expected[i]);
	ck_assert_uint_eq(gpus.n_specs, 3);
}
END_TEST

/* Finds, and expects no success. */
static void find_not(const char *text)
{
	before = open_fds();
	ck_assert_int_lt(ces_gpus_find(&host, &decision, &gpus, &err), 0);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	let_go();
	ck_assert_uint_eq(open_fds(), before);
}

START_TEST(a_specification_that_cannot_be_read_ends_the_search)
{
	steps_begin(1, EACCES);
	find_not("/etc/cdi/nvidia.json: Permission denied");
	put_words("etc/cdi/nvidia.json", "{");
	find_not("/etc/cdi/nvidia.json: ");
}
END_TEST

START_TEST(more_specifications_than_sixteen_are_refused)
{
	char path[40];

	for (int i = 1; i < CES_GPU_SPECS; i++) {
		(void)snprintf(path, sizeof(path), "etc/cdi/%02d.json", i);
		put_spec(path, "nvidia.com/gpu", "", "");
	}
	find();
	ck_assert_uint_eq(gpus.n_specs, CES_GPU_SPECS);
	let_go();
	put_spec("run/cdi/more.json", "nvidia.com/gpu", "", "");
	find_not("more than 16 specifications");
}
END_TEST

START_TEST(a_machine_without_a_specification_of_the_kind_says_where_it_looked)
{
	decision.gpu_kinds = (struct ces_decision_names){2, {"amd.com/gpu", "x.com/gpu"}};
	find_not("no specification of the kind amd.com/gpu (or another that is allowed) in "
		 "/etc/cdi or the others of cdi_dirs");
	decision.gpu_kinds.n = host.cdi_dirs.n = 0;
	find_not("no specification of the kind - in -");
}
END_TEST

START_TEST(a_directory_of_specifications_is_no_link)
{
	ck_assert_int_eq(mkdirat(directory, "run", 0755), 0);
	ck_assert_int_eq(symlinkat("../etc/cdi", directory, "run/cdi"), 0);
	find_not("/run/cdi: Too many levels of symbolic links");
}
END_TEST

START_TEST(without_proc_devices_no_gpu_is_known)
{
	ck_assert_int_eq(unlinkat(directory, "proc/devices", 0), 0);
	find_not("/dev and /proc/devices: ");
}
END_TEST

/* Devices of one kind, each with so many nodes. */
static void put_many(unsigned devices, unsigned nodes)
{
	static char text[60000];
	size_t used = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < devices; i++) {
		used += (size_t)snprintf(text + used, sizeof(text) - used,
					 "%s{'name': 'd%u', 'containerEdits': {'deviceNodes': [",
					 i > 0 ? "," : "", i);
		for (unsigned j = 0; j < nodes; j++) {
			char path[40];

			(void)snprintf(path, sizeof(path), "dev/nvidia%u", 1000 + i * nodes + j);
			(void)put_node(path, 195, 1000 + i * nodes + j);
			used += (size_t)snprintf(text + used, sizeof(text) - used,
						 "%s{'path': '/%s'}", j > 0 ? "," : "", path);
		}
		used += (size_t)snprintf(text + used, sizeof(text) - used, "]}}");
	}
	put_spec("etc/cdi/nvidia.json", "nvidia.com/gpu", text, "");
	decision.gpus = devices;
}

START_TEST(a_device_has_sixteen_nodes_at_most)
{
	put_many(1, 16);
	ck_assert_str_eq(choose(0), "d0");
	let_go();
	put_many(1, 17);
	(void)choose(-1);
	ck_assert_str_eq(err.text, "nvidia.com/gpu=d0: too many nodes");
}
END_TEST

START_TEST(a_run_has_a_hundred_and_twenty_eight_nodes_at_most)
{
	put_many(8, 16);
	(void)choose(0);
	ck_assert_uint_eq(gpus.n_nodes, CES_GPU_NODES);
	let_go();
	put_many(9, 16);
	(void)choose(-1);
	ck_assert_str_eq(err.text, "more than 128 device nodes");
}
END_TEST

START_TEST(a_run_has_sixty_four_gpus_at_most)
{
	put_many(64, 1);
	(void)choose(0);
	ck_assert_uint_eq(gpus.n_names, CES_GPU_MAX);
	let_go();
	put_many(65, 1);
	(void)choose(-1);
	ck_assert_str_eq(err.text, "more than 64 GPUs");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("specs");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, specifications_are_the_json_files_of_the_directories_in_order);
	tcase_add_test(t, a_specification_that_cannot_be_read_ends_the_search);
	tcase_add_test(t, more_specifications_than_sixteen_are_refused);
	tcase_add_test(t, a_machine_without_a_specification_of_the_kind_says_where_it_looked);
	tcase_add_test(t, a_directory_of_specifications_is_no_link);
	tcase_add_test(t, without_proc_devices_no_gpu_is_known);
	tcase_add_test(t, a_device_has_sixteen_nodes_at_most);
	tcase_add_test(t, a_run_has_a_hundred_and_twenty_eight_nodes_at_most);
	tcase_add_test(t, a_run_has_sixty_four_gpus_at_most);
	return run_suite("gpu_specs", t);
}
