/* Parses WWW-Authenticate. Must not allocate, recurse, or guess: it refuses a header that two
 * programs could read in two ways, because the realm decides where a password goes. */
#include "helper/fetch/challenge.h"

#include <string.h>
#include <strings.h>

/* The rest of the header. Every step checks `at < end` before it reads. */
struct scanner {
	const char *at, *end;
};

struct word {
	const char *text;
	size_t length;
};

/* RFC 9110 section 5.6.2 */
static bool token_character(char c)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool peek(const struct scanner *s, char c)
{
	return s->at < s->end && *s->at == c;
}

static bool take(struct scanner *s, char c)
{
	if (!peek(s, c))
		return false;
	s->at++;
	return true;
}

static bool skip_blanks(struct scanner *s)
{
	const char *from = s->at;

	while (peek(s, ' ') || peek(s, '\t'))
		s->at++;
	return s->at > from;
}

static bool take_token(struct scanner *s, struct word *ret)
{
	const char *from = s->at;

	while (s->at < s->end && token_character(*s->at))
		s->at++;
	*ret = (struct word){from, (size_t)(s->at - from)};
	return s->at > from;
}

static bool word_is(const struct word *word, const char *name)
{
	return word->length == strlen(name) && strncasecmp(word->text, name, word->length) == 0;
}

/* Takes a quoted string or a token, unescaped, into value. */
static bool take_value(struct scanner *s, char *value, size_t size)
{
	size_t n = 0;
	struct word word;

	if (!take(s, '"')) {
		if (!take_token(s, &word) || word.length >= size)
			return false;
		memcpy(value, word.text, word.length);
		value[word.length] = '\0';
		return true;
	}
	for (; s->at < s->end && *s->at != '"'; s->at++) {
		if (*s->at == '\\' && ++s->at == s->end)
			return false;
		if (n + 1 >= size)
			return false;
		value[n++] = *s->at;
	}
	value[n] = '\0';
	return take(s, '"');
}

/* Takes "name = value", and copies the value if it is wanted. It refuses a parameter that occurred
 * before: an attacker would choose which of the two counts. */
static bool take_parameter(struct scanner *s, const struct word *name, struct ces_challenge *bearer,
			   bool *seen_realm, bool *seen_service)
{
	char ignored[1024];

	skip_blanks(s);
	if (bearer != NULL && word_is(name, "realm")) {
		if (*seen_realm)
			return false;
		*seen_realm = true;
		return take_value(s, bearer->realm, sizeof(bearer->realm));
	}
	if (bearer != NULL && word_is(name, "service")) {
		if (*seen_service)
			return false;
		*seen_service = true;
		return take_value(s, bearer->service, sizeof(bearer->service));
	}
	return take_value(s, ignored, sizeof(ignored));
}

/* Returns whether "name =" (a parameter) follows, and not a new scheme, and takes it only then. The
 * text after a "=" at the end of a token68 ("Negotiate abc==") shows which it is. */
static bool take_name(struct scanner *s, struct word *ret)
{
	struct scanner ahead = *s;
	struct word word;

	if (!take_token(&ahead, &word))
		return false;
	skip_blanks(&ahead);
	if (!take(&ahead, '='))
		return false;
	skip_blanks(&ahead);
	if (ahead.at == ahead.end || (*ahead.at != '"' && !token_character(*ahead.at)))
		return false;
	*s = ahead;
	*ret = word;
	return true;
}

static void skip_token68(struct scanner *s)
{
	while (s->at < s->end && (token_character(*s->at) || *s->at == '/'))
		s->at++;
	while (take(s, '='))
		;
}

/* Takes the parameters of one challenge, up to its end or to the comma before the next scheme. */
static bool take_parameters(struct scanner *s, struct ces_challenge *bearer)
{
	bool realm = false, service = false;
	struct word name;

	if (!take_name(s, &name)) {
		if (bearer != NULL)
			return false;
		skip_token68(s);
		skip_blanks(s);
		return true;
	}
	for (;;) {
		struct scanner before;

		if (!take_parameter(s, &name, bearer, &realm, &service))
			return false;
		skip_blanks(s);
		before = *s;
		if (!take(s, ','))
			break;
		while (skip_blanks(s) || take(s, ','))
			;
		if (!take_name(s, &name)) {
			*s = before;
			break;
		}
	}
	return bearer == NULL || (realm && bearer->realm[0] != '\0');
}

static bool take_challenge(struct scanner *s, struct ces_challenge *ret)
{
	struct word scheme;
	bool bearer;

	if (!take_token(s, &scheme))
		return false;
	bearer = word_is(&scheme, "Bearer");
	if (bearer && ret->bearer)
		return false;
	ret->bearer = ret->bearer || bearer;
	ret->basic = ret->basic || word_is(&scheme, "Basic");
	if (!skip_blanks(s) || s->at == s->end || *s->at == ',')
		return !bearer;
	return take_parameters(s, bearer ? ret : NULL);
}

static bool printable(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		if ((text[i] < 0x20 || text[i] > 0x7e) && text[i] != '\t')
			return false;
	return true;
}

int ces_challenge_parse(const char *text, size_t length, struct ces_challenge *ret)
{
	struct scanner s = {text, text + length};
	struct ces_challenge found = *ret;

	if (length > CES_CHALLENGE_MAX || !printable(text, length))
		return -1;
	skip_blanks(&s);
	if (s.at == s.end)
		return -1;
	for (;;) {
		if (!take_challenge(&s, &found))
			return -1;
		skip_blanks(&s);
		if (s.at == s.end)
			break;
		if (!take(&s, ','))
			return -1;
		while (skip_blanks(&s) || take(&s, ','))
			;
		if (s.at == s.end)
			break;
	}
	*ret = found;
	return 0;
}
