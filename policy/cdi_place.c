/* Where the files of a driver go, and which links its hooks would make. It must not be linked into
 * root's programs, which get a place for each file and no hook. */
#include "policy/cdi.h"

#include <string.h>

#include "common/cleanup.h"
#include "policy/cdi_parse.h"
#include "policy/cdi_place.h"
#include "policy/template.h"

#define TARGET_MAX 255

static bool within_any(const char *path, const char *const *dirs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ces_path_within(path, dirs[i]))
			return true;
	return false;
}

/* Leaves out sockets of services that several users share (persistence, MPS, fabric manager), and
 * files that only the kernel reads. */
enum ces_cdi_place ces_cdi_place_of(const char *path)
{
	static const char *const out[] = {"/run", "/var/run", "/tmp", "/lib/firmware", "/dev/dri"};
	static const char *const good[] = {"/etc/nvidia", "/etc/vulkan", "/etc/OpenCL",
					   "/etc/glvnd"};

	if (!ces_path_valid(path))
		return CES_CDI_REFUSED;
	if (within_any(path, out, CES_COUNT(out)))
		return CES_CDI_LEFT_OUT;
	/* nothing that would hide a whole /usr/bin */
	if (!within_any(path, good, CES_COUNT(good)) &&
	    (!ces_path_within(path, "/usr") || strlen(path) < 6 || strchr(path + 5, '/') == NULL ||
	     ces_path_within(path, CES_GPU_DIR)))
		return CES_CDI_REFUSED;
	return strstr(strrchr(path, '/'), ".so") != NULL ? CES_CDI_LIBRARY : CES_CDI_LINKED;
}

/* "nvidia-cdi-hook NAME ..." or, from older tools, "nvidia-ctk hook NAME ...". */
static bool is_hook(const struct ces_cdi_hook *hook, const char *name)
{
	size_t at = hook->args.n > 1 && strcmp(hook->args.v[1], "hook") == 0 ? 2 : 1;

	return hook->args.n > at && strcmp(hook->args.v[at], name) == 0;
}

/* The links that the tool's hook "create-symlinks" would make: number i as "target::link", or NULL
 * if there are no more (or it is another hook). */
static const char *link_of(const struct ces_cdi_hook *hook, size_t i)
{
	if (!is_hook(hook, "create-symlinks"))
		return NULL;
	for (size_t at = 2; at + 1 < hook->args.n; at++)
		if (strcmp(hook->args.v[at], "--link") == 0 && i-- == 0)
			return hook->args.v[at + 1];
	return NULL;
}

static size_t count_links(const struct ces_cdi_edits *edits)
{
	size_t n = 0;

	for (size_t i = 0; i < edits->n_hooks; i++)
		for (size_t j = 0; link_of(&edits->hooks[i], j) != NULL; j++)
			n++;
	return n;
}

/* Splits "target::link". */
static int read_link(struct ces_fields *in, const char *text, struct ces_cdi_link *ret)
{
	const char *colons = strstr(text, "::");

	ret->target = ces_field_copy(in, text);
	ret->path = ces_field_copy(in, colons != NULL ? colons + 2 : "");
	if (ret->target == NULL || ret->path == NULL)
		return -1;
	ret->place = ces_cdi_place_of(ret->path);
	if (ret->place == CES_CDI_LEFT_OUT || ret->place == CES_CDI_REFUSED)
		return 0;
	if (colons == text || colons - text > TARGET_MAX)
		ret->place = CES_CDI_REFUSED;
	else
		ret->target[colons - text] = '\0';
	return 0;
}

/* A graphics card's own node is for display servers. Computing needs the render node. */
static void leave_out_cards(struct ces_cdi_edits *edits)
{
	static const char card[] = "/dev/dri/card";
	size_t n = 0;

	for (size_t i = 0; i < edits->n_nodes; i++)
		if (strncmp(edits->nodes[i].path, card, strlen(card)) != 0)
			edits->nodes[n++] = edits->nodes[i];
	edits->n_nodes = n;
}

int ces_cdi_settle(struct ces_fields *in, struct ces_cdi_edits *edits)
{
	leave_out_cards(edits);
	for (size_t i = 0; i < edits->n_mounts; i++)
		edits->mounts[i].place = ces_cdi_place_of(edits->mounts[i].container_path);
	edits->links = ces_field_alloc(in, count_links(edits) + 1, sizeof(*edits->links));
	if (edits->links == NULL)
		return -1;
	for (size_t i = 0; i < edits->n_hooks; i++) {
		const char *text;

		for (size_t j = 0; (text = link_of(&edits->hooks[i], j)) != NULL; j++)
			if (read_link(in, text, &edits->links[edits->n_links++]) < 0)
				return -1;
	}
	return 0;
}
