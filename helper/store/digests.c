/* A set of digests. Must not be asked before it is sorted. */
#include "helper/store/digests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/store/store_internal.h"

static bool has_room(struct ces_digests *set)
{
	size_t size = set->size == 0 ? 64 : set->size * 2;
	char(*bigger)[65];

	if (set->failed)
		return false;
	if (set->n < set->size)
		return true;
	bigger = reallocarray(set->v, size, sizeof(*set->v));
	if (bigger == NULL) {
		set->failed = true;
		return false;
	}
	set->v = bigger;
	set->size = size;
	return true;
}

void ces_digests_add(struct ces_digests *set, const char *digest)
{
	if (has_room(set))
		(void)snprintf(set->v[set->n++], sizeof(*set->v), "%s", ces_store_hex(digest));
}

void ces_digests_add_all(struct ces_digests *set, const struct ces_strings *digests)
{
	for (size_t i = 0; i < digests->n; i++)
		ces_digests_add(set, digests->v[i]);
}

static int compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

void ces_digests_sort(struct ces_digests *set)
{
	size_t n = 0;

	if (set->n == 0)
		return;
	qsort(set->v, set->n, sizeof(*set->v), compare);
	for (size_t i = 1; i < set->n; i++)
		if (strcmp(set->v[n], set->v[i]) != 0)
			memmove(set->v[++n], set->v[i], sizeof(*set->v));
	set->n = n + 1;
}

bool ces_digests_has(const struct ces_digests *set, const char *hex)
{
	return set->n > 0 && bsearch(hex, set->v, set->n, sizeof(*set->v), compare) != NULL;
}
