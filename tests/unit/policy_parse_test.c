/* Tests the policy's parser: which files it refuses as a whole, which place it names for an error,
 * and how it merges defaults and projects. */
#include "policy/parse.h"
#include "tests/unit/policy_fixture.h"

static const struct {
	const char *promise, *text, *says;
} refused[] = {
    /* the text */
    {"an empty file", "", "line 1, column 1"},
    {"no object", "[]", "must be an object"},
    {"a truncated file", "{'ces_policy': 1, 'registries': {", "column 34"},
    {"something after the end", POLICY("'projects': {}") "x", "follows the end"},
    {"a second document", POLICY("'projects': {}") "{}", "follows the end"},
    {"a byte order mark", "\xef\xbb\xbf" POLICY("'projects': {}"), "byte order mark"},
    {"a comment", "/* */" POLICY("'projects': {}"), "not a JSON value"},
    {"a comma at the end", POLICY("'projects': {},"), "nothing follows this comma"},
    {"a control character in a string", POLICY("'projects': {}, 'site': 'a\x01'"),
     "control character"},
    {"a line break in a string", POLICY("'projects': {}, 'site': 'a\nb'"), "control character"},
    {"a NUL as an escape", POLICY("'projects': {}, 'site': 'a\\u0000b'"), "may not be written"},
    {"half a surrogate pair", POLICY("'projects': {}, 'site': 'a\\ud800b'"), "may not be written"},
    {"an unknown escape", POLICY("'projects': {}, 'site': 'a\\xb'"), "line 1, column 77"},
    {"UTF-8 that is not", POLICY("'projects': {}, 'site': 'a\xc3('"), NULL},
    {"a surrogate as UTF-8", POLICY("'projects': {}, 'site': 'a\xed\xa0\x80'"), "not UTF-8"},
    {"UTF-8 that is longer than it must be", POLICY("'projects': {}, 'site': 'a\xc0\xaf'"),
     "not UTF-8"},
    {"UTF-8 beyond Unicode", POLICY("'projects': {}, 'site': 'a\xf4\xbf\xbf\xbf'"), "not UTF-8"},
    {"a terminal escape in C1", POLICY("'projects': {}, 'site': 'a\\u009bb'"), "site must be"},
    {"text that turns direction", POLICY("'projects': {}, 'site': 'a\\u202eb'"), "site must be"},
    {"an escape in a key", POLICY("'projec\\u0074s': {}"), "a key is plain ASCII"},
    {"a key outside ASCII", POLICY("'projects': {}, 's\xc3\xafte': 'x'"), "a key is plain ASCII"},
    {"NaN", PROJECT(", 'gpus': {'max': NaN}"), "not a JSON value"},
    {"Infinity", PROJECT(", 'gpus': {'max': Infinity}"), "not a JSON value"},
    {"a leading zero", PROJECT(", 'gpus': {'max': 01}"), "expected"},
    {"a number that ends in a point", PROJECT(", 'limits': {'cpus': 1.}"), "not a JSON value"},
    {"a kind of device without a vendor", PROJECT(", 'gpus': {'kinds': ['gpu']}"),
     "projects.p.gpus.kinds[0] must be a kind"},
    {"a kind of device that is a path", PROJECT(", 'gpus': {'kinds': ['a/b/c']}"),
     "projects.p.gpus.kinds[0] must be a kind"},
    {"a device with its kind", PROJECT(", 'gpus': {'devices': ['nvidia.com/gpu=0']}"),
     "projects.p.gpus.devices[0] must be a device's name"},
    {"one device outside of a list", PROJECT(", 'gpus': {'devices': '0'}"), "must be a list"},
    {"exclusive as a word", PROJECT(", 'gpus': {'exclusive': 'yes'}"), "true or false"},
    {"a check of outputs that is a word", PROJECT(", 'outputs': {'check': 'all'}"),
     "must be an object"},
    {"an unknown rule for outputs", PROJECT(", 'outputs': {'check': {'kinds': ['csv']}}"),
     "outputs.check.kinds is not a key"},
    {"an unknown type of output", PROJECT(", 'outputs': {'check': {'types': ['exe']}}"),
     "outputs.check.types[0] must be one of csv"},
    {"no type of output at all", PROJECT(", 'outputs': {'check': {'types': []}}"), "1 to 64"},
    {"an unknown identifier", PROJECT(", 'outputs': {'check': {'forbidden_values': ['chi']}}"),
     "one of nhs-number"},
    {"a pattern that ends in a blank",
     PROJECT(", 'outputs': {'check': {'forbidden_patterns': ['S### ']}}"), "plain characters"},
    {"a pattern that is too short",
     PROJECT(", 'outputs': {'check': {'forbidden_patterns': ['##']}}"), "3 to 64"},
    {"a least count without columns",
     PROJECT(", 'outputs': {'check': {'csv': {'min_count': {'at_least': 5}}}}"),
     "needs the key \"columns\""},
    {"withheld outputs without a place", PROJECT(", 'outputs': {'check': {'on_fail': 'withhold'}}"),
     "or neither"},
    {"a place for outputs that are not withheld",
     PROJECT(", 'outputs': {'check': {'withhold': '/srv/a'}}"), "or neither"},
    {"a list of outputs without end", PROJECT(", 'outputs': {'manifest': {'max_time': '21s'}}"),
     "which is the most"},
    {"True in capitals", POLICY("'projects': {}, 'host': {'audit_syslog': True}"),
     "not a JSON value"},
    {"a key twice", POLICY("'projects': {}, 'projects': {}"), "written twice"},
    {"a key twice, far apart and nested",
     PROJECT(", 'limits': {'cpus': 1, 'memory': '1G', 'time': '1h', 'cpus': 2}"), "written twice"},
    {"two projects of one name",
     POLICY("'projects': {'p': {'members': {}, 'images': []}, 'p': {'members': {}, 'images': []}}"),
     "written twice"},
    {"nesting without end", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", "nested too deeply"},
    /* keys and types */
    {"a later version", "{'ces_policy': 2, 'registries': {}, 'projects': {}}",
     "ces_policy must be"},
    {"a version as text", "{'ces_policy': '1', 'registries': {}, 'projects': {}}",
     "ces_policy must be"},
    {"no version", "{'registries': {}, 'projects': {}}", "needs the key \"ces_policy\""},
    {"no registries", "{'ces_policy': 1, 'projects': {}}", "needs the key \"registries\""},
    {"no projects at all", "{'ces_policy': 1, 'registries': {}}",
     "\"projects\" or \"infer_projects\""},
    {"an unknown key", POLICY("'projects': {}, 'allowed_registry': 'x'"),
     "allowed_registry is not a key"},
    {"an unknown key in a project", PROJECT(", 'user': 'x'"), "projects.p.user is not a key"},
    {"an unknown key in a rule",
     POLICY(
	 "'projects': {'p': {'members': {}, 'images': [{'allow': 'ghcr.io/x', 'digests': 'y'}]}}"),
     "projects.p.images[0].digests is not a key"},
    {"signatures of nobody", RULE("'signed_by': []"), "signed_by must be a list of 1 to 8 keys"},
    {"signatures of too many", RULE("'signed_by': ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i']"),
     "1 to 8 keys"},
    {"a key twice in a list", RULE("'signed_by': ['a', 'b', 'a']"), "names a twice"},
    {"a key by a way up", RULE("'signed_by': ['keys/../a']"), "path of a public key"},
    {"a key by no name", RULE("'signed_by': ['']"), "path of a public key"},
    {"a key with a line break", RULE("'signed_by': ['a\\nb']"), "path of a public key"},
    {"a key in place of a list", RULE("'signed_by': 'a'"), "must be a list"},
    {"more signatures than keys", RULE("'signed_by': {'keys': ['a'], 'at_least': 2}"),
     "wants 2 signatures, and names 1 key"},
    {"no signature", RULE("'signed_by': {'keys': ['a'], 'at_least': 0}"), "from 1 to 8"},
    {"signatures without keys", RULE("'signed_by': {'at_least': 1}"), "needs the key \"keys\""},
    {"an unknown key of signatures", RULE("'signed_by': {'keys': ['a'], 'atleast': 1}"),
     "atleast is not a key"},
    {"a project without members", POLICY("'projects': {'p': {'images': []}}"),
     "projects.p needs the key \"members\""},
    {"a project without images", POLICY("'projects': {'p': {'members': {}}}"),
     "projects.p needs the key \"images\""},
    {"a rule without allow", POLICY("'projects': {'p': {'members': {}, 'images': [{}]}}"),
     "needs the key \"allow\""},
    {"null", POLICY("'projects': null"), "projects must be"},
    {"null in a list", PROJECT(", 'binds': [null]"), "binds[0] must be"},
    {"a number where a text belongs", POLICY("'projects': {}, 'site': 1"), "site must be"},
    {"a key that is named by no path",
     POLICY("'projects': {}, 'host': {'audit_key': 'etc/key.pem'}"), "audit_key"},
    {"a text where a truth belongs", POLICY("'projects': {}, 'host': {'audit_syslog': 'no'}"),
     "true or false"},
    {"a list where an object belongs", POLICY("'projects': []"), "projects must be"},
    {"a truth where a word belongs", POLICY("'projects': {}, 'host': {'selinux': true}"),
     "host.selinux must be"},
    {"another word", POLICY("'projects': {}, 'host': {'selinux': 'permissive'}"),
     "host.selinux must be"},
    {"an object where a list belongs", PROJECT(", 'binds': {}"), "must be a list"},
    /* values */
    {"a project name that is a path", POLICY("'projects': {'a/b': {'members': {}, 'images': []}}"),
     "not a project name"},
    {"a project name that hides", POLICY("'projects': {'..': {'members': {}, 'images': []}}"),
     "not a project name"},
    {"a size without a unit", PROJECT(", 'limits': {'memory': 16}"), "must be a size"},
    {"no memory", PROJECT(", 'limits': {'memory': '0G'}"), "must be a size"},
    {"a negative figure", PROJECT(", 'limits': {'pids': -1}"), "whole number"},
    {"a figure above every type", PROJECT(", 'limits': {'pids': 99999999999999999999999}"),
     "whole number"},
    {"a fraction of a process", PROJECT(", 'limits': {'pids': 1.5}"), "whole number"},
    {"a time without a unit", PROJECT(", 'limits': {'time': '90'}"), "must be a time"},
    {"a day that is none", PROJECT(", 'expires': '2027-02-30'"), "must be a date"},
    {"a date in another form", PROJECT(", 'expires': '30/06/2027'"), "must be a date"},
    {"an unknown access", PROJECT(", 'data': {'access': 'readonly'}"),
     "\"read-only\" or \"read-write\""},
    {"an unknown identity", PROJECT(", 'identity': 'root'"), "\"root-is-user\" or \"same-uid\""},
    {"an unknown way to keep images", PROJECT(", 'retain_images': 'never'"),
     "retain_images must be"},
    {"a port above all", PROJECT(", 'network': {'publish': ['65536']}"),
     "publish[0] must be a port"},
    {"a port range", PROJECT(", 'network': {'publish': ['1-9']}"), "publish[0] must be a port"},
    {"a digest that is short",
     POLICY("'projects': {'p': {'members': {}, 'images': [{'allow': 'ghcr.io/x', 'digest': "
	    "'sha256:12'}]}}"),
     "digest must be"},
    {"a star inside a component",
     POLICY("'projects': {'p': {'members': {}, 'images': [{'allow': 'ghcr.io/epcc*'}]}}"),
     "allow must be"},
    {"a group name with a slash",
     POLICY("'projects': {'p': {'members': {'groups': ['a/b']}, 'images': []}}"), "groups[0]"},
    {"an empty user name", POLICY("'projects': {'p': {'members': {'users': ['']}, 'images': []}}"),
     "users[0]"},
    {"an unknown template", PROJECT(", 'data': {'source': '/safe_data/{group}'}"),
     "data.source must be"},
    {"a brace alone", PROJECT(", 'data': {'source': '/safe_data/{project'}"),
     "data.source must be"},
    {"{run} in the data", PROJECT(", 'data': {'source': '/safe_data/{run}'}"),
     "data.source must be"},
    {"{run} in a bind", PROJECT(", 'binds': ['~/{run}']"), "binds[0] must be"},
    {"a source that climbs", PROJECT(", 'data': {'source': '/safe_data/../etc'}"),
     "data.source must be"},
    {"a source with a dot", PROJECT(", 'data': {'source': '/safe_data/./x'}"),
     "data.source must be"},
    {"a source that is relative", PROJECT(", 'data': {'source': 'safe_data'}"),
     "data.source must be"},
    {"another user's home", PROJECT(", 'data': {'source': '~root/x'}"), "data.source must be"},
    {"the whole host as a bind", PROJECT(", 'binds': ['/']"), "binds[0] must be"},
    {"a registry that is a URL",
     "{'ces_policy': 1, 'registries': {'https://ghcr.io': {}}, 'projects': {}}",
     "name of a registry"},
    {"a registry in capitals", "{'ces_policy': 1, 'registries': {'GHCR.io': {}}, 'projects': {}}",
     "name of a registry"},
    {"a registry no reference can name",
     "{'ces_policy': 1, 'registries': {'ghcr': {}}, 'projects': {}}", "name of a registry"},
    {"an endpoint without TLS",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'http://ghcr.io'}}, 'projects': {}}",
     "endpoint must be"},
    {"an endpoint with a login",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'https://u:p@ghcr.io'}}, "
     "'projects': {}}",
     "endpoint must be"},
    {"an endpoint with a query",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'https://ghcr.io/a?b'}}, "
     "'projects': {}}",
     "endpoint must be"},
    {"an endpoint that climbs",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'https://ghcr.io/../b'}}, "
     "'projects': {}}",
     "endpoint must be"},
    {"an endpoint's port above all",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'https://ghcr.io:65536'}}, "
     "'projects': {}}",
     "endpoint must be"},
    {"a directory that is relative",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'oci:images'}}, 'projects': {}}",
     "endpoint must be"},
    {"a directory that climbs",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'oci:/srv/../images'}}, "
     "'projects': {}}",
     "endpoint must be"},
    {"a directory with a CA file",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'oci:/srv/images', 'ca_file': "
     "'/etc/ces/ca.pem'}}, 'projects': {}}",
     "leave out ca_file"},
    {"a directory by way of a proxy",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'oci:/srv/images', 'proxy': "
     "'http://p:3128'}}, 'projects': {}}",
     "leave out ca_file"},
    {"a token host with a path",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'token_hosts': ['a/b']}}, 'projects': {}}",
     "token_hosts[0] must be"},
    {"a CA file that is relative",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'ca_file': 'ca.pem'}}, 'projects': {}}",
     "ca_file must be"},
    {"a runtime that is relative", POLICY("'projects': {}, 'host': {'runtime': 'crun'}"),
     "runtime must be"},
    {"subordinate ids of the system",
     POLICY("'projects': {}, 'host': {'subordinate_ids': {'first': 1000}}"), "first must be"},
    {"subordinate id ranges that are small",
     POLICY("'projects': {}, 'host': {'subordinate_ids': {'per_user': 1000}}"), "per_user must be"},
    {"subordinate id ranges that are odd",
     POLICY("'projects': {}, 'host': {'subordinate_ids': {'per_user': 65537}}"),
     "multiple of 65536"},
    {"subordinate ids beyond the last one",
     POLICY("'projects': {}, 'host': {'subordinate_ids': {'first': 4294836224, 'users': 1}}"),
     "does not fit"},
    {"a cgroup by its directory",
     POLICY("'projects': {}, 'host': {'cgroup_parent': '/sys/fs/cgroup/ces.slice'}"),
     "without /sys/fs/cgroup"},
    {"a cgroup that is relative", POLICY("'projects': {}, 'host': {'cgroup_parent': 'ces.slice'}"),
     "cgroup_parent must be"},
    {"a total of nothing", POLICY("'projects': {}, 'host': {'user_limits': {'memory': 0}}"),
     "memory must be"},
    {"a total of time", POLICY("'projects': {}, 'host': {'user_limits': {'time': '6h'}}"), "time"},
    {"inferring without a base", POLICY("'infer_projects': {'group_prefixes': [''], 'images': []}"),
     "needs the key \"base\""},
};

