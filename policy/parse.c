/* The shape of a policy file: tables of keys, the built-in defaults, and the few checks across
 * keys. All or nothing: it must never hand out a policy of which it did not understand a part. */
#include "policy/policy.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/cluster.h"
#include "common/name.h"
#include "common/quantity.h"
#include "policy/decide.h"
#include "policy/field.h"
#include "policy/outputs.h"
#include "policy/parse.h"
#include "policy/parse_rule.h"
#include "policy/template.h"
#include "policy/valid.h"
#include "policy/valid_parse.h"

/* The settings if the file is silent: the least. The file's own tables read them. */
static const char built_in[] =
    "{\"defaults\": {"
    "  \"data\": {\"source\": \"/safe_data/{project}\", \"access\": \"read-only\","
    "           \"home_override\": false},"
    "  \"outputs\": {\"source\": \"~/outputs_{run}\", \"manifest\": {\"max_time\": \"20s\","
    "                \"max_size\": \"64G\", \"max_files\": 20000}},"
    "  \"scratch\": {\"source\": \"~/scratch_{run}\"},"
    "  \"limits\": {\"cpus\": 4, \"memory\": \"16G\", \"pids\": 4096, \"time\": \"6h\","
    "              \"runs\": 4, \"shm\": \"1G\", \"writable_layer\": \"2G\"},"
    "  \"identity\": \"root-is-user\", \"network\": {\"publish\": []}, \"gpus\": {\"max\": 0,"
    "  \"kinds\": [\"nvidia.com/gpu\", \"amd.com/gpu\", \"intel.com/gpu\"], \"devices\": [], "
    "\"exclusive\": true},"
    "  \"binds\": [], \"display\": false, \"retain_images\": \"30d\"},"
    " \"host\": {\"runtime\": \"/usr/bin/crun\", \"cgroup_parent\": \"auto\","
    "  \"user_limits\": {\"images\": 1000, \"pulls\": 4}, \"store_reserve\": \"1G\","
    "  \"subordinate_ids\": {\"first\": 2000000000, \"per_user\": 65536, \"users\": 1000},"
    "  \"cdi_dirs\": [\"/etc/cdi\", \"/run/cdi\"], \"audit_syslog\": true,"
    "  \"selinux\": \"if-enabled\"}}";

/* Words are read into enums by index, through an unsigned int. */
static_assert(sizeof(enum ces_access) == sizeof(unsigned), "enums are unsigned ints");
static const char *const access_words[] = {"read-only", "read-write", NULL};
static const char *const identity_words[] = {"root-is-user", "same-uid", NULL};
static const char *const credentials_words[] = {"required", "optional", "none", NULL};
static const char *const selinux_words[] = {"if-enabled", "required", NULL};

static const struct ces_field_text as_prose = {ces_valid_prose, "one line of text"};
static const struct ces_field_text as_account = {ces_valid_account, "the name of a user or group"};
static const struct ces_field_text as_prefix = {ces_valid_prefix,
						"the beginning of a group name, or \"\""};
static const struct ces_field_text as_host = {ces_valid_host, "host or host:port, in lower case"};
static const struct ces_field_text as_endpoint = {
    ces_valid_endpoint, "https://host[:port][/prefix] without a final slash, or oci:/directory"};
static const struct ces_field_text as_path = {ces_valid_path, "an absolute path without \"..\""};
static const struct ces_field_text as_short_path = {
    ces_valid_short_path, "an absolute path without \"..\", of at most 263 bytes"};
static const struct ces_field_text as_key = {
    ces_valid_key, "an absolute path, or a URI of a key (pkcs11:... or handle:...)"};
static const struct ces_field_text as_port = {ces_valid_port, "a port number like \"8787\""};
static const struct ces_field_text as_proxy = {ces_valid_proxy,
					       "\"none\", or http://host:port in lower case"};
