/* Sizes, times, cpus and dates as people write them. It must not depend on the locale. */
#include "common/quantity.h"

#include <errno.h>
#include <string.h>

#include "common/num.h"

#define YEARS_10 (10ull * 366 * 86400)

static int fail(int code)
{
	errno = code;
	return -1;
}

int ces_num_parse_size(const char *text, uint64_t *ret)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t value;
	unsigned shift;

	if (ces_num_digits(&text, UINT64_MAX / 2, &value) < 0)
		return -1;
	if (*text == '\0')
		return fail(EINVAL);
	unit = strchr(units, *text | 0x20);
	if (unit == NULL || *unit == '\0')
		return fail(EINVAL);
	text++;
	if (text[0] != '\0' && strcmp(text, "B") != 0 && strcmp(text, "b") != 0 &&
	    strcmp(text, "iB") != 0)
		return fail(EINVAL);
	shift = 10u * (unsigned)(unit - units + 1);
	if (value == 0 || value > (uint64_t)INT64_MAX >> shift)
		return fail(ERANGE);
	*ret = value << shift;
	return 0;
}

int ces_num_parse_time(const char *text, uint64_t *ret)
{
	uint64_t value, scale;

	if (ces_num_digits(&text, YEARS_10, &value) < 0)
		return -1;
	switch (*text) {
	case 's':
		scale = 1;
		break;
	case 'm':
		scale = 60;
		break;
	case 'h':
		scale = 3600;
		break;
	case 'd':
		scale = 86400;
		break;
	default:
		return fail(EINVAL);
	}
	if (text[1] != '\0')
		return fail(EINVAL);
	if (value == 0 || value > YEARS_10 / scale)
		return fail(ERANGE);
	*ret = value * scale;
	return 0;
}

int ces_num_parse_cpus(const char *text, uint64_t *ret)
{
	uint64_t whole, part = 0, unit = 100;

	if (ces_num_digits(&text, 4096, &whole) < 0)
		return -1;
	if (*text == '.') {
		text++;
		if (*text == '\0')
			return fail(EINVAL);
		for (; *text >= '0' && *text <= '9' && unit > 0; text++, unit /= 10)
			part += unit * (uint64_t)(*text - '0');
	}
	if (*text != '\0')
		return fail(EINVAL);
	if (whole * 1000 + part == 0 || whole * 1000 + part > 4096000)
		return fail(ERANGE);
	*ret = whole * 1000 + part;
	return 0;
}

static int two_digits(const char *text, int min, int max, int *ret)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return fail(EINVAL);
	*ret = (text[0] - '0') * 10 + (text[1] - '0');
	return *ret < min || *ret > max ? fail(EINVAL) : 0;
}

int ces_num_parse_date(const char *text, time_t *ret)
{
	int century, year, month, day;
	struct tm date = {0}, check;
	time_t midnight;

	if (strnlen(text, 11) != 10 || text[4] != '-' || text[7] != '-' ||
	    two_digits(text, 19, 99, &century) < 0 || two_digits(text + 2, 0, 99, &year) < 0 ||
	    two_digits(text + 5, 1, 12, &month) < 0 || two_digits(text + 8, 1, 31, &day) < 0 ||
	    century * 100 + year < 1970)
		return fail(EINVAL);
	date.tm_year = century * 100 + year - 1900;
	date.tm_mon = month - 1;
	date.tm_mday = day;
	midnight = timegm(&date);
	/* timegm turns 30 February into 2 March: a day that does not come back unchanged does not
	 * exist */
	if (gmtime_r(&midnight, &check) == NULL || check.tm_mday != day ||
	    check.tm_mon != month - 1)
		return fail(EINVAL);
	*ret = midnight + 86400;
	return 0;
}
