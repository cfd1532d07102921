/* The configuration of an image, and what it means for each run. */
#ifndef CES_POLICY_CONFORM_IMAGE_H
#define CES_POLICY_CONFORM_IMAGE_H

#include <json-c/json.h>

#include "common/wire.h"
#include "policy/conform/conform.h"
#include "policy/conform/look.h"

/* Strings point into json. */
struct ces_image_config {
	struct json_object *json;
	const char *os, *architecture, *user;
	struct ces_strings entrypoint, cmd, env, diff_ids;
	struct json_object *labels; /* or NULL */
};

/* Takes any bytes. ces_image_config_free releases *ret. CES_E_IMAGE. */
int ces_image_config_read(const char *bytes, size_t length, struct ces_image_config *ret,
			  struct ces_error *err);
void ces_image_config_free(struct ces_image_config *config);

/* The findings that need no layers. */
void ces_image_config_check(struct ces_conform *conform, const struct ces_image_config *config);

/* The value of the variable, or NULL. */
const char *ces_image_config_env(const struct ces_image_config *config, const char *name);

/* The directories in TMPDIR and similar variables, for the check of the layers. */
void ces_image_config_tmp(const struct ces_image_config *config, struct ces_look *look);

/* The findings that need all layers. */
void ces_image_check_end(struct ces_conform *conform, const struct ces_image_config *config,
			 const struct ces_look *look);

#endif
