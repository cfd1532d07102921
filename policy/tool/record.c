/* Reads a line of the journal in place. It must never read past the end of the line, nor take a
 * line for a record that the writer could not have written: it reports a foreign line, and does not
 * guess. */
#include "policy/tool/record.h"

#include <ctype.h>
#include <string.h>

#include "common/cleanup.h"

#define DEPTH 16

enum type { NUMBER, STRING };

static const struct key {
	const char *name;
	size_t length;
	enum type type;
} keys[CES_RECORD_KEYS] = {
#define KEY(k, n, t) [k] = {n, sizeof(n) - 1, t}
    KEY(CES_RECORD_SEQ, "seq", NUMBER),
    KEY(CES_RECORD_TIME, "time", STRING),
    KEY(CES_RECORD_PREV, "prev", STRING),
    KEY(CES_RECORD_EVENT, "event", STRING),
    KEY(CES_RECORD_OUTCOME, "outcome", STRING),
    KEY(CES_RECORD_VERB, "verb", STRING),
    KEY(CES_RECORD_UID, "uid", NUMBER),
    KEY(CES_RECORD_USER, "user", STRING),
    KEY(CES_RECORD_IMAGE, "image", STRING),
    KEY(CES_RECORD_PROJECT, "project", STRING),
    KEY(CES_RECORD_ARGS, "args", NUMBER),
    KEY(CES_RECORD_ENV, "env", NUMBER),
    KEY(CES_RECORD_RUN, "run", STRING),
    KEY(CES_RECORD_DIGEST, "digest", STRING),
    KEY(CES_RECORD_POLICY, "policy", STRING),
    KEY(CES_RECORD_RULE, "rule", STRING),
    KEY(CES_RECORD_APPROVAL, "approval", STRING),
    KEY(CES_RECORD_GPUS, "gpus", NUMBER),
    KEY(CES_RECORD_PORTS, "ports", NUMBER),
    KEY(CES_RECORD_CODE, "code", STRING),
    KEY(CES_RECORD_STATUS, "status", NUMBER),
    KEY(CES_RECORD_REASON, "reason", STRING),
    KEY(CES_RECORD_PEAK_MEMORY, "peak_memory", NUMBER),
    KEY(CES_RECORD_CPU_US, "cpu_us", NUMBER),
    KEY(CES_RECORD_COUNT, "count", NUMBER),
    KEY(CES_RECORD_OUTPUTS, "outputs", STRING),
    KEY(CES_RECORD_MANIFEST, "manifest", STRING),
    KEY(CES_RECORD_FILES, "files", NUMBER),
    KEY(CES_RECORD_BYTES, "bytes", NUMBER),
    KEY(CES_RECORD_CHECK, "check", STRING),
    KEY(CES_RECORD_FINDINGS, "findings", NUMBER),
    KEY(CES_RECORD_WITHHELD, "withheld", STRING),
#undef KEY
};

struct walk {
	const char *at, *end;
};

static bool value(struct walk *w, unsigned depth);

static bool take(struct walk *w, char c)
{
	if (w->at == w->end || *w->at != c)
		return false;
	w->at++;
	return true;
}

static void blanks(struct walk *w)
{
	while (w->at < w->end && (*w->at == ' ' || *w->at == '\t' || *w->at == '\r'))
		w->at++;
}

static bool hex4(const struct walk *w)
{
	if (w->end - w->at < 4)
		return false;
	for (size_t i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)w->at[i]))
			return false;
	return true;
}

/* Bytes that need no escape in a string. With this table a journal of a gigabyte takes about a
 * second. */
static const bool ordinary[256] = {
    [' '] = true, ['!'] = true, ['#' ... '['] = true, [']' ... '~'] = true};

static bool plain_escape(char c)
{
	return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
}

static bool string(struct walk *w, struct ces_slice *ret)
{
	const char *start = w->at + 1;

	if (!take(w, '"'))
		return false;
	for (;;) {
		while (w->at < w->end && ordinary[(unsigned char)*w->at])
			w->at++;
		if (take(w, '"'))
			break;
		if (!take(w, '\\') || w->at == w->end)
			return false;
		if (take(w, 'u')) {
			if (!hex4(w))
				return false;
			w->at += 4;
		} else if (!plain_escape(*w->at++)) {
			return false;
		}
	}
	*ret = (struct ces_slice){start, (size_t)(w->at - 1 - start)};
	return true;
}

static bool digits(struct walk *w)
{
	const char *start = w->at;

	while (w->at < w->end && *w->at >= '0' && *w->at <= '9')
		w->at++;
	return w->at > start;
}

static bool number(struct walk *w, struct ces_slice *ret)
{
	const char *start = w->at;

	(void)take(w, '-');
	if (!take(w, '0') && !digits(w))
		return false;
	if (take(w, '.') && !digits(w))
		return false;
	if (take(w, 'e') || take(w, 'E')) {
		if (!take(w, '+'))
			(void)take(w, '-');
		if (!digits(w))
			return false;
	}
	*ret = (struct ces_slice){start, (size_t)(w->at - start)};
	return true;
}

static bool word(struct walk *w, const char *text)
{
	size_t length = strlen(text);

	if ((size_t)(w->end - w->at) < length || memcmp(w->at, text, length) != 0)
		return false;
	w->at += length;
	return true;
}

