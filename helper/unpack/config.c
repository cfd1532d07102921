/* Reads an image configuration into the flat image record. It must not let through a value that the
 * record's schema refuses, nor keep anything that a run does not need. */
#include "helper/unpack/config.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/num.h"
#include "helper/unpack/manifest.h"

#define ARGS_MAX   256
#define ENV_MAX    512
#define VALUE_MAX  65536
#define RECORD_MAX (192 * 1024) /* all strings together: the record must fit a grant */
#define RTMIN      34           /* as Docker counts: the C library's, not the kernel's */
#define RTMAX      64
#define SIGNAL_MAX 15 /* letters */

/* Names that have a number already, under another name. */
static const struct {
	const char *name;
	uint64_t number;
} aliases[] = {{"IO", SIGIO}, {"IOT", SIGIOT}, {"CLD", SIGCLD}};

static int signal_by_name(const char *name, uint64_t *ret)
{
	for (size_t i = 0; i < CES_COUNT(aliases); i++) {
		if (strcmp(name, aliases[i].name) == 0) {
			*ret = aliases[i].number;
			return 0;
		}
	}
	for (int number = 1; number < 32; number++) {
		const char *known = sigabbrev_np(number);

		if (known != NULL && strcmp(name, known) == 0) {
			*ret = (uint64_t)number;
			return 0;
		}
	}
	return -1;
}

/* Builders write "sigterm" too: other engines take it, and so does this. */
int ces_config_signal(const char *word, uint64_t *ret)
{
	char upper[SIGNAL_MAX + 1] = "";
	const char *text = upper;
	uint64_t offset = 0;

	if (ces_num_parse(word, 1, RTMAX, ret) == 0)
		return 0;
	for (size_t i = 0; word[i] != '\0'; i++) {
		if (i == SIGNAL_MAX)
			return -1;
		upper[i] = (char)(word[i] >= 'a' && word[i] <= 'z' ? word[i] - 'a' + 'A' : word[i]);
	}
	if (strncmp(text, "SIG", 3) == 0)
		text += 3;
	if (strncmp(text, "RTMIN", 5) == 0) {
		text += 5;
		if (text[0] != '\0' &&
		    (text[0] != '+' || ces_num_parse(text + 1, 0, RTMAX - RTMIN, &offset) < 0))
			return -1;
		*ret = RTMIN + offset;
		return 0;
	}
	if (strncmp(text, "RTMAX", 5) == 0) {
		text += 5;
		if (text[0] != '\0' &&
		    (text[0] != '-' || ces_num_parse(text + 1, 0, RTMAX - RTMIN, &offset) < 0))
			return -1;
		*ret = RTMAX - offset;
		return 0;
	}
	return signal_by_name(text, ret);
}

/* Cleans the path as Docker does: absolute, single slashes, no "." and no slash at the end. */
static int clean_workdir(const char *text, char *ret, size_t size, struct ces_error *err)
{
	size_t used = 0;

	for (const char *at = text + strspn(text, "/"); at[0] != '\0'; at += strspn(at, "/")) {
		size_t length = strcspn(at, "/");

		if (length == 2 && at[0] == '.' && at[1] == '.')
			return ces_error_set(err, CES_E_IMAGE, "\"WorkingDir\" has a \"..\" in it");
		if (length != 1 || at[0] != '.') {
			if (used + length + 2 > size)
				return ces_error_set(err, CES_E_IMAGE,
						     "\"WorkingDir\" is too long");
			ret[used++] = '/';
			memcpy(ret + used, at, length);
			used += length;
		}
		at += length;
	}
	if (used == 0)
		ret[used++] = '/';
	ret[used] = '\0';
	return 0;
}

static bool printable(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text < 0x20 || *text > 0x7e)
			return false;
	}
	return true;
}

