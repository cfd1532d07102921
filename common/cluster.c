/* Syntax of names in a Kubernetes cluster. Must not be linked into root's programs, which speak
 * with no cluster. */
#include "common/cluster.h"

#include <string.h>

#define LOWER "abcdefghijklmnopqrstuvwxyz0123456789"
#define ALNUM LOWER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

bool ces_cluster_name_valid(const char *text, size_t max)
{
	static const char ends[] = LOWER;
	size_t length = strnlen(text, max + 1);

	if (length == 0 || length > max)
		return false;
	for (;;) {
		size_t part = strcspn(text, ".");

		if (part == 0 || part > 63 || strchr(ends, text[0]) == NULL ||
		    strchr(ends, text[part - 1]) == NULL || strspn(text, LOWER "-") < part)
			return false;
		if (text[part] == '\0')
			return true;
		text += part + 1;
	}
}

bool ces_cluster_label_valid(const char *text)
{
	size_t length = strnlen(text, 64);

	return length > 0 && length < 64 && strspn(text, ALNUM "._-") == length &&
	       strchr(ALNUM, text[0]) != NULL && strchr(ALNUM, text[length - 1]) != NULL;
}
