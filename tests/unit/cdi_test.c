/* Tests the reader of CDI specifications: what it takes over, what it leaves out, and what makes it
 * refuse a file. */
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/cdi.h"
#include "policy/cdi_parse.h"
#include "policy/cdi_place.h"

static char *kind_list[] = {(char *)"nvidia.com/gpu", (char *)"amd.com/gpu"};
static const struct ces_strings kinds = {kind_list, 2};

/* Parses JSON that has ' in place of ". */
static int parse(const char *text, struct ces_cdi_spec **ret, struct ces_error *err)
{
	char copy[65536];

	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	return ces_cdi_parse(copy, strlen(copy), &kinds, ret, err);
}

#define SPEC(rest)     "{'cdiVersion': '0.6.0', 'kind': 'nvidia.com/gpu', 'devices': []" rest "}"
#define EDITS(edits)   SPEC(", 'containerEdits': {" edits "}")
#define DEVICE(device) "{'cdiVersion': '0.6.0', 'kind': 'nvidia.com/gpu', 'devices': [" device "]}"
#define FIFTY                                                                                      \
	"{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},"              \
	"{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},"

static const struct {
	const char *promise, *text, *says;
} refused[] = {
    {"no JSON", "cdiVersion: 0.6.0", "not a JSON value"},
    {"a list", "[]", "must be an object"},
    {"a key twice", "{'kind': 'a.b/c', 'kind': 'nvidia.com/gpu'}", "written twice"},
    {"no kind", "{'cdiVersion': '0.6.0', 'devices': []}", "needs the key \"kind\""},
    {"a kind without a vendor", "{'cdiVersion': '0.6.0', 'kind': 'gpu', 'devices': []}", "kind"},
    {"no version", "{'kind': 'nvidia.com/gpu', 'devices': []}", "needs the key \"cdiVersion\""},
    {"a version to come", "{'cdiVersion': '2.0.0', 'kind': 'nvidia.com/gpu', 'devices': []}",
     "cdiVersion must be"},
    {"no devices", "{'cdiVersion': '0.6.0', 'kind': 'nvidia.com/gpu'}", "\"devices\""},
    {"an unknown key", SPEC(", 'extra': 1"), "extra is not a key"},
    {"a network device", EDITS("'netDevices': []"), "netDevices is not a key"},
    {"cache allocation", EDITS("'intelRdt': {}"), "intelRdt is not a key"},
    {"an unknown key of a node", EDITS("'deviceNodes': [{'path': '/dev/x', 'x': 1}]"), "x is not"},
    {"a node without a path", EDITS("'deviceNodes': [{'major': 1}]"), "needs the key \"path\""},
    {"a path with ..", EDITS("'deviceNodes': [{'path': '/dev/../etc'}]"), "path must be"},
    {"a relative path", EDITS("'deviceNodes': [{'path': 'dev/x'}]"), "path must be"},
    {"a major that is none", EDITS("'deviceNodes': [{'path': '/dev/x', 'major': 4096}]"), "4095"},
    {"a negative minor", EDITS("'deviceNodes': [{'path': '/dev/x', 'minor': -1}]"), "minor must"},
    {"odd permissions", EDITS("'deviceNodes': [{'path': '/dev/x', 'permissions': 'rx'}]"), "rwm"},
    {"a mount of one end", EDITS("'mounts': [{'hostPath': '/x'}]"), "\"containerPath\""},
    {"a mount to nowhere", EDITS("'mounts': [{'hostPath': '/x', 'containerPath': '/a//b'}]"),
     "containerPath must be"},
    {"a variable without a value", EDITS("'env': ['A']"), "NAME=value"},
    {"a variable of two lines", EDITS("'env': ['A=a\\nB=b']"), "NAME=value"},
    {"an argument that is no text", EDITS("'hooks': [{'args': [1]}]"), "args[0] must be"},
    {"hooks that are no list", EDITS("'hooks': {}"), "must be a list"},
    {"a device without a name", DEVICE("{'containerEdits': {}}"), "needs the key \"name\""},
    {"a device that is a path", DEVICE("{'name': '../x', 'containerEdits': {}}"), "name must be"},
    {"two devices of a name",
     DEVICE("{'name': 'x', 'containerEdits': {}}, {'name': 'x', 'containerEdits': {}}"), "two"},
    {"more elements than any driver has",
     EDITS("'hooks': [" FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "{}]"),
     "at most 512"},
};

START_TEST(a_specification_is_refused)
{
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};

	ck_assert_int_eq(parse(refused[_i].text, &spec, &err), -1);
	ck_assert_ptr_null(spec);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_msg(strstr(err.text, refused[_i].says) != NULL, "%s: %s", refused[_i].promise,
		      err.text);
}
END_TEST

START_TEST(a_kind_that_is_not_asked_for_is_not_read)
{
	struct ces_cdi_spec *spec = (struct ces_cdi_spec *)&kinds;
	struct ces_error err = {0};

	ck_assert_int_eq(parse("{'cdiVersion': '1.0.0', 'kind': 'vendor.com/net', 'devices': "
			       "[{'what': 1}], 'containerEdits': {'netDevices': []}}",
			       &spec, &err),
			 0);
	ck_assert_ptr_null(spec);
}
END_TEST