START_TEST(a_faulty_policy_is_refused_as_a_whole)
{
	struct ces_error err;
	struct ces_policy *policy = policy_of(refused[_i].text, &err);

	ck_assert_msg(policy == NULL, "%s was accepted", refused[_i].promise);
	ck_assert_msg(refused[_i].says == NULL || strstr(err.text, refused[_i].says) != NULL,
		      "%s: \"%s\" is not in \"%s\"", refused[_i].promise, refused[_i].says,
		      err.text);
}
END_TEST

static const struct {
	const char *promise, *text;
} accepted[] = {
    {"no project yet", POLICY("'projects': {}")},
    {"white space around", " \r\n\t" POLICY("'projects': {}") "\n\n"},
    {"a project alone", PROJECT("")},
    {"cpus as a fraction", PROJECT(", 'limits': {'cpus': 0.5}")},
    {"cpus as text", PROJECT(", 'limits': {'cpus': '1.25'}")},
    {"a home as a bind", PROJECT(", 'binds': ['~', '~/s3', '/data/{project}/{user}']")},
    {"text in any script",
     POLICY("'projects': {}, 'site': 'D\xc3\xb9n \xc3\x88ideann \xe2\x80\x93 \\u00e9'")},
    {"groups of a directory", POLICY("'projects': {'p': {'members': {'groups': ['domain users', "
				     "'a@b.c', 'AD\\\\x']}, 'images': []}}")},
    {"a registry with a port", "{'ces_policy': 1, 'registries': {'r.example:5000': {'endpoint': "
			       "'https://proxy:1/r/x'}}, 'projects': {}}"},
    {"a directory in place of a registry",
     "{'ces_policy': 1, 'registries': {'ghcr.io': {'endpoint': 'oci:/srv/images'}}, 'projects': "
     "{}}"},
    {"the last subordinate id",
     POLICY("'projects': {}, 'host': {'subordinate_ids': {'first': 4294770688, 'users': 1}}")},
    {"inferring",
     POLICY(
	 "'infer_projects': {'base': '/safe_data', 'group_prefixes': ['', 'nsh-'], 'images': []}")},
    {"totals of a user", POLICY("'projects': {}, 'host': {'user_limits': {'cpus': 0.5, 'memory': "
				"'1G', 'pids': 1, 'runs': 1}}")},
    {"a cgroup of one's own", POLICY("'projects': {}, 'host': {'cgroup_parent': '/ces.slice'}")},
};

