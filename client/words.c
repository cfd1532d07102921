/* Splits text files into words. It must expand nothing but HOME and USER, which the service's
 * guides write into these files: no other variable, no command, no pattern. */
#include "client/words.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"

#define BLANKS " \t\r\n"

void ces_words_free(struct ces_words *words)
{
	if (words->memory != NULL)
		explicit_bzero(words->memory, words->size); /* settings may be secrets */
	free(words->memory);
	free(words->argv);
	memset(words, 0, sizeof(*words));
}

static const char *home(void)
{
	const char *value = getenv("HOME");
	const struct passwd *entry;

	if (value != NULL && value[0] == '/')
		return value;
	entry = getpwuid(getuid());
	return entry != NULL ? entry->pw_dir : NULL;
}

static const char *user(void)
{
	const struct passwd *entry = getpwuid(getuid());

	return entry != NULL ? entry->pw_name : getenv("USER");
}

size_t ces_words_variable(const char *text, const char **ret)
{
	static const struct {
		const char *name;
		const char *(*value)(void);
	} known[] = {{"HOME", home}, {"USER", user}};
	bool braces = text[0] == '$' && text[1] == '{';
	const char *name = text + 1 + braces;
	size_t length = strspn(name, CES_WORDS_NAME);

	if (text[0] != '$' || (braces && name[length] != '}'))
		return 0;
	for (size_t i = 0; i < CES_COUNT(known); i++) {
		if (length != strlen(known[i].name) || strncmp(name, known[i].name, length) != 0)
			continue;
		*ret = known[i].value();
		return *ret != NULL ? 1 + length + 2 * (size_t)braces : 0;
	}
	return 0;
}

size_t ces_words_home(const char *text, const char **ret)
{
	if (text[0] != '~' ||
	    (text[1] != '/' && text[1] != '\0' && strchr(BLANKS, text[1]) == NULL))
		return 0;
	*ret = home();
	return *ret != NULL ? 1 : 0;
}

size_t ces_words_room(const char *text)
{
	size_t room = strlen(text) + 1, most = 0, length;
	const char *const values[] = {home(), user()};

	for (size_t i = 0; i < CES_COUNT(values); i++) {
		length = values[i] != NULL ? strlen(values[i]) : 0;
		most = length > most ? length : most;
	}
	for (; (text = strpbrk(text, "$~")) != NULL; text++)
		room += most;
	return room;
}

char *ces_words_expand(const char *text)
{
	char *expanded = malloc(ces_words_room(text)), *out = expanded;
	const char *meaning;
	size_t length = ces_words_home(text, &meaning);

	if (expanded == NULL)
		return NULL;
	if (length == 0)
		length = ces_words_variable(text, &meaning);
	while (length > 0 || *text != '\0') {
		if (length > 0)
			out = stpcpy(out, meaning);
		else
			*out++ = *text;
		text += length > 0 ? length : 1;
		length = ces_words_variable(text, &meaning);
	}
	*out = '\0';
	return expanded;
}

/* The state of splitting a text. */
struct splitter {
	const char *in;
	char *out;
	bool in_word;
};

/* Expands the variable at s->in. Returns whether there was one. */
static bool expand(struct splitter *s, size_t (*what)(const char *, const char **))
{
	const char *value;
	size_t length = what(s->in, &value);

	if (length == 0)
		return false;
	s->in += length;
	s->out = stpcpy(s->out, value);
	return true;
}

static int single_quoted(struct splitter *s, struct ces_error *err)
{
	const char *end = strchr(s->in, '\'');

	if (end == NULL)
		return ces_error_set(err, CES_E_USAGE, "a ' is not closed");
	s->out = mempcpy(s->out, s->in, (size_t)(end - s->in));
	s->in = end + 1;
	return 0;
}

static int double_quoted(struct splitter *s, struct ces_error *err)
{
	for (; *s->in != '"'; s->in++) {
		if (*s->in == '\\' && s->in[1] == '\n') {
			s->in++;
			continue;
		}
		if (expand(s, ces_words_variable)) {
			s->in--;
			continue;
		}
		if (*s->in == '\\' && s->in[1] != '\0' && strchr("\"\\$`", s->in[1]) != NULL)
			s->in++;
		if (*s->in == '\0')
			return ces_error_set(err, CES_E_USAGE, "a \" is not closed");
		*s->out++ = *s->in;
	}
	s->in++;
	return 0;
}

