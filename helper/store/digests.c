/* A set of digests. Must not take a digest of another form for one that it has. */
#include "helper/store/digests.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/session/store.h"

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

bool ces_digests_add(struct ces_digests *set, const char *digest)
{
	const char *hex = ces_store_hex(digest);
	char *copy;

	if (ces_digests_has(set, hex))
		return false;
	/* (without memory for its node, the copy stays to the end of this process) */
	set->failed |= asprintf(&copy, "%s", hex) < 0 || tsearch(copy, &set->root, compare) == NULL;
	return true;
}

void ces_digests_add_all(struct ces_digests *set, const struct ces_strings *digests)
{
	for (size_t i = 0; i < digests->n; i++)
		(void)ces_digests_add(set, digests->v[i]);
}

bool ces_digests_has(const struct ces_digests *set, const char *hex)
{
	return tfind(hex, &set->root, compare) != NULL;
}

void ces_digests_free(struct ces_digests *set)
{
	tdestroy(set->root, free);
	*set = (struct ces_digests){0};
}
