/* Suggests what to write instead. It guesses, for people, and must not decide what is right. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/suggest.h"
#include "policy/tool/check.h"

/* Every key, its object ("" = top level), and its form. */
static const struct known {
	const char *in, *key, *example;
} keys[] = {
    {"", "ces_policy", "1"},
    {"", "site", "\"National Safe Haven\""},
    {"", "approved_by", "\"IG panel\""},
    {"", "approved_on", "\"2026-10-01\""},
    {"", "review_by", "\"2027-10-01\""},
    {"", "contact", "\"your research coordinator\""},
    {"", "registries", "{ \"ghcr.io\": {} }"},
    {"", "defaults", "{ }"},
    {"", "projects", "{ }"},
    {"", "infer_projects",
     "{ \"base\": \"/safe_data\", \"group_prefixes\": [\"\"], \"images\": [] }"},
    {"", "kubernetes",
     "{ \"namespace\": \"nsh-{project}-ns\", \"data_claim\": \"pvc-{project}-shared\", "
     "\"outputs_claim\": \"pvc-{project}-users\" }"},
    {"", "host", "{ \"runtime\": \"/usr/bin/crun\" }"},
    {"registry", "endpoint", "\"https://ghcr.io\""},
    {"registry", "ca_file", "\"/etc/ces/ca.pem\""},
    {"registry", "credentials", "\"required\""},
    {"registry", "token_hosts", "[\"ghcr.io\"]"},
    {"registry", "proxy", "\"http://proxy.site:3128\""},
    {"project", "title", "\"Outcomes after stroke\""},
    {"project", "members", "{ \"groups\": [\"nsh-2024-0001\"] }"},
    {"project", "expires", "\"2027-06-30\""},
    {"project", "images", "[ { \"allow\": \"ghcr.io/group/*\" } ]"},
    {"defaults", "data", "{ \"source\": \"/safe_data/{project}\", \"access\": \"read-only\" }"},
    {"defaults", "outputs", "{ \"source\": \"~/outputs_{run}\" }"},
    {"defaults", "scratch", "{ \"source\": \"~/scratch_{run}\" }"},
    {"defaults", "limits", "{ \"memory\": \"16G\" }"},
    {"defaults", "identity", "\"root-is-user\""},
    {"defaults", "network", "{ \"publish\": [\"8787\"] }"},
    {"defaults", "gpus", "{ \"max\": 1 }"},
    {"defaults", "binds", "[\"~\"]"},
    {"defaults", "display", "false"},
    {"defaults", "retain_images", "\"30d\""},
    {"data", "source", "\"/safe_data/{project}\""},
    {"data", "access", "\"read-only\""},
    {"data", "home_override", "false"},
    {"outputs", "source", "\"~/outputs_{run}\""},
    {"outputs", "manifest", "{ \"max_time\": \"20s\" }"},
    {"outputs", "check", "{ \"types\": [\"csv\", \"png\"] }"},
    {"manifest", "max_time", "\"20s\""},
    {"manifest", "max_size", "\"64G\""},
    {"manifest", "max_files", "20000"},
    {"check", "types", "[\"csv\", \"png\"]"},
    {"check", "max_files", "50"},
    {"check", "max_size", "\"100M\""},
    {"check", "max_file_size", "\"10M\""},
    {"check", "csv", "{ \"max_rows\": 10000 }"},
    {"check", "forbidden_values", "[\"nhs-number\", \"chi-number\"]"},
    {"check", "forbidden_patterns", "[\"S######\"]"},
    {"check", "on_fail", "\"warn\""},
    {"check", "withhold", "\"/srv/airlock\""},
    {"csv", "max_rows", "10000"},
    {"csv", "max_columns", "100"},
    {"csv", "forbidden_columns", "[\"*name*\", \"dob\"]"},
    {"csv", "min_count", "{ \"columns\": [\"n\"], \"at_least\": 10 }"},
    {"min_count", "columns", "[\"n\", \"count*\"]"},
    {"min_count", "at_least", "10"},
    {"min_count", "allow_zero", "false"},
    {"scratch", "source", "\"~/scratch_{run}\""},
    {"limits", "cpus", "4"},
    {"limits", "memory", "\"16G\""},
    {"limits", "pids", "4096"},
    {"limits", "time", "\"6h\""},
    {"limits", "runs", "4"},
    {"limits", "shm", "\"1G\""},
    {"limits", "writable_layer", "\"2G\""},
    {"network", "publish", "[\"8787\"]"},
    {"network", "proxy", "\"http://proxy.nsh.loc:3128\""},
    {"gpus", "max", "1"},
    {"gpus", "kinds", "[\"nvidia.com/gpu\"]"},
    {"gpus", "devices", "[\"0\"]"},
    {"gpus", "exclusive", "true"},
    {"members", "groups", "[\"nsh-2024-0001\"]"},
    {"members", "users", "[\"ann\"]"},
    {"images", "allow", "\"ghcr.io/group/*\""},
    {"images", "digest", "\"sha256:<64 hex digits>\""},
    {"images", "approval", "\"IG-2026-014\""},
    {"images", "evidence", "\"sha256:<64 hex digits>\""},
    {"images", "signed_by", "[\"keys/lab.pub\"]"},
    {"signed_by", "keys", "[\"keys/lab.pub\"]"},
    {"signed_by", "at_least", "1"},
    {"images", "expires", "\"2027-01-01\""},
    {"images", "scan", "{ \"max_age\": \"30d\", \"no\": [\"critical\"] }"},
    {"images", "sbom", "true"},
    {"images", "base", "[\"sha256:<64 hex digits>\"]"},
    {"scan", "max_age", "\"30d\""},
    {"scan", "no", "[\"critical\", \"fixable high\"]"},
    {"scan", "unless_vex", "true"},
    {"infer_projects", "base", "\"/safe_data\""},
    {"infer_projects", "group_prefixes", "[\"\", \"nsh-\"]"},
    {"infer_projects", "images", "[ { \"allow\": \"ghcr.io/group/*\" } ]"},
    {"kubernetes", "namespace", "\"nsh-{project}-ns\""},
    {"kubernetes", "queue", "\"nsh-{project}-ns-user-queue\""},
    {"kubernetes", "data_claim", "\"pvc-{project}-shared\""},
    {"kubernetes", "outputs_claim", "\"pvc-{project}-users-{user_first}\""},
    {"kubernetes", "pull_secret", "\"tre-registry\""},
    {"kubernetes", "gpu_product", "\"NVIDIA-A100-SXM4-40GB\""},
    {"host", "runtime", "\"/usr/bin/crun\""},
    {"host", "cgroup_parent", "\"auto\""},
    {"host", "subordinate_ids", "{ \"first\": 2000000000, \"per_user\": 65536, \"users\": 1000 }"},
    {"host", "cdi_dirs", "[\"/etc/cdi\"]"},
    {"host", "audit_syslog", "true"},
    {"host", "audit_key", "\"/etc/ces/audit-key.pem\""},
    {"host", "user_limits", "{ \"memory\": \"64G\" }"},
    {"user_limits", "cpus", "16"},
    {"user_limits", "memory", "\"64G\""},
    {"user_limits", "pids", "8192"},
    {"user_limits", "runs", "8"},
    {"user_limits", "images", "100"},
    {"user_limits", "pulls", "4"},
    {"user_limits", "store", "\"200G\""},
    {"host", "store_reserve", "\"10G\""},
    {"host", "selinux", "\"required\""},
    {"subordinate_ids", "first", "2000000000"},
    {"subordinate_ids", "per_user", "65536"},
    {"subordinate_ids", "users", "1000"},
};

