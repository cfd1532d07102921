/* Decides whether a pattern of the policy covers an image. It must never match a part of a
 * component. */
#include "policy/pattern.h"

#include <string.h>

bool ces_pattern_match(const char *pattern, const char *registry, const char *repository)
{
	const char *p = pattern, *n = registry;
	bool in_registry = true;

	for (;;) {
		size_t p_length = strcspn(p, "/"), n_length = strcspn(n, "/");
		bool p_last = p[p_length] == '\0', n_last = !in_registry && n[n_length] == '\0';

		if (!in_registry && p_last && p_length == 2 && memcmp(p, "**", 2) == 0)
			return n_length > 0;
		if (!(!in_registry && p_length == 1 && p[0] == '*' && n_length > 0) &&
		    (p_length != n_length || memcmp(p, n, p_length) != 0))
			return false;
		if (p_last || n_last)
			return p_last && n_last;
		p += p_length + 1;
		n = in_registry ? repository : n + n_length + 1;
		in_registry = false;
	}
}
