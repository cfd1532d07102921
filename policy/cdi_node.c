/* Which device nodes of a CDI specification may be given to a run. Pure: ces-session and `doctor`
 * look at the nodes, and both ask here. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/cdi.h"
#include "policy/template.h"

#define NVIDIA_MAJOR 195 /* Documentation/admin-guide/devices.txt */
#define DRM_MAJOR    226

bool ces_cdi_place_valid(const char *path)
{
	return strcmp(path, "/dev/kfd") == 0 || ces_path_within(path, "/dev/dri") ||
	       strncmp(path, "/dev/nvidia", strlen("/dev/nvidia")) == 0;
}

/* Returns whether the text of /proc/devices has a line "MAJOR NAME". Block devices come second
 * there, and nobody asks for one. */
static bool has_driver(const char *majors, unsigned major, const char *name)
{
	const char *end = strstr(majors, "Block devices");
	char line[80];
	int length = snprintf(line, sizeof(line), "%3u %s\n", major, name);
	const char *at = strstr(majors, line);

	return length < (int)sizeof(line) && at != NULL && (end == NULL || at < end) &&
	       (at == majors || at[-1] == '\n');
}

/* Every node of these drivers is fit for a container, except two of MIG's capabilities: config (1)
 * and monitor (2) reach beyond one's own slice. */
bool ces_cdi_number_valid(const char *majors, unsigned major, unsigned minor)
{
	static const char *const drivers[] = {"nvidia",     "nvidia-frontend", "nvidiactl",
					      "nvidia-uvm", "nvidia-modeset",  "kfd"};

	if (major == NVIDIA_MAJOR)
		return true;
	if (major == DRM_MAJOR) /* drivers/gpu/drm/drm_drv.c: from 128 on render nodes */
		return minor >= 128;
	if (has_driver(majors, major, "nvidia-caps"))
		return minor > 2;
	for (size_t i = 0; i < CES_COUNT(drivers); i++)
		if (has_driver(majors, major, drivers[i]))
			return true;
	return false;
}