/* Splits off the last key, without "[3]": "a.b[0].c[1]" is "c" in "a.b[0]". */
static void split(const char *path, char *in, size_t size, char *key, size_t key_size)
{
	const char *dot = strrchr(path, '.');
	const char *last = dot == NULL ? path : dot + 1;

	snprintf(in, size, "%.*s", (int)(dot == NULL ? 0 : dot - path), path);
	snprintf(key, key_size, "%.*s", (int)strcspn(last, "["), last);
}

/* The kind of object that a path names. Names of projects and registries have dots, keys do not. */
static const char *kind_of(const char *path)
{
	static const char *const named[] = {
	    "data",        "outputs",  "scratch",        "limits", "network",         "gpus",
	    "members",     "images",   "infer_projects", "host",   "subordinate_ids", "kubernetes",
	    "user_limits", "manifest", "check",          "csv",    "min_count"};
	char in[256], key[96];

	split(path, in, sizeof(in), key, sizeof(key));
	for (size_t i = 0; i < CES_COUNT(named); i++)
		if (strcmp(key, named[i]) == 0)
			return named[i];
	if (strncmp(path, "registries.", 11) == 0)
		return "registry";
	if (strncmp(path, "projects.", 9) == 0)
		return "project";
	return strcmp(path, "defaults") == 0 ? "defaults" : "";
}

static bool lies_in(const struct known *key, const char *kind)
{
	return strcmp(key->in, kind) == 0 ||
	       (strcmp(kind, "project") == 0 && strcmp(key->in, "defaults") == 0);
}

static const struct known *find(const char *kind, const char *name)
{
	for (size_t i = 0; i < CES_COUNT(keys); i++)
		if (strcmp(keys[i].key, name) == 0 && (kind == NULL || lies_in(&keys[i], kind)))
			return &keys[i];
	return NULL;
}

static void list_keys(const char *kind, char *buffer, size_t size)
{
	size_t used = (size_t)snprintf(buffer, size, "the keys here are");
	const char *comma = "";

	for (size_t i = 0; i < CES_COUNT(keys) && used < size; i++) {
		if (!lies_in(&keys[i], kind))
			continue;
		used += (size_t)snprintf(buffer + used, size - used, "%s %s", comma, keys[i].key);
		comma = ",";
	}
}

static void hint_unknown(const char *kind, const char *name, char *buffer, size_t size)
{
	struct ces_suggestion best = {0};
	const struct known *elsewhere = find(NULL, name);

	for (size_t i = 0; i < CES_COUNT(keys); i++)
		if (lies_in(&keys[i], kind))
			ces_suggest(&best, name, keys[i].key);
	if (elsewhere != NULL && elsewhere->in[0] != '\0')
		snprintf(buffer, size, "\"%s\" belongs into \"%s\"", name, elsewhere->in);
	else if (best.word != NULL)
		snprintf(buffer, size, "did you mean \"%s\"?", best.word);
	else
		list_keys(kind, buffer, size);
}

const char *ces_check_hint(const char *path, const char *text, char *buffer, size_t size)
{
	char in[256], name[96], needed[96];
	const struct known *key;

	buffer[0] = '\0';
	split(path, in, sizeof(in), name, sizeof(name));
	if (strstr(text, "is not a key") != NULL) {
		hint_unknown(kind_of(in), name, buffer, size);
	} else if (sscanf(text, "needs the key \"%95[^\"]\"", needed) == 1) {
		key = find(kind_of(path), needed);
		if (key != NULL)
			snprintf(buffer, size, "write \"%s\": %s", key->key, key->example);
	} else if ((key = find(kind_of(in), name)) != NULL) {
		snprintf(buffer, size, "write for example \"%s\": %s", key->key, key->example);
	}
	return buffer;
}
