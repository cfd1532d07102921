/* Finds identifiers. It matches each form by hand, from one place, over a bounded number of bytes,
 * so that no text can make it slow. It must never keep or repeat what it finds. */
#include "helper/list/values.h"

#include <string.h>

#include "common/cleanup.h"

#define ESCAPE 6 /* bytes of \u00a0 */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static char upper(char c)
{
	return (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool is_letter(char c)
{
	return upper(c) >= 'A' && upper(c) <= 'Z';
}

/* Returns whether c goes on with a longer word. A '_' does not: id_9434765919 holds a number. Nor
 * does a character outside ASCII: it may be a quotation mark, a dash or a no-break space. */
static bool is_word(char c)
{
	return is_digit(c) || is_letter(c);
}

static bool is_of(char c, const char *letters)
{
	return c != '\0' && strchr(letters, upper(c)) != NULL;
}

/* A number may go on after a point: 9434765919.5 is not an identifier. But 9434765919.0 is one: so
 * programs write whole numbers of a column in which some are missing. */
static bool ends(const char *text, size_t length, size_t at)
{
	if (at == length || text[at] != '.')
		return at == length || !is_word(text[at]);
	for (at++; at < length && text[at] == '0'; at++)
		;
	return at == length || !is_digit(text[at]);
}

/* The length of the blank at one place, as texts, pages of HTML and JSON have it; 0: there is
 * none. */
static size_t blank_at(const char *text, size_t length, size_t at)
{
	static const char *const blanks[] = {" ", "\xC2\xA0" /* (no-break space) */,
					     "\xE2\x80\xAF" /* (narrow) */, "&nbsp;", "\\u00a0"};

	for (size_t i = 0; i < CES_COUNT(blanks); i++) {
		size_t n = strlen(blanks[i]);

		if (n <= length - at && memcmp(text + at, blanks[i], n) == 0)
			return n;
	}
	return 0;
}

/* Reads n digits. A bit in the mask allows a blank or '-' before a digit. Returns the number of
 * bytes, or 0. */
static size_t take_digits(const char *text, size_t length, size_t n, unsigned breaks, char *ret)
{
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if (i > 0 && (breaks >> i & 1) != 0)
			at += at < length && text[at] == '-' ? 1 : blank_at(text, length, at);
		if (at == length || !is_digit(text[at]))
			return 0;
		ret[i] = (char)(text[at++] - '0');
	}
	return at;
}

/* The check digit of NHS and CHI numbers: modulus 11, weights from 10 to 2 (NHS Data Dictionary).
 */
static bool is_checked(const char digits[10])
{
	int sum = 0, check;

	for (int i = 0; i < 9; i++)
		sum += digits[i] * (10 - i);
	check = 11 - sum % 11;
	return (check == 11 ? 0 : check) == digits[9];
}

/* Ten digits, such as 943 476 5919, with or without blanks. Those from 0 to 2 are not issued. */
static size_t match_nhs(const char *text, size_t length)
{
	char digits[10];
	size_t n = take_digits(text, length, 10, 1 << 3 | 1 << 6, digits);

	return n > 0 && digits[0] >= 3 && is_checked(digits) ? n : 0;
}

static bool is_day(int day, int month)
{
	static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1];
}

/* The day of birth in six digits, and four more. A table of numbers loses a zero at the front. */
static size_t match_chi(const char *text, size_t length)
{
	char digits[10] = {0};
	size_t n = take_digits(text, length, 10, 1 << 6, digits);

	if (n == 0 || !ends(text, length, n))
		n = take_digits(text, length, 9, 0, digits + 1), digits[0] = 0;
	return n > 0 && is_day(digits[0] * 10 + digits[1], digits[2] * 10 + digits[3]) &&
		       is_checked(digits)
		   ? n
		   : 0;
}

/* Two letters, six digits, A to D; perhaps in pairs. The letters are those of HMRC (NIM39110). */
static size_t match_ni(const char *text, size_t length)
{
	static const char *const never[] = {"BG", "GB", "KN", "NK", "NT", "TN", "ZZ"};
	size_t at = 2;

	if (length < 9 || !is_of(text[0], "ABCEGHJKLMNOPRSTWXYZ") ||
	    !is_of(text[1], "ABCEGHJKLMNPRSTWXYZ"))
		return 0;
	for (size_t i = 0; i < CES_COUNT(never); i++)
		if (upper(text[0]) == never[i][0] && upper(text[1]) == never[i][1])
			return 0;
	for (int i = 0; i < 6; i++) {
		at += i % 2 == 0 ? blank_at(text, length, at) : 0;
		if (at >= length || !is_digit(text[at++]))
			return 0;
	}
	at += blank_at(text, length, at);
	return at < length && is_of(text[at], "ABCD") ? at + 1 : 0;
}

