/* Image references, and patterns that they match. Must accept nothing that the grammar does not
 * have. */
#include <stdio.h>
#include <string.h>

#include "common/name.h"
#include "common/num.h"

static bool is_lower_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c)
{
	return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* Labels of letters, digits and inner dashes, joined by '.'. */
static bool host_valid(const char *text, size_t length)
{
	char last = '.';

	for (size_t i = 0; i < length; i++) {
		bool inner = is_lower_alnum(last);

		if (!is_lower_alnum(text[i]) && !(text[i] == '.' && inner) &&
		    !(text[i] == '-' && (inner || last == '-')))
			return false;
		last = text[i];
	}
	return is_lower_alnum(last);
}

/* host[:port] of a reference; an IPv6 address is not supported. */
static bool registry_valid(const char *text)
{
	size_t host = strcspn(text, ":");
	uint64_t port;

	if (!host_valid(text, host))
		return false;
	return text[host] == '\0' || ces_num_parse(text + host + 1, 1, 65535, &port) == 0;
}

/* One path component: lower-case words joined by '.', '_', '__' or dashes (distribution grammar).
 */
static bool component_valid(const char *text, size_t length)
{
	size_t i = 0;

	while (i < length) {
		size_t separator;

		if (!is_lower_alnum(text[i]))
			return false;
		while (i < length && is_lower_alnum(text[i]))
			i++;
		separator = i;
		if (i == length)
			return true;
		if (text[i] == '.') {
			i++;
		} else if (text[i] == '_') {
			while (i < length && text[i] == '_' && i - separator < 2)
				i++;
		} else {
			while (i < length && text[i] == '-')
				i++;
		}
		if (i == separator)
			return false;
	}
	return false;
}

static bool repository_valid(const char *text)
{
	for (;;) {
		size_t length = strcspn(text, "/");

		if (!component_valid(text, length))
			return false;
		if (text[length] == '\0')
			return true;
		text += length + 1;
	}
}

static bool tag_valid(const char *text)
{
	size_t length = strlen(text);

	if (length == 0 || length > 128 || text[0] == '.' || text[0] == '-')
		return false;
	for (size_t i = 0; i < length; i++)
		if (!is_alnum(text[i]) && strchr("._-", text[i]) == NULL)
			return false;
	return true;
}

/* Copies length bytes of text into a buffer of size; false when they do not fit. */
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

/* "[:tag][@digest]" behind the repository. */
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
	    !registry_valid(reference.registry) || !repository_valid(reference.repository) ||
	    !suffix_parse(text + first + 1 + path, &reference))
		return ces_error_set(
		    err, CES_E_USAGE,
		    "'%.200s' is not an image name; write REGISTRY/OWNER/NAME[:TAG] or "
		    "REGISTRY/OWNER/NAME@sha256:DIGEST, in lower case",
		    text);
	if (reference.tag[0] == '\0' && reference.digest[0] == '\0')
		memcpy(reference.tag, "latest", sizeof("latest"));
	/* The reference must fit with its tag: two names that are cut could become one. */
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

bool ces_pattern_valid(const char *pattern)
{
	const char *at = pattern;
	size_t components = 0;

	if (strnlen(pattern, CES_REFERENCE_MAX) >= CES_REFERENCE_MAX)
		return false;
	for (;; at++) {
		size_t length = strcspn(at, "/");
		bool last = at[length] == '\0';
		bool star = length == 1 && at[0] == '*';
		bool stars = length == 2 && memcmp(at, "**", 2) == 0;

		if (components == 0) {
			char registry[256];

			if (!take(registry, sizeof(registry), at, length) ||
			    !registry_valid(registry))
				return false;
		} else if (!star && !(stars && last) && !component_valid(at, length)) {
			return false;
		}
		components++;
		at += length;
		if (last)
			return components >= 2;
	}
}

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