static const struct ces_field_text as_way = {ces_valid_proxy, "http://host:port in lower case"};
static const struct ces_field_text as_claim = {
    ces_valid_claim, "a name in lower case; {project}, {user} and {user_first} are filled in"};
static const struct ces_field_text as_namespace = {
    ces_valid_namespace,
    "a name in lower case without dots, up to 63 characters; {project}, {user} and "
    "{user_first} are filled in"};
static const struct ces_field_text as_label = {
    ces_valid_label,
    "a name in lower case, up to 63 characters; {project}, {user} and {user_first} are filled in"};
static const struct ces_field_text as_secret = {ces_valid_secret, "a name in lower case"};
static const struct ces_field_text as_product = {ces_cluster_label_valid, "the value of a label"};
static const struct ces_field_text as_kind = {ces_valid_kind, "a kind like \"nvidia.com/gpu\""};
static const struct ces_field_text as_device = {ces_device_valid,
						"a device's name, without its kind"};
static const struct ces_field_text as_template = {
    ces_template_valid, "an absolute or ~ path; {project} and {user} are filled in, {run} is not"};

static const struct ces_field_range from_0_to_1024 = {0, 1024};
static const struct ces_field_range to_10000 = {1, 10000};
static const struct ces_field_range to_4194304 = {1, 4194304};
static const struct ces_field_range any_id = {65536, UINT32_MAX - 1};
static const struct ces_field_range per_user_range = {65536, 16777216};

#define ROW(k, r, o, p, ...)                                                                       \
	{                                                                                          \
		.key = (k), .read = (r), .offset = (o), .param = (p), ##__VA_ARGS__                \
	}

/* `defaults`, and the settings that a project may have instead. */
#define SETTING(member) offsetof(struct ces_policy_settings, member)

static int read_retain(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_policy_settings *settings = ret;
	const char *text = json_object_get_string(at->value);

	if (!json_object_is_type(at->value, json_type_string))
		return ces_field_fault(in, at,
				       "must be \"run\", \"always\" or a time like \"30d\"");
	settings->retain_seconds = 0;
	settings->retain = CES_RETAIN_TIME;
	if (strcmp(text, "run") == 0)
		settings->retain = CES_RETAIN_RUN;
	else if (strcmp(text, "always") == 0)
		settings->retain = CES_RETAIN_ALWAYS;
	else if (ces_num_parse_time(text, &settings->retain_seconds) != 0)
		return ces_field_fault(in, at,
				       "must be \"run\", \"always\" or a time like \"30d\"");
	return 0;
}

static const struct ces_field data_rows[] = {
    ROW("source", ces_field_string, SETTING(data_source), &as_template),
    ROW("access", ces_field_word, SETTING(data_access), access_words, .own = CES_OWN_ACCESS),
    ROW("home_override", ces_field_bool, SETTING(data_home_override), NULL),
    CES_FIELD_END,
};
static const struct ces_field limits_rows[] = {
    ROW("cpus", ces_field_quantity, SETTING(limits.cpus), &ces_as_cpus, .own = CES_OWN_CPUS),
    ROW("memory", ces_field_quantity, SETTING(limits.memory), &ces_as_size, .own = CES_OWN_MEMORY),
    ROW("pids", ces_field_number, SETTING(limits.pids), &to_4194304),
    ROW("time", ces_field_quantity, SETTING(limits.time), &ces_as_time, .own = CES_OWN_TIME),
    ROW("runs", ces_field_number, SETTING(limits.runs), &to_10000, .own = CES_OWN_RUNS),
    ROW("shm", ces_field_quantity, SETTING(limits.shm), &ces_as_size, .own = CES_OWN_SHM),
    ROW("writable_layer", ces_field_quantity, SETTING(limits.writable_layer), &ces_as_size),
    CES_FIELD_END,
};
/* "none" cancels the defaults. */
static int read_proxy(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	char **proxy = ret;

	if (json_object_is_type(at->value, json_type_string) &&
	    strcmp(json_object_get_string(at->value), "none") == 0) {
		*proxy = NULL;
		return 0;
	}
	return ces_field_string(in, at, proxy);
}