static int read_workdir(struct json_object *json, struct ces_config *config, struct ces_error *err)
{
	const char *text = NULL;

	if (ces_json_text(json, "WorkingDir", &text, err) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return 0;
	if (!printable(text))
		return ces_error_set(err, CES_E_IMAGE, "\"WorkingDir\" is not printable ASCII");
	if (clean_workdir(text, config->workdir, CES_CONFIG_WORKDIR_MAX + 1, err) < 0)
		return -1;
	config->record.workdir = config->workdir;
	return 0;
}

static int read_user(struct json_object *json, struct ces_config *config, struct ces_error *err)
{
	const char *text = NULL;

	if (ces_json_text(json, "User", &text, err) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return 0;
	if (strlen(text) > 256 || !printable(text))
		return ces_error_set(err, CES_E_IMAGE,
				     "\"User\" is too long or not printable ASCII");
	config->record.user = (char *)(uintptr_t)text;
	return 0;
}

static int read_stop_signal(struct json_object *json, struct ces_config *config,
			    struct ces_error *err)
{
	const char *text = NULL;

	if (ces_json_text(json, "StopSignal", &text, err) < 0)
		return -1;
	if (text == NULL || text[0] == '\0')
		return 0;
	if (ces_config_signal(text, &config->record.stop_signal) < 0)
		return ces_error_set(err, CES_E_IMAGE, "\"StopSignal\" is not a signal: \"%.40s\"",
				     text);
	return 0;
}

static int check_lengths(const struct ces_strings *texts, const char *key, size_t *total,
			 struct ces_error *err)
{
	for (size_t i = 0; i < texts->n; i++) {
		size_t length = strlen(texts->v[i]);

		*total += length;
		if (length > VALUE_MAX || *total > RECORD_MAX)
			return ces_error_set(err, CES_E_IMAGE, "\"%s\" is too long", key);
	}
	return 0;
}

static int check_env(const struct ces_strings *env, struct ces_error *err)
{
	for (size_t i = 0; i < env->n; i++) {
		const char *equals = strchr(env->v[i], '=');

		if (equals == NULL || !ces_env_name_valid(env->v[i], (size_t)(equals - env->v[i])))
			return ces_error_set(
			    err, CES_E_IMAGE,
			    "\"Env\" has an entry that is not NAME=value: \"%.60s\"", env->v[i]);
	}
	return 0;
}

static int read_words(struct json_object *json, struct ces_image_record *record,
		      struct ces_error *err)
{
	size_t total = 0;

	if (ces_json_texts(json, "Entrypoint", ARGS_MAX, &record->entrypoint, err) < 0 ||
	    ces_json_texts(json, "Cmd", ARGS_MAX, &record->cmd, err) < 0 ||
	    ces_json_texts(json, "Env", ENV_MAX, &record->env, err) < 0)
		return -1;
	if (check_lengths(&record->entrypoint, "Entrypoint", &total, err) < 0 ||
	    check_lengths(&record->cmd, "Cmd", &total, err) < 0 ||
	    check_lengths(&record->env, "Env", &total, err) < 0)
		return -1;
	return check_env(&record->env, err);
}

static int check_platform(struct json_object *json, struct ces_error *err)
{
	const char *os = NULL, *architecture = NULL;

	if (ces_json_text(json, "os", &os, err) < 0 ||
	    ces_json_text(json, "architecture", &architecture, err) < 0)
		return -1;
	if (os == NULL || architecture == NULL)
		return ces_error_set(err, CES_E_IMAGE, "\"os\" or \"architecture\" is missing");
	if (strcmp(os, "linux") != 0 || strcmp(architecture, ces_manifest_architecture()) != 0)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "the image is for %.20s/%.20s, this machine is linux/%s; build "
		    "it with --platform linux/%s",
		    os, architecture, ces_manifest_architecture(), ces_manifest_architecture());
	return 0;
}

static int read_rootfs(struct json_object *json, uint64_t layers, struct ces_config *config,
		       struct ces_error *err)
{
	struct ces_strings *diff_ids = &config->record.diff_ids;
	struct json_object *rootfs = NULL;
	const char *type = NULL;

	if (ces_json_member(json, "rootfs", json_type_object, &rootfs, err) < 0)
		return -1;
	if (rootfs == NULL)
		return ces_error_set(err, CES_E_IMAGE, "\"rootfs\" is missing");
	if (ces_json_text(rootfs, "type", &type, err) < 0 ||
	    ces_json_texts(rootfs, "diff_ids", CES_LAYERS_MAX, diff_ids, err) < 0)
		return -1;
	if (type == NULL || strcmp(type, "layers") != 0)
		return ces_error_set(err, CES_E_IMAGE, "\"rootfs.type\" is not \"layers\"");
	if (diff_ids->n != layers)
		return ces_error_set(err, CES_E_IMAGE, "it names %zu layers, the manifest %llu",
				     diff_ids->n, (unsigned long long)layers);
	for (size_t i = 0; i < diff_ids->n; i++) {
		if (!ces_digest_valid(diff_ids->v[i]))
			return ces_error_set(err, CES_E_IMAGE, "diff_id %zu is not a sha256 digest",
					     i + 1);
	}
	return 0;
}

static int read_config(uint64_t layers, struct ces_config *config, struct ces_error *err)
{
	struct json_object *inner = NULL;

	if (check_platform(config->json, err) < 0 ||
	    read_rootfs(config->json, layers, config, err) < 0 ||
	    ces_json_member(config->json, "config", json_type_object, &inner, err) < 0)
		return -1;
	if (inner == NULL)
		return 0;
	if (read_words(inner, &config->record, err) < 0 || read_workdir(inner, config, err) < 0 ||
	    read_user(inner, config, err) < 0)
		return -1;
	return read_stop_signal(inner, config, err);
}

int ces_config_parse(const char *bytes, size_t length, uint64_t layers, struct ces_config *ret,
		     struct ces_error *err)
{
	memset(ret, 0, sizeof(*ret));
	if (ces_json_parse(bytes, length, &ret->json, err) < 0 ||
	    read_config(layers, ret, err) < 0) {
		ces_config_free(ret);
		return ces_error_context(err, "image configuration");
	}
	return 0;
}

void ces_config_free(struct ces_config *config)
{
	free(config->record.diff_ids.v);
	free(config->record.entrypoint.v);
	free(config->record.cmd.v);
	free(config->record.env.v);
	json_object_put(config->json);
	memset(config, 0, sizeof(*config));
}
