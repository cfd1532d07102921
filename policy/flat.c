/* From a block of bytes to a struct. Must not follow anything that it has not placed itself: each
 * text and each list is where the one before it ended, or the block is refused. */
#include "policy/flat.h"

#include <string.h>

#include "common/cleanup.h"
#include "policy/cdi.h"
#include "policy/policy.h"

struct block {
	uint8_t *bytes;
	size_t length, next; /* what is at and after next is not placed yet */
};

static bool load(struct block *block, const struct ces_flat_type *type, uint8_t *object);

static bool load_text(struct block *block, uint8_t *pointer)
{
	uint8_t *text = block->bytes + block->next;
	size_t left = block->length - block->next, length = strnlen((const char *)text, left);

	if (length == left)
		return false;
	memcpy(pointer, &text, sizeof(text));
	block->next += length + 1;
	return true;
}

static bool load_list(struct block *block, const struct ces_flat_type *type, uint8_t *pointer,
		      size_t n)
{
	size_t start = (block->next + 7) & ~(size_t)7;
	uint8_t *list = block->bytes + start;

	if (start > block->length || n > (block->length - start) / type->size)
		return false;
	memcpy(pointer, &list, sizeof(list));
	block->next = start + n * type->size;
	for (size_t i = 0; i < n; i++)
		if (!load(block, type, list + i * type->size))
			return false;
	return true;
}

static bool load_field(struct block *block, const struct ces_flat_field *field, uint8_t *object)
{
	uint8_t *pointer = object + field->offset;
	uintptr_t there;
	size_t n;

	if (field->of != NULL && !field->list)
		return load(block, field->of, pointer);
	memcpy(&there, pointer, sizeof(there));
	memcpy(&n, object + field->count, sizeof(n));
	if (there == 0)
		return !field->list || n == 0;
	if (there != 1)
		return false;
	return field->list ? load_list(block, field->of, pointer, n) : load_text(block, pointer);
}

static bool load(struct block *block, const struct ces_flat_type *type, uint8_t *object)
{
	for (size_t i = 0; i < type->n_fields; i++)
		if (!load_field(block, &type->fields[i], object))
			return false;
	return true;
}

int ces_flat_load(const struct ces_flat_type *type, uint8_t *bytes, size_t length,
		  struct ces_error *err)
{
	struct block block = {bytes, length, type->size};

	return length >= type->size && load(&block, type, bytes) && block.next == length
		   ? 0
		   : ces_error_set(err, CES_E_INTERNAL, "what was read of a file is not whole");
}

/* The tables. */
#define TEXT(type, member)                                                                         \
	{                                                                                          \
		.offset = offsetof(struct type, member)                                            \
	}
#define INSIDE(type, member, what)                                                                 \
	{                                                                                          \
		.offset = offsetof(struct type, member), .of = &(what)                             \
	}
#define LIST(type, member, number, what)                                                           \
	{                                                                                          \
		.offset = offsetof(struct type, member), .count = offsetof(struct type, number),   \
		.of = &(what), .list = 1                                                           \
	}
#define STRINGS(type, member) LIST(type, member.v, member.n, text)
#define TYPE(name, object, table)                                                                  \
	const struct ces_flat_type name = {sizeof(object), table, CES_COUNT(table)}

static const struct ces_flat_field text_fields[] = {{.offset = 0}};
static TYPE(text, char *, text_fields);

static const struct ces_flat_field registry_fields[] = {
    TEXT(ces_policy_registry, name), TEXT(ces_policy_registry, endpoint),
    TEXT(ces_policy_registry, ca_file), STRINGS(ces_policy_registry, token_hosts)};
static TYPE(registry, struct ces_policy_registry, registry_fields);

static const struct ces_flat_field settings_fields[] = {
    TEXT(ces_policy_settings, data_source),    TEXT(ces_policy_settings, outputs_source),
    TEXT(ces_policy_settings, scratch_source), STRINGS(ces_policy_settings, publish),
    TEXT(ces_policy_settings, proxy),          STRINGS(ces_policy_settings, gpu_kinds),
    STRINGS(ces_policy_settings, gpu_devices), STRINGS(ces_policy_settings, binds)};
static TYPE(settings, struct ces_policy_settings, settings_fields);

static const struct ces_flat_field rule_fields[] = {TEXT(ces_policy_image_rule, allow),
						    TEXT(ces_policy_image_rule, digest),
						    TEXT(ces_policy_image_rule, approval)};
static TYPE(rule, struct ces_policy_image_rule, rule_fields);

static const struct ces_flat_field project_fields[] = {
    TEXT(ces_policy_project, name),
    TEXT(ces_policy_project, title),
    STRINGS(ces_policy_project, member_groups),
    STRINGS(ces_policy_project, member_users),
    LIST(ces_policy_project, images.v, images.n, rule),
    INSIDE(ces_policy_project, settings, settings)};
static TYPE(project, struct ces_policy_project, project_fields);

static const struct ces_flat_field policy_fields[] = {
    TEXT(ces_policy, site),
    TEXT(ces_policy, approved_by),
    TEXT(ces_policy, contact),
    LIST(ces_policy, registries, n_registries, registry),
    INSIDE(ces_policy, defaults, settings),
    LIST(ces_policy, projects, n_projects, project),
    TEXT(ces_policy, infer_base),
    STRINGS(ces_policy, infer_prefixes),
    LIST(ces_policy, infer_images.v, infer_images.n, rule),
    TEXT(ces_policy, kubernetes.namespace),
    TEXT(ces_policy, kubernetes.queue),
    TEXT(ces_policy, kubernetes.data_claim),
    TEXT(ces_policy, kubernetes.outputs_claim),
    TEXT(ces_policy, kubernetes.pull_secret),
    TEXT(ces_policy, runtime),
    TEXT(ces_policy, cgroup_path),
    STRINGS(ces_policy, cdi_dirs)};
TYPE(ces_policy_flat, struct ces_policy, policy_fields);

static const struct ces_flat_field node_fields[] = {
    TEXT(ces_cdi_node, path), TEXT(ces_cdi_node, host_path), TEXT(ces_cdi_node, type),
    TEXT(ces_cdi_node, permissions)};
static TYPE(node, struct ces_cdi_node, node_fields);

static const struct ces_flat_field mount_fields[] = {TEXT(ces_cdi_mount, host_path),
						     TEXT(ces_cdi_mount, container_path)};
static TYPE(mount, struct ces_cdi_mount, mount_fields);

static const struct ces_flat_field hook_fields[] = {STRINGS(ces_cdi_hook, args)};
static TYPE(hook, struct ces_cdi_hook, hook_fields);

static const struct ces_flat_field edits_fields[] = {
    STRINGS(ces_cdi_edits, env), LIST(ces_cdi_edits, nodes, n_nodes, node),
    LIST(ces_cdi_edits, mounts, n_mounts, mount), LIST(ces_cdi_edits, hooks, n_hooks, hook)};
static TYPE(edits, struct ces_cdi_edits, edits_fields);

static const struct ces_flat_field device_fields[] = {TEXT(ces_cdi_device, name),
						      INSIDE(ces_cdi_device, edits, edits)};
static TYPE(device, struct ces_cdi_device, device_fields);

static const struct ces_flat_field cdi_fields[] = {
    TEXT(ces_cdi_spec, version), TEXT(ces_cdi_spec, kind),
    LIST(ces_cdi_spec, devices, n_devices, device), INSIDE(ces_cdi_spec, edits, edits)};
TYPE(ces_cdi_flat, struct ces_cdi_spec, cdi_fields);
