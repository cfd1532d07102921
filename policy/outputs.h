/* A policy's settings for a run's outputs: where they are, how long their list may take, and the
 * checks that they should pass. The checks go to ces-list as one text, the JSON of `outputs.check`;
 * root's programs must not read it. */
#ifndef CES_POLICY_OUTPUTS_H
#define CES_POLICY_OUTPUTS_H

#include "policy/field.h"
#include "policy/policy.h"

#define CES_CHECK_LIST    64 /* words of one list */
#define CES_CHECK_WORD    64 /* bytes of one */
#define CES_CHECK_ROWS    UINT64_C(1000000000)
#define CES_CHECK_COLUMNS 65536u

/* The kinds of file that a check can allow, by name and content. */
enum ces_check_type {
	CES_TYPE_CSV,
	CES_TYPE_TSV,
	CES_TYPE_TEXT,
	CES_TYPE_JSON,
	CES_TYPE_HTML,
	CES_TYPE_SVG,
	CES_TYPE_PNG,
	CES_TYPE_JPEG,
	CES_TYPE_GIF,
	CES_TYPE_TIFF,
	CES_TYPE_PDF,
	CES_TYPES
};

/* Identifiers that a check can forbid. Each has a form of its own. */
enum ces_check_value {
	CES_VALUE_NHS,
	CES_VALUE_CHI,
	CES_VALUE_NI,
	CES_VALUE_POSTCODE,
	CES_VALUE_EMAIL,
	CES_VALUE_DATE,
	CES_VALUES
};

extern const char *const ces_check_types[CES_TYPES + 1];
extern const char *const ces_check_values[CES_VALUES + 1];

/* A check that was read. */
struct ces_check {
	struct ces_strings types;                    /* none: any */
	uint64_t max_files, max_size, max_file_size; /* 0: no bound but the list's own */
	uint64_t max_rows, max_columns;              /* of a table, likewise */
	struct ces_strings columns;                  /* forbidden: names, with * and ? */
	struct ces_strings values, patterns; /* forbidden: identifiers; # is a digit, ? a letter */
	struct ces_strings counts;           /* columns that state counts, with * and ? */
	uint64_t least;                      /* of such a count */
	bool zero;                           /* may be stated */
	unsigned on_fail;                    /* enum ces_on_fail */
	char *withhold; /* the directory for outputs that are withheld, or NULL */
	struct ces_field_block *memory;
};

enum ces_on_fail { CES_ON_FAIL_WARN, CES_ON_FAIL_WITHHOLD };

/* The keys of `outputs` and `scratch`, for policy/parse.c; onto struct ces_policy_settings. */
extern const struct ces_field ces_outputs_rows[], ces_scratch_rows[];

/* Refuses settings whose outputs would be deleted as scratch. project: as for ces_template_expand.
 */
int ces_outputs_apart(struct ces_fields *in, const struct ces_field_at *at, const char *project,
		      const struct ces_policy_settings *settings);

/* Reads the text of a check as a policy holds it. ces_check_free releases *ret. */
int ces_check_read(const char *text, struct ces_check *ret, struct ces_error *err);
void ces_check_free(struct ces_check *check);

#endif
