/* Image references. It must accept nothing that the grammar does not have. */
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/num.h"

#define WORD "abcdefghijklmnopqrstuvwxyz0123456789"

/* Labels of letters, digits and inner dashes, joined by '.'. A ':' or the end follows. */
static bool host_valid(const char *text, size_t length)
{
	for (const char *end = text + length;; text++) {
		size_t label = strspn(text, WORD "-");

		if (label == 0 || text[0] == '-' || text[label - 1] == '-')
			return false;
		text += label;
		if (text == end || *text != '.')
			return text == end;
	}
}

bool ces_reference_registry_valid(const char *text)
{
	size_t host = strcspn(text, ":");
	uint64_t port;

	if (!host_valid(text, host))
		return false;
	return text[host] == '\0' || ces_num_parse(text + host + 1, 1, 65535, &port) == 0;
}

bool ces_reference_part_valid(const char *text, size_t length)
{
	const char *end = text + length; /* (a '/' or the end, which no span takes) */

	for (;;) {
		size_t word = strspn(text, WORD), separator;

		text += word;
		if (word == 0 || text == end)
			return word > 0;
		separator = *text == '.' ? 1 : strspn(text, *text == '_' ? "_" : "-");
		if (separator == 0 || (*text == '_' && separator > 2))
			return false;
		text += separator;
	}
}

static bool repository_valid(const char *text)
{
	for (;;) {
		size_t length = strcspn(text, "/");

		if (!ces_reference_part_valid(text, length))
			return false;
		if (text[length] == '\0')
			return true;
		text += length + 1;
	}
}

static bool tag_valid(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 128 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == length;
}

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
		    !tag_valid(reference->tag))
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
	    !repository_valid(reference.repository) ||
	    !suffix_parse(text + first + 1 + path, &reference))
		return ces_error_set(
		    err, CES_E_USAGE,
		    "'%.200s' is not an image name; write REGISTRY/OWNER/NAME[:TAG] or "
		    "REGISTRY/OWNER/NAME@sha256:DIGEST, in lower case",
		    text);
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

void ces_reference_format(const struct ces_reference *reference, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "%s/%s%s%s%s%s", reference->registry, reference->repository,
		       reference->tag[0] != '\0' ? ":" : "", reference->tag,
		       reference->digest[0] != '\0' ? "@" : "", reference->digest);
}
