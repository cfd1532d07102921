/* Tests the choice of GPUs: which a run may have, which it gets beside other runs, and what is said
 * when there are too few. */
/* links: helper/launch/gpu.c helper/launch/gpu_nodes.c helper/core/beneath.c */
#include "tests/unit/gpu_choice.h"

/* Lets another run have what this one has, and forgets the latter. */
static void another_run(void)
{
	memcpy(runs[n_runs].marks, gpus.marks, sizeof(gpus.marks));
	runs[n_runs++].n = gpus.n_marks;
}

START_TEST(a_run_gets_a_gpu_with_its_nodes_and_those_of_every_device)
{
	ck_assert_str_eq(choose(0), "0");
	ck_assert_str_eq(gpus.names[0], "nvidia.com/gpu=0");
	ck_assert_uint_eq(gpus.n_nodes, 2);
	ck_assert_str_eq(gpus.nodes[0].path, "nvidiactl");
	ck_assert_str_eq(gpus.nodes[1].path, "nvidia0");
	ck_assert_uint_eq(gpus.n_edits, 2);
	ck_assert_uint_eq(gpus.n_marks, 1);
	ck_assert_uint_eq(gpus.marks[0], 1ull << 63 | 195ull << 32);
}
END_TEST

START_TEST(one_gpu_under_two_names_is_one_gpu)
{
	decision.gpus = 4;
	ck_assert_str_eq(choose(0), "0 1 2 3");
	ck_assert_uint_eq(ces_gpus_count(&gpus).all, 4);
	ck_assert_uint_eq(ces_gpus_count(&gpus).idle, 4);
	ck_assert_uint_eq(gpus.n_nodes, 5); /* nvidiactl once */
	decision.gpus = 5;
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.text, "you asked for 5 of this machine's GPUs, and 4 are free");
	decision.gpus_all = true;
	ck_assert_str_eq(choose(0), "0 1 2 3");
}
END_TEST

START_TEST(runs_spread_over_the_gpus)
{
	ck_assert_str_eq(choose(0), "0");
	another_run();
	ck_assert_str_eq(choose(0), "1");
	another_run();
	ck_assert_str_eq(choose(0), "2");
	another_run();
	ck_assert_str_eq(choose(0), "3");
	another_run();
	ck_assert_str_eq(choose(0), "0");
	another_run();
	decision.gpus = 2;
	ck_assert_str_eq(choose(0), "1 2");
}
END_TEST

START_TEST(a_gpu_of_ones_own_is_nobody_elses)
{
	decision.gpu_exclusive = true;
	ck_assert_str_eq(choose(0), "0");
	ck_assert_uint_eq(gpus.marks[0], 3ull << 62 | 195ull << 32);
	another_run();
	ck_assert_str_eq(choose(0), "1");
	ck_assert_uint_eq(ces_gpus_count(&gpus).all, 4);
	ck_assert_uint_eq(ces_gpus_count(&gpus).idle, 3);
	/* a run that shares does not get it either, */
	decision.gpu_exclusive = false;
	decision.gpus = 4;
	(void)choose(-1);
	ck_assert_str_eq(err.text, "you asked for 4 of this machine's GPUs, and 3 are free");
	/* and one that wants it alone does not get one that is shared */
	runs[0].marks[0] &= ~(1ull << 62);
	ck_assert_str_eq(choose(0), "1 2 3 0");
	decision.gpu_exclusive = true;
	(void)choose(-1);
	decision.gpus_all = true;
	ck_assert_str_eq(choose(0), "1 2 3");
}
END_TEST

START_TEST(a_gpu_that_is_asked_for_by_name_is_that_or_none)
{
	strcpy(decision.gpu_id, "GPU-2");
	ck_assert_str_eq(choose(0), "GPU-2");
	decision.gpu_exclusive = true;
	another_run();
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_str_eq(err.text, "the device GPU-2 is in use by another run");
}
END_TEST

static const char *const absent[] = {"9", "all", "GPU-", "nvidia.com/gpu=0"};

START_TEST(a_name_that_no_device_has_is_not_found)
{
	strcpy(decision.gpu_id, absent[_i]);
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_msg(strncmp(err.text, "this machine has no device ", 27) == 0, "%s", err.text);
}
END_TEST

START_TEST(the_policys_list_of_devices_holds)
{
	decision.gpu_devices = (struct ces_decision_names){2, {"1", "3"}};
	decision.gpus = 2;
	ck_assert_str_eq(choose(0), "1 3");
	decision.gpus = 3;
	(void)choose(-1);
}
END_TEST

START_TEST(a_device_outside_the_list_is_not_found_by_its_name)
{
	decision.gpu_devices = (struct ces_decision_names){1, {"1"}};
	strcpy(decision.gpu_id, "0");
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
}
END_TEST

START_TEST(a_device_that_is_closed_to_the_job_does_not_count)
{
	files[put_node("dev/nvidia0", 195, 0)].closed = true;
	decision.gpus = 4;
	(void)choose(-1);
	ck_assert_str_eq(err.text, "you asked for 4 of this machine's GPUs, and 3 are free "
				   "(some are not open to your job)");
	ck_assert_uint_eq(ces_gpus_count(&gpus).all, 3);
	ck_assert_uint_eq(ces_gpus_count(&gpus).idle, 3);
}
END_TEST

START_TEST(a_closed_device_says_so_by_its_name)
{
	files[put_node("dev/nvidia0", 195, 0)].closed = true;
	strcpy(decision.gpu_id, "0");
	(void)choose(-1);
	ck_assert_str_eq(err.text, "the device 0 is not open to your job");
}
END_TEST

