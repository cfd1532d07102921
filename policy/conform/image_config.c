/* Reads and judges the configuration of an image (OCI image-spec v1.0.2 config.md), for any
 * platform. It must not show the value of a secret. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/json.h"
#include "policy/conform/image.h"
#include "policy/conform/signs.h"
#include "policy/conform/start.h"

#define WORDS_MAX 512

static const struct ces_conform_place configuration = {.path = "configuration"};
static const char *const tmp_names[CES_LOOK_TMP] = {"TMPDIR", "TMP", "TEMP"};

static int read_inner(struct ces_image_config *config, struct ces_error *err)
{
	struct json_object *inner = NULL, *rootfs = NULL;

	if (ces_json_text(config->json, "os", &config->os, err) < 0 ||
	    ces_json_text(config->json, "architecture", &config->architecture, err) < 0 ||
	    ces_json_member(config->json, "rootfs", json_type_object, &rootfs, err) < 0 ||
	    ces_json_member(config->json, "config", json_type_object, &inner, err) < 0)
		return -1;
	if (rootfs != NULL &&
	    ces_json_texts(rootfs, "diff_ids", WORDS_MAX, &config->diff_ids, err) < 0)
		return -1;
	if (inner == NULL)
		return 0;
	if (ces_json_texts(inner, "Entrypoint", WORDS_MAX, &config->entrypoint, err) < 0 ||
	    ces_json_texts(inner, "Cmd", WORDS_MAX, &config->cmd, err) < 0 ||
	    ces_json_texts(inner, "Env", WORDS_MAX, &config->env, err) < 0 ||
	    ces_json_text(inner, "User", &config->user, err) < 0)
		return -1;
	return ces_json_member(inner, "Labels", json_type_object, &config->labels, err);
}

int ces_image_config_read(const char *bytes, size_t length, struct ces_image_config *ret,
			  struct ces_error *err)
{
	struct ces_image_config config = {0};

	if (ces_json_parse(bytes, length, &config.json, err) < 0 || read_inner(&config, err) < 0) {
		ces_image_config_free(&config);
		return ces_error_context(err, "configuration");
	}
	*ret = config;
	return 0;
}

void ces_image_config_free(struct ces_image_config *config)
{
	free(config->entrypoint.v);
	free(config->cmd.v);
	free(config->env.v);
	free(config->diff_ids.v);
	json_object_put(config->json);
}

const char *ces_image_config_env(const struct ces_image_config *config, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = config->env.n; i > 0; i--)
		if (strncmp(config->env.v[i - 1], name, n) == 0 && config->env.v[i - 1][n] == '=')
			return config->env.v[i - 1] + n + 1;
	return NULL;
}

static void check_env(struct ces_conform *conform, const struct ces_image_config *config)
{
	char name[128];

	for (size_t i = 0; i < config->env.n; i++) {
		const char *setting = config->env.v[i], *equals = strchr(setting, '=');

		if (equals == NULL)
			continue;
		snprintf(name, sizeof(name), "%.*s",
			 (int)(equals - setting < 120 ? equals - setting : 120), setting);
		if (ces_sign_secret_value(name, equals + 1))
			ces_conform_add(conform, CES_CONFORM_SECRET_VALUE, &configuration,
					"the environment sets %s to a secret", name);
	}
}

/* Each command of the build, with its ARGs. ENV is checked separately. */
static void check_history(struct ces_conform *conform, const struct ces_image_config *config)
{
	static const struct ces_conform_place place = {.path = "history"};
	struct json_object *steps = NULL, *command = NULL;
	char what[128];

	if (!json_object_object_get_ex(config->json, "history", &steps) ||
	    !json_object_is_type(steps, json_type_array))
		return;
	for (size_t i = 0; i < json_object_array_length(steps); i++) {
		struct json_object *step = json_object_array_get_idx(steps, i);
		const char *text;

		if (!json_object_is_type(step, json_type_object) ||
		    !json_object_object_get_ex(step, "created_by", &command) ||
		    !json_object_is_type(command, json_type_string))
			continue;
		text = json_object_get_string(command);
		if (strncmp(text, "ENV ", 4) != 0 && strstr(text, "#(nop)  ENV") == NULL &&
		    ces_sign_secret_words(text, what, sizeof(what)))
			ces_conform_add(conform, CES_CONFORM_SECRET_VALUE, &place,
					"step %zu holds a secret: %s", i + 1, what);
	}
}

