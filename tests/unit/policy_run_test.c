/* Tests the decision: what one run is given, and what it is refused. */
#include "tests/unit/policy_ask.h"

#define GIB ((uint64_t)1 << 30)

START_TEST(a_run_gets_its_directories)
{
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.data.source, "/safe_data/alpha");
	ck_assert_str_eq(decision.data.destination, "/safe_data");
	ck_assert(!decision.data.read_only && !decision.data.create && !decision.data.per_run);
	ck_assert_str_eq(decision.outputs.source, "/home/ann/outputs_{run}");
	ck_assert_str_eq(decision.outputs.destination, "/safe_outputs");
	ck_assert(!decision.outputs.read_only && decision.outputs.create &&
		  decision.outputs.per_run);
	ck_assert_str_eq(decision.scratch.source, "/home/ann/scratch_{run}");
	ck_assert_str_eq(decision.scratch.destination, "/scratch");
	ck_assert(!decision.scratch.read_only && decision.scratch.create &&
		  decision.scratch.per_run);
	ck_assert_uint_eq(decision.n_binds + decision.n_tmpfs + decision.n_ports + decision.gpus,
			  0);
}
END_TEST

START_TEST(data_are_read_only_unless_the_policy_says_otherwise)
{
	in_groups("g-beta");
	request.image = (char *)"ghcr.io/beta/tool";
	allowed("projects.beta.images[0]");
	ck_assert_str_eq(decision.data.source, "/home/ann/data");
	ck_assert(decision.data.read_only);
	ck_assert_int_eq(decision.retain, CES_RETAIN_RUN);
}
END_TEST

START_TEST(a_source_that_grows_too_long_is_refused)
{
	char home[1024];

	memset(home, 'h', sizeof(home));
	home[0] = '/';
	home[1020] = '\0';
	caller.home = home;
	refused(CES_E_HOST, "", "too long");
}
END_TEST

START_TEST(home_override_needs_both_the_policy_and_the_directory)
{
	facts.home_data = true;
	allowed("projects.alpha.images[0]");
	ck_assert_str_eq(decision.data.source, "/safe_data/alpha");
	use_policy(PROJECT(", 'data': {'home_override': true}"));
	in_groups("p");
	allowed("projects.p.images[0]");
	ck_assert_str_eq(decision.data.source, "/home/ann/safe_data");
	ck_assert(decision.data.read_only);
	facts.home_data = false;
	allowed("projects.p.images[0]");
	ck_assert_str_eq(decision.data.source, "/safe_data/p");
}
END_TEST

START_TEST(limits_that_are_not_asked_are_the_policys)
{
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.limits.cpus, 2000);
	ck_assert_uint_eq(decision.limits.memory, 8 * GIB);
	ck_assert_uint_eq(decision.limits.time, 6 * 3600);
	ck_assert_uint_eq(decision.limits.pids, 4096);
}
END_TEST

START_TEST(a_run_gets_no_more_than_the_total_of_its_user)
{
	use_policy(POLICY("'projects': {'p': {'members': {'groups': ['p']}, 'images': [{'allow': "
			  "'ghcr.io/lab/*'}]}}, 'host': {'user_limits': {'cpus': 0.5, 'memory': "
			  "'1G', 'pids': 10, 'runs': 1}}"));
	in_groups("p");
	allowed("projects.p.images[0]");
	ck_assert_uint_eq(decision.limits.cpus, 500);
	ck_assert_uint_eq(decision.limits.memory, GIB);
	ck_assert_uint_eq(decision.limits.pids, 10);
	ck_assert_uint_eq(decision.most.memory, GIB);
	request.memory_bytes = 2 * GIB;
	refused(CES_E_DENIED, "host.user_limits.memory", "more than the 1 GiB that is allowed");
	request.memory_bytes = GIB / 2;
	request.cpus = 501;
	refused(CES_E_DENIED, "host.user_limits.cpus", "0.501 is more than the 0.500");
	request.cpus = 1;
	allowed("projects.p.images[0]");
	ck_assert_uint_eq(decision.limits.memory, GIB / 2);
	ck_assert_uint_eq(decision.most.memory, GIB);
}
END_TEST

START_TEST(limits_may_be_asked_up_to_the_policys)
{
	request.cpus = 2000;
	request.memory_bytes = 8 * GIB;
	request.time_seconds = 60;
	request.shm_bytes = 4096;
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.limits.cpus, 2000);
	ck_assert_uint_eq(decision.limits.memory, 8 * GIB);
	ck_assert_uint_eq(decision.limits.time, 60);
	ck_assert_uint_eq(decision.limits.shm, 4096);
}
END_TEST