START_TEST(a_sound_policy_is_accepted)
{
	struct ces_error err;
	struct ces_policy *policy = policy_of(accepted[_i].text, &err);

	ck_assert_msg(policy != NULL, "%s: %s", accepted[_i].promise, err.text);
	ces_policy_free(policy);
}
END_TEST

START_TEST(a_fault_is_reported_with_line_and_column)
{
	struct ces_error err;

	ck_assert_ptr_null(
	    policy_of("{\n 'ces_policy': 1,\n 'registries': {},\n 'projects': {\n"
		      "  'a.b': { 'members': {}, 'images': [] },\n"
		      "  'p': { 'members': {}, 'images': [\n   { 'allow': 'ghcr.io/x' },\n"
		      "   { 'allow': 'ghcr.io/x', 'expires': 1 } ] } } }",
		      &err));
	ck_assert_str_eq(
	    err.text,
	    "line 8, column 28: projects.p.images[1].expires must be a date like \"2027-06-30\"");
}
END_TEST

START_TEST(a_key_that_is_written_twice_is_reported_at_the_second)
{
	struct ces_error err;

	ck_assert_ptr_null(policy_of("{\n 'a': 1,\n 'b': {'a': 2},\n 'a': 3 }", &err));
	ck_assert_str_eq(err.text, "line 4, column 2: the key \"a\" is written twice");
}
END_TEST