/* A decision has room for so many, and a longer list would deny every request. */
static int read_names(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_strings *names = ret;

	if (ces_field_strings(in, at, ret) != 0)
		return -1;
	if (names->n > CES_DECISION_NAMES)
		return ces_field_fault(in, at, "must have at most %d entries", CES_DECISION_NAMES);
	return 0;
}

static const struct ces_field network_rows[] = {
    ROW("publish", ces_field_strings, SETTING(publish), &as_port, .own = CES_OWN_PUBLISH),
    ROW("proxy", read_proxy, SETTING(proxy), &as_proxy),
    CES_FIELD_END,
};
static const struct ces_field gpus_rows[] = {
    ROW("max", ces_field_number, SETTING(gpus_max), &from_0_to_1024, .own = CES_OWN_GPUS),
    ROW("kinds", read_names, SETTING(gpu_kinds), &as_kind),
    ROW("devices", read_names, SETTING(gpu_devices), &as_device, .own = CES_OWN_GPU_DEVICES),
    ROW("exclusive", ces_field_bool, SETTING(gpu_exclusive), NULL),
    CES_FIELD_END,
};

/* base: the offset of the settings in the struct of the rows. */
#define SETTINGS_ROWS(base)                                                                        \
	ROW("data", ces_field_object, (base), data_rows),                                          \
	    ROW("outputs", ces_field_object, (base), ces_outputs_rows),                            \
	    ROW("scratch", ces_field_object, (base), ces_scratch_rows),                            \
	    ROW("limits", ces_field_object, (base), limits_rows),                                  \
	    ROW("identity", ces_field_word, (base) + SETTING(identity), identity_words),           \
	    ROW("network", ces_field_object, (base), network_rows),                                \
	    ROW("gpus", ces_field_object, (base), gpus_rows),                                      \
	    ROW("binds", ces_field_strings, (base) + SETTING(binds), &as_template,                 \
		.own = CES_OWN_BINDS),                                                             \
	    ROW("display", ces_field_bool, (base) + SETTING(display), NULL,                        \
		.own = CES_OWN_DISPLAY),                                                           \
	    ROW("retain_images", read_retain, (base), NULL)

static const struct ces_field defaults_rows[] = {SETTINGS_ROWS(0), CES_FIELD_END};

static int read_defaults(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = defaults_rows};
	const struct ces_field_at object = {.place = at->place, .value = at->value, .row = &row};

	if (ces_field_object(in, &object, ret) != 0)
		return -1;
	return ces_outputs_apart(in, at, "{project}", ret);
}

/* Projects. */
#define PROJECT(member) offsetof(struct ces_policy_project, member)

static const struct ces_field members_rows[] = {
    ROW("groups", ces_field_strings, PROJECT(member_groups), &as_account),
    ROW("users", ces_field_strings, PROJECT(member_users), &as_account),
    CES_FIELD_END,
};
static const struct ces_field project_rows[] = {
    ROW("title", ces_field_string, PROJECT(title), &as_prose),
    ROW("members", ces_field_object, 0, members_rows, .required = true),
    ROW("expires", ces_field_date, PROJECT(expires), NULL),
    ROW("images", ces_field_list, PROJECT(images), &ces_field_images, .required = true),
    SETTINGS_ROWS(PROJECT(settings)),
    CES_FIELD_END,
};

/* Starts from the defaults, which are complete by now. Each key of the project replaces one. */
static int read_project(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_policy *policy = in->user;
	struct ces_policy_project *project = ret;

	if (!ces_project_valid(at->place.key) &&
	    ces_field_fault(in, at,
			    "is not a project name: 1 to 64 letters, digits, '.', '_', '-'") != 0)
		return -1;
	project->name = ces_field_copy(in, at->place.key);
	if (project->name == NULL)
		return -1;
	project->settings = policy->defaults;
	in->own = 0;
	if (ces_field_object(in, at, project) != 0 ||
	    ces_outputs_apart(in, at, project->name, &project->settings) != 0)
		return -1;
	project->settings.own = in->own;
	return 0;
}

