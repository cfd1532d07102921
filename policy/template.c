/* Paths and templates as text. It must never compare paths as string prefixes (/safe_data/p and
 * /safe_data/p2 are unrelated). It must refuse a path with "..", and not normalise it: the checker
 * and the kernel would have to agree on how. */
#include "policy/template.h"

#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"

bool ces_path_valid(const char *path)
{
	const char *p = path;
	size_t whole = strnlen(path, CES_PATH_TEXT);

	if (*p != '/' || whole == CES_PATH_TEXT || !ces_line_valid(path, whole))
		return false;
	while (*p == '/') {
		const char *name = ++p;
		size_t length = strcspn(p, "/");

		p += length;
		if (length == 0 || (length <= 2 && strncmp(name, "..", length) == 0))
			return false;
	}
	return *p == '\0';
}

bool ces_path_within(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return strncmp(path, dir, length) == 0 && (path[length] == '\0' || path[length] == '/');
}

bool ces_path_meets(const char *a, const char *b)
{
	return ces_path_within(a, b) || ces_path_within(b, a);
}

void ces_path_copy(const char *text, char *ret, size_t size)
{
	size_t length = strlen(text);

	if (length > 1 && text[length - 1] == '/')
		length--;
	if (length >= size)
		length = 0;
	memcpy(ret, text, length);
	ret[length] = '\0';
}

bool ces_template_has_run(const char *text)
{
	return strstr(text, "{run}") != NULL;
}

static bool append(char ret[CES_PATH_TEXT], size_t *used, const char *text, size_t length)
{
	if (length >= CES_PATH_TEXT - *used)
		return false;
	memcpy(ret + *used, text, length);
	*used += length;
	ret[*used] = '\0';
	return true;
}

int ces_template_expand(const char *text, const char *project, const char *user, const char *home,
			char ret[CES_PATH_TEXT])
{
	const struct {
		const char *word, *value;
	} words[] = {{"{project}", project}, {"{user}", user}};
	char result[CES_PATH_TEXT] = "";
	size_t used = 0;

	if (*text == '~' && !append(result, &used, home, strlen(home)))
		return -1;
	for (const char *p = *text == '~' ? text + 1 : text; *p != '\0';) {
		const char *value = p;
		size_t skip = 1, length = 1;

		for (size_t i = 0; i < CES_COUNT(words); i++) {
			if (strncmp(p, words[i].word, strlen(words[i].word)) == 0) {
				skip = strlen(words[i].word);
				value = words[i].value;
				length = strlen(value);
			}
		}
		if (!append(result, &used, value, length))
			return -1;
		p += skip;
	}
	if (!ces_path_valid(result))
		return -1;
	memcpy(ret, result, used + 1);
	return 0;
}