static void check_labels(struct ces_conform *conform, const struct ces_image_config *config)
{
	static const char *const names[] = {"source", "licenses", "version"};
	char missing[256] = "", key[64];

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		struct json_object *value = NULL;

		snprintf(key, sizeof(key), "org.opencontainers.image.%s", names[i]);
		if (config->labels != NULL &&
		    json_object_object_get_ex(config->labels, key, &value) &&
		    json_object_is_type(value, json_type_string) &&
		    json_object_get_string(value)[0] != '\0')
			continue;
		snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
			 missing[0] != '\0' ? ", " : "", key);
	}
	if (missing[0] != '\0')
		ces_conform_add(conform, CES_CONFORM_LABELS, &configuration, "it has no label %s",
				missing);
}

void ces_image_config_check(struct ces_conform *conform, const struct ces_image_config *config)
{
	check_env(conform, config);
	check_history(conform, config);
	check_labels(conform, config);
	if (config->entrypoint.n + config->cmd.n == 0)
		ces_conform_add(conform, CES_CONFORM_NO_COMMAND, &configuration,
				"there is no ENTRYPOINT and no CMD");
	else
		ces_start_check(conform, &configuration, &config->entrypoint, &config->cmd);
	if (config->user == NULL || ces_sign_root(config->user))
		ces_conform_add(conform, CES_CONFORM_ROOT, &configuration, "the USER is root");
}

/* Directories that each run has, and that every user may write to. */
static bool is_always_there(const char *path)
{
	static const char *const known[] = {"/tmp", "/var/tmp", "/scratch", "/dev/shm",
					    "/safe_outputs"};
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	for (size_t i = 0; i < CES_COUNT(known); i++)
		if (strlen(known[i]) == length && strncmp(known[i], path, length) == 0)
			return true;
	return false;
}

void ces_image_config_tmp(const struct ces_image_config *config, struct ces_look *look)
{
	for (size_t i = 0; i < CES_LOOK_TMP; i++) {
		const char *value = ces_image_config_env(config, tmp_names[i]);

		if (value != NULL && value[0] == '/')
			look->tmp[i] = value + strspn(value, "/");
	}
}

/* /scratch is new for each run: what the image has below it is not there. */
static void check_tmp(struct ces_conform *conform, const char *name, const char *value,
		      const struct ces_look *look)
{
	const struct ces_mark *found = NULL;

	if (value == NULL || value[0] == '\0' || is_always_there(value))
		return;
	if (value[0] == '/' && strncmp(value, "/scratch/", 9) != 0 &&
	    strncmp(value, "/safe_outputs/", 14) != 0 && strncmp(value, "/safe_data/", 11) != 0)
		found =
		    ces_marks_find(&look->marks, CES_MARK_DIRECTORY, value + strspn(value, "/"));
	if (found == NULL)
		ces_conform_add(conform, CES_CONFORM_TMPDIR, &configuration,
				"%s is %s, which a run does not have", name, value);
	else if ((found->mode & S_IWOTH) == 0)
		ces_conform_add(conform, CES_CONFORM_TMPDIR, &configuration,
				"%s is %s, to which not everyone may write", name, value);
}

static void check_directories(struct ces_conform *conform, const struct ces_look *look)
{
	static const char *const names[] = {"safe_data", "safe_outputs", "scratch"};
	const struct ces_conform_place whole = {0};
	char missing[64] = "";

	for (size_t i = 0; i < CES_COUNT(names); i++)
		if (ces_marks_find(&look->marks, CES_MARK_DIRECTORY, names[i]) == NULL)
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 " /%s", names[i]);
	if (missing[0] != '\0')
		ces_conform_write(conform,
				  ces_conform_add(conform, CES_CONFORM_DIRECTORIES, &whole,
						  "the image has no%s", missing),
				  "RUN mkdir%s", missing);
}

void ces_image_check_end(struct ces_conform *conform, const struct ces_image_config *config,
			 const struct ces_look *look)
{
	const char *offline = ces_image_config_env(config, "HF_HUB_OFFLINE");
	const struct ces_conform_place whole = {0};
	const struct ces_mark *hub = ces_marks_find(&look->marks, CES_MARK_HUB, NULL);

	check_directories(conform, look);
	for (size_t i = 0; i < CES_LOOK_TMP; i++)
		check_tmp(conform, tmp_names[i], ces_image_config_env(config, tmp_names[i]), look);
	if (ces_marks_find(&look->marks, CES_MARK_LICENCE, NULL) == NULL)
		ces_conform_add(conform, CES_CONFORM_LICENCE, &whole,
				"the image has no licence file");
	if (hub != NULL && (offline == NULL || !ces_sign_true(offline))) {
		const struct ces_conform_place place = {.layer = hub->layer, .path = hub->path};

		ces_conform_add(conform, CES_CONFORM_HUB_OFFLINE, &place,
				"a library of Hugging Face is installed, and HF_HUB_OFFLINE is not "
				"1");
	}
}
