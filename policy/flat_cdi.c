/* The pointers of a specification of devices. */
#include "policy/cdi.h"
#include "policy/flat_table.h"

static const struct ces_flat_field node_fields[] = {
    TEXT(ces_cdi_node, path), TEXT(ces_cdi_node, host_path), TEXT(ces_cdi_node, type),
    TEXT(ces_cdi_node, permissions)};
static const struct ces_flat_type node = TYPE(struct ces_cdi_node, node_fields);

static const struct ces_flat_field mount_fields[] = {TEXT(ces_cdi_mount, host_path),
						     TEXT(ces_cdi_mount, container_path)};
static const struct ces_flat_type mount = TYPE(struct ces_cdi_mount, mount_fields);

static const struct ces_flat_field link_fields[] = {TEXT(ces_cdi_link, target),
						    TEXT(ces_cdi_link, path)};
static const struct ces_flat_type made = TYPE(struct ces_cdi_link, link_fields);

static const struct ces_flat_field edits_fields[] = {
    STRINGS(ces_cdi_edits, env), LIST(ces_cdi_edits, nodes, n_nodes, node),
    LIST(ces_cdi_edits, mounts, n_mounts, mount), LIST(ces_cdi_edits, links, n_links, made)};
static const struct ces_flat_type edits = TYPE(struct ces_cdi_edits, edits_fields);

static const struct ces_flat_field device_fields[] = {TEXT(ces_cdi_device, name),
						      INSIDE(ces_cdi_device, edits, edits)};
static const struct ces_flat_type device = TYPE(struct ces_cdi_device, device_fields);

static const struct ces_flat_field cdi_fields[] = {
    TEXT(ces_cdi_spec, version), TEXT(ces_cdi_spec, kind),
    LIST(ces_cdi_spec, devices, n_devices, device), INSIDE(ces_cdi_spec, edits, edits)};
const struct ces_flat_type ces_cdi_flat = TYPE(struct ces_cdi_spec, cdi_fields);