static const struct ces_field_each projects = {
    .named = true,
    .size = sizeof(struct ces_policy_project),
    .row = {.read = read_project, .param = project_rows},
};

/* Registries. */
#define REGISTRY(member) offsetof(struct ces_policy_registry, member)

static const struct ces_field registry_rows[] = {
    ROW("endpoint", ces_field_string, REGISTRY(endpoint), &as_endpoint),
    ROW("ca_file", ces_field_string, REGISTRY(ca_file), &as_path),
    ROW("credentials", ces_field_word, REGISTRY(credentials), credentials_words),
    ROW("token_hosts", read_names, REGISTRY(token_hosts), &as_host),
    ROW("proxy", ces_field_string, REGISTRY(proxy), &as_way),
    CES_FIELD_END,
};

static int read_registry(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_policy_registry *registry = ret;
	const char *name = at->place.key;
	char endpoint[300];

	if (!ces_valid_registry(name) &&
	    ces_field_fault(in, at, "is not the name of a registry: host[:port], in lower case") !=
		0)
		return -1;
	if (ces_field_object(in, at, registry) != 0)
		return -1;
	if (registry->endpoint != NULL && ces_endpoint_layout(registry->endpoint) != NULL) {
		if ((registry->ca_file != NULL || registry->proxy != NULL ||
		     registry->token_hosts.n > 0) &&
		    ces_field_fault(in, at,
				    "has a directory as its endpoint: leave out ca_file, proxy and "
				    "token_hosts") != 0)
			return -1;
		registry->credentials = CES_CREDENTIALS_NONE; /* (there is no server to ask) */
	}
	snprintf(endpoint, sizeof(endpoint), "https://%s", name);
	registry->name = ces_field_copy(in, name);
	if (registry->endpoint == NULL)
		registry->endpoint = ces_field_copy(in, endpoint);
	return registry->name == NULL || registry->endpoint == NULL ? -1 : 0;
}

static const struct ces_field_each registries = {
    .named = true,
    .size = sizeof(struct ces_policy_registry),
    .row = {.read = read_registry, .param = registry_rows},
};

/* The other keys of the top level. */
#define POLICY(member) offsetof(struct ces_policy, member)

/* A list is written as a pointer and the size_t after it. */
static_assert(POLICY(n_projects) == POLICY(projects) + sizeof(void *) &&
		  POLICY(n_registries) == POLICY(registries) + sizeof(void *),
	      "lists lie together");

static const struct ces_field infer_rows[] = {
    ROW("base", ces_field_string, POLICY(infer_base), &as_path, .required = true),
    ROW("group_prefixes", ces_field_strings, POLICY(infer_prefixes), &as_prefix, .required = true),
    ROW("images", ces_field_list, POLICY(infer_images), &ces_field_images, .required = true),
    CES_FIELD_END,
};

static int read_infer(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_policy *policy = ret;

	policy->infer = true;
	if (ces_field_object(in, at, policy) != 0)
		return -1;
	if (policy->infer_prefixes.n > CES_PREFIXES_MAX)
		return ces_field_fault(in, at, "must have at most %d group_prefixes",
				       CES_PREFIXES_MAX);
	return 0;
}

#define KUBERNETES(member) offsetof(struct ces_policy_kubernetes, member)

static const struct ces_field kubernetes_rows[] = {
    ROW("namespace", ces_field_string, KUBERNETES(namespace), &as_namespace, .required = true),
    ROW("queue", ces_field_string, KUBERNETES(queue), &as_label),
    ROW("data_claim", ces_field_string, KUBERNETES(data_claim), &as_claim, .required = true),
    ROW("outputs_claim", ces_field_string, KUBERNETES(outputs_claim), &as_claim, .required = true),
    ROW("pull_secret", ces_field_string, KUBERNETES(pull_secret), &as_secret),
    ROW("gpu_product", ces_field_string, KUBERNETES(gpu_product), &as_product),
    CES_FIELD_END,
};

