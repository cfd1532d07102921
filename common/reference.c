/* The parts of an image's name. It must accept nothing that the grammar does not have. Programs of
 * root's do not split a name: reference_parse.c does, for others. */
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

bool ces_reference_repository_valid(const char *text)
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

bool ces_reference_tag_valid(const char *text)
{
	size_t length = strlen(text);

	return length > 0 && length <= 128 && text[0] != '.' && text[0] != '-' &&
	       strspn(text, WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZ._-") == length;
}

void ces_reference_format(const struct ces_reference *reference, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "%s/%s%s%s%s%s", reference->registry, reference->repository,
		       reference->tag[0] != '\0' ? ":" : "", reference->tag,
		       reference->digest[0] != '\0' ? "@" : "", reference->digest);
}

bool ces_reference_is(const struct ces_reference *reference, const char *text)
{
	const char *tag = reference->tag, *digest = reference->digest;
	char name[2 * CES_REFERENCE_MAX]; /* (longer than all parts) */
	size_t length;

	if (reference->registry[sizeof(reference->registry) - 1] != '\0' ||
	    reference->repository[sizeof(reference->repository) - 1] != '\0' ||
	    tag[sizeof(reference->tag) - 1] != '\0' ||
	    digest[sizeof(reference->digest) - 1] != '\0')
		return false;
	ces_reference_format(reference, name, sizeof(name));
	length = strlen(name);
	if (length >= CES_REFERENCE_MAX || !ces_reference_registry_valid(reference->registry) ||
	    !ces_reference_repository_valid(reference->repository) ||
	    (digest[0] != '\0' && !ces_digest_valid(digest)) ||
	    ((digest[0] == '\0' || tag[0] != '\0') && !ces_reference_tag_valid(tag)))
		return false;
	if (strcmp(name, text) == 0)
		return true;
	/* the tag that a name without one has */
	name[length - (strcmp(tag, "latest") == 0 ? strlen(":latest") : 0)] = '\0';
	return digest[0] == '\0' && strcmp(name, text) == 0;
}