/* Takes one word, up to a blank outside of quotes. */
static int word(struct splitter *s, struct ces_error *err)
{
	(void)expand(s, ces_words_home);
	while (*s->in != '\0' && strchr(BLANKS, *s->in) == NULL) {
		char c;

		if (expand(s, ces_words_variable))
			continue;
		c = *s->in++;
		if (c == '\'') {
			if (single_quoted(s, err) < 0)
				return -1;
		} else if (c == '"') {
			if (double_quoted(s, err) < 0)
				return -1;
		} else if (c == '\\' && *s->in == '\n') {
			s->in++;
		} else if (c == '\\' && *s->in != '\0') {
			*s->out++ = *s->in++;
		} else {
			*s->out++ = c;
		}
	}
	return 0;
}

/* Skips blanks, joined lines and comment lines. A joined line begins no new line. */
static void skip(struct splitter *s, bool comments, bool *line_start)
{
	for (;;) {
		if (*s->in == '\n')
			*line_start = true;
		if (*s->in != '\0' && strchr(BLANKS, *s->in) != NULL)
			s->in++;
		else if (s->in[0] == '\\' && s->in[1] == '\n')
			s->in += 2;
		else if (comments && *line_start && *s->in == '#')
			s->in += strcspn(s->in, "\n");
		else
			return;
	}
}

static int add(struct ces_words *words, char *start, struct ces_error *err)
{
	char **grown = words->argv;
	size_t n = (size_t)words->argc;

	/* Room doubles at powers of two. There is always room for the NULL at the end. */
	if ((n & (n - 1)) == 0)
		grown = reallocarray(words->argv, 2 * n + 1, sizeof(*grown));
	if (grown == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	words->argv = grown;
	words->argv[words->argc++] = start;
	words->argv[words->argc] = NULL;
	return 0;
}

static int split(const char *text, bool comments, struct ces_words *words, struct ces_error *err)
{
	static char placeholder[] = "ces";
	struct splitter s = {.in = text, .out = words->memory};
	bool line_start = true;

	words->argv = calloc(2, sizeof(*words->argv));
	if (words->argv == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	words->argv[words->argc++] = placeholder;
	for (skip(&s, comments, &line_start); *s.in != '\0'; skip(&s, comments, &line_start)) {
		char *start = s.out;

		line_start = false;
		if (word(&s, err) < 0)
			return -1;
		*s.out++ = '\0';
		if (add(words, start, err) < 0)
			return -1;
	}
	return 0;
}

int ces_words_split(const char *text, bool comments, struct ces_words *ret, struct ces_error *err)
{
	struct ces_words words = {0};

	/* A word's NUL replaces the blank after it; the last word needs one byte more. */
	words.size = ces_words_room(text) + 1;
	words.memory = calloc(1, words.size);
	if (words.memory == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (split(text, comments, &words, err) < 0) {
		ces_words_free(&words);
		return -1;
	}
	*ret = words;
	return 0;
}

int ces_words_file(const char *path, char **ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	CES_CLEANUP_FREE char *text = NULL;
	size_t length;

	if (fd < 0)
		return ces_error_errno(err, CES_E_USAGE, "cannot open %s", path);
	if (ces_read_file(fd, CES_WORDS_MAX, &text, &length) < 0 || text == NULL)
		return ces_error_errno(err, CES_E_USAGE, "cannot read %s", path);
	if (strlen(text) != length)
		return ces_error_set(err, CES_E_USAGE, "%s is not a text file", path);
	*ret = ces_steal_pointer(&text);
	return 0;
}

const char *ces_words_start(const char *text)
{
	return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

int ces_words_read(const char *path, bool comments, struct ces_words *ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;

	if (ces_words_file(path, &text, err) < 0)
		return -1;
	if (ces_words_split(ces_words_start(text), comments, ret, err) < 0)
		return ces_error_context(err, "%s", path);
	return 0;
}