static int read_kubernetes(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_policy_kubernetes *kubernetes = ret;
	char queue[800]; /* (63 times "{user_first}", and the ending) */

	if (ces_field_object(in, at, kubernetes) != 0)
		return -1;
	if (kubernetes->queue != NULL || kubernetes->namespace == NULL)
		return 0;
	snprintf(queue, sizeof(queue), "%s-user-queue", kubernetes->namespace);
	if (!ces_valid_label(queue))
		return ces_field_fault(in, at, "needs the key \"queue\": %s is too long for one",
				       queue);
	kubernetes->queue = ces_field_copy(in, queue);
	return kubernetes->queue == NULL ? -1 : 0;
}

static const struct ces_field subids_rows[] = {
    ROW("first", ces_field_number, POLICY(subid_first), &any_id),
    ROW("per_user", ces_field_number, POLICY(subid_per_user), &per_user_range),
    ROW("users", ces_field_number, POLICY(subid_users), &to_4194304),
    CES_FIELD_END,
};

/* The kernel has 2^32 ids, the last of which means "no id"; slot 0, before the users', is CES's
 * own. */
static int read_subids(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_policy *policy = ret;

	if (ces_field_object(in, at, policy) != 0)
		return -1;
	if (policy->subid_per_user % 65536 != 0)
		return ces_field_fault(in, at, "needs a per_user that is a multiple of 65536");
	if (policy->subid_first + (policy->subid_users + 1) * policy->subid_per_user >= UINT32_MAX)
		return ces_field_fault(
		    in, at,
		    "does not fit: first + (users + 1) * per_user must end below 4294967295");
	return 0;
}

/* The limits of all runs of one user together, and of their images. There is no time limit, which
 * belongs to a run. */
#define TOTAL(member) offsetof(struct ces_policy, user_limits.member)

static const struct ces_field user_limits_rows[] = {
    ROW("cpus", ces_field_quantity, TOTAL(cpus), &ces_as_cpus),
    ROW("memory", ces_field_quantity, TOTAL(memory), &ces_as_size),
    ROW("pids", ces_field_number, TOTAL(pids), &to_4194304),
    ROW("runs", ces_field_number, TOTAL(runs), &to_10000),
    ROW("images", ces_field_number, POLICY(store.images), &to_10000),
    ROW("pulls", ces_field_number, POLICY(store.pulls), &to_10000),
    ROW("store", ces_field_quantity, POLICY(store.space), &ces_as_size),
    CES_FIELD_END,
};

/* A cgroup by its name in /proc/PID/cgroup, because it is in several hierarchies. */
static int read_cgroup_parent(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = &as_path};
	struct ces_field_at path = {.place = at->place, .value = at->value, .row = &row};
	struct ces_policy *policy = ret;

	if (json_object_is_type(at->value, json_type_string) &&
	    strcmp(json_object_get_string(at->value), "auto") == 0) {
		policy->cgroup_parent = CES_CGROUP_AUTO;
		return 0;
	}
	if (json_object_is_type(at->value, json_type_string) &&
	    ces_path_within(json_object_get_string(at->value), "/sys"))
		return ces_field_fault(in, at,
				       "must be \"auto\" or a cgroup, from the hierarchy's root "
				       "on, without /sys/fs/cgroup, such as \"/ces.slice\"");
	policy->cgroup_parent = CES_CGROUP_PATH;
	return ces_field_string(in, &path, &policy->cgroup_path);
}

