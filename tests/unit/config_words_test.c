/* Tests what becomes of the words of an image and a caller in the runtime's config.json: none
 * leaves its place. */
/* links: helper/launch/config.c helper/inside/order.c helper/inside/config.c helper/inside/environment.c helper/launch/profile.c helper/session/json.c helper/session/idmap.c helper/session/lock.c */
#include "tests/unit/config_scene.h"

static const char *const hostile[] = {"\"],\"cwd\":\"/\",\"x\":[\"",
				      "\\",
				      "\\\"",
				      "a\nb",
				      "\t\r\b\f\v",
				      "\001\037\177",
				      "}]}",
				      "', 'noNewPrivileges': false",
				      "/**/",
				      "\\u0000",
				      "${HOME}",
				      "%s%n",
				      "{run}",
				      "\xc3\xa9",
				      "\xff\xfe",
				      "\xed\xa0\x80",
				      ""};

START_TEST(no_text_of_the_image_or_the_caller_leaves_its_place)
{
	char entry[64], directory_name[64], *text = (char *)(uintptr_t)hostile[_i];

	(void)snprintf(entry, sizeof(entry), "X=%s", text);
	(void)snprintf(directory_name, sizeof(directory_name), "/%s", text);
	image.env = STRINGS(entry);
	image.entrypoint = STRINGS(text);
	image.home = text;
	image.workdir = directory_name;
	request.args = STRINGS("a", text, "b");
	plan_mount(directory_name, -1, false, false);
	decision.n_tmpfs = 1;
	strcpy(decision.tmpfs[0].destination, directory_name);
	fill();
	ck_assert_str_eq(variable("X"), text);
	ck_assert_str_eq(variable("HOME"), text);
	ck_assert_uint_eq(json_object_array_length(at("process/args")), 4);
	ck_assert_str_eq(json_object_get_string(at("process/args/0")), text);
	ck_assert_str_eq(json_object_get_string(at("process/args/2")), text);
	ck_assert_str_eq(json_object_get_string(at("process/cwd")), directory_name);
	ck_assert_str_eq(json_object_get_string(at("mounts/6/destination")), directory_name);
	ck_assert_str_eq(json_object_get_string(at("mounts/7/destination")), directory_name);
	is("process/noNewPrivileges", "true");
	ck_assert_int_eq(json_object_object_length(at("process")), 7);
	ck_assert_int_eq(json_object_object_length(config), 6);
}
END_TEST

START_TEST(the_longest_command_and_environment_are_whole)
{
	static char *words[1000], entries[1000][24];
	static char big[60000];

	memset(big, '"', sizeof(big) - 1);
	for (size_t i = 0; i < CES_COUNT(words); i++) {
		(void)snprintf(entries[i], sizeof(entries[i]), "V%zu=%zu", i, i);
		words[i] = entries[i];
	}
	request.env = (struct ces_strings){words, CES_COUNT(words)};
	request.args = STRINGS(big, big);
	fill();
	ck_assert_str_eq(variable("V999"), "999");
	ck_assert_uint_eq(json_object_array_length(at("process/env")), 1008);
	ck_assert_str_eq(json_object_get_string(at("process/args/1")), big);
}
END_TEST

START_TEST(the_callers_variables_win_over_the_images_and_those_over_cess)
{
	image.env = STRINGS("PATH=/image", "HOME=/image", "TMP=/image", "TMPDIR=/image", "A=image",
			    "B=image", "B=twice", "OMP_NUM_THREADS=64", "C=");
	request.env = STRINGS("A=caller", "TMPDIR=/caller", "HOSTNAME=theirs", "AA=x", "D=a=b");
	image.home = "/root";
	fill();
	ck_assert_str_eq(variable("PATH"), "/image");
	ck_assert_str_eq(variable("HOME"), "/image");
	ck_assert_str_eq(variable("TMP"), "/scratch");
	ck_assert_str_eq(variable("TMPDIR"), "/caller");
	ck_assert_str_eq(variable("HOSTNAME"), "theirs");
	ck_assert_str_eq(variable("OMP_NUM_THREADS"), "64");
	ck_assert_str_eq(variable("A"), "caller");
	ck_assert_str_eq(variable("AA"), "x"); /* (A is not a prefix of it) */
	ck_assert_str_eq(variable("B"), "twice");
	ck_assert_str_eq(variable("C"), "");
	ck_assert_str_eq(variable("D"), "a=b");
	ck_assert_ptr_null(variable("TERM"));
}
END_TEST