START_TEST(bytes_after_a_nul_are_not_ignored)
{
	static const char bytes[] = "{\"ces_policy\":1,\"registries\":{},\"projects\":{}}\0{}";
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};

	ck_assert_int_eq(ces_policy_parse(bytes, sizeof(bytes) - 1, &policy, &err), -1);
	ck_assert_ptr_null(policy);
	ck_assert_int_eq(ces_policy_parse(bytes, strlen(bytes), &policy, &err), 0);
	ces_policy_free(policy);
}
END_TEST

START_TEST(half_a_million_keys_are_refused_at_once)
{
	size_t n = 350000, used = 0, size = n * 11 + 8;
	CES_CLEANUP_FREE char *text = malloc(size);
	struct ces_policy *policy = NULL;
	struct ces_error err = {0};

	for (size_t i = 0; i < n; i++)
		used += (size_t)snprintf(text + used, size - used, "%s\"%06zu\"",
					 i == 0 ? "{" : ":1,", i);
	used += (size_t)snprintf(text + used, size - used, ":1}");
	ck_assert_int_eq(ces_policy_parse(text, used, &policy, &err), -1);
}
END_TEST

START_TEST(a_missing_key_means_the_least)
{
	struct ces_policy *policy = good_policy(PROJECT(""));
	const struct ces_policy_settings *s = &policy->projects[0].settings;

	ck_assert_str_eq(s->data_source, "/safe_data/{project}");
	ck_assert_int_eq(s->data_access, CES_ACCESS_READ_ONLY);
	ck_assert(!s->data_home_override);
	ck_assert_str_eq(s->outputs_source, "~/outputs_{run}");
	ck_assert_str_eq(s->scratch_source, "~/scratch_{run}");
	ck_assert_uint_eq(s->limits.cpus, 4000);
	ck_assert_uint_eq(s->limits.memory, (uint64_t)16 << 30);
	ck_assert_uint_eq(s->limits.pids, 4096);
	ck_assert_uint_eq(s->limits.time, 6 * 3600);
	ck_assert_uint_eq(s->limits.runs, 4);
	ck_assert_uint_eq(s->limits.shm, (uint64_t)1 << 30);
	ck_assert_uint_eq(s->limits.writable_layer, (uint64_t)2 << 30);
	ck_assert_int_eq(s->identity, CES_IDENTITY_ROOT_IS_USER);
	ck_assert_uint_eq(s->publish.n + s->binds.n + s->gpus_max + s->gpu_devices.n, 0);
	ck_assert_uint_eq(s->gpu_kinds.n, 3);
	ck_assert_str_eq(s->gpu_kinds.v[0], "nvidia.com/gpu");
	ck_assert(s->gpu_exclusive);
	ck_assert_int_eq(s->retain, CES_RETAIN_TIME);
	ck_assert_uint_eq(s->retain_seconds, 30 * 86400);
	ck_assert_str_eq(policy->registries[0].endpoint, "https://ghcr.io");
	ck_assert_int_eq(policy->registries[0].credentials, CES_CREDENTIALS_REQUIRED);
	ck_assert_str_eq(policy->runtime, "/usr/bin/crun");
	ck_assert_uint_eq(policy->subid_first, 2000000000);
	ck_assert_uint_eq(policy->cdi_dirs.n, 2);
	ck_assert(policy->audit_syslog && !policy->infer);
	ck_assert_int_eq(policy->selinux, CES_SELINUX_IF_ENABLED);
	ces_policy_free(policy);
}
END_TEST

