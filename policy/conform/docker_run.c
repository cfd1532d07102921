/* RUN, ENV and ARG: what the build makes, installs and sets. */
#include "policy/conform/docker_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/signs.h"

/* The directories of the service. */
static const char *const directories[] = {"safe_data", "safe_outputs", "scratch"};

struct built {
	bool made[CES_COUNT(directories)];
	bool hub, offline;
	size_t hub_line;
};

/* "/scratch", "/{safe_data,scratch}": after a slash, a brace or a comma. */
static bool names_directory(const char *text, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = text; (at = strstr(at, name)) != NULL; at += n)
		if (at > text && strchr("/{,", at[-1]) != NULL &&
		    (at[n] == '\0' || strchr(" \t\r\n/,}\"';&)", at[n]) != NULL))
			return true;
	return false;
}

static void take_directories(struct built *built, const char *text)
{
	for (size_t i = 0; text != NULL && i < CES_COUNT(directories); i++)
		built->made[i] = built->made[i] || names_directory(text, directories[i]);
}

static bool makes_directories(const char *text)
{
	return text != NULL &&
	       (strstr(text, "mkdir") != NULL || strstr(text, "install -d") != NULL);
}

static void check_apt(struct ces_docker_check *check, const struct ces_docker_step *step,
		      const char *text)
{
	const struct ces_conform_place place = {.line = step->line};

	if (text == NULL ||
	    (strstr(text, "apt-get update") == NULL && strstr(text, "apt update") == NULL))
		return;
	if (strstr(step->text, "/var/lib/apt") == NULL &&
	    (step->body == NULL || strstr(step->body, "/var/lib/apt") == NULL))
		ces_conform_add(check->conform, CES_CONFORM_APT_LISTS, &place,
				"the package lists of apt stay in the layer");
}

static void check_home(struct ces_docker_check *check, const struct ces_docker_step *step,
		       const char *text)
{
	const struct ces_conform_place place = {.line = step->line};
	const char *at = strstr(text, " --user");

	if (at != NULL && strchr(" \t\r\n;&|", at[strlen(" --user")]) != NULL &&
	    strstr(text, "pip") != NULL && strstr(text, "install") != NULL)
		ces_conform_add(check->conform, CES_CONFORM_HOME, &place,
				"pip install --user installs for one user");
}

static void take_run(struct ces_docker_check *check, const struct ces_docker_step *step,
		     struct built *built)
{
	const char *const texts[] = {step->text, step->body};

	for (size_t i = 0; i < CES_COUNT(texts) && texts[i] != NULL; i++) {
		if (makes_directories(texts[i]))
			take_directories(built, texts[i]);
		check_apt(check, step, texts[i]);
		check_home(check, step, texts[i]);
		if (!built->hub && strstr(texts[i], "install") != NULL && ces_sign_hub(texts[i])) {
			built->hub = true;
			built->hub_line = step->line;
		}
	}
}

/* ENV NAME=VALUE..., or the old form ENV NAME VALUE. */
static void take_env(struct ces_docker_check *check, const struct ces_docker_step *step,
		     struct built *built)
{
	static const char offline[] = "HF_HUB_OFFLINE";
	struct ces_strings words = {NULL, 0};
	bool exec;

	if (ces_docker_check_words(check, step->text, &words, &exec) < 0)
		return;
	for (size_t i = 0; i < words.n; i++)
		if (strncmp(words.v[i], offline, strlen(offline)) == 0 &&
		    words.v[i][strlen(offline)] == '=')
			built->offline = ces_sign_true(words.v[i] + strlen(offline) + 1);
	if (words.n == 2 && strcmp(words.v[0], offline) == 0)
		built->offline = ces_sign_true(words.v[1]);
	free(words.v);
}

static void report_directories(struct ces_docker_check *check, const struct built *built)
{
	const struct ces_docker *docker = check->docker;
	const struct ces_conform_place place = {.line = docker->stages[docker->n_stages - 1].line};
	char missing[64] = "";

	for (size_t i = 0; i < CES_COUNT(directories); i++)
		if (!built->made[i])
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 " /%s", directories[i]);
	if (missing[0] == '\0')
		return;
	ces_conform_write(check->conform,
			  ces_conform_add(check->conform, CES_CONFORM_DIRECTORIES, &place,
					  "nothing makes%s", missing),
			  "RUN mkdir%s", missing);
}

void ces_docker_check_runs(struct ces_docker_check *check)
{
	struct built built = {0};

	for (size_t i = 0; i < check->docker->n_steps; i++) {
		const struct ces_docker_step *step = &check->docker->steps[i];

		if (!ces_docker_final(check, step))
			continue;
		if (step->word == CES_DOCKER_RUN)
			take_run(check, step, &built);
		if (step->word == CES_DOCKER_ENV)
			take_env(check, step, &built);
		/* these make the directory that they name */
		if (step->word == CES_DOCKER_WORKDIR || step->word == CES_DOCKER_VOLUME ||
		    step->word == CES_DOCKER_COPY)
			take_directories(&built, step->text);
	}
	report_directories(check, &built);
	if (built.hub && !built.offline) {
		const struct ces_conform_place place = {.line = built.hub_line};

		ces_conform_add(check->conform, CES_CONFORM_HUB_OFFLINE, &place,
				"a library of Hugging Face is installed, and HF_HUB_OFFLINE is not "
				"1");
	}
}

static void check_value(struct ces_docker_check *check, const struct ces_docker_step *step,
			const char *name, size_t length, const char *value)
{
	const struct ces_conform_place place = {.line = step->line};
	char text[128];

	snprintf(text, sizeof(text), "%.*s", (int)(length < 120 ? length : 120), name);
	if (ces_sign_secret_value(text, value))
		ces_conform_add(check->conform, CES_CONFORM_SECRET_VALUE, &place,
				"%s sets %s to a secret",
				step->word == CES_DOCKER_ENV ? "ENV" : "ARG", text);
}

static void check_values(struct ces_docker_check *check, const struct ces_docker_step *step,
			 const struct ces_strings *words)
{
	if (step->word == CES_DOCKER_ENV && words->n >= 2 && strchr(words->v[0], '=') == NULL) {
		check_value(check, step, words->v[0], strlen(words->v[0]), words->v[1]);
		return;
	}
	for (size_t i = 0; i < words->n; i++) {
		size_t name = strcspn(words->v[i], "=");

		if (words->v[i][name] == '=')
			check_value(check, step, words->v[i], name, words->v[i] + name + 1);
	}
}

static void check_command(struct ces_docker_check *check, const struct ces_docker_step *step)
{
	const struct ces_conform_place place = {.line = step->line};
	char what[128];

	if (ces_sign_secret_words(step->text, what, sizeof(what)) ||
	    (step->body != NULL && ces_sign_secret_words(step->body, what, sizeof(what))))
		ces_conform_add(check->conform, CES_CONFORM_SECRET_VALUE, &place,
				"a command line holds a secret: %s", what);
}

/* In every stage: the arguments of a stage are in the history of its image, and in a cache that is
 * pushed. */
void ces_docker_check_values(struct ces_docker_check *check)
{
	for (size_t i = 0; i < check->docker->n_steps; i++) {
		const struct ces_docker_step *step = &check->docker->steps[i];
		struct ces_strings words = {NULL, 0};
		bool exec;

		if (step->word == CES_DOCKER_RUN)
			check_command(check, step);
		if ((step->word != CES_DOCKER_ENV && step->word != CES_DOCKER_ARG) ||
		    ces_docker_check_words(check, step->text, &words, &exec) < 0)
			continue;
		check_values(check, step, &words);
		free(words.v);
	}
}