START_TEST(a_home_of_their_own_comes_after_the_images)
{
	image.env = STRINGS("HOME=/image", "USER=image");
	strcpy(decision.home, "/home/ann");
	fill();
	ck_assert_str_eq(variable("HOME"), "/home/ann");
	ck_assert_str_eq(variable("USER"), "ann");
}
END_TEST

static const struct {
	uint64_t cpus;
	const char *threads;
} threads[] = {{0, "0"}, {1, "1"}, {1000, "1"}, {1001, "2"}, {64000, "64"}};

START_TEST(a_part_of_a_cpu_counts_as_one_thread)
{
	decision.limits.cpus = threads[_i].cpus;
	fill();
	ck_assert_str_eq(variable("OMP_NUM_THREADS"), threads[_i].threads);
}
END_TEST

START_TEST(the_proxy_and_the_display_win_over_the_callers_variables)
{
	request.env =
	    STRINGS("http_proxy=http://elsewhere", "NO_PROXY=*", "DISPLAY=:9", "XAUTHORITY=/mine");
	fill();
	ck_assert_str_eq(variable("http_proxy"), "http://elsewhere");
	ck_assert_str_eq(variable("DISPLAY"), ":9");
	strcpy(decision.proxy, "http://proxy:8080");
	decision.display = 1; /* the number 0 */
	fill();
	ck_assert_str_eq(variable("http_proxy"), "http://127.0.0.1:3128");
	ck_assert_str_eq(variable("HTTPS_PROXY"), "http://127.0.0.1:3128");
	ck_assert_str_eq(variable("NO_PROXY"), "localhost,127.0.0.1,::1");
	ck_assert_str_eq(variable("DISPLAY"), ":0");
	ck_assert_str_eq(variable("XAUTHORITY"), "/etc/ces.Xauthority");
}
END_TEST

START_TEST(nothing_of_an_image_says_which_gpus_there_are)
{
	image.env = STRINGS("NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all");
	fill();
	ck_assert_str_eq(variable("NVIDIA_VISIBLE_DEVICES"), "void");
	ck_assert_str_eq(variable("NVIDIA_DRIVER_CAPABILITIES"), "");
}
END_TEST

START_TEST(a_run_with_gpus_has_the_drivers_variables_libraries_and_mount)
{
	char *env[] = {"NVIDIA_X=driver", "NVIDIA_VISIBLE_DEVICES=none"};
	struct ces_cdi_mount mounts[] = {
	    {"/usr/lib64/libcuda.so.1", "/usr/lib64/libcuda.so.1", CES_CDI_LIBRARY},
	    {"/usr/lib64/libml.so.1", "/usr/lib64/libml.so.1", CES_CDI_LIBRARY},
	    {"/usr/bin/smi", "/usr/bin/smi", CES_CDI_LINKED},
	    {"/x", "/usr/lib/more/libx.so", CES_CDI_LIBRARY}};
	struct ces_cdi_edits edits = {.env = {env, 2}, .mounts = mounts, .n_mounts = 4};

	image.env = STRINGS("NVIDIA_X=image", "LD_LIBRARY_PATH=/image");
	plan.gpus.names[0] = "nvidia.com/gpu=0";
	plan.gpus.names[1] = "nvidia.com/gpu=GPU-1";
	plan.gpus.n_names = 2;
	plan.gpus.edits[plan.gpus.n_edits++] = &edits;
	plan_mount("/usr/lib", -1, true, false);
	fill();
	ck_assert_str_eq(variable("NVIDIA_X"), "driver");
	ck_assert_str_eq(variable("NVIDIA_VISIBLE_DEVICES"), "0,GPU-1");
	ck_assert_str_eq(variable("NVIDIA_DRIVER_CAPABILITIES"), "compute,utility");
	ck_assert_str_eq(variable("LD_LIBRARY_PATH"),
			 "/usr/lib/ces-gpu/usr/lib64:/usr/lib/ces-gpu/usr/lib/more:/image");
	/* before the caller's own mounts, which may hide it */
	is("mounts/6", BIND("/usr/lib/ces-gpu", "/g", ", 'ro'"));
	is("mounts/7", BIND("/usr/lib", "/d/0", ", 'ro'"));
	image.env.n = 1;
	fill();
	ck_assert_str_eq(variable("LD_LIBRARY_PATH"),
			 "/usr/lib/ces-gpu/usr/lib64:/usr/lib/ces-gpu/usr/lib/more");
}
END_TEST

