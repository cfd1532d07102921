/* The shape of a CDI specification. It must not pass on a key that it does not understand. It
 * leaves out by name the keys that only describe, and refuses a file with any other unknown key. */
#include "policy/cdi.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "policy/cdi_parse.h"
#include "policy/cdi_place.h"
#include "policy/field.h"
#include "policy/template.h"
#include "policy/valid.h"

static bool valid_line(const char *text)
{
	size_t length = strnlen(text, 4097);

	for (size_t i = 0; i < length; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return false;
	return length <= 4096;
}

static bool valid_env(const char *text)
{
	return ces_env_name_valid(text, strcspn(text, "=")) && strchr(text, '=') != NULL &&
	       valid_line(text);
}

static bool valid_version(const char *text)
{
	static const char *const known[] = {"0.3.0", "0.4.0", "0.5.0", "0.6.0",
					    "0.7.0", "0.8.0", "1.0.0", "1.1.0"};

	for (size_t i = 0; i < CES_COUNT(known); i++)
		if (strcmp(text, known[i]) == 0)
			return true;
	return false;
}

static bool valid_permissions(const char *text)
{
	return text[strspn(text, "rwm")] == '\0';
}

static const struct ces_field_text as_line = {valid_line, "one line of plain text"};
static const struct ces_field_text as_env = {valid_env, "NAME=value"};
static const struct ces_field_text as_version = {valid_version, "a version that CES knows"};
static const struct ces_field_text as_permissions = {valid_permissions, "letters of \"rwm\""};
static const struct ces_field_text as_path = {ces_path_valid, "an absolute path without \"..\""};
static const struct ces_field_text as_kind = {ces_valid_kind, "a kind like \"vendor.com/gpu\""};
static const struct ces_field_text as_name = {ces_device_valid, "the name of a device"};
/* linux/kdev_t.h: 12 bits and 20 */
static const struct ces_field_range majors = {0, 4095}, minors = {0, 1048575};

static int read_nothing(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	(void)in;
	(void)at;
	(void)ret;
	return 0;
}

static int read_list(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	if (json_object_is_type(at->value, json_type_array) &&
	    json_object_array_length(at->value) > CES_CDI_LIST_MAX)
		return ces_field_fault(in, at, "must have at most %d elements", CES_CDI_LIST_MAX);
	return ces_field_list(in, at, ret);
}

static int read_major(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_cdi_node *node = ret;

	node->numbered = true;
	return ces_field_number(in, at, &node->major);
}

/* A list of strings has elements that are rows without a key. */
#define STRINGS(name, text)                                                                        \
	static const struct ces_field_each name = {                                                \
	    .size = sizeof(char *), .row = {.read = ces_field_string, .param = &(text)}}
STRINGS(env, as_env);
STRINGS(args, as_line);

#define ROW(k, r, o, p, ...)                                                                       \
	{                                                                                          \
		.key = (k), .read = (r), .offset = (o), .param = (p), ##__VA_ARGS__                \
	}
#define IGNORED(k)                                                                                 \
	{                                                                                          \
		.key = (k), .read = read_nothing                                                   \
	}

#define NODE(member) offsetof(struct ces_cdi_node, member)
static const struct ces_field node_rows[] = {
    ROW("path", ces_field_string, NODE(path), &as_path, .required = true),
    ROW("hostPath", ces_field_string, NODE(host_path), &as_path),
    ROW("type", ces_field_string, NODE(type), &as_line),
    ROW("major", read_major, 0, &majors),
    ROW("minor", ces_field_number, NODE(minor), &minors),
    ROW("permissions", ces_field_string, NODE(permissions), &as_permissions),
    IGNORED("fileMode"), /* nodes are 0666, and the device program decides who may do what */
    IGNORED("uid"),
    IGNORED("gid"),
    CES_FIELD_END,
};
static const struct ces_field_each nodes = {
    .size = sizeof(struct ces_cdi_node),
    .row = {.read = ces_field_object, .param = node_rows},
};

#define MOUNT(member) offsetof(struct ces_cdi_mount, member)
static const struct ces_field mount_rows[] = {
    ROW("hostPath", ces_field_string, MOUNT(host_path), &as_path, .required = true),
    ROW("containerPath", ces_field_string, MOUNT(container_path), &as_path, .required = true),
    IGNORED("options"), /* always read-only, nosuid, nodev */
    IGNORED("type"),    /* always a bind */
    CES_FIELD_END,
};
static const struct ces_field_each mounts = {
    .size = sizeof(struct ces_cdi_mount),
    .row = {.read = ces_field_object, .param = mount_rows},
};

static const struct ces_field hook_rows[] = {
    ROW("args", read_list, offsetof(struct ces_cdi_hook, args), &args),
    IGNORED("hookName"),
    IGNORED("path"), /* never started */
    IGNORED("env"),
    IGNORED("timeout"),
    CES_FIELD_END,
};
static const struct ces_field_each hooks = {
    .size = sizeof(struct ces_cdi_hook),
    .row = {.read = ces_field_object, .param = hook_rows},
};

/* It leaves out netDevices (which would move a network interface in) and intelRdt. */
#define EDITS(member) offsetof(struct ces_cdi_edits, member)
static const struct ces_field edits_rows[] = {
    ROW("env", read_list, EDITS(env), &env),
    ROW("deviceNodes", read_list, EDITS(nodes), &nodes),
    ROW("mounts", read_list, EDITS(mounts), &mounts),
    ROW("hooks", read_list, EDITS(hooks), &hooks),
    IGNORED("additionalGids"), /* every program inside may open the nodes */
    CES_FIELD_END,
};

#define DEVICE(member) offsetof(struct ces_cdi_device, member)
static const struct ces_field device_rows[] = {
    ROW("name", ces_field_string, DEVICE(name), &as_name, .required = true),
    ROW("containerEdits", ces_field_object, DEVICE(edits), edits_rows, .required = true),
    IGNORED("annotations"),
    CES_FIELD_END,
};
static const struct ces_field_each devices = {
    .size = sizeof(struct ces_cdi_device),
    .row = {.read = ces_field_object, .param = device_rows},
};

struct wanted {
	const struct ces_strings *kinds;
	bool yes;
};

static int read_kind(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct wanted *wanted = in->user;

	if (ces_field_string(in, at, ret) != 0)
		return -1;
	for (size_t i = 0; i < wanted->kinds->n; i++)
		wanted->yes |= strcmp(wanted->kinds->v[i], *(const char **)ret) == 0;
	return 0;
}

static int read_devices(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	return ((struct wanted *)in->user)->yes ? read_list(in, at, ret) : 0;
}

static int read_edits(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	return ((struct wanted *)in->user)->yes ? ces_field_object(in, at, ret) : 0;
}

#define SPEC(member) offsetof(struct ces_cdi_spec, member)
static const struct ces_field spec_rows[] = {
    /* rows are read in this order: the kind decides whether the rest is read */
    ROW("kind", read_kind, SPEC(kind), &as_kind, .required = true),
    ROW("cdiVersion", ces_field_string, SPEC(version), &as_version, .required = true),
    ROW("devices", read_devices, SPEC(devices), &devices, .required = true),
    ROW("containerEdits", read_edits, SPEC(edits), edits_rows),
    IGNORED("annotations"),
    CES_FIELD_END,
};

/* Two devices of one name: readers would disagree on which one is meant. */
static int check_names(const struct ces_cdi_spec *spec, struct ces_error *err)
{
	for (size_t i = 0; i < spec->n_devices; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(spec->devices[i].name, spec->devices[j].name) == 0)
				return ces_error_set(err, CES_E_HOST,
						     "two devices have the name %s",
						     spec->devices[i].name);
	return 0;
}

static int settle(struct ces_fields *in, struct ces_cdi_spec *spec)
{
	int result = ces_cdi_settle(in, &spec->edits);

	for (size_t i = 0; i < spec->n_devices && result == 0; i++)
		result = ces_cdi_settle(in, &spec->devices[i].edits);
	return result;
}

int ces_cdi_parse(const char *bytes, size_t length, const struct ces_strings *kinds,
		  struct ces_cdi_spec **ret, struct ces_error *err)
{
	struct wanted wanted = {.kinds = kinds};
	struct ces_fields in = {.err = err, .user = &wanted};
	struct ces_cdi_spec *spec = ces_field_alloc(&in, 1, sizeof(*spec));

	*ret = NULL;
	if (spec == NULL || ces_field_document(&in, bytes, length, spec_rows, spec) != 0 ||
	    check_names(spec, err) != 0 || settle(&in, spec) != 0) {
		ces_field_free(in.blocks);
		if (err != NULL)
			err->code = CES_E_HOST;
		return -1;
	}
	spec->memory = in.blocks;
	if (wanted.yes)
		*ret = spec;
	else
		ces_cdi_free(spec);
	return 0;
}

void ces_cdi_free(struct ces_cdi_spec *spec)
{
	if (spec != NULL)
		ces_field_free(spec->memory);
}