static const struct {
	uint64_t cpus, memory, time, shm;
	const char *rule, *says;
} too_much[] = {
    {.cpus = 2001, .rule = "projects.alpha.limits.cpus", .says = "2.001 is more than the 2 that"},
    {.memory = 8 * GIB + 1,
     .rule = "defaults.limits.memory",
     .says = "8589934593 is more than the 8589934592 that is allowed"},
    {.time = 6 * 3600 + 1,
     .rule = "defaults.limits.time",
     .says = "more than the 6h that is allowed"},
    {.shm = 2 * GIB,
     .rule = "defaults.limits.shm",
     .says = "2 GiB is more than the 1 GiB that is allowed"},
    {.memory = UINT64_MAX, .rule = "defaults.limits.memory", .says = "8 GiB"},
};

START_TEST(more_than_the_limit_is_denied_with_the_figure)
{
	request.cpus = too_much[_i].cpus;
	request.memory_bytes = too_much[_i].memory;
	request.time_seconds = too_much[_i].time;
	request.shm_bytes = too_much[_i].shm;
	refused(CES_E_DENIED, too_much[_i].rule, too_much[_i].says);
}
END_TEST

static const struct {
	const char *port, *rule, *says;
	enum ces_code code;
} bad_ports[] = {
    {"8787:8888", "projects.alpha.network.publish", "port 8888", CES_E_DENIED},
    {"80:80", "", "1024 or above", CES_E_USAGE},
    {"8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"8787:", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {":8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"0.0.0.0:8787:8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"8787:8787/udp", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"65536:8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"-1:8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"08787:8787", "", "-p HOST:CONTAINER", CES_E_USAGE},
    {"8787:65536", "", "-p HOST:CONTAINER", CES_E_USAGE},
};

START_TEST(a_port_that_is_not_listed_is_refused)
{
	request.publish = (struct ces_strings)LIST((char *)bad_ports[_i].port);
	refused(bad_ports[_i].code, bad_ports[_i].rule, bad_ports[_i].says);
}
END_TEST

START_TEST(a_listed_port_is_published_from_any_unprivileged_one)
{
	request.publish = (struct ces_strings)LIST((char *)"9000:8787", (char *)"8080:80");
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_ports, 2);
	ck_assert_uint_eq(decision.ports[0].host, 9000);
	ck_assert_uint_eq(decision.ports[0].container, 8787);
	ck_assert_uint_eq(decision.ports[1].host, 8080);
	ck_assert_uint_eq(decision.ports[1].container, 80);
	request.publish = (struct ces_strings)LIST((char *)"9000:8787", (char *)"9000:80");
	refused(CES_E_USAGE, "", "two ports");
}
END_TEST

START_TEST(no_more_ports_than_fit_are_taken)
{
	char *ports[CES_PORTS_MAX + 1];
	char text[CES_PORTS_MAX + 1][20];

	for (int i = 0; i <= CES_PORTS_MAX; i++) {
		snprintf(text[i], sizeof(text[i]), "%d:8787", 2000 + i);
		ports[i] = text[i];
	}
	request.publish = (struct ces_strings){ports, CES_PORTS_MAX + 1};
	refused(CES_E_USAGE, "", "more than 32");
	request.publish.n = CES_PORTS_MAX;
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.n_ports, CES_PORTS_MAX);
}
END_TEST

START_TEST(a_display_needs_the_policy_and_a_key)
{
	uint64_t key[] = {1, 2};

	request.display = 1;
	request.cookie = (struct ces_u64s){key, CES_COOKIE_WORDS};
	refused(CES_E_DENIED, "defaults.display", "leave out --display");
	use_policy("{'ces_policy': 1, 'registries': {'ghcr.io': {}}, 'projects': {'alpha': {"
		   "'members': {'groups': ['g-alpha']}, 'images': [{'allow': 'ghcr.io/**'}],"
		   "'binds': ['~'], 'display': true}}}");
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.display, 1);
	ck_assert_mem_eq(decision.cookie, key, sizeof(key));
	request.cookie.n = 1;
	refused(CES_E_USAGE, "", "key to the display is missing");
	request.flags = CES_FLAG_EXPLAIN;
	allowed("projects.alpha.images[0]");
	request.display = CES_DISPLAY_MAX + 1;
	refused(CES_E_USAGE, "", "no display of this number");
	request.display = 0;
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.display, 0);
}
END_TEST

static const struct {
	const char *source;
	bool refused;
} beside_display[] = {
    {"/home/ann", true},       {"/home/ann/.Xauthority", true},   {"/home", true},
    {"/home/ann/work", false}, {"/home/ann/.Xauthority2", false},
};

