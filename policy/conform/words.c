/* Words and variables of an instruction. It must not ask a shell: what only a shell could expand
 * stays as it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/json.h"
#include "policy/conform/dockerfile.h"

#define SPACE " \t\r\n"

/* The array of words, and after it their bytes: a text has room for its own words. */
struct words {
	char **v, *bytes;
	size_t n;
};

static int make_room(struct words *words, const char *text, struct ces_error *err)
{
	size_t length = strlen(text), n = length / 2 + 2;

	n = n < CES_DOCKER_WORDS ? n : CES_DOCKER_WORDS;
	words->v = malloc(n * sizeof(char *) + length + 1);
	if (words->v == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	words->bytes = (char *)(words->v + n);
	return 0;
}

/* Uses the strict reader of manifests, which takes only objects. False if the text does not have
 * this form: Docker then takes it for a command line. */
static bool read_exec(struct words *words, const char *text)
{
	struct ces_strings found = {NULL, 0};
	CES_CLEANUP_FREE char *wrapped = NULL;
	struct json_object *json = NULL;
	bool exec = false;

	if (text[0] != '[' || asprintf(&wrapped, "{\"a\":%s}", text) < 0)
		return false;
	if (ces_json_parse(wrapped, strlen(wrapped), &json, NULL) == 0 &&
	    ces_json_texts(json, "a", CES_DOCKER_WORDS, &found, NULL) == 0)
		exec = true;
	for (size_t i = 0; i < found.n; i++) {
		size_t length = strlen(found.v[i]) + 1;

		words->v[words->n++] = memcpy(words->bytes, found.v[i], length);
		words->bytes += length;
	}
	free(found.v);
	json_object_put(json);
	return exec;
}

/* Takes one word from *text, which then is after it. Its quotes go, and their content stays. */
static size_t take_word(const char **text, char escape, char *out)
{
	const char *at = *text;
	size_t n = 0;
	char quote = '\0';

	for (; *at != '\0' && (quote != '\0' || strchr(SPACE, *at) == NULL); at++) {
		if (*at == quote)
			quote = '\0';
		else if (quote == '\0' && (*at == '"' || *at == '\''))
			quote = *at;
		else if (*at == escape && quote != '\'' && at[1] != '\0')
			out[n++] = *++at;
		else
			out[n++] = *at;
	}
	*text = at;
	return n;
}

int ces_docker_words(const char *text, char escape, struct ces_strings *ret, bool *ret_exec,
		     struct ces_error *err)
{
	struct words words = {NULL, NULL, 0};
	bool exec;

	text += strspn(text, SPACE);
	if (make_room(&words, text, err) < 0)
		return -1;
	exec = read_exec(&words, text);
	while (!exec && *text != '\0') {
		size_t length;

		if (words.n == CES_DOCKER_WORDS) {
			free(words.v);
			return ces_error_set(err, CES_E_USAGE, "more than %d words",
					     CES_DOCKER_WORDS);
		}
		length = take_word(&text, escape, words.bytes);
		words.v[words.n++] = words.bytes;
		words.bytes[length] = '\0';
		words.bytes += length + 1;
		text += strspn(text, SPACE);
	}
	*ret = (struct ces_strings){words.v, words.n};
	*ret_exec = exec;
	return 0;
}

struct filling {
	ces_docker_lookup lookup;
	const void *context;
	char text[CES_DOCKER_FILLED + 1];
	size_t used;
	bool unknown, full;
};

static void put(struct filling *f, const char *text, size_t length)
{
	if (length > CES_DOCKER_FILLED - f->used) {
		f->full = true;
		return;
	}
	memcpy(f->text + f->used, text, length);
	f->used += length;
	f->text[f->used] = '\0';
}

static size_t name_length(const char *text)
{
	size_t n = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789");

	return text[0] >= '0' && text[0] <= '9' ? 0 : n;
}

/* `at` is after "${". Returns what is after the "}", or NULL if there is none. */
static const char *fill_braced(struct filling *f, const char *at)
{
	size_t name = name_length(at);
	const char *word = at + name, *end = strchr(at, '}'), *value;
	bool colon = *word == ':';
	char how;

	if (end == NULL || name == 0)
		return NULL;
	word += colon ? 1 : 0;
	how = *word;
	value = f->lookup(f->context, at, name);
	if (colon && value != NULL && value[0] == '\0')
		value = NULL;
	if ((how == '-' && value == NULL) || (how == '+' && value != NULL))
		put(f, word + 1, (size_t)(end - word - 1));
	else if (value != NULL && how != '+')
		put(f, value, strlen(value));
	else if (how != '+')
		f->unknown = true;
	return end + 1;
}

static const char *fill_one(struct filling *f, const char *at)
{
	size_t name = name_length(at + 1);
	const char *after = NULL, *value;

	if (at[1] == '{')
		after = fill_braced(f, at + 2);
	if (after != NULL)
		return after;
	if (name == 0) {
		put(f, at, 1);
		return at + 1;
	}
	value = f->lookup(f->context, at + 1, name);
	if (value == NULL)
		f->unknown = true;
	else
		put(f, value, strlen(value));
	return at + 1 + name;
}

char *ces_docker_fill(const char *text, ces_docker_lookup lookup, const void *context,
		      bool *ret_unknown)
{
	struct filling f = {.lookup = lookup, .context = context};

	while (*text != '\0' && !f.full) {
		size_t plain = strcspn(text, "$");

		put(&f, text, plain);
		text += plain;
		if (*text == '$')
			text = fill_one(&f, text);
	}
	if (f.full)
		return NULL;
	*ret_unknown = f.unknown;
	return strdup(f.text);
}