START_TEST(the_library_path_has_each_directory_once)
{
	struct ces_cdi_mount mounts[] = {
	    {"/a", "/usr/lib/x/a.so", CES_CDI_LIBRARY}, {"/a", "/usr/lib/x/b.so", CES_CDI_LIBRARY},
	    {"/a", "/usr/lib/a.so", CES_CDI_LIBRARY},   {"/a", "/usr/lib/b.so", CES_CDI_LIBRARY},
	    {"/a", "/usr/bin/a", CES_CDI_LINKED},       {"/a", "/usr/lib/xy/a.so", CES_CDI_LIBRARY},
	    {"/a", "/usr/lib/z/a.so", CES_CDI_LEFT_OUT}};
	struct ces_cdi_edits edits = {.mounts = mounts, .n_mounts = CES_COUNT(mounts)};

	plan.gpus.names[plan.gpus.n_names++] = "nvidia.com/gpu=0";
	plan.gpus.edits[plan.gpus.n_edits++] = &edits;
	plan.gpus.edits[plan.gpus.n_edits++] = &edits;
	fill();
	ck_assert_str_eq(variable("LD_LIBRARY_PATH"),
			 "/usr/lib/ces-gpu/usr/lib/x:/usr/lib/ces-gpu/usr/lib:"
			 "/usr/lib/ces-gpu/usr/lib/xy");
}
END_TEST

START_TEST(as_many_gpus_as_a_run_may_have_are_all_named)
{
	static char names[CES_GPU_MAX][160];

	for (size_t i = 0; i < CES_GPU_MAX; i++) {
		/* (a name has 128 bytes at most, policy/valid.c) */
		(void)snprintf(names[i], sizeof(names[i]), "nvidia.com/gpu=%0128zu", i);
		plan.gpus.names[plan.gpus.n_names++] = names[i];
	}
	fill();
	ck_assert_uint_eq(strlen(variable("NVIDIA_VISIBLE_DEVICES")), CES_GPU_MAX * 129 - 1);
}
END_TEST

static const struct {
	bool replaced;
	const char *entrypoint;
	const char *image[2], *args[2];
	const char *expected;
} commands[] = {
    {false, NULL, {"E", "C"}, {NULL}, "['E', 'C']"},
    {false, NULL, {"E", "C"}, {"a", "b"}, "['E', 'a', 'b']"},
    {false, NULL, {NULL, "C"}, {NULL}, "['C']"},
    {false, NULL, {NULL, "C"}, {"a"}, "['a']"},
    {false, "X", {"E", "C"}, {NULL}, "['E', 'C']"}, /* without its flag it is nothing */
    {true, "X", {"E", "C"}, {NULL}, "['X']"},
    {true, "X", {"E", "C"}, {"a"}, "['X', 'a']"},
    {true, "", {"E", "C"}, {"a"}, "['a']"},
    {true, "", {"E", "C"}, {NULL}, "[]"},
    {true, NULL, {"E", "C"}, {NULL}, "[]"},
    {false, NULL, {NULL, NULL}, {NULL}, "[]"},
};

