/* ces-policy evidence list and show. A record has only printable text by its form. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/evidence/command.h"
#include "policy/evidence/store.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

struct list {
	const struct ces_evidence_asked *asked;
	int dir;
	size_t images, records;
	bool shown_image, all;
	struct ces_error err;
};

static void print_counts(const struct ces_evidence *evidence)
{
	printf(",\"counts\":{");
	for (size_t i = 0; i < CES_EVIDENCE_SEVERITIES; i++)
		printf("%s\"%s\":{\"fixable\":%llu,\"other\":%llu}", i > 0 ? "," : "",
		       ces_evidence_severities[i], (unsigned long long)evidence->counts[i][1],
		       (unsigned long long)evidence->counts[i][0]);
	printf("}");
}

static void print_text(const char *key, const char *text)
{
	printf(",\"%s\":", key);
	ces_tool_json(stdout, text);
}

static void print_rows_json(const char *key, const char *const *words, size_t n,
			    const struct ces_evidence_rows *rows, bool judged)
{
	printf(",\"%s\":[", key);
	for (size_t i = 0; i < rows->n; i++) {
		for (size_t j = 0; j < n; j++) {
			printf("%s\"%s\":", j > 0 ? "," : i > 0 ? ",\n{" : "\n{", words[j]);
			ces_tool_json(stdout, rows->v[i].words[j]);
		}
		if (judged)
			printf(",\"severity\":\"%s\",\"status\":\"%s\"",
			       ces_evidence_severities[rows->v[i].severity],
			       ces_evidence_statuses[rows->v[i].status]);
		printf("}");
	}
	printf("]");
}

static void print_json(const struct list *list, const char *record,
		       const struct ces_evidence *evidence)
{
	printf("%s{\"digest\":\"%s\",\"record\":\"%s\",\"format\":\"%s\",\"digest_by\":\"%s\"",
	       list->records > 0 ? ",\n" : "[\n", evidence->digest, record,
	       ces_evidence_formats[evidence->format], evidence->by_caller ? "caller" : "report");
	print_text("report", evidence->report);
	print_text("predicate", evidence->predicate);
	print_text("tool", evidence->tool);
	print_text("image", evidence->image);
	print_text("made", evidence->made);
	print_text("database", evidence->database);
	printf(",\"secrets\":%llu", (unsigned long long)evidence->secrets);
	print_counts(evidence);
	if (list->all) {
		print_rows_json("packages", (const char *const[]){"name", "version"}, 2,
				&evidence->packages, false);
		print_rows_json(
		    "vulnerabilities",
		    (const char *const[]){"id", "package", "version", "fixed", "alias", "product"},
		    evidence->format == CES_EVIDENCE_OPENVEX ? CES_EVIDENCE_WORDS
							     : CES_SCANNER_WORDS,
		    &evidence->vulnerabilities, true);
	} else {
		printf(",\"packages\":%zu,\"vulnerabilities\":%zu", evidence->packages.n,
		       evidence->vulnerabilities.n);
	}
	printf("}");
}

static const char *or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

static void print_vulnerability(const struct ces_evidence_row *row)
{
	const char *product = row->words[CES_WORD_PRODUCT];

	printf("      %-10s  %-19s  %s%s%s  %s %s%s%s%s\n", ces_evidence_severities[row->severity],
	       row->status == CES_EVIDENCE_FOUND ? "-" : ces_evidence_statuses[row->status],
	       row->words[CES_WORD_ID], row->words[CES_WORD_ALIAS][0] != '\0' ? " = " : "",
	       row->words[CES_WORD_ALIAS], or_dash(row->words[CES_WORD_PACKAGE]),
	       or_dash(row->words[CES_WORD_INSTALLED]),
	       row->words[CES_WORD_FIXED][0] != '\0' ? ", fixed in " : "",
	       row->words[CES_WORD_FIXED],
	       strcmp(product, CES_PRODUCT_OTHER) == 0 ? ", not said of this image" : "");
}

static void print_all(const struct ces_evidence *evidence)
{
	printf("    image as the report names it: %s\n", or_dash(evidence->image));
	printf("    bytes of the report: %s\n", evidence->report);
	if (evidence->vulnerabilities.n > 0)
		printf("    vulnerabilities:\n");
	for (unsigned severity = 0; severity < CES_EVIDENCE_SEVERITIES; severity++)
		for (size_t i = 0; i < evidence->vulnerabilities.n; i++)
			if (evidence->vulnerabilities.v[i].severity == severity)
				print_vulnerability(&evidence->vulnerabilities.v[i]);
	if (evidence->packages.n > 0)
		printf("    packages:\n");
	for (size_t i = 0; i < evidence->packages.n; i++)
		printf("      %s %s\n", evidence->packages.v[i].words[CES_WORD_NAME],
		       or_dash(evidence->packages.v[i].words[CES_WORD_VERSION]));
}

static int each_record(void *context, const char *record, const struct ces_evidence *evidence)
{
	struct list *list = context;
	char text[1024];

	if (list->asked->json) {
		print_json(list, record, evidence);
	} else {
		if (!list->shown_image)
			printf("%s%s%s\n", evidence->digest, evidence->image[0] != '\0' ? " " : "",
			       evidence->image);
		ces_evidence_say(evidence, text, sizeof(text));
		printf("  %.19s %s\n", record, text);
		if (list->all)
			print_all(evidence);
	}
	list->shown_image = true;
	list->records++;
	return 0;
}

static int each_image(void *context, const char *digest)
{
	struct list *list = context;

	if (list->asked->digest != NULL && strcmp(list->asked->digest, digest) != 0)
		return 0;
	list->shown_image = false;
	list->images++;
	return ces_store_records(list->dir, digest, each_record, list, &list->err);
}

static int print_list(struct list *list)
{
	CES_CLEANUP_FD int dir = -1;

	if (ces_store_open(list->asked->directory, &dir, &list->err) != 0 ||
	    ces_input_drop(&list->err) != 0)
		return ces_tool_fail(&list->err);
	list->dir = dir;
	if (ces_store_images(dir, each_image, list, &list->err) != 0) {
		if (list->asked->json && list->records > 0)
			printf("\n]\n");
		return ces_tool_fail(&list->err);
	}
	if (list->asked->json)
		printf("%s", list->records > 0 ? "\n]\n" : "[]\n");
	if (list->records > 0)
		return CES_TOOL_GOOD;
	fprintf(stderr,
		"ces-policy: there is no evidence%s%s in %s; type ces-policy evidence add "
		"REPORT\n",
		list->asked->digest != NULL ? " of " : "",
		list->asked->digest != NULL ? list->asked->digest : "", list->asked->directory);
	return CES_TOOL_FINDING;
}

int ces_evidence_list(const struct ces_evidence_asked *asked)
{
	struct list list = {.asked = asked};

	return print_list(&list);
}

int ces_evidence_show(const struct ces_evidence_asked *asked)
{
	struct list list = {.asked = asked, .all = true};

	return print_list(&list);
}
