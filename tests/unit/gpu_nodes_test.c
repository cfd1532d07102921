/* Tests which nodes of a CDI specification a run may have: by what is really there, whatever the
 * specification says. */
/* links: helper/launch/gpu_nodes.c */
#include "tests/unit/gpu_scene.h"

static struct ces_error err;
static struct ces_device got;
static bool closed;
static int dev;

static void set_up(void)
{
	gpu_scene_begin();
	(void)put_node("dev/nvidia0", 195, 0);
	(void)put_node("dev/null", 1, 3);
	(void)put_node("dev/mem", 1, 1);
	(void)put_node("dev/kfd", 235, 0);
	(void)put_node("dev/dri/card0", 226, 0);
	(void)put_node("dev/dri/renderD128", 226, 128);
	(void)put_node("dev/nvidia-caps/nvidia-cap1", 240, 1);
	(void)put_node("dev/nvidia-caps/nvidia-cap3", 240, 3);
	(void)put_node("dev/nvidia-uvm", 241, 0);
	(void)put("dev/nvidia-sd", S_IFBLK | 0660, 8, 0);
	(void)put("dev/nvidia-file", S_IFREG | 0644, 195, 0);
	(void)put_node("outside", 195, 9);
	(void)mkdirat(directory, "dev/nvidia-dir", 0755);
	ck_assert_int_eq(symlinkat("nvidia0", directory, "dev/nvidia-link"), 0);
	ck_assert_int_eq(symlinkat("../outside", directory, "dev/nvidia-out"), 0);
	ck_assert_int_eq(symlinkat("dri", directory, "dev/nvidia-gate"), 0);
	dev = openat(directory, "dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = (struct ces_error){0};
}

static void tear_down(void)
{
	close(dev);
	gpu_scene_end();
}

static int look(const struct ces_cdi_node *node)
{
	size_t before = open_fds();
	int result = ces_gpu_node(dev, DEVICES, node, &got, &closed, &err);

	ck_assert_uint_eq(open_fds(), before);
	return result;
}

static const struct {
	struct ces_cdi_node node;
	const char *path; /* it becomes */
	unsigned major, minor;
	bool read_only;
} good[] = {
    {{.path = "/dev/nvidia0"}, "nvidia0", 195, 0, false},
    {{.path = "/dev/nvidia7", .host_path = "/dev/nvidia0"}, "nvidia7", 195, 0, false},
    {{.path = "/dev/nvidia0", .type = "c", .permissions = "rwm"}, "nvidia0", 195, 0, false},
    {{.path = "/dev/nvidia0", .type = "u", .permissions = "r"}, "nvidia0", 195, 0, true},
    {{.path = "/dev/nvidia0", .permissions = "rm"}, "nvidia0", 195, 0, true},
    {{.path = "/dev/nvidia0", .permissions = ""}, "nvidia0", 195, 0, true},
    {{.path = "/dev/nvidia0", .numbered = true, .major = 195}, "nvidia0", 195, 0, false},
    {{.path = "/dev/kfd"}, "kfd", 235, 0, false},
    {{.path = "/dev/dri/renderD128"}, "dri/renderD128", 226, 128, false},
    {{.path = "/dev/nvidia-uvm"}, "nvidia-uvm", 241, 0, false},
    {{.path = "/dev/nvidia-caps/nvidia-cap3", .permissions = "r"},
     "nvidia-caps/nvidia-cap3",
     240,
     3,
     true},
};

START_TEST(a_node_of_a_gpu_has_the_number_that_it_really_has)
{
	ck_assert_msg(look(&good[_i].node) == 0, "%s", err.text);
	ck_assert_str_eq(got.path, good[_i].path);
	ck_assert_uint_eq(got.major, good[_i].major);
	ck_assert_uint_eq(got.minor, good[_i].minor);
	ck_assert_int_eq(got.read_only, good[_i].read_only);
	ck_assert(!closed); /* (a mode that forbids it does not count) */
}
END_TEST

#define LONG "nvidia0123456789012345678901234567890123456789012345678901234567"

static const struct {
	struct ces_cdi_node node;
	const char *says;
} bad[] = {
    {{.path = "/dev/null"}, "/dev/null is not a device that CES gives"},
    {{.path = "/dev/mem", .host_path = "/dev/nvidia0"}, "/dev/mem is not a device"},
    {{.path = "/dev/nvidia0", .host_path = "/dev/mem"}, "/dev/mem (1:1) is not a device"},
    {{.path = "/dev/nvidia0", .host_path = "/etc/nvidia0"}, "/dev/nvidia0 is not a device"},
    {{.path = "/dev/nvidia0", .host_path = "/devnvidia0"}, "/dev/nvidia0 is not a device"},
    {{.path = "/dev/nvidia0", .host_path = "/dev/../outside"}, "outside: "},
    {{.path = "/dev/nvidia0", .host_path = "/dev/nvidia-out"}, "is not a character device"},
    {{.path = "/dev/nvidia-link"}, "is not a character device"},
    {{.path = "/dev/nvidia-gate/renderD128"}, "Too many levels of symbolic links"},
    {{.path = "/dev/nvidia-sd"}, "/dev/nvidia-sd is not a character device"},
    {{.path = "/dev/nvidia-file"}, "is not a character device"},
    {{.path = "/dev/nvidia-dir"}, "is not a character device"},
    {{.path = "/dev/nvidia9"}, "/dev/nvidia9: No such file"},
    {{.path = "/dev/nvidia0", .type = "b"}, "is not a device that CES gives"},
    {{.path = "/dev/nvidia0", .type = "p"}, "is not a device that CES gives"},
    {{.path = "/dev/nvidia0", .type = ""}, "is not a device that CES gives"},
    {{.path = "/dev/nvidia0", .numbered = true, .major = 195, .minor = 1},
     "is device 195:0, and the specification says 195:1; make the specification again"},
    {{.path = "/dev/nvidia0", .numbered = true, .major = 1ull << 32 | 195}, "make the spec"},
    {{.path = "/dev/dri/card0"}, "(226:0) is not a device"},
    {{.path = "/dev/nvidia-caps/nvidia-cap1"}, "(240:1) is not a device"},
    {{.path = "/dev/" LONG}, "is not a device that CES gives"},
    {{.path = "/dev/dri/../mem"}, "(1:1) is not a device"},
};

START_TEST(any_other_node_is_refused_and_named)
{
	ck_assert_int_lt(look(&bad[_i].node), 0);
	ck_assert_msg(strstr(err.text, bad[_i].says) != NULL, "%s", err.text);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

START_TEST(the_longest_name_is_one_byte_shorter_than_its_place)
{
	struct ces_cdi_node node = {.path = "/dev/nvidia-x", .host_path = "/dev/nvidia0"};
	char name[sizeof("/dev/") + sizeof(got.path)] = "/dev/" LONG;

	ck_assert_uint_eq(strlen(LONG), sizeof(got.path));
	name[strlen(name) - 1] = '\0';
	node.path = name;
	ck_assert_int_eq(look(&node), 0);
	ck_assert_uint_eq(strlen(got.path), sizeof(got.path) - 1);
}
END_TEST

START_TEST(the_callers_cgroup_says_whether_a_node_is_closed)
{
	struct ces_cdi_node node = {.path = "/dev/nvidia0"};
	char expected[40];

	files[put_node("dev/nvidia0", 195, 0)].closed = true;
	ck_assert_int_eq(look(&node), 0);
	ck_assert(closed);
	node.permissions = "r";
	ck_assert_int_eq(look(&node), 0);
	ck_assert(closed);
	(void)snprintf(expected, sizeof(expected), "access dev/nvidia0 %x", R_OK | W_OK);
	ck_assert_str_eq(steps->v[0], expected);
	(void)snprintf(expected, sizeof(expected), "access dev/nvidia0 %x", R_OK);
	ck_assert_str_eq(steps->v[1], expected);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("nodes");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_loop_test(t, a_node_of_a_gpu_has_the_number_that_it_really_has, 0,
			    CES_COUNT(good));
	tcase_add_loop_test(t, any_other_node_is_refused_and_named, 0, CES_COUNT(bad));
	tcase_add_test(t, the_longest_name_is_one_byte_shorter_than_its_place);
	tcase_add_test(t, the_callers_cgroup_says_whether_a_node_is_closed);
	return run_suite("gpu_nodes", t);
}
