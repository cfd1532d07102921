/* Takes any text for every kind of name and number. An accepted reference is written and read back
 * the same. A valid pattern without a star covers exactly itself. */
/* parses: common/name.c common/num.c common/reference.c */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/name.h"
#include "common/num.h"
#include "common/quantity.h"
#include "policy/pattern.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int good)
{
	if (!good)
		abort();
}

static void try_reference(const char *text)
{
	struct ces_reference reference, again;
	struct ces_error err = {0};
	char written[CES_REFERENCE_MAX], name[CES_REFERENCE_MAX];

	if (ces_reference_parse(text, &reference, &err) < 0) {
		must(err.text[0] != '\0');
		return;
	}
	ces_reference_format(&reference, written, sizeof(written));
	must(ces_reference_is(&reference, text));
	must(ces_reference_parse(written, &again, NULL) == 0);
	must(memcmp(&reference, &again, sizeof(again)) == 0);
	must(reference.tag[0] != '\0' || reference.digest[0] != '\0');
	must(strstr(reference.repository, "..") == NULL && strchr(written, '*') == NULL);
	(void)snprintf(name, sizeof(name), "%s/%s", reference.registry, reference.repository);
	must(ces_pattern_valid(name));
	must(ces_pattern_match(name, reference.registry, reference.repository));
	(void)snprintf(name, sizeof(name), "%s/**", reference.registry);
	must(ces_pattern_match(name, reference.registry, reference.repository));
}

static void try_pattern(const char *text)
{
	if (!ces_pattern_valid(text))
		return;
	must(!ces_pattern_match(text, "other.example", "a/b"));
	(void)ces_pattern_match(text, "ghcr.io", "epcc/tool");
	must(strchr(text, '/') != NULL);
}

static void try_numbers(const char *text)
{
	uint64_t value;
	time_t date;

	if (ces_num_parse(text, 3, 1000, &value) == 0)
		must(value >= 3 && value <= 1000);
	if (ces_num_parse_size(text, &value) == 0)
		must(value >= 1024 && value <= INT64_MAX);
	if (ces_num_parse_time(text, &value) == 0)
		must(value >= 1 && value <= 10ull * 366 * 86400);
	if (ces_num_parse_cpus(text, &value) == 0)
		must(value >= 1 && value <= 4096000);
	if (ces_num_parse_date(text, &date) == 0)
		must(date >= 86400 && date % 86400 == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text != NULL);
	memcpy(text, data, size);
	text[size] = '\0';
	try_reference(text);
	try_pattern(text);
	try_numbers(text);
	(void)ces_env_name_valid(text, size);
	(void)ces_container_path_valid(text);
	if (ces_project_valid(text))
		must(strchr(text, '/') == NULL && text[0] != '.' && text[0] != '-');
	must(!(ces_run_valid(text) && ces_run_name_valid(text)));
	ces_text_clean(text);
	for (const char *at = text; *at != '\0'; at++)
		must(*at >= 0x20 && *at <= 0x7e);
	free(text);
	return 0;
}
