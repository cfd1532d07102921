/* Bounded numbers, and sizes and times for people. It must not depend on the locale. */
#include "common/num.h"

#include <errno.h>
#include <stdio.h>

static int fail(int code)
{
	errno = code;
	return -1;
}

int ces_num_digits(const char **text, uint64_t max, uint64_t *ret)
{
	const char *at = *text;
	uint64_t value = 0;

	if (*at < '0' || *at > '9')
		return fail(EINVAL);
	if (*at == '0' && at[1] >= '0' && at[1] <= '9')
		return fail(EINVAL);
	for (; *at >= '0' && *at <= '9'; at++) {
		uint64_t digit = (uint64_t)(*at - '0');

		if (value > (max - digit) / 10 || digit > max)
			return fail(ERANGE);
		value = value * 10 + digit;
	}
	*text = at;
	*ret = value;
	return 0;
}

int ces_num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	uint64_t value;

	if (ces_num_digits(&text, max, &value) < 0)
		return -1;
	if (*text != '\0')
		return fail(EINVAL);
	if (value < min)
		return fail(ERANGE);
	*ret = value;
	return 0;
}

void ces_num_format_size(uint64_t bytes, char *buffer, size_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t unit = 0;
	uint64_t tenths = 0;

	while (bytes >= 1024 && unit + 1 < sizeof(units) / sizeof(units[0])) {
		tenths = bytes % 1024 * 10 / 1024;
		bytes /= 1024;
		unit++;
	}
	if (tenths == 0)
		(void)snprintf(buffer, size, "%llu %s", (unsigned long long)bytes, units[unit]);
	else
		(void)snprintf(buffer, size, "%llu.%llu %s", (unsigned long long)bytes,
			       (unsigned long long)tenths, units[unit]);
}

void ces_num_format_time(uint64_t seconds, char *buffer, size_t size)
{
	uint64_t hours = seconds / 3600, minutes = seconds % 3600 / 60, rest = seconds % 60;
	char h[24] = "", m[24] = "", s[24] = "";

	if (seconds >= 2 * 86400 && seconds % 86400 == 0) {
		(void)snprintf(buffer, size, "%llud", (unsigned long long)(seconds / 86400));
		return;
	}
	if (hours > 0)
		(void)snprintf(h, sizeof(h), "%lluh", (unsigned long long)hours);
	if (minutes > 0)
		(void)snprintf(m, sizeof(m), "%llum", (unsigned long long)minutes);
	if (rest > 0 || seconds == 0)
		(void)snprintf(s, sizeof(s), "%llus", (unsigned long long)rest);
	(void)snprintf(buffer, size, "%s%s%s", h, m, s);
}
