/* Looks at a command as the runtime would execute it. It must not look into scripts: people review
 * those. */
#include "policy/conform/start.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/conform/signs.h"

static char *join(const struct ces_strings *words)
{
	size_t length = 1, used = 0;
	char *text;

	for (size_t i = 0; i < words->n; i++)
		length += strlen(words->v[i]) + 1;
	text = malloc(length);
	if (text == NULL)
		return NULL;
	text[0] = '\0';
	for (size_t i = 0; i < words->n; i++) {
		size_t n = strlen(words->v[i]);

		memcpy(text + used, words->v[i], n);
		used += n;
		text[used++] = ' ';
		text[used] = '\0';
	}
	return text;
}

void ces_start_check(struct ces_conform *conform, const struct ces_conform_place *place,
		     const struct ces_strings *entrypoint, const struct ces_strings *cmd)
{
	struct ces_strings words = {calloc(entrypoint->n + cmd->n + 1, sizeof(char *)), 0};
	CES_CLEANUP_FREE char *text = NULL;
	const char *found;
	bool installs;

	if (words.v == NULL) {
		conform->no_memory = true;
		return;
	}
	for (size_t i = 0; i < entrypoint->n; i++)
		words.v[words.n++] = entrypoint->v[i];
	for (size_t i = 0; i < cmd->n; i++)
		words.v[words.n++] = cmd->v[i];
	text = join(&words);
	found = ces_sign_prompt(&words);
	if (found != NULL)
		ces_conform_add(conform, CES_CONFORM_BARE_SHELL, place,
				"the image starts %s, which waits for someone to type", found);
	found = text != NULL ? ces_sign_network(text, &installs) : NULL;
	if (found != NULL)
		ces_conform_add(conform, CES_CONFORM_NETWORK, place,
				"%s runs when the container starts", found);
	free(words.v);
}
