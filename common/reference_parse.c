/* Splits an image's name. It must accept nothing that the grammar does not have. */
#include <string.h>

#include "common/name.h"

/* Copies length bytes of text into a buffer of size; false if they do not fit. */
static bool take(char *buffer, size_t size, const char *text, size_t length)
{
	if (length >= size)
		return false;
	memcpy(buffer, text, length);
	buffer[length] = '\0';
	return true;
}

static int unqualified(const char *text, struct ces_error *err)
{
	return ces_error_set(
	    err, CES_E_USAGE,
	    "the image '%.100s' names no registry; write it in full, such as ghcr.io/OWNER/%.60s",
	    text, strrchr(text, '/') != NULL ? strrchr(text, '/') + 1 : text);
}

/* "[:tag][@digest]" after the repository. */
static bool suffix_parse(const char *text, struct ces_reference *reference)
{
	size_t length;

	if (*text == ':') {
		length = strcspn(++text, "@");
		if (!take(reference->tag, sizeof(reference->tag), text, length) ||
		    !ces_reference_tag_valid(reference->tag))
			return false;
		text += length;
	}
	if (*text == '@') {
		if (!ces_digest_valid(++text))
			return false;
		memcpy(reference->digest, text, CES_DIGEST_LENGTH + 1);
		return true;
	}
	return *text == '\0';
}

int ces_reference_parse(const char *text, struct ces_reference *ret, struct ces_error *err)
{
	struct ces_reference reference = {0};
	size_t first = strcspn(text, "/"), path;

	if (strnlen(text, CES_REFERENCE_MAX) >= CES_REFERENCE_MAX)
		return ces_error_set(err, CES_E_USAGE, "the image name is too long");
	if (text[first] == '\0' ||
	    (memchr(text, '.', first) == NULL && memchr(text, ':', first) == NULL &&
	     !(first == 9 && memcmp(text, "localhost", 9) == 0)))
		return unqualified(text, err);
	path = strcspn(text + first + 1, ":@");
	if (!take(reference.registry, sizeof(reference.registry), text, first) ||
	    !take(reference.repository, sizeof(reference.repository), text + first + 1, path) ||
	    !ces_reference_registry_valid(reference.registry) ||
	    !ces_reference_repository_valid(reference.repository) ||
	    !suffix_parse(text + first + 1 + path, &reference))
		return ces_error_set(err, CES_E_USAGE, CES_REFERENCE_ERROR, text);
	if (reference.tag[0] == '\0' && reference.digest[0] == '\0')
		memcpy(reference.tag, "latest", sizeof("latest"));
	/* The reference must fit together with its tag: two names that are cut could become one. */
	if (strlen(reference.registry) + 1 + strlen(reference.repository) + 1 +
		strlen(reference.tag) + 1 + strlen(reference.digest) >=
	    CES_REFERENCE_MAX)
		return ces_error_set(err, CES_E_USAGE, "the image name is too long");
	*ret = reference;
	return 0;
}
