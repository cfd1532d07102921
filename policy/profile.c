/* The shape of a run profile, as a table; see policy/field.h. */
#include "policy/profile.h"

#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/num.h"
#include "policy/field.h"
#include "policy/valid.h"

static bool words(const char *text)
{
	return strnlen(text, CES_REFERENCE_MAX) < CES_REFERENCE_MAX && ces_valid_prose(text);
}

/* A word of a command, or a setting: what a shell could pass on. */
static bool any(const char *text)
{
	return strnlen(text, CES_PROFILE_MAX) < CES_PROFILE_MAX;
}

static const struct ces_field_text as_prose = {ces_valid_prose, "one line of text"};
static const struct ces_field_text as_words = {words, "one line of text"};
static const struct ces_field_text as_any = {any, "text"};

#define ROW(name, reader, how, member)                                                             \
	{                                                                                          \
		.key = (name), .read = (reader), .param = (how),                                   \
		.offset = offsetof(struct ces_profile, member)                                     \
	}

static const struct ces_field rows[] = {
    {.key = "ces_profile", .read = ces_field_version, .required = true},
    ROW("description", ces_field_string, &as_prose, description),
    ROW("image", ces_field_string, &as_words, image),
    ROW("command", ces_field_strings, &as_any, command),
    ROW("project", ces_field_string, &as_words, project),
    ROW("gpu", ces_field_string, &as_words, gpu),
    ROW("cpus", ces_field_quantity, &ces_as_cpus, cpus),
    ROW("memory", ces_field_quantity, &ces_as_size, memory_bytes),
    ROW("shm_size", ces_field_quantity, &ces_as_size, shm_bytes),
    ROW("time", ces_field_quantity, &ces_as_time, time_seconds),
    ROW("env", ces_field_strings, &as_any, env),
    ROW("mounts", ces_field_strings, &as_words, mounts),
    ROW("publish", ces_field_strings, &as_words, publish),
    ROW("workdir", ces_field_string, &as_words, workdir),
    ROW("entrypoint", ces_field_string, &as_any, entrypoint),
    ROW("read_only", ces_field_bool, NULL, read_only),
    ROW("display", ces_field_bool, NULL, display),
    ROW("interactive", ces_field_bool, NULL, interactive),
    ROW("tty", ces_field_bool, NULL, tty),
    CES_FIELD_END,
};

#define ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

bool ces_profile_name_valid(const char *text)
{
	size_t length = strspn(text, ALNUM "._-");

	return strspn(text, ALNUM) > 0 && text[length] == '\0' && length <= CES_PROFILE_NAME_MAX;
}

void ces_profile_file(const char *name, char ret[CES_PROFILE_FILE])
{
	(void)snprintf(ret, CES_PROFILE_FILE, "%s" CES_PROFILE_SUFFIX, name);
}

bool ces_profile_name(const char *file, char ret[CES_PROFILE_NAME_MAX + 1])
{
	size_t length = strlen(file), suffix = strlen(CES_PROFILE_SUFFIX);

	if (length <= suffix || length - suffix > CES_PROFILE_NAME_MAX ||
	    strcmp(file + length - suffix, CES_PROFILE_SUFFIX) != 0)
		return false;
	(void)snprintf(ret, CES_PROFILE_NAME_MAX + 1, "%.*s", (int)(length - suffix), file);
	return ces_profile_name_valid(ret);
}

int ces_profile_parse(const char *bytes, size_t length, struct ces_profile *ret,
		      struct ces_error *err)
{
	struct ces_profile profile = {0};

	if (ces_field_read(bytes, length, rows, &profile, &profile.memory, err) != 0)
		return -1;
	*ret = profile;
	return 0;
}

void ces_profile_free(struct ces_profile *profile)
{
	ces_field_free(profile->memory);
	profile->memory = NULL;
}