static bool array(struct walk *w, unsigned depth)
{
	blanks(w);
	if (take(w, ']'))
		return true;
	do {
		if (!value(w, depth))
			return false;
	} while (take(w, ','));
	return take(w, ']');
}

static bool object(struct walk *w, unsigned depth)
{
	struct ces_slice key;

	blanks(w);
	if (take(w, '}'))
		return true;
	do {
		blanks(w);
		if (!string(w, &key))
			return false;
		blanks(w);
		if (!take(w, ':') || !value(w, depth))
			return false;
	} while (take(w, ','));
	return take(w, '}');
}

/* Any value and the blanks around it. */
static bool value(struct walk *w, unsigned depth)
{
	struct ces_slice ignored;
	bool good;

	if (depth == DEPTH)
		return false;
	blanks(w);
	if (w->at == w->end)
		return false;
	if (take(w, '{'))
		good = object(w, depth + 1);
	else if (take(w, '['))
		good = array(w, depth + 1);
	else if (*w->at == '"')
		good = string(w, &ignored);
	else
		good =
		    word(w, "true") || word(w, "false") || word(w, "null") || number(w, &ignored);
	blanks(w);
	return good;
}

/* The writer keeps one order, so the search starts after the previous key. */
static enum ces_record_key find_key(const struct ces_slice *name, enum ces_record_key from)
{
	for (unsigned i = 0; i < CES_RECORD_KEYS; i++) {
		unsigned k = (from + i) % CES_RECORD_KEYS;

		if (keys[k].length == name->length &&
		    memcmp(keys[k].name, name->at, name->length) == 0)
			return (enum ces_record_key)k;
	}
	return CES_RECORD_KEYS;
}

static bool member(struct walk *w, struct ces_record *ret, enum ces_record_key *last)
{
	struct ces_slice name;
	enum ces_record_key key;

	blanks(w);
	if (!string(w, &name))
		return false;
	blanks(w);
	if (!take(w, ':'))
		return false;
	key = find_key(&name, *last);
	if (key == CES_RECORD_KEYS)
		return value(w, 1);
	*last = key;
	blanks(w);
	if (ret->field[key].at != NULL)
		return false;
	if (!(keys[key].type == STRING ? string(w, &ret->field[key]) : number(w, &ret->field[key])))
		return false;
	blanks(w);
	return true;
}

int ces_record_read(const char *line, size_t length, struct ces_record *ret)
{
	struct walk w = {line, line + length};
	struct ces_record record = {0};
	enum ces_record_key last = CES_RECORD_SEQ;

	blanks(&w);
	if (!take(&w, '{'))
		return -1;
	do {
		if (!member(&w, &record, &last))
			return -1;
	} while (take(&w, ','));
	if (!take(&w, '}'))
		return -1;
	blanks(&w);
	if (w.at != w.end)
		return -1;
	*ret = record;
	return 0;
}

const char *ces_record_name(enum ces_record_key key)
{
	return keys[key].name;
}

static char unescape(char c, bool lines)
{
	if (c == '"' || c == '\\' || c == '/')
		return c;
	if (lines && c == 'n')
		return '\n';
	return lines && c == 'r' ? '\r' : '?';
}

static const char *text_of(const struct ces_record *record, enum ces_record_key key, bool lines,
			   char *buffer, size_t size)
{
	const struct ces_slice *from = &record->field[key];
	size_t used = 0;

	for (size_t i = 0; i < from->length && used + 1 < size; i++) {
		char c = from->at[i];

		/* The writer needs only \" and \\; no other escape gives a printable character. */
		if (c == '\\') {
			c = from->at[++i];
			if (c == 'u')
				i += 4;
			c = unescape(c, lines);
		}
		buffer[used++] = c;
	}
	buffer[used] = '\0';
	return buffer;
}

const char *ces_record_text(const struct ces_record *record, enum ces_record_key key, char *buffer,
			    size_t size)
{
	return text_of(record, key, false, buffer, size);
}

const char *ces_record_lines(const struct ces_record *record, enum ces_record_key key, char *buffer,
			     size_t size)
{
	return text_of(record, key, true, buffer, size);
}

static uint64_t leading_number(const char *at, size_t length)
{
	uint64_t n = 0;

	for (size_t i = 0; i < length && at[i] >= '0' && at[i] <= '9'; i++)
		if (__builtin_mul_overflow(n, 10u, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(at[i] - '0'), &n))
			return UINT64_MAX;
	return n;
}

uint64_t ces_record_number(const struct ces_record *record, enum ces_record_key key)
{
	const struct ces_slice *from = &record->field[key];

	return leading_number(from->at, from->length);
}

bool ces_record_is(const struct ces_record *record, enum ces_record_key key, const char *text)
{
	const struct ces_slice *have = &record->field[key];

	return have->at != NULL && have->length == strlen(text) &&
	       memcmp(have->at, text, have->length) == 0;
}

uint64_t ces_record_seq(const char *line, size_t length)
{
	static const char mark[] = "{\"seq\":";
	size_t skip = sizeof(mark) - 1;

	if (length < skip || memcmp(line, mark, skip) != 0)
		return 0;
	return leading_number(line + skip, length - skip);
}

time_t ces_record_seconds(const char *text)
{
	struct tm tm = {0};

	if (strlen(text) < 19 || strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return -1;
	return timegm(&tm);
}
