/* COPY and ADD: which files of the build directory get into the image. */
#include "policy/conform/docker_check.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"
#include "policy/conform/signs.h"

/* The files that a later RUN needs to install dependencies. All others are taken for sources. */
static bool names_dependencies(const char *path)
{
	static const char *const beginnings[] = {
	    "requirements", "environment", "package",  "renv",        "DESCRIPTION", "pyproject",
	    "setup.",       "Pipfile",     "Project.", "Manifest.",   "install",     "uv.lock",
	    "poetry.lock",  "conda",       "apt",      "constraints", "Gemfile"};
	const char *name = ces_sign_base(path);

	for (size_t i = 0; i < CES_COUNT(beginnings); i++)
		if (strncasecmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

static bool is_whole(const char *path)
{
	return strcmp(path, ".") == 0 || strcmp(path, "./") == 0 || strcmp(path, "/") == 0 ||
	       strcmp(path, "*") == 0 || strcmp(path, "./*") == 0;
}

/* Returns whether a line of .dockerignore leaves .git out. */
static bool ignores_git(const char *ignore)
{
	static const char *const lines[] = {".git",  ".git/", "**/.git", "**/.git/", "/.git",
					    ".git*", "*",     ".*",      "**"};

	while (ignore != NULL && *ignore != '\0') {
		size_t length = strcspn(ignore, "\r\n");

		for (size_t i = 0; i < CES_COUNT(lines); i++)
			if (strlen(lines[i]) == length && strncmp(ignore, lines[i], length) == 0)
				return true;
		ignore += length;
		ignore += strspn(ignore, "\r\n");
	}
	return false;
}

static void check_whole(struct ces_docker_check *check, const struct ces_conform_place *place)
{
	if (check->ignore == NULL)
		ces_conform_add(check->conform, CES_CONFORM_CONTEXT, place,
				"the whole directory is copied, and there is no .dockerignore");
	else if (!ignores_git(check->ignore))
		ces_conform_add(check->conform, CES_CONFORM_GIT, place,
				"the whole directory is copied, and .dockerignore does not name "
				".git");
}

static void check_source(struct ces_docker_check *check, const struct ces_docker_step *step,
			 const char *source)
{
	const struct ces_conform_place place = {.line = step->line};
	struct ces_conform *conform = check->conform;
	const char *slash = strstr(source, ".git/");

	if (is_whole(source))
		check_whole(check, &place);
	if (strcmp(ces_sign_base(source), ".git") == 0 ||
	    (slash != NULL && (slash == source || slash[-1] == '/')))
		ces_conform_add(conform, CES_CONFORM_GIT, &place, "%s is copied", source);
	if (ces_sign_secret_file(source))
		ces_conform_add(conform, CES_CONFORM_SECRET_FILE, &place,
				"%s is copied, and by its name it is a secret", source);
	if (ces_sign_data_file(source))
		ces_conform_add(conform, CES_CONFORM_DATA, &place, "%s is copied", source);
}

static bool is_archive(const char *path)
{
	return strstr(path, ".tar") != NULL || strstr(path, ".tgz") != NULL ||
	       strstr(path, ".txz") != NULL || strstr(path, ".tbz") != NULL;
}

static void check_add(struct ces_docker_check *check, const struct ces_docker_step *step,
		      const char *source)
{
	const struct ces_conform_place place = {.line = step->line};

	if (strstr(source, "://") != NULL || strncmp(source, "git@", 4) == 0)
		ces_conform_add(check->conform, CES_CONFORM_ADD_URL, &place, "ADD fetches %s",
				source);
	else if (!is_archive(source))
		ces_conform_add(check->conform, CES_CONFORM_ADD, &place,
				"ADD of %s, which is not an archive", source);
}

struct seen {
	bool licence;
	size_t sources; /* the line of the first COPY of sources; 0: none yet */
};

/* The text after "--chown=app" and the like. *ret_from: the files are another stage's or
 * image's. */
static const char *skip_flags(const char *text, bool *ret_from)
{
	while (strncmp(text, "--", 2) == 0) {
		*ret_from = *ret_from || strncmp(text, "--from=", 7) == 0;
		text += strcspn(text, " \t");
		text += strspn(text, " \t");
	}
	return text;
}

/* A stage that is not in the image leaves its files behind, but its secret was used without
 * need. */
static void check_step(struct ces_docker_check *check, const struct ces_docker_step *step,
		       struct seen *seen)
{
	struct ces_strings words = {NULL, 0};
	bool exec, from = false, final = ces_docker_final(check, step);
	const char *text = skip_flags(step->text, &from);

	if (ces_docker_check_words(check, text, &words, &exec) < 0)
		return;
	for (size_t i = 0; i + 1 < words.n; i++) {
		const char *source = words.v[i];

		if (strncmp(source, "<<", 2) == 0)
			continue;
		if (final)
			seen->licence = seen->licence || ces_sign_licence_file(source) ||
					strstr(source, "licenses") != NULL ||
					(is_whole(source) && !from);
		if (from)
			continue;
		check_source(check, step, source);
		if (step->word == CES_DOCKER_ADD)
			check_add(check, step, source);
		if (final && seen->sources == 0 && !names_dependencies(source) &&
		    !ces_sign_licence_file(source))
			seen->sources = step->line;
	}
	free(words.v);
}

/* "pip install ." is for the sources themselves. */
static bool installs_others(const struct ces_docker_step *step)
{
	bool installs = false;

	return ces_sign_network(step->text, &installs) != NULL && installs &&
	       strstr(step->text, "install .") == NULL && strstr(step->text, " -e ") == NULL &&
	       strstr(step->text, " --no-deps") == NULL;
}

void ces_docker_check_copies(struct ces_docker_check *check)
{
	const struct ces_docker *docker = check->docker;
	struct ces_conform_place place = {0};
	struct seen seen = {0};
	bool out_of_order = false;

	for (size_t i = 0; i < docker->n_steps; i++) {
		const struct ces_docker_step *step = &docker->steps[i];

		if (step->word == CES_DOCKER_COPY || step->word == CES_DOCKER_ADD)
			check_step(check, step, &seen);
		if (step->word == CES_DOCKER_RUN && ces_docker_final(check, step) &&
		    seen.sources > 0 && !out_of_order && installs_others(step)) {
			place.line = step->line;
			ces_conform_add(check->conform, CES_CONFORM_ORDER, &place,
					"dependencies are installed after line %zu copied sources",
					seen.sources);
			out_of_order = true;
		}
	}
	place.line = 0;
	if (!seen.licence)
		ces_conform_add(check->conform, CES_CONFORM_LICENCE, &place,
				"no licence file is copied");
}
