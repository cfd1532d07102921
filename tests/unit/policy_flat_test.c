/* Tests a policy and a specification of devices as flat blocks: they come out of the block the
 * same, and a block that is not whole and exact is refused. Run it from the top of the source tree.
 */
#include "tests/unit/policy_fixture.h"

#include <fcntl.h>

#include "common/io.h"
#include "policy/cdi.h"
#include "policy/cdi_parse.h"
#include "policy/flat.h"
#include "policy/parse.h"

static uint8_t *block;
static size_t length;

static char *file(const char *path, size_t *ret_length)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *bytes = NULL;

	ck_assert_msg(fd >= 0, "cannot open %s", path);
	ck_assert_int_eq(ces_read_file(fd, 1 << 20, &bytes, ret_length), 0);
	return bytes;
}

static void pack_policy(const char *path)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};
	size_t n;
	void *memory;

	bytes = file(path, &n);
	ck_assert_msg(ces_policy_parse(bytes, n, &policy, &err) == 0, "%s: %s", path, err.text);
	memory = policy->memory;
	policy->memory = NULL;
	ck_assert_int_eq(ces_flat_pack(&ces_policy_flat, policy, &block, &length, &err), 0);
	policy->memory = memory;
	ces_policy_free(policy);
}

/* Returns a copy that ends where its block does, so that a sanitizer sees a read of one byte too
 * many. */
static uint8_t *copy(const uint8_t *bytes, size_t n)
{
	uint8_t *made = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(made);
	memcpy(made, bytes, n);
	return made;
}

static int loads(const struct ces_flat_type *type, const uint8_t *bytes, size_t n)
{
	struct ces_error err = {0};
	uint8_t *made = copy(bytes, n);
	int result = ces_flat_load(type, made, n, &err);

	ck_assert(result == 0 || err.code == CES_E_INTERNAL);
	free(made);
	return result;
}

static const char *const examples[] = {
    "policy/examples/desktop.json",  "policy/examples/gpu-cluster.json",
    "policy/examples/ondemand.json", "policy/examples/test-environment.json",
    "policy/default.json",           "tests/policy/full.json"};

START_TEST(a_packed_policy_comes_out_the_same)
{
	uint8_t *made, *again;
	size_t n;

	pack_policy(examples[_i]);
	made = copy(block, length);
	ck_assert_int_eq(ces_flat_load(&ces_policy_flat, made, length, NULL), 0);
	ck_assert_int_eq(ces_flat_pack(&ces_policy_flat, made, &again, &n, NULL), 0);
	ck_assert_uint_eq(n, length);
	ck_assert_mem_eq(again, block, length);
	free(again);
	free(made);
	free(block);
}
END_TEST

START_TEST(a_loaded_policy_has_its_projects_registries_and_lists)
{
	const struct ces_policy *policy;

	pack_policy("policy/examples/desktop.json");
	ck_assert_int_eq(ces_flat_load(&ces_policy_flat, block, length, NULL), 0);
	policy = (const struct ces_policy *)(const void *)block;
	ck_assert_uint_gt(policy->n_projects, 1);
	ck_assert_str_eq(policy->projects[0].name, "nsh-2024-0001");
	ck_assert_str_eq(policy->projects[0].member_groups.v[0], "nsh-2024-0001");
	ck_assert_uint_gt(policy->projects[0].images.n, 0);
	ck_assert_ptr_nonnull(policy->projects[0].images.v[0].allow);
	ck_assert_ptr_null(policy->memory);
	ck_assert_int_eq(strncmp(policy->registries[0].endpoint, "https://", 8), 0);
	free(block);
}
END_TEST

/* tests/policy/full.json has every key there is. A pointer that the table does not name would stay
 * an address in the block, and differ each time. */
START_TEST(no_address_is_in_a_block)
{
	uint8_t *first;
	size_t n;

	pack_policy("tests/policy/full.json");
	first = block;
	n = length;
	pack_policy("tests/policy/full.json");
	ck_assert_uint_eq(n, length);
	ck_assert_ptr_ne(first, block);
	ck_assert_mem_eq(first, block, n);
	free(first);
	free(block);
}
END_TEST

START_TEST(a_block_that_is_cut_short_anywhere_is_refused)
{
	pack_policy("policy/examples/gpu-cluster.json");
	for (size_t n = 0; n < length; n++)
		ck_assert_int_ne(loads(&ces_policy_flat, block, n), 0);
	ck_assert_int_eq(loads(&ces_policy_flat, block, length), 0);
	free(block);
}
END_TEST

