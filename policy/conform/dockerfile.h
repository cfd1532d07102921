/* A Dockerfile, taken apart: instructions and stages. Sources: the Dockerfile reference of Docker
 * (docs.docker.com/reference/dockerfile), and BuildKit's parser where that is silent. */
#ifndef CES_POLICY_CONFORM_DOCKERFILE_H
#define CES_POLICY_CONFORM_DOCKERFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/wire.h"

#define CES_DOCKER_STEPS  4096
#define CES_DOCKER_STAGES 256
#define CES_DOCKER_WORDS  4096

enum ces_docker_word {
	CES_DOCKER_ADD,
	CES_DOCKER_ARG,
	CES_DOCKER_CMD,
	CES_DOCKER_COPY,
	CES_DOCKER_ENTRYPOINT,
	CES_DOCKER_ENV,
	CES_DOCKER_EXPOSE,
	CES_DOCKER_FROM,
	CES_DOCKER_HEALTHCHECK,
	CES_DOCKER_LABEL,
	CES_DOCKER_MAINTAINER,
	CES_DOCKER_ONBUILD,
	CES_DOCKER_RUN,
	CES_DOCKER_SHELL,
	CES_DOCKER_STOPSIGNAL,
	CES_DOCKER_USER,
	CES_DOCKER_VOLUME,
	CES_DOCKER_WORKDIR,
};

struct ces_docker_step {
	enum ces_docker_word word;
	size_t line;      /* of its first word, from 1 */
	size_t stage;     /* from 1; 0: before the first FROM */
	const char *text; /* the text after the word: lines joined, without comments */
	const char *body; /* of its here-documents, one after the other, or NULL */
};

struct ces_docker_stage {
	size_t line;
	char *name;    /* or NULL */
	char *base;    /* with each ARG that has a value filled in */
	size_t parent; /* the stage (from 1) that it continues; 0: base is an image */
	bool unknown;  /* base names an ARG that has no value here */
};

/* An ARG before the first FROM that has a default. */
struct ces_docker_arg {
	char *name, *value;
};

struct ces_docker {
	char escape;  /* '\\' or '`' */
	char *memory; /* of all texts and bodies */
	size_t n_args, n_steps, n_stages;
	struct ces_docker_arg args[CES_DOCKER_STEPS];
	struct ces_docker_step steps[CES_DOCKER_STEPS];
	struct ces_docker_stage stages[CES_DOCKER_STAGES];
};

/* Takes any bytes. CES_E_USAGE, with the line, if they are no Dockerfile. ces_docker_free releases
 * *ret. */
int ces_docker_parse(const char *bytes, size_t length, struct ces_docker **ret,
		     struct ces_error *err);
void ces_docker_free(struct ces_docker *docker);

/* The words of a text, without quotes and escapes; a form like ["a", "b"] gives its strings.
 * *ret_exec: it had that form. ret->v is malloc'd, with the words in it. CES_E_USAGE. */
int ces_docker_words(const char *text, char escape, struct ces_strings *ret, bool *ret_exec,
		     struct ces_error *err);

/* The value of a variable; NULL if it has none. */
typedef const char *(*ces_docker_lookup)(const void *context, const char *name, size_t length);

#define CES_DOCKER_FILLED 4096

/* Fills in $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}; malloc'd. *ret_unknown: one of these
 * has no value. NULL if the result has more than CES_DOCKER_FILLED bytes. */
char *ces_docker_fill(const char *text, ces_docker_lookup lookup, const void *context,
		      bool *ret_unknown);

#endif
