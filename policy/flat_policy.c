/* The pointers of a policy. */
#include "policy/flat_table.h"
#include "policy/policy.h"

static const struct ces_flat_field registry_fields[] = {
    TEXT(ces_policy_registry, name), TEXT(ces_policy_registry, endpoint),
    TEXT(ces_policy_registry, ca_file), TEXT(ces_policy_registry, proxy),
    STRINGS(ces_policy_registry, token_hosts)};
static const struct ces_flat_type registry = TYPE(struct ces_policy_registry, registry_fields);

static const struct ces_flat_field settings_fields[] = {
    TEXT(ces_policy_settings, data_source),    TEXT(ces_policy_settings, outputs_source),
    TEXT(ces_policy_settings, check),          TEXT(ces_policy_settings, withhold),
    TEXT(ces_policy_settings, scratch_source), STRINGS(ces_policy_settings, publish),
    TEXT(ces_policy_settings, proxy),          STRINGS(ces_policy_settings, gpu_kinds),
    STRINGS(ces_policy_settings, gpu_devices), STRINGS(ces_policy_settings, binds)};
static const struct ces_flat_type settings = TYPE(struct ces_policy_settings, settings_fields);

static const struct ces_flat_field rule_fields[] = {
    TEXT(ces_policy_image_rule, allow),    TEXT(ces_policy_image_rule, digest),
    TEXT(ces_policy_image_rule, approval), TEXT(ces_policy_image_rule, evidence),
    STRINGS(ces_policy_image_rule, base),  STRINGS(ces_policy_image_rule, signed_by.keys)};
static const struct ces_flat_type rule = TYPE(struct ces_policy_image_rule, rule_fields);

static const struct ces_flat_field project_fields[] = {
    TEXT(ces_policy_project, name),
    TEXT(ces_policy_project, title),
    STRINGS(ces_policy_project, member_groups),
    STRINGS(ces_policy_project, member_users),
    LIST(ces_policy_project, images.v, images.n, rule),
    INSIDE(ces_policy_project, settings, settings)};
static const struct ces_flat_type project = TYPE(struct ces_policy_project, project_fields);

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
    TEXT(ces_policy, kubernetes.gpu_product),
    TEXT(ces_policy, runtime),
    TEXT(ces_policy, cgroup_path),
    TEXT(ces_policy, audit_key),
    STRINGS(ces_policy, cdi_dirs)};
const struct ces_flat_type ces_policy_flat = TYPE(struct ces_policy, policy_fields);
