/* Runs by a name: reads a profile of the site and applies it, as if its user had typed it. It must
 * trust no file that anybody but root could have written: a colleague's profile could send a user's
 * results elsewhere, though only to where the policy lets that user go. */
#include "client/profile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/optfile.h"
#include "client/words.h"
#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/suggest.h"
#include "policy/profile.h"

#define PROFILES CES_POLICY_DIR "/" CES_PROFILES

/* Returns whether the file is root's, and nobody else can write it. */
static bool is_roots(const struct stat *st)
{
	return st->st_uid == 0 && (st->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

static int open_directory(int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = open(PROFILES, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0 && errno == ENOENT)
		return ces_error_set(err, CES_E_USAGE,
				     "this machine has no profiles (" PROFILES
				     "): leave out --profile");
	if (dir < 0 || fstat(dir, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, PROFILES);
	if (!is_roots(&st))
		return ces_error_set(err, CES_E_HOST,
				     PROFILES
				     ": others than root can write to it, so CES uses no profile "
				     "there; ask your administrator to correct it");
	*ret = ces_steal_fd(&dir);
	return 0;
}

/* Reports that there is no such profile, and which there are. */
static int unknown(int dir, const char *name, struct ces_error *err)
{
	char known[CES_PROFILE_NAME_MAX + 1], nearest[CES_PROFILE_NAME_MAX + 1] = "";
	char names[200] = "";
	size_t used = 0, best = 3;
	DIR *stream = fdopendir(fcntl(dir, F_DUPFD_CLOEXEC, 0));
	const struct dirent *entry;

	while (stream != NULL && (entry = readdir(stream)) != NULL) {
		if (!ces_profile_name(entry->d_name, known))
			continue;
		if (ces_suggest_distance(known, name) < best) {
			best = ces_suggest_distance(known, name);
			memcpy(nearest, known, sizeof(nearest));
		}
		if (used + strlen(known) + 3 < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used > 0 ? ", " : "", known);
	}
	if (stream != NULL)
		closedir(stream);
	if (nearest[0] != '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "there is no profile '%s': did you mean --profile %s?", name,
				     nearest);
	if (used > 0)
		return ces_error_set(err, CES_E_USAGE,
				     "there is no profile '%s': the profiles here are %s", name,
				     names);
	return ces_error_set(err, CES_E_USAGE, "there is no profile '%s' in " PROFILES, name);
}

/* Checks and reads the fd, so it does not matter where the name leads later. */
static int read_file(const char *name, char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int dir = -1, fd = -1;
	char file[CES_PROFILE_FILE];
	struct stat st;

	if (!ces_profile_name_valid(name))
		return ces_error_set(err, CES_E_USAGE,
				     "--profile '%s': type the name of a profile, such as "
				     "--profile jupyter",
				     name);
	if (open_directory(&dir, err) < 0)
		return -1;
	ces_profile_file(name, file);
	fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT)
		return unknown(dir, name, err);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, PROFILES "/%s", file);
	if (!S_ISREG(st.st_mode) || !is_roots(&st))
		return ces_error_set(err, CES_E_HOST,
				     PROFILES
				     "/%s: not a file that only root can write, so CES does not "
				     "use it; ask your administrator to correct it",
				     file);
	if (ces_read_file(fd, CES_PROFILE_MAX, ret, ret_length) < 0)
		return ces_error_errno(err, CES_E_HOST, PROFILES "/%s", file);
	return 0;
}

static int set_texts(struct ces_options *options, const struct ces_profile *profile,
		     struct ces_error *err)
{
	const struct {
		const char *value;
		ces_setter *set;
	} texts[] = {{profile->project, ces_set_project},
		     {profile->gpu, ces_set_gpu},
		     {profile->workdir, ces_set_workdir},
		     {profile->entrypoint, ces_set_entrypoint}};
	const struct {
		bool value;
		ces_setter *set;
	} flags[] = {{profile->read_only, ces_set_read_only},
		     {profile->display, ces_set_display},
		     {profile->interactive, ces_set_interactive},
		     {profile->tty, ces_set_tty}};

	for (size_t i = 0; i < CES_COUNT(texts); i++)
		if (texts[i].value != NULL && texts[i].set(options, texts[i].value, err) < 0)
			return -1;
	for (size_t i = 0; i < CES_COUNT(flags); i++)
		if (flags[i].value && flags[i].set(options, NULL, err) < 0)
			return -1;
	return 0;
}

static int set_mount(struct ces_options *options, const char *text, struct ces_error *err)
{
	CES_CLEANUP_FREE char *expanded = ces_words_expand(text);

	if (expanded == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	return strncmp(text, "type=", 5) == 0 ? ces_mount_set_mount(options, expanded, err)
					      : ces_mount_set_volume(options, expanded, err);
}

static int set_lists(struct ces_options *options, const struct ces_profile *profile,
		     struct ces_error *err)
{
	for (size_t i = 0; i < profile->env.n; i++)
		if (ces_optfile_env_pair(profile->env.v[i], options, err) < 0)
			return -1;
	for (size_t i = 0; i < profile->mounts.n; i++)
		if (set_mount(options, profile->mounts.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < profile->publish.n; i++)
		if (ces_mount_set_publish(options, profile->publish.v[i], err) < 0)
			return -1;
	for (size_t i = 0; i < profile->command.n; i++)
		if (ces_options_append(options, &options->profile_command, profile->command.v[i],
				       err) < 0)
			return -1;
	return 0;
}

static int set(struct ces_options *options, const struct ces_profile *profile,
	       struct ces_error *err)
{
	struct ces_request *request = &options->request;
	const struct {
		uint64_t value, *place;
	} numbers[] = {{profile->cpus, &request->cpus},
		       {profile->memory_bytes, &request->memory_bytes},
		       {profile->shm_bytes, &request->shm_bytes},
		       {profile->time_seconds, &request->time_seconds}};

	for (size_t i = 0; i < CES_COUNT(numbers); i++)
		if (numbers[i].value != 0)
			*numbers[i].place = numbers[i].value;
	if (profile->image != NULL &&
	    ces_options_keep_text(options, profile->image, &options->profile_image, err) < 0)
		return -1;
	return set_texts(options, profile, err) < 0 ? -1 : set_lists(options, profile, err);
}

int ces_set_profile(struct ces_options *options, const char *value, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_profile profile = {0};
	size_t length = 0;
	int result;

	if (options->profiled)
		return ces_error_set(err, CES_E_USAGE,
				     "--profile %s: a run can have only one profile", value);
	options->profiled = true;
	if (read_file(value, &bytes, &length, err) < 0)
		return -1;
	result = ces_profile_parse(bytes, length, &profile, err);
	if (result == 0)
		result = set(options, &profile, err);
	ces_profile_free(&profile);
	return result < 0 ? ces_error_context(err, "profile %s", value) : 0;
}
