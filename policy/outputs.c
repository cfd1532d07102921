/* Reads a policy's settings for outputs and scratch. It must take a check only as a whole: a
 * half-understood check would pass what its author wanted to stop. */
#include "policy/outputs.h"

#include <assert.h>
#include <string.h>

#include "common/quantity.h"
#include "policy/template.h"
#include "policy/valid.h"

const char *const ces_check_types[CES_TYPES + 1] = {
    [CES_TYPE_CSV] = "csv",   [CES_TYPE_TSV] = "tsv",   [CES_TYPE_TEXT] = "text",
    [CES_TYPE_JSON] = "json", [CES_TYPE_HTML] = "html", [CES_TYPE_SVG] = "svg",
    [CES_TYPE_PNG] = "png",   [CES_TYPE_JPEG] = "jpeg", [CES_TYPE_GIF] = "gif",
    [CES_TYPE_TIFF] = "tiff", [CES_TYPE_PDF] = "pdf"};
const char *const ces_check_values[CES_VALUES + 1] = {
    [CES_VALUE_NHS] = "nhs-number",       [CES_VALUE_CHI] = "chi-number",
    [CES_VALUE_NI] = "ni-number",         [CES_VALUE_POSTCODE] = "uk-postcode",
    [CES_VALUE_EMAIL] = "e-mail-address", [CES_VALUE_DATE] = "date"};

static bool is_one_of(const char *const *words, const char *text)
{
	while (*words != NULL && strcmp(*words, text) != 0)
		words++;
	return *words != NULL;
}

static bool type_valid(const char *text)
{
	return is_one_of(ces_check_types, text);
}

static bool value_valid(const char *text)
{
	return is_one_of(ces_check_values, text);
}

static bool column_valid(const char *text)
{
	return strnlen(text, CES_CHECK_WORD + 1) <= CES_CHECK_WORD && ces_valid_prose(text);
}

/* Begins and ends with a letter, a digit, # or ?. There one can see that it is not part of a longer
 * word. */
static bool pattern_valid(const char *text)
{
	static const char ends[] =
	    "#?ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	size_t length = strnlen(text, CES_CHECK_WORD + 1);

	return length >= 3 && length <= CES_CHECK_WORD && ces_valid_short(text) &&
	       strchr(ends, text[0]) != NULL && strchr(ends, text[length - 1]) != NULL;
}

/* CES makes the last part of the path only, and fills in {run} once. */
static bool run_template_valid(const char *text)
{
	const char *run = strstr(text, "{run}");

	return ces_template_run_valid(text) &&
	       (run == NULL || (strchr(run, '/') == NULL && strstr(run + 1, "{run}") == NULL));
}

static const struct ces_field_text as_type = {
    type_valid, "one of csv, tsv, text, json, html, svg, png, jpeg, gif, tiff, pdf"};
static const struct ces_field_text as_value = {
    value_valid, "one of nhs-number, chi-number, ni-number, uk-postcode, e-mail-address, date"};
static const struct ces_field_text as_column = {
    column_valid, "a column's name of up to 64 bytes; * and ? are any characters"};
static const struct ces_field_text as_pattern = {
    pattern_valid, "3 to 64 plain characters, a letter or digit at both ends; # is any "
		   "digit, ? any letter"};
static const struct ces_field_text as_path = {ces_valid_path, "an absolute path without \"..\""};
static const struct ces_field_text as_run_template = {
    run_template_valid, "an absolute or ~ path; {project} and {user} are filled in, and {run}, "
			"once and in the last part"};
static const struct ces_field_measure as_size = {ces_num_parse_size, (uint64_t)1 << 60,
						 "a size like \"10M\""};
static const struct ces_field_measure as_listed = {ces_num_parse_size, CES_MANIFEST_SIZE,
						   "a size like \"64G\", which is the most"};
static const struct ces_field_measure as_list_time = {ces_num_parse_time, CES_MANIFEST_SECONDS,
						      "a time like \"20s\", which is the most"};
static const struct ces_field_range to_files = {1, CES_MANIFEST_FILES};
static const struct ces_field_range to_rows = {1, CES_CHECK_ROWS};
static const struct ces_field_range to_columns = {1, CES_CHECK_COLUMNS};
static const struct ces_field_range to_count = {1, 1000000};
static const char *const on_fail_words[] = {"warn", "withhold", NULL};

#define ROW(k, r, o, p, ...)                                                                       \
	{                                                                                          \
		.key = (k), .read = (r), .offset = (o), .param = (p), ##__VA_ARGS__                \
	}
#define CHECK(member)   offsetof(struct ces_check, member)
#define SETTING(member) offsetof(struct ces_policy_settings, member)

/* An empty list would mean nothing, although its author may have meant "none". */
static int read_list(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	const struct ces_strings *list = ret;

	if (ces_field_strings(in, at, ret) != 0)
		return -1;
	if (list->n == 0 || list->n > CES_CHECK_LIST)
		return ces_field_fault(in, at, "must have 1 to %d entries", CES_CHECK_LIST);
	return 0;
}