START_TEST(the_callers_own_key_does_not_come_in_beside_the_display)
{
	uint64_t key[] = {1, 2}, read_only = 1;
	char source[64], *sources[] = {source}, *places[] = {(char *)"/mine"};

	use_policy("{'ces_policy': 1, 'registries': {'ghcr.io': {}}, 'projects': {'alpha': {"
		   "'members': {'groups': ['g-alpha']}, 'images': [{'allow': 'ghcr.io/**'}],"
		   "'binds': ['/home'], 'display': true}}}");
	snprintf(source, sizeof(source), "%s", beside_display[_i].source);
	request.bind_sources = (struct ces_strings){sources, 1};
	request.bind_destinations = (struct ces_strings){places, 1};
	request.bind_read_only = (struct ces_u64s){&read_only, 1};
	allowed("projects.alpha.images[0]");
	request.display = 1;
	request.cookie = (struct ces_u64s){key, CES_COOKIE_WORDS};
	for (int place = 0; place < 2; place++) {
		if (beside_display[_i].refused)
			refused(CES_E_USAGE, "", "your own key to the display");
		else
			allowed("projects.alpha.images[0]");
		places[0] = (char *)"/safe_outputs";
	}
}
END_TEST

static char tmp[] = "/tmp", inside_tmp[] = "/tmp/.X11-unix", itself[] = "/tmp/.X11-unix/X0",
	    beside[] = "/tmp/mine";
static char *const over_display[] = {tmp, inside_tmp, itself, beside};

START_TEST(nothing_is_mounted_over_the_display)
{
	uint64_t size = 0, key[] = {1, 2}, writable = 0;
	char *at = over_display[_i], home[] = "/home/ann/x", *homes[] = {home}, *places[] = {at};

	use_policy("{'ces_policy': 1, 'registries': {'ghcr.io': {}}, 'projects': {'alpha': {"
		   "'members': {'groups': ['g-alpha']}, 'images': [{'allow': 'ghcr.io/**'}],"
		   "'binds': ['~'], 'display': true}}}");
	request.display = 1;
	request.cookie = (struct ces_u64s){key, CES_COOKIE_WORDS};
	request.tmpfs_destinations = (struct ces_strings){places, 1};
	request.tmpfs_sizes = (struct ces_u64s){&size, 1};
	for (int bind = 0; bind < 2; bind++) {
		if (at == beside)
			allowed("projects.alpha.images[0]");
		else
			refused(CES_E_USAGE, "", "the display's socket is below /tmp");
		request.tmpfs_destinations.n = request.tmpfs_sizes.n = 0;
		request.bind_sources = (struct ces_strings){homes, 1};
		request.bind_destinations = (struct ces_strings){places, 1};
		request.bind_read_only = (struct ces_u64s){&writable, 1};
	}
}
END_TEST

static const struct {
	const char *asked, *id;
	uint64_t gpus;
	enum ces_code code; /* CES_OK: allowed */
} gpus[] = {
    {NULL, "", 0, CES_OK},       {"0", "", 0, CES_OK},
    {"1", "", 1, CES_OK},        {"2", "", 2, CES_OK},
    {"all", "", 2, CES_OK},      {"MIG-41cf-0:1", "MIG-41cf-0:1", 1, CES_OK},
    {"3", "", 0, CES_E_DENIED},  {"99", "", 0, CES_E_DENIED},
    {"-1", "", 0, CES_E_USAGE},  {"01", "", 0, CES_E_USAGE},
    {"", "", 0, CES_E_USAGE},    {"../nvidia0", "", 0, CES_E_USAGE},
    {"a b", "", 0, CES_E_USAGE}, {"99999999999999999999", "", 0, CES_E_USAGE},
};

START_TEST(gpus_are_counted_against_the_policy)
{
	request.gpu = (char *)gpus[_i].asked;
	if (gpus[_i].code != CES_OK) {
		refused(gpus[_i].code,
			gpus[_i].code == CES_E_DENIED ? "projects.alpha.gpus.max" : "", "");
		return;
	}
	allowed("projects.alpha.images[0]");
	ck_assert_uint_eq(decision.gpus, gpus[_i].gpus);
	ck_assert_str_eq(decision.gpu_id, gpus[_i].id);
}
END_TEST

