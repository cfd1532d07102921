/* ENTRYPOINT, CMD and USER as they are in the end; and the checks of a Dockerfile in their
 * order. */
#include "policy/conform/docker_check.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/signs.h"
#include "policy/conform/start.h"

bool ces_docker_final(const struct ces_docker_check *check, const struct ces_docker_step *step)
{
	return check->final[step->stage];
}

int ces_docker_check_words(struct ces_docker_check *check, const char *text,
			   struct ces_strings *ret, bool *ret_exec)
{
	if (ces_docker_words(text, check->docker->escape, ret, ret_exec, NULL) == 0)
		return 0;
	check->conform->no_memory = true;
	return -1;
}

struct start {
	const struct ces_docker_step *entrypoint, *cmd, *user;
};

/* An ENTRYPOINT forgets the CMD of the image below. */
static struct start find_start(const struct ces_docker_check *check)
{
	struct start start = {0};

	for (size_t i = 0; i < check->docker->n_steps; i++) {
		const struct ces_docker_step *step = &check->docker->steps[i];

		if (!ces_docker_final(check, step))
			continue;
		if (step->word == CES_DOCKER_CMD)
			start.cmd = step;
		if (step->word == CES_DOCKER_USER)
			start.user = step;
		if (step->word != CES_DOCKER_ENTRYPOINT)
			continue;
		start.entrypoint = step;
		if (start.cmd != NULL && start.cmd->stage != step->stage)
			start.cmd = NULL;
	}
	return start;
}

static void check_command(struct ces_docker_check *check, const struct start *start)
{
	const struct ces_docker_step *last =
	    start->entrypoint != NULL ? start->entrypoint : start->cmd;
	const struct ces_docker *docker = check->docker;
	struct ces_conform_place place = {.line = docker->stages[docker->n_stages - 1].line};
	struct ces_strings entrypoint = {NULL, 0}, cmd = {NULL, 0};
	bool exec = true, cmd_exec;

	if (last == NULL && strcmp(docker->stages[docker->n_stages - 1].base, "scratch") == 0) {
		ces_conform_add(check->conform, CES_CONFORM_NO_COMMAND, &place,
				"there is no ENTRYPOINT and no CMD, and no base that could have "
				"one");
		return;
	}
	if (last == NULL) {
		ces_conform_add(
		    check->conform, CES_CONFORM_INHERITED_COMMAND, &place,
		    "there is no ENTRYPOINT and no CMD: the command of the base would start");
		return;
	}
	place.line = last->line;
	if (start->entrypoint != NULL)
		(void)ces_docker_check_words(check, start->entrypoint->text, &entrypoint, &exec);
	if (start->cmd != NULL)
		(void)ces_docker_check_words(check, start->cmd->text, &cmd, &cmd_exec);
	if (!exec) /* ENTRYPOINT is run by a shell, which never sees the CMD */
		cmd.n = 0;
	if (entrypoint.n + cmd.n == 0)
		ces_conform_add(check->conform, CES_CONFORM_NO_COMMAND, &place,
				"ENTRYPOINT and CMD are empty");
	ces_start_check(check->conform, &place, &entrypoint, &cmd);
	free(entrypoint.v);
	free(cmd.v);
}

void ces_docker_check_start(struct ces_docker_check *check)
{
	struct start start = find_start(check);
	struct ces_conform_place place = {0};

	check_command(check, &start);
	if (start.user == NULL) {
		ces_conform_add(check->conform, CES_CONFORM_ROOT, &place,
				"there is no USER: the user is that of the base, mostly root");
	} else if (ces_sign_root(start.user->text)) {
		place.line = start.user->line;
		ces_conform_add(check->conform, CES_CONFORM_ROOT, &place, "the last USER is root");
	}
}

int ces_conform_dockerfile(struct ces_conform *conform, const char *bytes, size_t length,
			   const char *ignore, struct ces_error *err)
{
	struct ces_docker_check check = {.conform = conform, .ignore = ignore};
	struct ces_docker *docker = NULL;

	if (ces_docker_parse(bytes, length, &docker, err) < 0)
		return -1;
	check.docker = docker;
	/* A parent comes before its child, so the way ends. */
	for (size_t stage = docker->n_stages; stage > 0; stage = docker->stages[stage - 1].parent)
		check.final[stage] = true;
	ces_docker_check_bases(&check);
	ces_docker_check_copies(&check);
	ces_docker_check_runs(&check);
	ces_docker_check_values(&check);
	ces_docker_check_start(&check);
	ces_docker_free(docker);
	return 0;
}
