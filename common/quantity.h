/* Sizes, times, cpus and dates as people write them: one parser each, with the rules of
 * common/num.h. No program of root's reads any. */
#ifndef CES_COMMON_QUANTITY_H
#define CES_COMMON_QUANTITY_H

#include <stdint.h>
#include <time.h>

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

#endif
