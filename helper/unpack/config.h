/* Image configurations. Source: OCI image-spec v1.0.2 config.md. */
#ifndef CES_UNPACK_CONFIG_H
#define CES_UNPACK_CONFIG_H

#include "common/image.h"
#include "helper/unpack/json.h"

#define CES_CONFIG_WORKDIR_MAX 1024

/* The contents of a configuration. `record` points into json and into workdir. */
struct ces_config {
	struct ces_image_record
	    record; /* without digest, config_digest, uid, gid, groups, home, size */
	struct json_object *json;
	char workdir[CES_CONFIG_WORKDIR_MAX + 2];
};

/* Parses a configuration that must have `layers` diff_ids. It ignores labels, volumes, ports,
 * history and health checks: no run gets these. ces_config_free releases *ret. CES_E_IMAGE. */
int ces_config_parse(const char *bytes, size_t length, uint64_t layers, struct ces_config *ret,
		     struct ces_error *err);
void ces_config_free(struct ces_config *config);

/* "SIGTERM", "TERM", "15", "SIGRTMIN+3": 1 to 64. Returns 0 or -1. */
int ces_config_signal(const char *word, uint64_t *ret);

#endif