START_TEST(arguments_replace_the_images_command_and_an_entrypoint_both)
{
	char *entry = (char *)(uintptr_t)commands[_i].image[0];
	char *cmd = (char *)(uintptr_t)commands[_i].image[1];
	char **args = (char **)(uintptr_t)commands[_i].args;
	const char *first;

	image.entrypoint = (struct ces_strings){&entry, entry != NULL};
	image.cmd = (struct ces_strings){&cmd, cmd != NULL};
	request.args = (struct ces_strings){args, (size_t)(args[0] != NULL) + (args[1] != NULL)};
	request.entrypoint = (char *)(uintptr_t)commands[_i].entrypoint;
	request.flags = commands[_i].replaced ? CES_FLAG_ENTRYPOINT : 0;
	fill();
	is("process/args", commands[_i].expected);
	first = ces_config_command(&plan);
	if (at("process/args/0") == NULL)
		ck_assert_ptr_null(first);
	else
		ck_assert_str_eq(json_object_get_string(at("process/args/0")), first);
}
END_TEST

static const struct {
	const char *image, *caller, *cwd;
} directories[] = {{NULL, NULL, "/"}, {"/w", NULL, "/w"}, {"/w", "/c", "/c"},
		   {"w", NULL, "/"},  {"/w", "c", "/"},   {"", NULL, "/"}};

START_TEST(the_working_directory_is_absolute)
{
	image.workdir = (char *)(uintptr_t)directories[_i].image;
	request.workdir = (char *)(uintptr_t)directories[_i].caller;
	fill();
	ck_assert_str_eq(json_object_get_string(at("process/cwd")), directories[_i].cwd);
}
END_TEST

START_TEST(the_images_groups_hold_for_the_images_user_alone)
{
	uint64_t groups[] = {7, 65535, 65536, 1ull << 40};

	image.uid = 33;
	image.groups = (struct ces_u64s){groups, CES_COUNT(groups)};
	plan_map(33, 44);
	fill();
	is("process/user", "{'uid': 33, 'gid': 44, 'umask': 18, 'additionalGids': [7, 65535, "
			   "65536]}"); /* the last is the project's, not the image's */
	plan_map(1000, 1000);
	fill();
	is("process/user/additionalGids", "[65536]");
}
END_TEST

START_TEST(a_user_of_the_container_has_no_capability_but_in_the_bound)
{
	plan_map(1000, 1000);
	fill();
	ck_assert_uint_eq(json_object_array_length(at("process/capabilities/bounding")), 8);
	is("process/capabilities/effective", "[]");
	is("process/capabilities/permitted", "[]");
	is("process/capabilities/inheritable", "[]");
	is("process/capabilities/ambient", "[]");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("config_words");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, no_text_of_the_image_or_the_caller_leaves_its_place, 0,
			    CES_COUNT(hostile));
	tcase_add_test(t, the_longest_command_and_environment_are_whole);
	tcase_add_test(t, the_callers_variables_win_over_the_images_and_those_over_cess);
	tcase_add_test(t, a_home_of_their_own_comes_after_the_images);
	tcase_add_loop_test(t, a_part_of_a_cpu_counts_as_one_thread, 0, CES_COUNT(threads));
	tcase_add_test(t, the_proxy_and_the_display_win_over_the_callers_variables);
	tcase_add_test(t, nothing_of_an_image_says_which_gpus_there_are);
	tcase_add_test(t, a_run_with_gpus_has_the_drivers_variables_libraries_and_mount);
	tcase_add_test(t, the_library_path_has_each_directory_once);
	tcase_add_test(t, as_many_gpus_as_a_run_may_have_are_all_named);
	tcase_add_loop_test(t, arguments_replace_the_images_command_and_an_entrypoint_both, 0,
			    CES_COUNT(commands));
	tcase_add_loop_test(t, the_working_directory_is_absolute, 0, CES_COUNT(directories));
	tcase_add_test(t, the_images_groups_hold_for_the_images_user_alone);
	tcase_add_test(t, a_user_of_the_container_has_no_capability_but_in_the_bound);
	return run_suite("config_words", t);
}
