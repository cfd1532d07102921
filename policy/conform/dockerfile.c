/* Reads a Dockerfile: lines become instructions, and instructions stages. It must not guess: a line
 * that begins with no instruction is an error, as for docker build. */
#include "policy/conform/dockerfile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

#define BLANK     " \t\r\f\v"
#define MARKS_MAX 16 /* here-documents of one instruction */

static const char *const instructions[] = {
    [CES_DOCKER_ADD] = "ADD",
    [CES_DOCKER_ARG] = "ARG",
    [CES_DOCKER_CMD] = "CMD",
    [CES_DOCKER_COPY] = "COPY",
    [CES_DOCKER_ENTRYPOINT] = "ENTRYPOINT",
    [CES_DOCKER_ENV] = "ENV",
    [CES_DOCKER_EXPOSE] = "EXPOSE",
    [CES_DOCKER_FROM] = "FROM",
    [CES_DOCKER_HEALTHCHECK] = "HEALTHCHECK",
    [CES_DOCKER_LABEL] = "LABEL",
    [CES_DOCKER_MAINTAINER] = "MAINTAINER",
    [CES_DOCKER_ONBUILD] = "ONBUILD",
    [CES_DOCKER_RUN] = "RUN",
    [CES_DOCKER_SHELL] = "SHELL",
    [CES_DOCKER_STOPSIGNAL] = "STOPSIGNAL",
    [CES_DOCKER_USER] = "USER",
    [CES_DOCKER_VOLUME] = "VOLUME",
    [CES_DOCKER_WORKDIR] = "WORKDIR",
};

struct line {
	const char *at; /* the first byte that is not blank */
	size_t length;  /* from there, without blanks at the end */
	size_t indent;
};

struct reader {
	const char *at, *end;
	size_t number; /* of the last line that was taken */
	struct ces_docker *docker;
	/* Where the next text goes. There is room for all: each consists of lines of the file, and
	 * ends where one of these ends. */
	char *out;
};

static bool take_line(struct reader *r, struct line *ret)
{
	const char *newline;
	size_t length;

	if (r->at == r->end)
		return false;
	newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
	length = (size_t)((newline != NULL ? newline : r->end) - r->at);
	ret->at = r->at;
	r->at += length + (newline != NULL ? 1 : 0);
	r->number++;
	for (ret->indent = 0; ret->indent < length && strchr(BLANK, ret->at[ret->indent]) != NULL;)
		ret->indent++;
	ret->at += ret->indent;
	length -= ret->indent;
	while (length > 0 && strchr(BLANK, ret->at[length - 1]) != NULL)
		length--;
	ret->length = length;
	return true;
}

/* "# escape=`": only before the first line of any other kind. */
static void read_directives(struct reader *r)
{
	struct reader ahead = *r;
	struct line line;

	while (take_line(&ahead, &line) && line.length > 1 && line.at[0] == '#') {
		const char *at = line.at + 1, *end = line.at + line.length, *equals;

		while (at < end && strchr(BLANK, *at) != NULL)
			at++;
		equals = memchr(at, '=', (size_t)(end - at));
		if (equals == NULL)
			return;
		if (end - at >= 6 && strncasecmp(at, "escape", 6) == 0 && end[-1] == '`')
			r->docker->escape = '`';
	}
}

/* Returns whether the line goes on in the next one, and removes its mark. */
static bool goes_on(const struct reader *r, struct line *line)
{
	char escape = r->docker->escape;

	if (line->length == 0 || line->at[line->length - 1] != escape ||
	    (line->length > 1 && line->at[line->length - 2] == escape))
		return false;
	line->length--;
	return true;
}

static void put(struct reader *r, const char *bytes, size_t length)
{
	memcpy(r->out, bytes, length);
	r->out += length;
}

/* The lines of one instruction, joined by blanks, without the comments and empty lines between
 * them. */