/* The outward half: A9, A99, A9A, AA9, AA99, AA9A; the longest first (Royal Mail's PAF guide). */
static size_t outward(const char *text, size_t length, size_t want)
{
	size_t letters = length > 1 && is_letter(text[1]) ? 2 : 1;

	if (length < want || !is_of(text[0], "ABCDEFGHIJKLMNOPRSTUWYZ") ||
	    (letters == 2 && !is_of(text[1], "ABCDEFGHKLMNOPQRSTUVWXY")) || want < letters + 1 ||
	    want > letters + 2 || !is_digit(text[letters]))
		return 0;
	if (want == letters + 1 || is_digit(text[letters + 1]))
		return want;
	return is_of(text[letters + 1], letters == 1 ? "ABCDEFGHJKPSTUW" : "ABEHMNPRVWXY") ? want
											   : 0;
}

static size_t match_postcode(const char *text, size_t length)
{
	static const char inward[] = "ABDEFGHJLNPQRSTUWXYZ";

	for (size_t want = 4; want >= 2; want--) {
		size_t at = outward(text, length, want);

		if (at == 0)
			continue;
		at += blank_at(text, length, at);
		if (at + 3 <= length && is_digit(text[at]) && is_of(text[at + 1], inward) &&
		    is_of(text[at + 2], inward) && ends(text, length, at + 3))
			return at + 3;
	}
	return 0;
}

static size_t span(const char *text, size_t length, size_t most, const char *others)
{
	size_t n = 0;

	while (n < length && n < most &&
	       (is_digit(text[n]) || is_letter(text[n]) || is_of(text[n], others)))
		n++;
	return n;
}

static size_t match_email(const char *text, size_t length)
{
	size_t at = span(text, length, 64, "._%+-"), label, labels = 0;

	if (at == 0 || at == length || text[at++] != '@')
		return 0;
	for (;; labels++) {
		label = span(text + at, length - at, 63, "-");
		if (label == 0)
			return 0;
		at += label;
		if (at + 1 >= length || text[at] != '.' || span(text + at + 1, 1, 1, "") == 0 ||
		    at > CES_VALUES_LONGEST - 64)
			return labels > 0 && label >= 2 ? at : 0;
		at++;
	}
}

static int number(const char *text, size_t n)
{
	int value = 0;

	for (size_t i = 0; i < n; i++)
		value = value * 10 + (text[i] - '0');
	return value;
}

static size_t digits_at(const char *text, size_t length, size_t most)
{
	size_t n = 0;

	while (n < length && n < most && is_digit(text[n]))
		n++;
	return n;
}

/* A month's name, or three letters of it and more. */
static int month_at(const char *text, size_t length, size_t *ret_length)
{
	static const char *const names[] = {"JANUARY",   "FEBRUARY", "MARCH",    "APRIL",
					    "MAY",       "JUNE",     "JULY",     "AUGUST",
					    "SEPTEMBER", "OCTOBER",  "NOVEMBER", "DECEMBER"};

	for (int i = 0; i < 12; i++) {
		size_t n = 0;

		while (n < length && names[i][n] != '\0' && upper(text[n]) == names[i][n])
			n++;
		*ret_length = n;
		if (n >= 3)
			return i + 1;
	}
	return 0;
}

static bool is_year(const char *text)
{
	return strncmp(text, "19", 2) == 0 || strncmp(text, "20", 2) == 0;
}

/* 2024-03-01, 2024/3/1, and 20240301 without separators. */
static size_t match_year_first(const char *text, size_t length)
{
	size_t month, day, at = 5;

	if (length < 8 || digits_at(text, length, 8) < 4 || !is_year(text))
		return 0;
	if (digits_at(text, length, 8) == 8)
		return is_day(number(text + 6, 2), number(text + 4, 2)) ? 8 : 0;
	if (!is_of(text[4], "-/."))
		return 0;
	month = digits_at(text + at, length - at, 2);
	at += month;
	if (month == 0 || at >= length || text[at] != text[4])
		return 0;
	at++;
	day = digits_at(text + at, length - at, 2);
	return day > 0 && is_day(number(text + at, day), number(text + at - 1 - month, month))
		   ? at + day
		   : 0;
}

/* 1/3/2024, 03-01-2024, 1.3.2024 and 1 Mar 2024, 01-March-2024, 01MAR2024. */
static size_t match_day_first(const char *text, size_t length)
{
	size_t day = digits_at(text, length, 2), at = day, month;
	char between = (char)(at < length && is_of(text[at], "-/. ") ? text[at] : '\0');
	int first = number(text, day), second;
	bool digits;

	at += between != '\0';
	month = digits_at(text + at, length - at, 2);
	digits = month > 0;
	second = digits ? number(text + at, month) : month_at(text + at, length - at, &month);
	if (day == 0 || (digits && (between == '\0' || between == ' ')) ||
	    !(is_day(first, second) || (digits && is_day(second, first))))
		return 0;
	at += month;
	if (between != '\0' && (at == length || text[at++] != between))
		return 0;
	return digits_at(text + at, length - at, 5) == 4 && is_year(text + at) ? at + 4 : 0;
}