START_TEST(a_device_outside_of_the_list_is_denied)
{
	use_policy(PROJECT(", 'gpus': {'max': 1, 'devices': ['0', 'GPU-a']}"));
	in_groups("p");
	request.gpu = (char *)"GPU-a";
	allowed("projects.p.images[0]");
	ck_assert_uint_eq(decision.gpu_devices.n, policy->projects[0].settings.gpu_devices.n);
	ck_assert_str_eq(decision.gpu_devices.v[0], policy->projects[0].settings.gpu_devices.v[0]);
	ck_assert(decision.gpu_exclusive && !decision.gpus_all);
	request.gpu = (char *)"1x";
	refused(CES_E_DENIED, "projects.p.gpus.devices", "1x is not one that may be used");
}
END_TEST

START_TEST(the_caller_cannot_set_the_variables_of_drivers)
{
	request.env = (struct ces_strings)LIST((char *)"NVIDIA_VISIBLE_DEVICES=all");
	refused(CES_E_USAGE, "", "NVIDIA_VISIBLE_DEVICES: CES sets this itself");
	request.env = (struct ces_strings)LIST((char *)"NVIDIA_TF32_OVERRIDE=0");
	allowed("projects.alpha.images[0]");
}
END_TEST

START_TEST(without_gpus_in_the_policy_none_is_granted)
{
	static const char *const asked[] = {"1", "all", "GPU-5"};

	use_policy(PROJECT(""));
	in_groups("p");
	for (size_t i = 0; i < CES_COUNT(asked); i++) {
		request.gpu = (char *)asked[i];
		refused(CES_E_DENIED, "defaults.gpus.max", "leave out --gpu");
	}
}
END_TEST

START_TEST(the_lesser_identity_may_always_be_asked_for)
{
	allowed("projects.alpha.images[0]");
	ck_assert_int_eq(decision.identity, CES_IDENTITY_ROOT_IS_USER);
	request.flags = CES_FLAG_SAME_UID | CES_FLAG_READ_ONLY;
	allowed("projects.alpha.images[0]");
	ck_assert_int_eq(decision.identity, CES_IDENTITY_SAME_UID);
	ck_assert(decision.read_only);
	request.flags = 0;
	in_groups("g-beta");
	request.image = (char *)"ghcr.io/beta/tool";
	allowed("projects.beta.images[0]");
	ck_assert_int_eq(decision.identity, CES_IDENTITY_SAME_UID);
	ck_assert(!decision.read_only);
}
END_TEST

START_TEST(words_for_the_container_are_checked)
{
	request.env = (struct ces_strings)LIST((char *)"A=b", (char *)"=x");
	refused(CES_E_USAGE, "", "entry 2");
	request.env = (struct ces_strings)LIST((char *)"A");
	refused(CES_E_USAGE, "", "NAME=value");
	request.env.n = 0;
	request.workdir = (char *)"relative";
	refused(CES_E_USAGE, "", "-w");
	request.workdir = NULL;
	request.name = (char *)"1234567890";
	refused(CES_E_USAGE, "", "--name");
}
END_TEST

static TCase *make_tests(void)
{
	TCase *t = tcase_create("run");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, a_run_gets_its_directories);
	tcase_add_test(t, data_are_read_only_unless_the_policy_says_otherwise);
	tcase_add_test(t, a_source_that_grows_too_long_is_refused);
	tcase_add_test(t, home_override_needs_both_the_policy_and_the_directory);
	tcase_add_test(t, limits_that_are_not_asked_are_the_policys);
	tcase_add_test(t, a_run_gets_no_more_than_the_total_of_its_user);
	tcase_add_test(t, limits_may_be_asked_up_to_the_policys);
	tcase_add_loop_test(t, more_than_the_limit_is_denied_with_the_figure, 0,
			    CES_COUNT(too_much));
	tcase_add_loop_test(t, a_port_that_is_not_listed_is_refused, 0, CES_COUNT(bad_ports));
	tcase_add_test(t, a_listed_port_is_published_from_any_unprivileged_one);
	tcase_add_test(t, no_more_ports_than_fit_are_taken);
	tcase_add_test(t, a_display_needs_the_policy_and_a_key);
	tcase_add_loop_test(t, the_callers_own_key_does_not_come_in_beside_the_display, 0,
			    CES_COUNT(beside_display));
	tcase_add_loop_test(t, nothing_is_mounted_over_the_display, 0, CES_COUNT(over_display));
	tcase_add_loop_test(t, gpus_are_counted_against_the_policy, 0, CES_COUNT(gpus));
	tcase_add_test(t, a_device_outside_of_the_list_is_denied);
	tcase_add_test(t, the_caller_cannot_set_the_variables_of_drivers);
	tcase_add_test(t, without_gpus_in_the_policy_none_is_granted);
	tcase_add_test(t, the_lesser_identity_may_always_be_asked_for);
	tcase_add_test(t, words_for_the_container_are_checked);
	return t;
}

int main(void)
{
	return run_suite("policy_run", make_tests());
}
