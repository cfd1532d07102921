/* libFuzzer entry: takes any bytes for a specification, which is accepted or refused. An accepted
 * one must be usable: the walk over it finds that every string ends and that every list is as long
 * as it says. */
/* parses: policy/cdi.c policy/cdi_node.c policy/cdi_place.c policy/field.c policy/scan.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/cdi.h"
#include "policy/cdi_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static size_t walk(const struct ces_cdi_edits *edits)
{
	size_t sum = 0;

	for (size_t i = 0; i < edits->env.n; i++)
		sum += strlen(edits->env.v[i]);
	for (size_t i = 0; i < edits->n_nodes; i++) {
		const struct ces_cdi_node *node = &edits->nodes[i];

		if (node->path[0] != '/' || node->major > 4095 || node->minor > 1048575)
			abort();
		sum += node->permissions != NULL ? strlen(node->permissions) : 0;
	}
	for (size_t i = 0; i < edits->n_mounts; i++)
		if (edits->mounts[i].host_path[0] != '/' ||
		    edits->mounts[i].container_path[0] != '/')
			abort();
	for (size_t i = 0; i < edits->n_links; i++)
		sum += strlen(edits->links[i].target) + strlen(edits->links[i].path);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char kind[] = "nvidia.com/gpu";
	char *list[] = {kind};
	const struct ces_strings kinds = {list, 1};
	struct ces_cdi_spec *spec = NULL;
	struct ces_error err = {0};
	volatile size_t sum = 0;

	if (ces_cdi_parse((const char *)bytes, length, &kinds, &spec, &err) != 0) {
		if (spec != NULL || err.code != CES_E_HOST || err.text[0] == '\0')
			abort();
		return 0;
	}
	if (spec == NULL)
		return 0;
	sum += walk(&spec->edits);
	for (size_t i = 0; i < spec->n_devices; i++)
		sum += strlen(spec->devices[i].name) + walk(&spec->devices[i].edits);
	ces_cdi_free(spec);
	return 0;
}
