/* The one bounded parser for numbers. It takes a NUL-terminated string, accepts nothing before or
 * after the value (no sign, no space, no leading '+'), and writes *ret only on success. It returns
 * 0, or -1 with errno EINVAL or ERANGE. common/quantity.h has those for sizes, times, cpus and
 * dates. */
#ifndef CES_COMMON_NUM_H
#define CES_COMMON_NUM_H

#include <stddef.h>
#include <stdint.h>

/* Decimal digits only, min <= value <= max. A leading zero is refused unless the number is "0". */
int ces_num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Reads the digits at *text and moves *text past them. -1 with errno if there are none, or the
 * number is above max. */
int ces_num_digits(const char **text, uint64_t max, uint64_t *ret);

/* "2 GiB", "512 MiB", "1.5 KiB": at most one decimal. Always terminated. */
void ces_num_format_size(uint64_t bytes, char *buffer, size_t size);

/* "6h", "1m30s", "1h30m". Always terminated. */
void ces_num_format_time(uint64_t seconds, char *buffer, size_t size);

#endif