static const char *join_lines(struct reader *r, struct line line)
{
	const char *text = r->out;
	bool more = goes_on(r, &line);

	put(r, line.at, line.length);
	while (more && take_line(r, &line)) {
		if (line.length == 0 || line.at[0] == '#')
			continue;
		more = goes_on(r, &line);
		put(r, " ", 1);
		put(r, line.at, line.length);
	}
	put(r, "", 1);
	return text;
}

struct mark {
	const char *word;
	size_t length;
	const char *after; /* the mark and its quotes */
	bool tabs;         /* "<<-": tabs before the end are skipped */
};

/* "<<EOF", "<<-'EOF'" outside quotes, after a blank or a digit. */
static bool read_mark(const char *text, const char *at, struct mark *ret)
{
	const char *word = at + 2;
	char quote = '\0';

	if (at > text && strchr(" \t0123456789", at[-1]) == NULL)
		return false;
	ret->tabs = *word == '-';
	word += ret->tabs ? 1 : 0;
	if (*word == '"' || *word == '\'')
		quote = *word++;
	ret->word = word;
	ret->length = strcspn(word, " \t\"'<>|&;()$`\\");
	ret->after = word + ret->length + (quote != '\0' ? 1 : 0);
	return ret->length > 0 && (quote == '\0' || word[ret->length] == quote);
}

static size_t find_marks(const char *text, struct mark marks[MARKS_MAX])
{
	size_t n = 0;
	char quote = '\0';

	for (const char *at = text; *at != '\0' && n < MARKS_MAX; at++) {
		if (quote != '\0' && *at == quote)
			quote = '\0';
		else if (quote != '\0')
			continue;
		else if (strncmp(at, "<<<", 3) == 0)
			at += 2;
		else if (at[0] == '<' && at[1] == '<' && read_mark(text, at, &marks[n]))
			at = marks[n++].after - 1;
		else if (*at == '"' || *at == '\'')
			quote = *at;
	}
	return n;
}

static bool ends_body(const struct mark *mark, const char *line, size_t length)
{
	while (mark->tabs && length > 0 && *line == '\t')
		line++, length--;
	return length == mark->length && memcmp(line, mark->word, length) == 0;
}

/* The text up to the line that ends it is one piece of the file. */
static int read_body(struct reader *r, const struct mark *mark, const struct ces_docker_step *step,
		     struct ces_error *err)
{
	const char *begin = r->at, *line_begin;
	struct line line;

	for (;;) {
		size_t length;

		line_begin = r->at;
		if (!take_line(r, &line))
			return ces_error_set(err, CES_E_USAGE,
					     "line %zu: the here-document %.*s has no end",
					     step->line, (int)mark->length, mark->word);
		length = (size_t)(r->at - line_begin);
		while (length > 0 && strchr("\r\n", line_begin[length - 1]) != NULL)
			length--;
		if (ends_body(mark, line_begin, length))
			break;
	}
	put(r, begin, (size_t)(line_begin - begin));
	return 0;
}

static int read_bodies(struct reader *r, struct ces_docker_step *step, struct ces_error *err)
{
	struct mark marks[MARKS_MAX];
	size_t n;

	if (step->word != CES_DOCKER_RUN && step->word != CES_DOCKER_COPY &&
	    step->word != CES_DOCKER_ADD)
		return 0;
	n = find_marks(step->text, marks);
	if (n == 0)
		return 0;
	step->body = r->out;
	for (size_t i = 0; i < n; i++)
		if (read_body(r, &marks[i], step, err) < 0)
			return -1;
	put(r, "", 1);
	return 0;
}

static int find_word(const char *text, size_t length, enum ces_docker_word *ret)
{
	for (size_t i = 0; i < CES_COUNT(instructions); i++)
		if (strlen(instructions[i]) == length &&
		    strncasecmp(text, instructions[i], length) == 0) {
			*ret = (enum ces_docker_word)i;
			return 0;
		}
	return -1;
}

/* A text that is read word by word must have no more words than can be read. */
static int check_words(const struct ces_docker *docker, const struct ces_docker_step *step,
		       struct ces_error *err)
{
	struct ces_strings words = {NULL, 0};
	bool exec;

