/* A set of helper/store/digests.h that has no memory for another node, when the test says so. */
#ifndef CES_TESTS_UNIT_NO_MEMORY_H
#define CES_TESTS_UNIT_NO_MEMORY_H

#include <dlfcn.h>
#include <search.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static bool no_memory; /* for the nodes of a set */

void *tsearch(const void *key, void **root, int (*compare)(const void *, const void *))
{
	void *(*real)(const void *, void **, int (*)(const void *, const void *)) =
	    (void *(*)(const void *, void **, int (*)(const void *, const void *)))dlsym(RTLD_NEXT,
											 "tsearch");

	if (!no_memory)
		return real(key, root, compare);
	free((void *)(uintptr_t)key); /* (it would stay to the end of the process) */
	return NULL;
}

#endif