START_TEST(a_projects_keys_replace_those_of_defaults_one_by_one)
{
	/* (projects come before defaults in the file: the order of keys means nothing) */
	struct ces_policy *policy = good_policy(
	    POLICY("'projects': {'p': {'members': {}, 'images': [], 'data': {'access': "
		   "'read-write'}, 'limits': {'memory': '1G'},"
		   " 'binds': [], 'retain_images': 'run'}, 'q': {'members': {}, 'images': []}},"
		   " 'defaults': {'data': {'source': '/d/{project}'}, 'limits': {'cpus': 2}, "
		   "'binds': ['~'], 'gpus': {'max': 3, 'devices': ['0'], 'exclusive': false}}"));
	const struct ces_policy_settings *p = &policy->projects[0].settings,
					 *q = &policy->projects[1].settings;

	ck_assert_str_eq(p->data_source, "/d/{project}");
	ck_assert_int_eq(p->data_access, CES_ACCESS_READ_WRITE);
	ck_assert_uint_eq(p->limits.memory, (uint64_t)1 << 30);
	ck_assert_uint_eq(p->limits.cpus, 2000);
	ck_assert_uint_eq(p->limits.pids, 4096);
	ck_assert_uint_eq(p->binds.n, 0);
	ck_assert_uint_eq(p->gpus_max, 3);
	ck_assert_str_eq(p->gpu_devices.v[0], "0");
	ck_assert(!p->gpu_exclusive);
	ck_assert_int_eq(p->retain, CES_RETAIN_RUN);
	ck_assert_int_eq(q->data_access, CES_ACCESS_READ_ONLY);
	ck_assert_uint_eq(q->limits.memory, (uint64_t)16 << 30);
	ck_assert_uint_eq(q->binds.n, 1);
	ck_assert_int_eq(q->retain, CES_RETAIN_TIME);
	ces_policy_free(policy);
}
END_TEST

