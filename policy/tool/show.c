/* ces-policy audit show: prints for people everything that the journal has about one run. */
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/num.h"
#include "policy/tool/audit.h"
#include "policy/tool/tool.h"

struct show {
	FILE *out;
	bool json;
	unsigned n;
};

static const char *text_of(struct json_object *object, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(object, key, &value) && value != NULL
		   ? json_object_get_string(value)
		   : "-";
}

static void print_field(FILE *out, const char *label, const struct ces_record *record,
			enum ces_record_key key)
{
	char text[1024];

	if (record->field[key].at != NULL)
		fprintf(out, "  %-10s %s\n", label,
			ces_record_text(record, key, text, sizeof(text)));
}

static void print_mounts(FILE *out, struct json_object *mounts)
{
	size_t n =
	    json_object_is_type(mounts, json_type_array) ? json_object_array_length(mounts) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);

		if (json_object_is_type(mount, json_type_object))
			fprintf(out, "  %-10s %s at %s, %s\n", i == 0 ? "files" : "",
				text_of(mount, "source"), text_of(mount, "destination"),
				text_of(mount, "access"));
	}
}

static uint64_t limit_of(struct json_object *limits, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(limits, key, &value) ? json_object_get_uint64(value) : 0;
}

static void print_limits(FILE *out, struct json_object *limits)
{
	char memory[32], time[32];

	if (!json_object_is_type(limits, json_type_object))
		return;
	ces_num_format_size(limit_of(limits, "memory"), memory, sizeof(memory));
	ces_num_format_time(limit_of(limits, "time"), time, sizeof(time));
	fprintf(out, "  %-10s %g cpus, %s memory, %s, %llu processes\n", "limits",
		(double)limit_of(limits, "cpus_milli") / 1000, memory, time,
		(unsigned long long)limit_of(limits, "pids"));
}

static void print_signers(FILE *out, struct json_object *signers)
{
	size_t n =
	    json_object_is_type(signers, json_type_array) ? json_object_array_length(signers) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(signers, i);

		if (json_object_is_type(one, json_type_object))
			fprintf(out, "  %-10s %s (%s), of %s\n", i == 0 ? "signed by" : "",
				text_of(one, "name"), text_of(one, "key"), text_of(one, "digest"));
	}
}

static bool is_empty_list(struct json_object *value)
{
	return json_object_is_type(value, json_type_array) && json_object_array_length(value) == 0;
}

