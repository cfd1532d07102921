/* The shape of a file of cases, as tables; see policy/parse.c. */
#include "policy/tool/cases.h"

#include <string.h>

#include "common/num.h"
#include "policy/demand.h"
#include "policy/demand_text.h"
#include "policy/template.h"
#include "policy/valid.h"

static bool words(const char *text)
{
	return strnlen(text, CES_REFERENCE_MAX) < CES_REFERENCE_MAX && ces_valid_prose(text);
}

static const struct ces_field_text as_words = {words, "one line of text"};
static const struct ces_field_text as_prose = {ces_valid_prose, "one line of text"};
static const struct ces_field_text as_account = {ces_valid_account, "the name of a user or group"};
static const struct ces_field_text as_path = {ces_valid_path, "an absolute path without \"..\""};
static const struct ces_field_range any_uid = {0, UINT32_MAX};
static const char *const answers[] = {"allow", "deny", NULL};
static const char *const verbs[] = {"run", "pull", NULL};
static const char *const accesses[] = {"read-only", "read-write", NULL};

#define CASE(member) offsetof(struct ces_case, member)

static bool finding_valid(const char *text)
{
	return ces_finding_of(text) < CES_FINDINGS;
}

static const struct ces_field_text as_finding = {
    finding_valid, "\"critical\", \"high\", \"medium\" or \"low\", or \"fixable high\" and so on"};
static const struct ces_field scan_rows[] = {
    {.key = "age",
     .read = ces_field_quantity,
     .offset = CASE(scan_age),
     .param = &ces_as_time,
     .required = true},
    {.key = "found", .read = ces_field_strings, .offset = CASE(found), .param = &as_finding},
    {.key = "excused", .read = ces_field_strings, .offset = CASE(excused), .param = &as_finding},
    CES_FIELD_END,
};

static int read_data(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = accesses};
	const struct ces_field_at word = {.place = at->place, .value = at->value, .row = &row};
	struct ces_case *one = ret;

	one->data_written = true;
	return ces_field_word(in, &word, &one->data);
}

static int read_directories(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	static const struct ces_field row = {.param = &as_words};
	const struct ces_field_at list = {.place = at->place, .value = at->value, .row = &row};
	struct ces_case *one = ret;

	one->directories_written = true;
	return ces_field_strings(in, &list, &one->directories);
}

static const struct ces_field case_rows[] = {
    {.key = "name",
     .read = ces_field_string,
     .offset = CASE(name),
     .param = &as_prose,
     .required = true},
    {.key = "user",
     .read = ces_field_string,
     .offset = CASE(user),
     .param = &as_account,
     .required = true},
    {.key = "uid", .read = ces_field_number, .offset = CASE(uid), .param = &any_uid},
    {.key = "home", .read = ces_field_string, .offset = CASE(home), .param = &as_path},
    {.key = "groups", .read = ces_field_strings, .offset = CASE(groups), .param = &as_account},
    {.key = "verb", .read = ces_field_word, .offset = CASE(verb), .param = verbs},
    {.key = "image",
     .read = ces_field_string,
     .offset = CASE(image),
     .param = &as_words,
     .required = true},
    {.key = "project", .read = ces_field_string, .offset = CASE(project), .param = &as_words},
    {.key = "gpu", .read = ces_field_string, .offset = CASE(gpu), .param = &as_words},
    {.key = "signed", .read = ces_field_strings, .offset = CASE(signers), .param = &as_words},
    {.key = "display", .read = ces_field_bool, .offset = CASE(display)},
    {.key = "publish", .read = ces_field_strings, .offset = CASE(publish), .param = &as_words},
    {.key = "binds", .read = ces_field_strings, .offset = CASE(binds), .param = &as_words},
    {.key = "cpus", .read = ces_field_quantity, .offset = CASE(cpus), .param = &ces_as_cpus},
    {.key = "memory", .read = ces_field_quantity, .offset = CASE(memory), .param = &ces_as_size},
    {.key = "time", .read = ces_field_quantity, .offset = CASE(time), .param = &ces_as_time},
    {.key = "shm", .read = ces_field_quantity, .offset = CASE(shm), .param = &ces_as_size},
    {.key = "on", .read = ces_field_date, .offset = CASE(on)},
    {.key = "home_data", .read = ces_field_bool, .offset = CASE(home_data)},
    {.key = "directories", .read = read_directories},
    {.key = "scan", .read = ces_field_object, .param = scan_rows},
    {.key = "sbom", .read = ces_field_bool, .offset = CASE(sbom)},
    {.key = "expect",
     .read = ces_field_word,
     .offset = CASE(expect),
     .param = answers,
     .required = true},
    {.key = "rule", .read = ces_field_string, .offset = CASE(rule), .param = &as_words},
    {.key = "expect_project",
     .read = ces_field_string,
     .offset = CASE(expect_project),
     .param = &as_words},
    {.key = "expect_data", .read = read_data},
    CES_FIELD_END,
};

/* A caller without a number is an ordinary user. */
static int read_case(struct ces_fields *in, const struct ces_field_at *at, void *ret)
{
	struct ces_case *one = ret;

	one->uid = 1000;
	return ces_field_object(in, at, one);
}

static const struct ces_field_each each_case = {
    .size = sizeof(struct ces_case),
    .row = {.read = read_case, .param = case_rows},
};

static const struct ces_field top_rows[] = {
    {.key = "ces_cases", .read = ces_field_version, .required = true},
    {.key = "on", .read = ces_field_date, .offset = offsetof(struct ces_cases, on)},
    {.key = "cases",
     .read = ces_field_list,
     .offset = offsetof(struct ces_cases, v),
     .param = &each_case,
     .required = true},
    CES_FIELD_END,
};

int ces_cases_parse(const char *bytes, size_t length, struct ces_cases *ret, struct ces_error *err)
{
	struct ces_cases cases = {0};

	if (ces_field_read(bytes, length, top_rows, &cases, &cases.memory, err) != 0)
		return -1;
	*ret = cases;
	return 0;
}