START_TEST(the_digest_is_that_of_the_bytes)
{
	static const char bytes[] = "{\"ces_policy\":1,\"registries\":{},\"projects\":{}}";
	struct ces_policy *policy = good_policy(bytes);

	ck_assert_str_eq(policy->digest,
			 "sha256:704c55c27d4750156e2f24af0555a6aaf99cf59bb27814ba96bcbacc1a480cbc");
	ces_policy_free(policy);
}
END_TEST

/* Cuts a file at every byte, and turns every single byte into another. The result is a policy or is
 * refused: nothing hangs, and nothing is read outside the buffer (the sanitizers watch). */
START_TEST(a_damaged_file_is_refused_or_understood)
{
	CES_CLEANUP_FREE char *text =
	    strdup(PROJECT(", 'limits': {'cpus': 1}, 'expires': '2027-01-01'"));
	size_t length = strlen(text);

	for (char *p = text; *p != '\0'; p++)
		if (*p == '\'')
			*p = '"';
	for (size_t i = 0; i < length; i++) {
		CES_CLEANUP_FREE char *part = malloc(i + 1);
		struct ces_policy *policy = NULL;

		memcpy(part, text, i);
		ck_assert_int_eq(ces_policy_parse(part, i, &policy, NULL), -1);
	}
	for (size_t i = 0; i < length; i++) {
		for (const char *c = "\"{}[]:,0\\\x80"; *c != '\0'; c++) {
			struct ces_policy *policy = NULL;
			char old = text[i];

			text[i] = *c;
			if (ces_policy_parse(text, length, &policy, NULL) == 0)
				ces_policy_free(policy);
			text[i] = old;
		}
	}
}
END_TEST

int main(void)
{
	TCase *tests = tcase_create("parse");

	tcase_add_loop_test(tests, a_faulty_policy_is_refused_as_a_whole, 0, CES_COUNT(refused));
	tcase_add_loop_test(tests, a_sound_policy_is_accepted, 0, CES_COUNT(accepted));
	tcase_add_test(tests, a_fault_is_reported_with_line_and_column);
	tcase_add_test(tests, a_key_that_is_written_twice_is_reported_at_the_second);
	tcase_add_test(tests, bytes_after_a_nul_are_not_ignored);
	tcase_add_test(tests, half_a_million_keys_are_refused_at_once);
	tcase_add_test(tests, a_missing_key_means_the_least);
	tcase_add_test(tests, a_projects_keys_replace_those_of_defaults_one_by_one);
	tcase_add_test(tests, the_digest_is_that_of_the_bytes);
	tcase_add_test(tests, a_damaged_file_is_refused_or_understood);
	return run_suite("policy_parse", tests);
}