START_TEST(a_specification_of_a_drivers_tool_is_taken_over)
{
	CES_CLEANUP_FD int fd = open("tests/lib/lab/cdi/nvidia.json", O_RDONLY | O_CLOEXEC);
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};
	size_t length;

	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &bytes, &length), 0);
	ck_assert_msg(ces_cdi_parse(bytes, length, &kinds, &spec, &err) == 0, "%s", err.text);
	ck_assert_str_eq(spec->kind, "nvidia.com/gpu");
	ck_assert_uint_eq(spec->n_devices, 7);
	ck_assert_str_eq(spec->devices[2].name, "0:0");
	ck_assert_uint_eq(spec->devices[2].edits.n_nodes, 3);
	ck_assert_str_eq(spec->devices[2].edits.nodes[1].path, "/dev/nvidia-caps/nvidia-cap12");
	ck_assert(spec->devices[2].edits.nodes[1].numbered);
	ck_assert_uint_eq(spec->devices[2].edits.nodes[1].major, 237);
	ck_assert_uint_eq(spec->devices[2].edits.nodes[1].minor, 12);
	ck_assert_str_eq(spec->devices[2].edits.nodes[1].permissions, "r");
	ck_assert_str_eq(spec->edits.mounts[0].host_path, "/usr/lib64/libcuda.so.570.133.20");
	ck_assert_str_eq(spec->edits.env.v[0], "NVIDIA_VISIBLE_DEVICES=void");
	ck_assert_uint_eq(spec->edits.mounts[0].place, CES_CDI_LIBRARY);
	ck_assert_uint_eq(spec->edits.n_links, 2);
	ck_assert_str_eq(spec->edits.links[0].target, "libcuda.so.1");
	ck_assert_str_eq(spec->edits.links[0].path, "/usr/lib64/libcuda.so");
	ck_assert_uint_eq(spec->edits.links[0].place, CES_CDI_LIBRARY);
	ces_cdi_free(spec);
}
END_TEST

START_TEST(a_node_may_leave_its_number_to_the_host)
{
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};

	ck_assert_int_eq(
	    parse(EDITS("'deviceNodes': [{'path': '/dev/nvidiactl'}], 'hooks': [{'args': "
			"['nvidia-ctk', 'hook', 'create-symlinks', '--link', 'a::/usr/b/c',"
			" '--link']}]"),
		  &spec, &err),
	    0);
	ck_assert(!spec->edits.nodes[0].numbered);
	ck_assert_ptr_null(spec->edits.nodes[0].permissions);
	ck_assert_uint_eq(spec->edits.n_links, 1);
	ck_assert_str_eq(spec->edits.links[0].target, "a");
	ck_assert_str_eq(spec->edits.links[0].path, "/usr/b/c");
	ck_assert_uint_eq(spec->edits.links[0].place, CES_CDI_LINKED);
	ces_cdi_free(spec);
}
END_TEST

static const struct {
	const char *path;
	enum ces_cdi_place place;
} places[] = {
    {"/usr/lib64/libcuda.so.570", CES_CDI_LIBRARY},
    {"/usr/bin/nvidia-smi", CES_CDI_LINKED},
    {"/etc/vulkan/icd.d/nvidia_icd.json", CES_CDI_LINKED},
    {"/run/nvidia-persistenced/socket", CES_CDI_LEFT_OUT},
    {"/lib/firmware/nvidia/gsp.bin", CES_CDI_LEFT_OUT},
    {"/usr/bin", CES_CDI_REFUSED},
    {"/usr", CES_CDI_REFUSED},
    {"/etc/passwd", CES_CDI_REFUSED},
    {"/usr/lib/ces-gpu/x", CES_CDI_REFUSED},
    {"/usr/lib/../../etc/x", CES_CDI_REFUSED},
    {"usr/lib/x", CES_CDI_REFUSED},
    {"", CES_CDI_REFUSED},
};

START_TEST(a_file_of_a_driver_has_its_place)
{
	ck_assert_uint_eq(ces_cdi_place_of(places[_i].path), places[_i].place);
}
END_TEST

START_TEST(a_link_that_is_refused_keeps_its_text)
{
	static const char *const links[] = {"a", "::/usr/b/c", "a::/etc/passwd", "a::b"};
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};
	char text[512];

	(void)snprintf(text, sizeof(text),
		       EDITS("'hooks': [{'args': ['nvidia-ctk', 'hook', 'create-symlinks', "
			     "'--link', '%s']}]"),
		       links[_i]);
	ck_assert_msg(parse(text, &spec, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(spec->edits.links[0].place, CES_CDI_REFUSED);
	ck_assert_str_eq(spec->edits.links[0].target, links[_i]);
	ces_cdi_free(spec);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cdi");
	TCase *t = tcase_create("cdi");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_loop_test(t, a_specification_is_refused, 0, CES_COUNT(refused));
	tcase_add_test(t, a_kind_that_is_not_asked_for_is_not_read);
	tcase_add_loop_test(t, a_file_of_a_driver_has_its_place, 0, CES_COUNT(places));
	tcase_add_loop_test(t, a_link_that_is_refused_keeps_its_text, 0, 4);
	tcase_add_test(t, a_specification_of_a_drivers_tool_is_taken_over);
	tcase_add_test(t, a_node_may_leave_its_number_to_the_host);
	suite_add_tcase(suite, t);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
