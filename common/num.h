/* The one bounded parser for numbers, and one each for sizes, times, cpus and dates. All take a
 * NUL-terminated string, accept nothing before or after the value (no sign, no space, no leading
 * '+'), and write *ret only on success. They return 0, or -1 with errno EINVAL or ERANGE. */
#ifndef CES_COMMON_NUM_H
#define CES_COMMON_NUM_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* Decimal digits only, min <= value <= max. A leading zero is refused unless the number is "0". */
int ces_num_parse(const char *text, uint64_t min, uint64_t max, uint64_t *ret);

/* Reads the digits at *text and moves *text past them. -1 with errno if there are none, or the
 * number is above max. */
int ces_num_digits(const char **text, uint64_t max, uint64_t *ret);

/* "512M", "16G": a whole number and one unit K, M, G or T (powers of 1024; lower case and a final
 * "B", "iB" as in "16GiB" are accepted). It refuses a bare number, whose unit nobody knows.
 * Bytes. */
int ces_num_parse_size(const char *text, uint64_t *ret);

/* "90s", "30m", "6h", "2d". Seconds; at most ten years. Zero is refused. */
int ces_num_parse_time(const char *text, uint64_t *ret);

/* "4", "0.5", "1.25": cpus, up to three decimals. Thousandths of a cpu; 1 to 4096000. */
int ces_num_parse_cpus(const char *text, uint64_t *ret);

/* ISO 8601 date "2026-10-01", UTC; year 1970 to 9999, real days only. *ret is the first second
 * *after* that day: a rule that expires on D is valid while now < *ret. */
int ces_num_parse_date(const char *text, time_t *ret);

/* "2 GiB", "512 MiB", "1.5 KiB": at most one decimal. Always terminated. */
void ces_num_format_size(uint64_t bytes, char *buffer, size_t size);

/* "6h", "1m30s", "1h30m". Always terminated. */
void ces_num_format_time(uint64_t seconds, char *buffer, size_t size);

#endif
