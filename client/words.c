/* Text files as words. It must not expand anything: what is written is what is sent. */
#include "client/words.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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

/* A text being split: words are written over the text that they came from, which is never shorter.
 */
struct splitter {
	const char *in;
	char *out;
	bool in_word;
};

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
		if (*s->in == '\\' && s->in[1] != '\0' && strchr("\"\\$`", s->in[1]) != NULL)
			s->in++;
		if (*s->in == '\0')
			return ces_error_set(err, CES_E_USAGE, "a \" is not closed");
		*s->out++ = *s->in;
	}
	s->in++;
	return 0;
}

/* One word: up to a blank outside of quotes. */
static int word(struct splitter *s, struct ces_error *err)
{
	while (*s->in != '\0' && strchr(BLANKS, *s->in) == NULL) {
		char c = *s->in++;

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

/* Leaves blanks, joined lines and comment lines behind. A joined line is none that begins anew. */
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

	/* Room doubles at powers of two; there is always one place more for the NULL. */
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

	/* A word's NUL takes the place of the blank after it; the last one needs a byte more. */
	words.size = strlen(text) + 2;
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
