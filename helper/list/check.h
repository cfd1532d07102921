/* The checks of outputs that a policy asks for, one file at a time, on the bytes that are hashed.
 * It must never write what it found, because the manifest leaves with the outputs. A finding names
 * the rule, the policy's own word, and the place. */
#ifndef CES_HELPER_LIST_CHECK_H
#define CES_HELPER_LIST_CHECK_H

#include "helper/list/list.h"
#include "helper/list/table.h"
#include "helper/list/values.h"

#define CES_FINDINGS 24 /* of one file, each with its first place; what is beyond is counted */

struct ces_finding {
	const char *rule, *word; /* word: of the policy, or NULL */
	uint64_t line, column;   /* 0: of no line, of no column */
	uint64_t times;
};

struct ces_list_check {
	bool wanted; /* the policy asks for checks */
	struct ces_check rules;
	struct ces_list_answer *answer;
	uint64_t size; /* of all files */

	/* of one file: */
	struct ces_finding findings[CES_FINDINGS];
	size_t n, beyond;
	int type;  /* by its name; -1: none of the known kinds */
	bool text; /* read as text */
	bool plain, tabular;
	unsigned char more, low, high; /* bytes that the character lacks; the bounds of the next */
	uint64_t line;
	struct ces_table table;
	struct ces_values values;
};

/* text: from the policy; "" asks for nothing. -1: it is no valid check, so nothing may pass. */
int ces_list_check_begin(struct ces_list_check *check, const char *text,
			 struct ces_list_answer *answer);

/* One file: its name; its first bytes and the word for them; all its bytes; its end. */
void ces_list_check_file(struct ces_list_check *check, const char *path);
void ces_list_check_first(struct ces_list_check *check, const unsigned char *bytes, size_t length,
			  const char *content);
void ces_list_check_bytes(struct ces_list_check *check, const unsigned char *bytes, size_t length);
void ces_list_check_size(struct ces_list_check *check, uint64_t size);

/* Adds a finding that has no place in a file. */
void ces_list_check_note(struct ces_list_check *check, const char *rule);

/* Writes ,"check":... for the file that ended, and counts it. */
void ces_list_check_end(struct ces_list_check *check, struct ces_list_text *text);

/* Writes ,"check":... for all files. cut: the list lacks some, or they changed. */
void ces_list_check_all(struct ces_list_check *check, struct ces_list_text *text, const char *cut);

#endif
