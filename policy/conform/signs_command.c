/* Finds what a command line does, by its words. It must not ask a shell. */
#include "policy/conform/signs.h"

#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

#define CUTS  " \t\r\n;|&()\"'`,[]{}"
#define TOKEN 64

/* Every download; `second` may come after options. */
static const struct {
	const char *first, *second, *text;
	bool installs;
} downloads[] = {
    {"pip", "install", "pip install", true},
    {"pip", "download", "pip download", true},
    {"uv", "pip", "uv pip", true},
    {"uv", "sync", "uv sync", true},
    {"poetry", "install", "poetry install", true},
    {"conda", "install", "conda install", true},
    {"conda", "env", "conda env", true},
    {"mamba", "install", "mamba install", true},
    {"micromamba", "install", "micromamba install", true},
    {"apt-get", "install", "apt-get install", true},
    {"apt-get", "update", "apt-get update", true},
    {"apt", "install", "apt install", true},
    {"apt", "update", "apt update", true},
    {"apk", "add", "apk add", true},
    {"dnf", "install", "dnf install", true},
    {"yum", "install", "yum install", true},
    {"npm", "install", "npm install", true},
    {"npm", "ci", "npm ci", true},
    {"install2.r", NULL, "install2.r", true},
    {"install.packages", NULL, "install.packages", true},
    {"BiocManager::install", NULL, "BiocManager::install", true},
    {"remotes::install_github", NULL, "remotes::install_github", true},
    {"renv::restore", NULL, "renv::restore", true},
    {"Pkg.add", NULL, "Pkg.add", true},
    {"git", "clone", "git clone", false},
    {"git", "pull", "git pull", false},
    {"git", "fetch", "git fetch", false},
    {"curl", NULL, "curl", false},
    {"wget", NULL, "wget", false},
    {"huggingface-cli", "download", "huggingface-cli download", false},
    {"hf", "download", "hf download", false},
    {"snapshot_download", NULL, "snapshot_download", false},
    {"hf_hub_download", NULL, "hf_hub_download", false},
};

struct tokens {
	const char *at;
	char text[TOKEN];
};

/* (none of the tokens that it looks for is longer) */
static bool next_token(struct tokens *tokens)
{
	size_t n;

	tokens->at += strspn(tokens->at, CUTS);
	n = strcspn(tokens->at, CUTS);
	if (n == 0)
		return false;
	tokens->text[0] = '\0';
	if (n < sizeof(tokens->text)) {
		memcpy(tokens->text, tokens->at, n);
		tokens->text[n] = '\0';
	}
	tokens->at += n;
	return true;
}

/* "/usr/bin/pip3.11" is pip. */
static bool is_program(const char *token, const char *program)
{
	const char *name = ces_sign_base(token);
	size_t n = strlen(program);

	if (strncmp(name, program, n) != 0)
		return false;
	return name[n] == '\0' ||
	       (strcmp(program, "pip") == 0 && strspn(name + n, "0123456789.") == strlen(name + n));
}

static bool goes_on(struct tokens after, const char *second)
{
	if (second == NULL)
		return true;
	while (next_token(&after))
		if (after.text[0] != '-')
			return strcmp(after.text, second) == 0;
	return false;
}

/* The words by which a download is none. */
static bool is_local(const char *text, const char *program)
{
	if (strcmp(program, "pip") == 0)
		return strstr(text, "--no-index") != NULL;
	if (strcmp(program, "curl") == 0)
		return strstr(text, "localhost") != NULL || strstr(text, "127.0.0.1") != NULL;
	return strcmp(program, "wget") == 0 && is_local(text, "curl");
}

const char *ces_sign_network(const char *text, bool *ret_installs)
{
	struct tokens tokens = {.at = text};
	bool local[CES_COUNT(downloads)];

	for (size_t i = 0; i < CES_COUNT(downloads); i++)
		local[i] = is_local(text, downloads[i].first);
	while (next_token(&tokens))
		for (size_t i = 0; i < CES_COUNT(downloads); i++)
			if (!local[i] && is_program(tokens.text, downloads[i].first) &&
			    goes_on(tokens, downloads[i].second)) {
				*ret_installs = downloads[i].installs;
				return downloads[i].text;
			}
	return NULL;
}

static const char *known_shell(const char *word)
{
	static const char *const shells[] = {"sh",    "bash",   "dash",    "ash",     "zsh",
					     "fish",  "python", "python3", "R",       "radian",
					     "julia", "octave", "node",    "ipython", "matlab"};

	for (size_t i = 0; i < CES_COUNT(shells); i++)
		if (strcmp(ces_sign_base(word), shells[i]) == 0)
			return shells[i];
	return NULL;
}

/* Programs that only start another one. */
static bool is_wrapper(const char *word)
{
	static const char *const wrappers[] = {"tini", "dumb-init", "exec",        "env",
					       "--",   "-g",        "docker-init", "catatonit"};

	for (size_t i = 0; i < CES_COUNT(wrappers); i++)
		if (strcmp(ces_sign_base(word), wrappers[i]) == 0)
			return true;
	return false;
}

/* The text after "-c", if that is again only the name of a shell. */
static const char *shell_of_text(const char *text)
{
	struct tokens tokens = {.at = text};
	const char *shell = NULL;

	while (next_token(&tokens)) {
		if (is_wrapper(tokens.text))
			continue;
		if (shell == NULL)
			shell = known_shell(tokens.text);
		else if (tokens.text[0] != '-' || strcmp(tokens.text, "-c") == 0)
			return NULL;
		if (shell == NULL)
			return NULL;
	}
	return shell;
}

const char *ces_sign_prompt(const struct ces_strings *command)
{
	const char *shell;
	size_t i = 0;

	while (i < command->n && is_wrapper(command->v[i]))
		i++;
	if (i == command->n)
		return NULL;
	shell = known_shell(command->v[i]);
	if (shell == NULL)
		return NULL;
	for (i++; i < command->n; i++) {
		if (strcmp(command->v[i], "-c") == 0)
			return i + 1 < command->n ? shell_of_text(command->v[i + 1]) : shell;
		if (strcmp(command->v[i], "-i") == 0 || strcmp(command->v[i], "-l") == 0)
			continue;
		/* ("-e", "-m", "-f" bring a program along) */
		if (command->v[i][0] != '-' || strlen(command->v[i]) == 2)
			return NULL;
	}
	return shell;
}