	if (step->word == CES_DOCKER_RUN || step->word == CES_DOCKER_LABEL ||
	    step->word == CES_DOCKER_HEALTHCHECK || step->word == CES_DOCKER_ONBUILD)
		return 0;
	if (ces_docker_words(step->text, docker->escape, &words, &exec, err) < 0)
		return -1;
	free(words.v);
	return 0;
}

static int add_step(struct reader *r, size_t line, const char *text, struct ces_error *err)
{
	struct ces_docker *docker = r->docker;
	size_t word = strcspn(text, BLANK);
	struct ces_docker_step *step = &docker->steps[docker->n_steps];

	if (docker->n_steps == CES_DOCKER_STEPS)
		return ces_error_set(err, CES_E_USAGE, "line %zu: more than %d instructions", line,
				     CES_DOCKER_STEPS);
	step->line = line;
	step->stage = docker->n_stages;
	if (find_word(text, word, &step->word) < 0)
		return ces_error_set(err, CES_E_USAGE,
				     "line %zu: \"%.40s\" is not an instruction of a Dockerfile",
				     line, text);
	step->text = text + word + strspn(text + word, BLANK);
	docker->n_steps++;
	if (check_words(docker, step, err) < 0)
		return ces_error_context(err, "line %zu", line);
	return read_bodies(r, step, err);
}

/* The variables that BuildKit sets by itself, for an ordinary build. */
static const struct {
	const char *name, *value;
} built_in[] = {
    {"TARGETPLATFORM", "linux/amd64"},
    {"TARGETOS", "linux"},
    {"TARGETARCH", "amd64"},
    {"BUILDPLATFORM", "linux/amd64"},
    {"BUILDOS", "linux"},
    {"BUILDARCH", "amd64"},
    {"TARGETVARIANT", ""},
    {"BUILDVARIANT", ""},
};

/* The last one wins. */
static const char *find_arg(const void *context, const char *name, size_t length)
{
	const struct ces_docker *docker = context;

	for (size_t i = docker->n_args; i > 0; i--)
		if (strncmp(docker->args[i - 1].name, name, length) == 0 &&
		    docker->args[i - 1].name[length] == '\0')
			return docker->args[i - 1].value;
	for (size_t i = 0; i < CES_COUNT(built_in); i++)
		if (strlen(built_in[i].name) == length &&
		    strncmp(built_in[i].name, name, length) == 0)
			return built_in[i].value;
	return NULL;
}

static void add_arg(struct ces_docker *docker, const char *word)
{
	const char *equals = strchr(word, '=');
	struct ces_docker_arg *arg = &docker->args[docker->n_args];
	bool unknown = false;

	if (equals == NULL || docker->n_args == CES_DOCKER_STEPS)
		return;
	arg->value = ces_docker_fill(equals + 1, find_arg, docker, &unknown);
	arg->name = strndup(word, (size_t)(equals - word));
	if (arg->value != NULL && arg->name != NULL && !unknown) {
		docker->n_args++;
		return;
	}
	/* A word without a value leaves the variable without one. */
	free(arg->value);
	free(arg->name);
}

static int add_args(struct ces_docker *docker, const struct ces_docker_step *step,
		    struct ces_error *err)
{
	struct ces_strings words = {NULL, 0};
	bool exec;

	if (ces_docker_words(step->text, docker->escape, &words, &exec, err) < 0)
		return -1;
	for (size_t i = 0; i < words.n; i++)
		add_arg(docker, words.v[i]);
	free(words.v);
	return 0;
}

static size_t find_stage(const struct ces_docker *docker, const char *name)
{
	for (size_t i = docker->n_stages; i > 0; i--)
		if (docker->stages[i - 1].name != NULL &&
		    strcasecmp(docker->stages[i - 1].name, name) == 0)
			return i;
	return 0;
}

/* FROM [--platform=P] BASE [AS NAME] */
static int take_from(struct ces_docker *docker, const struct ces_docker_step *step,
		     struct ces_strings *words, struct ces_docker_stage *ret, struct ces_error *err)
{
	size_t first = 0;

