/* The sentences of a diff: one for each difference. */
#ifndef CES_POLICY_TOOL_DIFF_LINES_H
#define CES_POLICY_TOOL_DIFF_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum ces_diff_kind {
	/* somebody may do more, or for longer, or reaches or trusts something else. When no order
	 * says which of two is more, the new one is */
	CES_DIFF_WIDER,
	CES_DIFF_NARROWER, /* only less */
	CES_DIFF_OTHER,    /* what only people read */
};

struct ces_diff_line {
	enum ces_diff_kind kind;
	char *text;
};

struct ces_diff {
	struct ces_diff_line *v;
	size_t n, cap;
	bool no_memory;
};

void ces_diff_say(struct ces_diff *diff, enum ces_diff_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