START_TEST(a_node_of_every_device_that_is_closed_is_a_denial)
{
	files[put_node("dev/nvidiactl", 195, 255)].closed = true;
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.text, "/dev/nvidiactl is not open to your job");
}
END_TEST

START_TEST(a_broken_device_matters_when_it_is_needed)
{
	(void)put("dev/nvidia3", S_IFREG | 0644, 0, 0);
	decision.gpus = 3;
	ck_assert_str_eq(choose(0), "0 1 2");
	decision.gpus = 4;
	(void)choose(-1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(err.text, "nvidia.com/gpu=3: /dev/nvidia3 is not a character device");
}
END_TEST

/* A slice has its parent's node, which other slices have too, and capabilities of its own. */
#define SLICE(name, parent, cap)                                                                   \
	DEVICE(name, NODE("/dev/nvidia" parent) "," NODE("/dev/nvidia-caps/nvidia-cap" cap))

START_TEST(slices_share_their_parent_and_nobody_has_it_whole_beside_them)
{
	put_spec("etc/cdi/nvidia.json", "nvidia.com/gpu",
		 SLICE("0:0", "0", "3") "," SLICE("0:1", "0", "4") "," GPU("0"), "");
	decision.gpu_exclusive = true;
	ck_assert_str_eq(choose(0), "0:0");
	ck_assert_uint_eq(gpus.marks[0] >> 62, 1); /* the parent's */
	ck_assert_uint_eq(gpus.marks[1] >> 62, 3);
	another_run();
	ck_assert_str_eq(choose(0), "0:1");
	another_run();
	(void)choose(-1);
	decision.gpus_all = true;
	decision.gpus = 64;
	n_runs = 0;
	ck_assert_str_eq(choose(0), "0:0 0:1"); /* and not the whole */
}
END_TEST

START_TEST(a_whole_gpu_keeps_its_slices_from_others)
{
	put_spec("etc/cdi/nvidia.json", "nvidia.com/gpu", GPU("0") "," SLICE("0:0", "0", "3"), "");
	decision.gpu_exclusive = true;
	ck_assert_str_eq(choose(0), "0");
	another_run();
	(void)choose(-1);
}
END_TEST

START_TEST(kfd_is_every_amd_gpus_and_marks_none)
{
	(void)put_node("dev/kfd", 235, 0);
	(void)put_node("dev/dri/renderD128", 226, 128);
	(void)put_node("dev/dri/renderD129", 226, 129);
	put_spec("etc/cdi/amd.json", "amd.com/gpu",
		 DEVICE("0", NODE("/dev/kfd") "," NODE("/dev/dri/renderD128")) "," DEVICE(
		     "1", NODE("/dev/kfd") "," NODE(
			      "/dev/dri/renderD129")) "," DEVICE("2", NODE("/dev/kfd")),
		 "");
	decision.gpu_kinds = (struct ces_decision_names){1, {"amd.com/gpu"}};
	decision.gpu_exclusive = true;
	decision.gpus = 2;
	ck_assert_str_eq(choose(0), "0 1");
	ck_assert_uint_eq(gpus.n_marks, 2);
	ck_assert_uint_eq(gpus.n_nodes, 3);
	ck_assert_str_eq(gpus.broken.text, "amd.com/gpu=2: it has no node of its own");
}
END_TEST

START_TEST(a_second_choice_forgets_the_first)
{
	decision.gpus = 3;
	ck_assert_str_eq(choose(0), "0 1 2");
	decision.gpus = 1;
	for (int i = 0; i < 100; i++)
		ck_assert_str_eq(choose(0), "0");
	ck_assert_uint_eq(gpus.n_marks, 1);
	ck_assert_uint_eq(gpus.n_nodes, 2);
	ck_assert_uint_eq(gpus.n_edits, 2);
}
END_TEST

START_TEST(a_register_that_cannot_be_read_gives_no_gpu)
{
	unreadable = true;
	ck_assert_str_eq(choose(-1), "");
	ck_assert_str_eq(err.text, "reading the register of runs: Input/output error");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("gpu");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_run_gets_a_gpu_with_its_nodes_and_those_of_every_device);
	tcase_add_test(t, one_gpu_under_two_names_is_one_gpu);
	tcase_add_test(t, runs_spread_over_the_gpus);
	tcase_add_test(t, a_gpu_of_ones_own_is_nobody_elses);
	tcase_add_test(t, a_gpu_that_is_asked_for_by_name_is_that_or_none);
	tcase_add_loop_test(t, a_name_that_no_device_has_is_not_found, 0, CES_COUNT(absent));
	tcase_add_test(t, the_policys_list_of_devices_holds);
	tcase_add_test(t, a_device_outside_the_list_is_not_found_by_its_name);
	tcase_add_test(t, a_device_that_is_closed_to_the_job_does_not_count);
	tcase_add_test(t, a_closed_device_says_so_by_its_name);
	tcase_add_test(t, a_node_of_every_device_that_is_closed_is_a_denial);
	tcase_add_test(t, a_broken_device_matters_when_it_is_needed);
	tcase_add_test(t, slices_share_their_parent_and_nobody_has_it_whole_beside_them);
	tcase_add_test(t, a_whole_gpu_keeps_its_slices_from_others);
	tcase_add_test(t, kfd_is_every_amd_gpus_and_marks_none);
	tcase_add_test(t, a_second_choice_forgets_the_first);
	tcase_add_test(t, a_register_that_cannot_be_read_gives_no_gpu);
	return run_suite("gpu", t);
}