static size_t match_date(const char *text, size_t length)
{
	size_t n = match_year_first(text, length);

	return n > 0 ? n : match_day_first(text, length);
}

static const struct {
	size_t (*match)(const char *text, size_t length);
	bool joined; /* a letter may follow: 2024-03-01T12:00 */
} forms[CES_VALUES] = {
    [CES_VALUE_NHS] = {match_nhs, false},     [CES_VALUE_CHI] = {match_chi, false},
    [CES_VALUE_NI] = {match_ni, false},       [CES_VALUE_POSTCODE] = {match_postcode, false},
    [CES_VALUE_EMAIL] = {match_email, false}, [CES_VALUE_DATE] = {match_date, true},
};

size_t ces_values_match(enum ces_check_value value, const char *text, size_t length)
{
	size_t n = forms[value].match(text, length);

	if (n == 0 || ends(text, length, n))
		return n;
	return forms[value].joined && (text[n] == 'T' || text[n] == 't') ? n : 0;
}

static size_t match_pattern(const char *pattern, const char *text, size_t length)
{
	size_t n = strlen(pattern);

	if (length < n)
		return 0;
	for (size_t i = 0; i < n; i++)
		if (pattern[i] == '#'   ? !is_digit(text[i])
		    : pattern[i] == '?' ? !is_letter(text[i])
					: upper(pattern[i]) != upper(text[i]))
			return 0;
	return length == n || !is_word(text[n]) ? n : 0;
}

/* The length of the identifier at one place, or 0. It looks for each form, because one place may
 * have two: a CHI number is an NHS number. */
static size_t match_at(const struct ces_values *values, const char *text, size_t length)
{
	const struct ces_strings *patterns = &values->check->patterns;
	size_t longest = 0, n;

	for (unsigned i = 0; i < CES_VALUES; i++) {
		n = (values->wanted >> i & 1) != 0 ? ces_values_match(i, text, length) : 0;
		if (n > 0)
			values->found(values->context, i, -1);
		longest = n > longest ? n : longest;
	}
	for (size_t i = 0; i < patterns->n; i++) {
		n = match_pattern(patterns->v[i], text, length);
		if (n > 0)
			values->found(values->context, CES_VALUES, (int)i);
		longest = n > longest ? n : longest;
	}
	return longest;
}

/* Returns whether the place is in the middle of a longer word or number. The letters of an escape
 * in JSON are not one: "\n943..." and "\u201c943...". */
static bool is_middle(const struct ces_values *values, size_t at)
{
	const char *here = values->window + at;
	char last = (char)(at == 0 ? values->before : here[-1]);

	if (at > 1 && here[-2] == '\\' && is_of(last, "BFNRT"))
		return false;
	if (at >= ESCAPE && here[-ESCAPE] == '\\' && here[1 - ESCAPE] == 'u')
		return false;
	return is_word(last) || (last == '.' && is_digit(*here) && at > 1 && is_digit(here[-2]));
}

/* Looks at each place before `until` at which a word begins. */
static void look(struct ces_values *values, size_t until)
{
	while (values->done < until) {
		size_t at = values->done, n = 0;

		if (is_word(values->window[at]) && !is_middle(values, at))
			n = match_at(values, values->window + at, values->length - at);
		values->done += n > 0 ? n : 1;
	}
}

void ces_values_begin(struct ces_values *values, const struct ces_check *check,
		      ces_values_found *found, void *context)
{
	*values = (struct ces_values){.check = check, .found = found, .context = context};
	for (size_t i = 0; i < check->values.n; i++)
		for (unsigned j = 0; j < CES_VALUES; j++)
			if (strcmp(check->values.v[i], ces_check_values[j]) == 0)
				values->wanted |= 1u << j;
}

/* Some bytes before the next place stay: a place is judged by these. */
void ces_values_add(struct ces_values *values, char c)
{
	size_t gone;

	values->window[values->length++] = c;
	if (values->length < CES_VALUES_WINDOW)
		return;
	look(values, CES_VALUES_WINDOW - CES_VALUES_LONGEST);
	gone = values->done - ESCAPE;
	values->before = values->window[gone - 1];
	memmove(values->window, values->window + gone, values->length - gone);
	values->length -= gone;
	values->done = ESCAPE;
}

void ces_values_end(struct ces_values *values)
{
	look(values, values->length);
	values->length = values->done = 0;
	values->before = '\0';
}