START_TEST(a_block_with_a_byte_more_is_refused)
{
	uint8_t *longer;

	pack_policy("policy/examples/gpu-cluster.json");
	longer = calloc(1, length + 8);
	ck_assert_ptr_nonnull(longer);
	memcpy(longer, block, length);
	for (size_t more = 1; more <= 8; more++)
		ck_assert_int_ne(loads(&ces_policy_flat, longer, length + more), 0);
	free(longer);
	free(block);
}
END_TEST

/* A pointer must be 0 or 1, and a count must fit into the block. */
START_TEST(an_address_or_a_wrong_count_is_refused)
{
	static const uint64_t values[] = {77, 8, UINT64_MAX, 1ull << 63, 1ull << 32};
	struct ces_policy *policy;

	pack_policy("policy/examples/gpu-cluster.json");
	policy = (struct ces_policy *)(void *)block;
	for (size_t i = 0; i < CES_COUNT(values); i++) {
		struct ces_policy good = *policy;

		policy->site = (char *)(uintptr_t)values[i];
		ck_assert_int_ne(loads(&ces_policy_flat, block, length), 0);
		*policy = good;
		policy->projects = (struct ces_policy_project *)(uintptr_t)values[i];
		ck_assert_int_ne(loads(&ces_policy_flat, block, length), 0);
		*policy = good;
		policy->n_projects = values[i];
		ck_assert_int_ne(loads(&ces_policy_flat, block, length), 0);
		*policy = good;
		policy->infer_prefixes.n = values[i];
		ck_assert_int_ne(loads(&ces_policy_flat, block, length), 0);
		*policy = good;
	}
	/* there are elements, but no list */
	policy->registries = NULL;
	ck_assert_int_ne(loads(&ces_policy_flat, block, length), 0);
	free(block);
}
END_TEST

START_TEST(any_byte_may_be_another_without_harm)
{
	pack_policy("policy/examples/desktop.json");
	for (size_t i = 0; i < length; i++)
		for (int bit = 0; bit < 8; bit += 7) {
			block[i] ^= (uint8_t)(1 << bit);
			(void)loads(&ces_policy_flat, block, length);
			block[i] ^= (uint8_t)(1 << bit);
		}
	free(block);
}
END_TEST

START_TEST(a_specification_of_devices_comes_out_the_same)
{
	static const char text[] =
	    "{\"cdiVersion\": \"0.6.0\", \"kind\": \"nvidia.com/gpu\", \"devices\": [{\"name\": "
	    "\"0\", "
	    "\"containerEdits\": {\"deviceNodes\": [{\"path\": \"/dev/nvidia0\", \"major\": 195, "
	    "\"minor\": 7}]}}], \"containerEdits\": {\"env\": [\"A=b\"], \"mounts\": "
	    "[{\"hostPath\": "
	    "\"/usr/lib/x.so\", \"containerPath\": \"/usr/lib/x.so\", \"options\": [\"ro\", "
	    "\"nosuid\", "
	    "\"nodev\", \"bind\"]}]}}";
	char *kind = (char *)"nvidia.com/gpu";
	const struct ces_strings kinds = {&kind, 1};
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};
	void *memory;

	ck_assert_msg(ces_cdi_parse(text, strlen(text), &kinds, &spec, &err) == 0, "%s", err.text);
	memory = spec->memory;
	spec->memory = NULL;
	ck_assert_int_eq(ces_flat_pack(&ces_cdi_flat, spec, &block, &length, &err), 0);
	spec->memory = memory;
	ces_cdi_free(spec);
	for (size_t n = 0; n < length; n++)
		ck_assert_int_ne(loads(&ces_cdi_flat, block, n), 0);
	ck_assert_int_eq(ces_flat_load(&ces_cdi_flat, block, length, &err), 0);
	spec = (struct ces_cdi_spec *)(void *)block;
	ck_assert_str_eq(spec->devices[0].edits.nodes[0].path, "/dev/nvidia0");
	ck_assert_uint_eq(spec->devices[0].edits.nodes[0].minor, 7);
	ck_assert_str_eq(spec->edits.env.v[0], "A=b");
	ck_assert_str_eq(spec->edits.mounts[0].host_path, "/usr/lib/x.so");
	free(block);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("flat");

	tcase_add_loop_test(t, a_packed_policy_comes_out_the_same, 0, CES_COUNT(examples));
	tcase_add_test(t, a_loaded_policy_has_its_projects_registries_and_lists);
	tcase_add_test(t, no_address_is_in_a_block);
	tcase_add_test(t, a_block_that_is_cut_short_anywhere_is_refused);
	tcase_add_test(t, a_block_with_a_byte_more_is_refused);
	tcase_add_test(t, an_address_or_a_wrong_count_is_refused);
	tcase_add_test(t, any_byte_may_be_another_without_harm);
	tcase_add_test(t, a_specification_of_devices_comes_out_the_same);
	return run_suite("policy_flat", t);
}
