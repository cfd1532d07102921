/* The checks of a Dockerfile. Each looks at the whole file and adds its findings. */
#ifndef CES_POLICY_CONFORM_DOCKER_CHECK_H
#define CES_POLICY_CONFORM_DOCKER_CHECK_H

#include "policy/conform/conform.h"
#include "policy/conform/dockerfile.h"

struct ces_docker_check {
	struct ces_conform *conform;
	const struct ces_docker *docker;
	const char *ignore;                /* .dockerignore, or NULL */
	bool final[CES_DOCKER_STAGES + 1]; /* stages whose layers the image has */
};

/* Returns whether the result of the step is in the image. */
bool ces_docker_final(const struct ces_docker_check *check, const struct ces_docker_step *step);

/* The words in the text of a step; free(ret->v). -1 without memory, which the report then says. */
int ces_docker_check_words(struct ces_docker_check *check, const char *text,
			   struct ces_strings *ret, bool *ret_exec);

void ces_docker_check_bases(struct ces_docker_check *check);  /* FROM */
void ces_docker_check_copies(struct ces_docker_check *check); /* COPY, ADD */
void ces_docker_check_runs(struct ces_docker_check *check);   /* RUN */
void ces_docker_check_values(struct ces_docker_check *check); /* secrets in ENV, ARG, RUN */
void ces_docker_check_start(struct ces_docker_check *check);  /* ENTRYPOINT, CMD, USER */

#endif