/* Shows unknown keys of newer helpers as they are. */
static void print_rest(FILE *out, struct json_object *tree)
{
	json_object_object_foreach(tree, key, value)
	{
		unsigned k = 0;

		while (k < CES_RECORD_KEYS && strcmp(ces_record_name(k), key) != 0)
			k++;
		if (strcmp(key, "mounts") == 0)
			print_mounts(out, value);
		else if (strcmp(key, "limits") == 0)
			print_limits(out, value);
		else if (strcmp(key, "signed_by") == 0)
			print_signers(out, value);
		else if (k == CES_RECORD_KEYS && !is_empty_list(value))
			fprintf(out, "  %-10s %s\n", key,
				json_object_to_json_string_ext(value,
							       JSON_C_TO_STRING_PLAIN |
								   JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

static void print_decision(FILE *out, const struct ces_audit_row *row)
{
	const struct ces_record *record = row->record;

	print_field(out, "user", record, CES_RECORD_USER);
	print_field(out, "uid", record, CES_RECORD_UID);
	print_field(out, "project", record, CES_RECORD_PROJECT);
	print_field(out, "image", record, CES_RECORD_IMAGE);
	print_field(out, "digest", record, CES_RECORD_DIGEST);
	print_field(out, "rule", record, CES_RECORD_RULE);
	print_field(out, "approval", record, CES_RECORD_APPROVAL);
	print_field(out, "policy", record, CES_RECORD_POLICY);
	print_field(out, "reason", record, CES_RECORD_REASON);
	print_field(out, "gpus", record, CES_RECORD_GPUS);
	print_field(out, "ports", record, CES_RECORD_PORTS);
	print_field(out, "count", record, CES_RECORD_COUNT);
}

static void print_end(FILE *out, const struct ces_record *record)
{
	char memory[32];

	print_field(out, "status", record, CES_RECORD_STATUS);
	print_field(out, "reason", record, CES_RECORD_REASON);
	if (record->field[CES_RECORD_PEAK_MEMORY].at != NULL) {
		ces_num_format_size(ces_record_number(record, CES_RECORD_PEAK_MEMORY), memory,
				    sizeof(memory));
		fprintf(out, "  %-10s %s at most\n", "memory", memory);
	}
	if (record->field[CES_RECORD_CPU_US].at != NULL)
		fprintf(out, "  %-10s %.3f s\n", "cpu time",
			(double)ces_record_number(record, CES_RECORD_CPU_US) / 1e6);
	if (record->field[CES_RECORD_FILES].at != NULL)
		fprintf(out, "  %-10s %llu files\n", "outputs",
			(unsigned long long)ces_record_number(record, CES_RECORD_FILES));
	print_field(out, "list", record, CES_RECORD_OUTPUTS);
	print_field(out, "manifest", record, CES_RECORD_MANIFEST);
	print_field(out, "check", record, CES_RECORD_CHECK);
	print_field(out, "findings", record, CES_RECORD_FINDINGS);
	print_field(out, "withheld", record, CES_RECORD_WITHHELD);
}

/* The writer needs only \" and \\; no other escape gives a printable character. */
static void drop_escapes(char *json)
{
	char *to = json;

	for (const char *at = json; *at != '\0'; at++) {
		bool escape = *at == '\\';

		if (escape && strchr("\"\\/", at[1]) == NULL) {
			at += at[1] == 'u' ? 5 : 1;
			*to++ = '?';
			continue;
		}
		*to++ = *at;
		if (escape)
			*to++ = *++at;
	}
	*to = '\0';
}

static void print_parsed(FILE *out, const struct ces_line *line, bool proof)
{
	char *copy = strndup(line->at, line->length);
	struct json_object *tree = NULL;

	if (copy != NULL) {
		drop_escapes(copy);
		tree = json_tokener_parse(copy);
	}
	if (proof && tree != NULL)
		ces_show_proof(out, tree);
	else if (json_object_is_type(tree, json_type_object))
		print_rest(out, tree);
	json_object_put(tree);
	free(copy);
}

static void print_record(FILE *out, const struct ces_audit_row *row)
{
	char when[40], verb[16], outcome[64];
	const struct ces_record *record = row->record;
	bool end = ces_record_is(record, CES_RECORD_EVENT, "end");

	fprintf(out, "%s%s  %s%s %s%s  (record %llu, %s line %zu)\n", ces_colour(out, CES_BOLD),
		ces_record_text(record, CES_RECORD_TIME, when, sizeof(when)),
		ces_record_text(record, CES_RECORD_VERB, verb, sizeof(verb)), end ? " ended:" : "",
		ces_audit_outcome(record, outcome, sizeof(outcome)), ces_colour(out, CES_PLAIN),
		(unsigned long long)ces_record_number(record, CES_RECORD_SEQ), row->line->file,
		row->line->number);
	if (end)
		print_end(out, record);
	else
		print_decision(out, row);
	print_parsed(out, row->line, ces_record_is(record, CES_RECORD_EVENT, "proof"));
}

static int each(void *context, const struct ces_audit_row *row)
{
	struct show *show = context;

	if (show->json) {
		fputs(show->n == 0 ? "[\n" : ",\n", show->out);
		fwrite(row->line->at, 1, row->line->length, show->out);
	} else {
		print_record(show->out, row);
	}
	show->n++;
	return ferror(show->out) ? -1 : 0;
}

int ces_audit_show(const struct ces_audit *audit)
{
	struct show show = {.out = audit->out, .json = audit->json};
	struct ces_error err = {0};

	if (ces_audit_select(audit->reader, &audit->filter, each, &show, &err) != 0)
		return ces_tool_fail(&err);
	if (audit->json)
		fputs(show.n == 0 ? "[]\n" : "\n]\n", show.out);
	if (show.n > 0)
		return CES_TOOL_GOOD;
	fprintf(stderr, "ces-policy: the journal has no run %s\n", audit->filter.run);
	return CES_TOOL_FINDING;
}