	while (first < words->n && strncmp(words->v[first], "--", 2) == 0)
		first++;
	if (first == words->n)
		return ces_error_set(err, CES_E_USAGE, "line %zu: FROM names no image", step->line);
	ret->line = step->line;
	ret->base = ces_docker_fill(words->v[first], find_arg, docker, &ret->unknown);
	if (first + 2 < words->n && strcasecmp(words->v[first + 1], "AS") == 0)
		ret->name = strdup(words->v[first + 2]);
	if (ret->base == NULL)
		return ces_error_set(err, CES_E_USAGE, "line %zu: the image's name is too long",
				     step->line);
	if (first + 1 < words->n && ret->name == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "line %zu: write FROM IMAGE, or FROM IMAGE AS NAME",
				     step->line);
	ret->parent = find_stage(docker, ret->base);
	return 0;
}

static int add_stage(struct ces_docker *docker, struct ces_docker_step *step, struct ces_error *err)
{
	struct ces_docker_stage *stage = &docker->stages[docker->n_stages];
	struct ces_strings words = {NULL, 0};
	bool exec;
	int result;

	if (docker->n_stages == CES_DOCKER_STAGES)
		return ces_error_set(err, CES_E_USAGE, "line %zu: more than %d stages", step->line,
				     CES_DOCKER_STAGES);
	if (ces_docker_words(step->text, docker->escape, &words, &exec, err) < 0)
		return -1;
	result = take_from(docker, step, &words, stage, err);
	free(words.v);
	if (result < 0) {
		free(stage->base);
		free(stage->name);
		return -1;
	}
	step->stage = ++docker->n_stages;
	return 0;
}

static int read_all(struct reader *r, struct ces_error *err)
{
	struct ces_docker *docker = r->docker;
	struct line line;

	if (memchr(r->at, '\0', (size_t)(r->end - r->at)) != NULL)
		return ces_error_set(err, CES_E_USAGE, "it is not text");
	read_directives(r);
	while (take_line(r, &line)) {
		size_t number = r->number;
		struct ces_docker_step *step;

		if (line.length == 0 || line.at[0] == '#')
			continue;
		if (add_step(r, number, join_lines(r, line), err) < 0)
			return -1;
		step = &docker->steps[docker->n_steps - 1];
		if (step->word == CES_DOCKER_FROM && add_stage(docker, step, err) < 0)
			return -1;
		if (step->stage == 0 && step->word == CES_DOCKER_ARG &&
		    add_args(docker, step, err) < 0)
			return -1;
		if (step->stage == 0 && step->word != CES_DOCKER_ARG)
			return ces_error_set(err, CES_E_USAGE,
					     "line %zu: %s comes before the first FROM", number,
					     instructions[step->word]);
	}
	if (docker->n_stages == 0)
		return ces_error_set(err, CES_E_USAGE, "it has no FROM: it is not a Dockerfile");
	return 0;
}

int ces_docker_parse(const char *bytes, size_t length, struct ces_docker **ret,
		     struct ces_error *err)
{
	struct reader reader = {.at = bytes, .end = bytes + length};
	int result;

	if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0)
		reader.at += 3;
	reader.docker = calloc(1, sizeof(*reader.docker));
	if (reader.docker == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	reader.docker->escape = '\\';
	reader.docker->memory = reader.out = malloc(length + 2);
	result = reader.out != NULL ? read_all(&reader, err)
				    : ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (result < 0) {
		ces_docker_free(reader.docker);
		return -1;
	}
	*ret = reader.docker;
	return 0;
}

void ces_docker_free(struct ces_docker *docker)
{
	if (docker == NULL)
		return;
	for (size_t i = 0; i < docker->n_stages; i++) {
		free(docker->stages[i].name);
		free(docker->stages[i].base);
	}
	for (size_t i = 0; i < docker->n_args; i++) {
		free(docker->args[i].name);
		free(docker->args[i].value);
	}
	free(docker->memory);
	free(docker);
}
