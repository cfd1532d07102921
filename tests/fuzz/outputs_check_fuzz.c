/* libFuzzer entry: takes any bytes for an output that is checked. The first byte chooses its name,
 * and the second the place where it is cut: a file gives the same findings in any pieces. */
/* links: helper/list/check.c helper/list/table.c helper/list/values.c helper/list/text.c helper/list/content.c */
/* parses: helper/list/check.c helper/list/table.c helper/list/values.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/list/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static const char rules[] =
    "{\"types\":[\"csv\",\"tsv\",\"text\"],\"max_file_size\":\"1K\",\"csv\":{\"max_rows\":3,"
    "\"max_columns\":4,\"forbidden_columns\":[\"*name*\",\"d?b\"],"
    "\"min_count\":{\"columns\":[\"n\",\"count*\"],\"at_least\":10,\"allow_zero\":true}},"
    "\"forbidden_values\":[\"nhs-number\",\"chi-number\",\"ni-number\",\"uk-postcode\","
    "\"e-mail-address\",\"date\"],\"forbidden_patterns\":[\"S###\",\"x?-#-x\"]}";

static void check_file(const char *name, const uint8_t *bytes, size_t length, size_t step,
		       struct ces_list_text *text)
{
	struct ces_list_answer answer = {0};
	struct ces_list_check check;

	if (ces_list_check_begin(&check, rules, &answer) != 0)
		abort();
	ces_list_check_file(&check, name);
	ces_list_check_size(&check, length);
	ces_list_check_first(
	    &check, bytes, length,
	    ces_list_content(bytes, length < CES_LIST_SAMPLE ? length : CES_LIST_SAMPLE));
	for (size_t at = 0; at < length; at += step)
		ces_list_check_bytes(&check, bytes + at, length - at < step ? length - at : step);
	ces_list_check_end(&check, text);
	ces_list_check_all(&check, text, NULL);
	if (text->full || answer.check == CES_LIST_UNASKED || check.n > CES_FINDINGS)
		abort();
	ces_check_free(&check.rules);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const char *const names[] = {"a.csv", "a.tsv", "a.txt", "a.png", "a"};
	struct ces_list_text whole = {0}, pieces = {0};
	const char *name;

	if (length < 2)
		return 0;
	name = names[bytes[0] % CES_COUNT(names)];
	check_file(name, bytes + 2, length - 2, length, &whole);
	check_file(name, bytes + 2, length - 2, (size_t)bytes[1] + 1, &pieces);
	if (whole.length != pieces.length || memcmp(whole.bytes, pieces.bytes, whole.length) != 0)
		abort();
	free(whole.bytes);
	free(pieces.bytes);
	return 0;
}