static const struct ces_field count_rows[] = {
    ROW("columns", read_list, CHECK(counts), &as_column, .required = true),
    ROW("at_least", ces_field_number, CHECK(least), &to_count, .required = true),
    ROW("allow_zero", ces_field_bool, CHECK(zero), NULL),
    CES_FIELD_END,
};
static const struct ces_field csv_rows[] = {
    ROW("max_rows", ces_field_number, CHECK(max_rows), &to_rows),
    ROW("max_columns", ces_field_number, CHECK(max_columns), &to_columns),
    ROW("forbidden_columns", read_list, CHECK(columns), &as_column),
    ROW("min_count", ces_field_object, 0, count_rows),
    CES_FIELD_END,
};
static const struct ces_field check_rows[] = {
    ROW("types", read_list, CHECK(types), &as_type),
    ROW("max_files", ces_field_number, CHECK(max_files), &to_files),
    ROW("max_size", ces_field_quantity, CHECK(max_size), &as_size),
    ROW("max_file_size", ces_field_quantity, CHECK(max_file_size), &as_size),
    ROW("csv", ces_field_object, 0, csv_rows),
    ROW("forbidden_values", read_list, CHECK(values), &as_value),
    ROW("forbidden_patterns", read_list, CHECK(patterns), &as_pattern),
    ROW("on_fail", ces_field_word, CHECK(on_fail), on_fail_words),
    ROW("withhold", ces_field_string, CHECK(withhold), &as_path),
    CES_FIELD_END,
};

/* "none" cancels the defaults. A project's check replaces that of the defaults as a whole: half of
 * each would be a check that nobody wrote. */
static int read_check(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = check_rows};
	const struct ces_field_at object = {.place = at->place, .value = at->value, .row = &row};
	struct ces_policy_settings *settings = ret;
	struct ces_check check = {0};
	const char *text;

	settings->check = settings->withhold = NULL;
	if (json_object_is_type(at->value, json_type_string) &&
	    strcmp(json_object_get_string(at->value), "none") == 0)
		return 0;
	if (ces_field_object(in, &object, &check) != 0)
		return -1;
	if ((check.withhold != NULL) != (check.on_fail == CES_ON_FAIL_WITHHOLD))
		return ces_field_fault(in, at,
				       "must have both \"on_fail\": \"withhold\" and \"withhold\", "
				       "the directory, or neither");
	text = json_object_to_json_string_ext(at->value, JSON_C_TO_STRING_PLAIN |
							     JSON_C_TO_STRING_NOSLASHESCAPE);
	if (text == NULL || strnlen(text, CES_CHECK_TEXT) >= CES_CHECK_TEXT)
		return ces_field_fault(in, at, "must be shorter than %d bytes", CES_CHECK_TEXT);
	settings->check = ces_field_copy(in, text);
	settings->withhold = check.withhold;
	return settings->check == NULL ? -1 : 0;
}

static const struct ces_field manifest_rows[] = {
    ROW("max_time", ces_field_quantity, SETTING(manifest.time), &as_list_time),
    ROW("max_size", ces_field_quantity, SETTING(manifest.size), &as_listed),
    ROW("max_files", ces_field_number, SETTING(manifest.files), &to_files),
    CES_FIELD_END,
};
const struct ces_field ces_outputs_rows[] = {
    ROW("source", ces_field_string, SETTING(outputs_source), &as_run_template),
    ROW("manifest", ces_field_object, 0, manifest_rows),
    ROW("check", read_check, 0, NULL, .own = CES_OWN_CHECK),
    CES_FIELD_END,
};
const struct ces_field ces_scratch_rows[] = {
    ROW("source", ces_field_string, SETTING(scratch_source), &as_run_template),
    CES_FIELD_END,
};

int ces_check_read(const char *text, struct ces_check *ret, struct ces_error *err)
{
	struct ces_check check = {0};

	if (ces_field_read(text, strlen(text), check_rows, &check, &check.memory, err) != 0)
		return -1;
	*ret = check;
	return 0;
}

void ces_check_free(struct ces_check *check)
{
	ces_field_free(check->memory);
	*check = (struct ces_check){0};
}

int ces_outputs_apart(struct ces_fields *in, const struct ces_field_at *at, const char *project,
		      const struct ces_policy_settings *settings)
{
	char outputs[CES_PATH_TEXT], scratch[CES_PATH_TEXT];

	/* (no path of a policy has these as home and user) */
	if (!ces_template_has_run(settings->scratch_source) ||
	    ces_template_expand(settings->scratch_source, project, "{user}", "/~", scratch) != 0 ||
	    ces_template_expand(settings->outputs_source, project, "{user}", "/~", outputs) != 0 ||
	    strcmp(outputs, scratch) != 0)
		return 0;
	return ces_field_fault(in, at,
			       "has one directory as outputs and scratch: CES would delete the "
			       "outputs when the run ends");
}
