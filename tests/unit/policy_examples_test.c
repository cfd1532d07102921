/* Tests the example policies: each loads, and gives a member of a project the directories of its
 * layout. Run it from the top of the source tree. */
#include "common/request.h"
#include "tests/unit/policy_fixture.h"

#include <fcntl.h>

#include "common/io.h"
#include "policy/parse.h"

#define NOW 1796083200 /* 2026-12-01 */

static const struct {
	const char *file, *group, *inferred, *image;
	bool home_data;
	const char *project, *data, *outputs, *scratch;
	bool read_only, scratch_per_run;
} layouts[] = {
    {"desktop", "nsh-2024-0001", NULL, "ghcr.io/epcced/tool", false, "nsh-2024-0001",
     "/safe_data/nsh-2024-0001", "/home/ann/outputs_{run}", "/home/ann/scratch_{run}", false, true},
    {"desktop", "nsh-2024-0002", NULL, "ghcr.io/epcced/wards:2", false, "nsh-2024-0002",
     "/safe_data/nsh-2024-0002", "/home/ann/outputs_{run}", "/home/ann/scratch_{run}", true, true},
    {"gpu-cluster", "nsh-imaging", NULL, "ghcr.io/imaging-lab/torch", false, "imaging",
     "/mnt/beegfs/nsh/imaging/shared", "/mnt/beegfs/nsh/imaging/users/ann", "/home/ann/scratch",
     true, false},
    {"ondemand", "nsh-heart", "heart", "git.ecdf.ed.ac.uk/tre/r/studio", false, "heart",
     "/safe_data/heart", "/home/ann/outputs-{run}", "/home/ann/scratch-{run}", true, true},
    {"ondemand", "heart", "heart", "ghcr.io/epcced/tool", true, "heart", "/home/ann/safe_data",
     "/home/ann/outputs-{run}", "/home/ann/scratch-{run}", true, true},
    {"test-environment", "users", NULL, "ghcr.io/anyone/any/tool", false, "test",
     "/home/ann/safe_data", "/home/ann/safe_outputs", "/home/ann/scratch_{run}", false, true},
};

static struct ces_policy *load(const char *name)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	char path[128];
	CES_CLEANUP_FD int fd = -1;
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};
	size_t length;

	snprintf(path, sizeof(path), "policy/examples/%s.json", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	ck_assert_msg(fd >= 0, "cannot open %s", path);
	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &bytes, &length), 0);
	ck_assert_msg(ces_policy_parse(bytes, length, &policy, &err) == 0, "%s: %s", path,
		      err.text);
	return policy;
}

static int decide(int i, const char *image, struct ces_decision *ret, struct ces_error *err)
{
	struct ces_policy *policy = load(layouts[i].file);
	gid_t gid = 5000;
	char *group = (char *)layouts[i].group, *inferred = (char *)layouts[i].inferred;
	struct ces_caller caller = {1000,   1000, (char *)"ann", (char *)"/home/ann", &gid,
				    &group, 1};
	struct ces_request request = {.verb = CES_VERB_RUN, .image = (char *)image};
	struct ces_facts facts = {.inferred = {&inferred, inferred != NULL},
				  .home_data = layouts[i].home_data};
	int result;

	(void)ces_reference_parse(image, &request.reference, NULL);
	result = ces_decide(policy, &caller, &request, &facts, NOW, ret, err);

	ces_policy_free(policy);
	return result;
}

START_TEST(each_example_gives_the_directories_of_its_layout)
{
	struct ces_decision decision;
	struct ces_error err = {0};

	ck_assert_msg(decide(_i, layouts[_i].image, &decision, &err) == 0, "%s: %s", err.rule,
		      err.text);
	ck_assert_str_eq(decision.project, layouts[_i].project);
	ck_assert_str_eq(decision.data.source, layouts[_i].data);
	ck_assert_str_eq(decision.outputs.source, layouts[_i].outputs);
	ck_assert_str_eq(decision.scratch.source, layouts[_i].scratch);
	ck_assert_int_eq(decision.data.read_only, layouts[_i].read_only);
	ck_assert_int_eq(decision.scratch.per_run, layouts[_i].scratch_per_run);
}
END_TEST

START_TEST(no_example_allows_an_image_from_elsewhere)
{
	struct ces_decision decision;
	struct ces_error err = {0};

	ck_assert_int_eq(decide(_i, "docker.io/library/alpine", &decision, &err), -1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, "registries");
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("examples");

	tcase_add_loop_test(tests, each_example_gives_the_directories_of_its_layout, 0,
			    CES_COUNT(layouts));
	tcase_add_loop_test(tests, no_example_allows_an_image_from_elsewhere, 0,
			    CES_COUNT(layouts));
	return run_suite("policy_examples", tests);
}
