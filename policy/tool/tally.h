/* Sums of a journal by up to four words: a user and an image, a day, a project. */
#ifndef CES_POLICY_TOOL_TALLY_H
#define CES_POLICY_TOOL_TALLY_H

#include <stddef.h>
#include <stdint.h>

#define CES_TALLY_WORDS 4
#define CES_TALLY_MAX   5000 /* rows; further ones are summed up by their second word */

struct ces_tally_row {
	char *words[CES_TALLY_WORDS]; /* in one allocation, which words[0] owns */
	uint64_t good, failed, denied;
	uint64_t seconds, gpu_seconds, cpu_us; /* from decision to end; of processors */
	char first[11], last[11];              /* days, "2026-11-20" */
	size_t next;                           /* private: row number + 1 in the same bucket */
};

/* Zero it first. */
struct ces_tally {
	struct ces_tally_row *v;
	size_t n, cap, *buckets;
};

/* The row with these words; makes it if it is new. NULL if there is no memory. The pointer is valid
 * until the next call. */
struct ces_tally_row *ces_tally_find(struct ces_tally *tally,
				     const char *const words[CES_TALLY_WORDS]);

/* Adds the numbers of `from`, and widens the days. */
void ces_tally_add(struct ces_tally_row *row, const struct ces_tally_row *from);

/* Sorts by words. The row of all others comes last. No row can be looked up afterwards. */
void ces_tally_sort(struct ces_tally *tally);

void ces_tally_free(struct ces_tally *tally);

#endif
