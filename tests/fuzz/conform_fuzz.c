/* Takes any bytes for a Dockerfile. The parser refuses it with a line of text, or takes it apart
 * into steps that name stages which exist. Each check ends, and each finding has a rule and a
 * place. */
/* links: policy/conform/dockerfile.c policy/conform/words.c policy/conform/docker_base.c */
/* links: policy/conform/docker_copy.c policy/conform/docker_run.c policy/conform/docker_start.c */
/* links: policy/conform/start.c policy/conform/signs.c policy/conform/signs_command.c policy/conform/signs_secret.c */
/* links: policy/conform/findings.c policy/conform/rules.c */
/* links: helper/unpack/json.c helper/unpack/json_scan.c */
/* parses: policy/conform/dockerfile.c policy/conform/words.c policy/conform/docker_base.c */
/* parses: policy/conform/docker_copy.c policy/conform/docker_run.c policy/conform/docker_start.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/conform/conform.h"
#include "policy/conform/dockerfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_steps(const struct ces_docker *docker)
{
	if (docker->n_stages == 0)
		abort();
	for (size_t i = 0; i < docker->n_steps; i++) {
		const struct ces_docker_step *step = &docker->steps[i];

		if (step->stage > docker->n_stages || step->line == 0 ||
		    (i > 0 && step->line <= docker->steps[i - 1].line))
			abort();
	}
	for (size_t i = 0; i < docker->n_stages; i++)
		if (docker->stages[i].parent > i || docker->stages[i].base == NULL)
			abort();
}

static void check_findings(struct ces_conform *conform)
{
	char where[256];

	ces_conform_sort(conform);
	for (size_t i = 0; i < conform->n; i++) {
		if (conform->v[i].rule >= CES_CONFORM_RULES || conform->v[i].text[0] == '\0')
			abort();
		ces_conform_where(conform, &conform->v[i], where, sizeof(where));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	/* Uses a copy without a NUL behind it, so that a sanitizer sees a read past the end. */
	char *text = malloc(length > 0 ? length : 1);
	struct ces_conform conform = {.path = "Dockerfile"};
	struct ces_docker *docker = NULL;
	struct ces_error err = {0};

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	if (ces_docker_parse(text, length, &docker, &err) == 0)
		check_steps(docker);
	else if (err.text[0] == '\0')
		abort();
	ces_docker_free(docker);
	if (ces_conform_dockerfile(&conform, text, length, ".git\n", &err) == 0)
		check_findings(&conform);
	ces_conform_free(&conform);
	free(text);
	return 0;
}