static const struct ces_field host_rows[] = {
    ROW("runtime", ces_field_string, POLICY(runtime), &as_path),
    ROW("cgroup_parent", read_cgroup_parent, 0, NULL),
    ROW("user_limits", ces_field_object, 0, user_limits_rows),
    ROW("store_reserve", ces_field_quantity, POLICY(store.reserve), &ces_as_size),
    ROW("subordinate_ids", read_subids, 0, subids_rows),
    ROW("cdi_dirs", read_names, POLICY(cdi_dirs), &as_short_path),
    ROW("audit_syslog", ces_field_bool, POLICY(audit_syslog), NULL),
    ROW("audit_key", ces_field_string, POLICY(audit_key), &as_key),
    ROW("selinux", ces_field_word, POLICY(selinux), selinux_words),
    CES_FIELD_END,
};

#define DEFAULTS_ROW ROW("defaults", read_defaults, POLICY(defaults), NULL)
#define HOST_ROW     ROW("host", ces_field_object, 0, host_rows)

/* Defaults before projects: see read_project. */
static const struct ces_field policy_rows[] = {
    ROW("ces_policy", ces_field_version, 0, NULL, .required = true),
    ROW("site", ces_field_string, POLICY(site), &as_prose),
    ROW("approved_by", ces_field_string, POLICY(approved_by), &as_prose),
    ROW("approved_on", ces_field_date, POLICY(approved_on), NULL),
    ROW("review_by", ces_field_date, POLICY(review_by), NULL),
    ROW("contact", ces_field_string, POLICY(contact), &as_prose),
    ROW("registries", ces_field_list, POLICY(registries), &registries, .required = true),
    DEFAULTS_ROW,
    HOST_ROW,
    ROW("infer_projects", read_infer, 0, infer_rows),
    ROW("projects", ces_field_list, POLICY(projects), &projects),
    ROW("kubernetes", read_kubernetes, POLICY(kubernetes), kubernetes_rows),
    CES_FIELD_END,
};
static const struct ces_field built_in_rows[] = {DEFAULTS_ROW, HOST_ROW, CES_FIELD_END};

static int read_policy(struct ces_fields *in, const char *bytes, size_t length,
		       struct ces_policy *policy)
{
	static const struct ces_field_at top = {0};

	in->user = policy;
	if (ces_field_document(in, built_in, strlen(built_in), built_in_rows, policy) != 0 ||
	    ces_field_document(in, bytes, length, policy_rows, policy) != 0)
		return -1;
	if (policy->projects == NULL && !policy->infer &&
	    ces_field_fault(in, &top, "needs the key \"projects\" or \"infer_projects\"") != 0)
		return -1;
	if (policy->approved_on != 0)
		policy->approved_on -= 24 * 60 * 60; /* the day itself, not the end of it */
	ces_digest_of(bytes, length, policy->digest);
	return 0;
}

int ces_policy_problems(const char *bytes, size_t length,
			int (*report)(void *, const char *, const char *), void *context,
			struct ces_error *err)
{
	struct ces_fields in = {.err = err, .report = report, .context = context};
	struct ces_policy *policy = ces_field_alloc(&in, 1, sizeof(*policy));
	int result = policy == NULL ? -1 : read_policy(&in, bytes, length, policy);

	ces_field_free(in.blocks);
	return result;
}

int ces_policy_parse(const char *bytes, size_t length, struct ces_policy **ret,
		     struct ces_error *err)
{
	struct ces_fields in = {.err = err};
	struct ces_policy *policy;

	if (length > 4 * 1024 * 1024)
		return ces_error_set(err, CES_E_POLICY, "larger than 4 MiB");
	policy = ces_field_alloc(&in, 1, sizeof(*policy));
	if (policy == NULL || read_policy(&in, bytes, length, policy) != 0) {
		ces_field_free(in.blocks);
		return -1;
	}
	policy->memory = in.blocks;
	*ret = policy;
	return 0;
}

void ces_policy_free(struct ces_policy *policy)
{
	if (policy != NULL)
		ces_field_free(policy->memory);
}
