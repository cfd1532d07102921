/* Writes and reads the record of a report. It must have only one form, so that its digest fixes its
 * content. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "helper/unpack/json_scan.h"
#include "policy/evidence/gather.h"
#include "policy/tool/tool.h"

static const char *const keys[CES_EVIDENCE_WORDS] = {"id",    "package", "version",
						     "fixed", "alias",   "product"};

static void put_text(FILE *out, const char *key, const char *text)
{
	fprintf(out, "\"%s\": ", key);
	ces_tool_json(out, text);
	fputs(",\n", out);
}

static void put_counts(FILE *out, const struct ces_evidence *evidence)
{
	fputs("\"counts\": {", out);
	for (size_t i = 0; i < CES_EVIDENCE_SEVERITIES; i++)
		fprintf(out, "%s\"%s\": {\"fixable\": %llu, \"other\": %llu}", i > 0 ? ", " : "",
			ces_evidence_severities[i], (unsigned long long)evidence->counts[i][1],
			(unsigned long long)evidence->counts[i][0]);
	fputs("},\n", out);
}

static void put_package(FILE *out, const struct ces_evidence_row *row)
{
	fputs("{\"name\": ", out);
	ces_tool_json(out, row->words[CES_WORD_NAME]);
	fputs(", \"version\": ", out);
	ces_tool_json(out, row->words[CES_WORD_VERSION]);
	fputc('}', out);
}

static void put_vulnerability(FILE *out, const struct ces_evidence_row *row)
{
	/* A row of a scanner has no product. */
	size_t n = row->words[CES_WORD_PRODUCT][0] != '\0' ? CES_EVIDENCE_WORDS : CES_SCANNER_WORDS;

	for (size_t i = 0; i < n; i++) {
		fprintf(out, "%s\"%s\": ", i == 0 ? "{" : ", ", keys[i]);
		ces_tool_json(out, row->words[i]);
	}
	fprintf(out, ", \"severity\": \"%s\", \"status\": \"%s\"}",
		ces_evidence_severities[row->severity], ces_evidence_statuses[row->status]);
}

static void put_rows(FILE *out, const char *key, const struct ces_evidence_rows *rows,
		     void (*put)(FILE *, const struct ces_evidence_row *))
{
	fprintf(out, "\"%s\": [", key);
	for (size_t i = 0; i < rows->n; i++) {
		fputs(i > 0 ? ",\n" : "\n", out);
		put(out, &rows->v[i]);
	}
	fputs(rows->n > 0 ? "\n]" : "]", out);
}

static void put_all(FILE *out, const struct ces_evidence *evidence)
{
	fprintf(out, "{\n\"ces_evidence\": %d,\n",
		evidence->format == CES_EVIDENCE_OPENVEX && !evidence->first_form ? 2 : 1);
	put_text(out, "digest", evidence->digest);
	put_text(out, "digest_by", evidence->by_caller ? "caller" : "report");
	put_text(out, "format", ces_evidence_formats[evidence->format]);
	put_text(out, "predicate", evidence->predicate);
	put_text(out, "report", evidence->report);
	put_text(out, "tool", evidence->tool);
	put_text(out, "image", evidence->image);
	put_text(out, "made", evidence->made);
	put_text(out, "database", evidence->database);
	fprintf(out, "\"secrets\": %llu,\n", (unsigned long long)evidence->secrets);
	put_counts(out, evidence);
	put_rows(out, "packages", &evidence->packages, put_package);
	fputs(",\n", out);
	put_rows(out, "vulnerabilities", &evidence->vulnerabilities, put_vulnerability);
	fputs("\n}\n", out);
}

int ces_evidence_write(const struct ces_evidence *evidence, char **ret, size_t *ret_length,
		       struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&bytes, &length);
	bool good;

	if (out == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	put_all(out, evidence);
	good = !ferror(out);
	if (fclose(out) != 0 || !good)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (length > CES_EVIDENCE_BYTES)
		return ces_error_set(err, CES_E_LIMIT, "its record has more than %u MiB",
				     CES_EVIDENCE_BYTES >> 20);
	*ret = ces_steal_pointer(&bytes);
	*ret_length = length;
	return 0;
}

static unsigned word_of(struct ces_part part, const char *const *words, unsigned n)
{
	unsigned i = 0;

	while (i < n && !ces_part_is(part, words[i]))
		i++;
	return i;
}

static int read_vulnerability(struct ces_evidence *evidence, struct ces_part one)
{
	char words[CES_EVIDENCE_WORDS][CES_GATHER_TEXT];
	unsigned severity = word_of(ces_part_member(one, "severity"), ces_evidence_severities,
				    CES_EVIDENCE_SEVERITIES);
	unsigned status =
	    word_of(ces_part_member(one, "status"), ces_evidence_statuses, CES_EVIDENCE_STATUSES);

	if (severity == CES_EVIDENCE_SEVERITIES || status == CES_EVIDENCE_STATUSES)
		return -1;
	for (size_t i = 0; i < CES_EVIDENCE_WORDS; i++)
		(void)ces_part_text(ces_part_member(one, keys[i]), words[i], sizeof(words[i]));
	ces_gather_row(
	    evidence, &evidence->vulnerabilities,
	    (const char *const[]){words[0], words[1], words[2], words[3], words[4], words[5]},
	    CES_EVIDENCE_WORDS, (enum ces_evidence_severity)severity,
	    (enum ces_evidence_status)status);
	return 0;
}

/* The texts at the top. */
static void read_head(struct ces_evidence *evidence, struct ces_part document)
{
	const struct {
		const char *key;
		char *text;
		size_t size;
	} texts[] = {
	    {"digest", evidence->digest, sizeof(evidence->digest)},
	    {"report", evidence->report, sizeof(evidence->report)},
	    {"predicate", evidence->predicate, sizeof(evidence->predicate)},
	    {"tool", evidence->tool, sizeof(evidence->tool)},
	    {"image", evidence->image, sizeof(evidence->image)},
	    {"made", evidence->made, sizeof(evidence->made)},
	    {"database", evidence->database, sizeof(evidence->database)},
	};

	for (size_t i = 0; i < CES_COUNT(texts); i++)
		(void)ces_part_text(ces_part_member(document, texts[i].key), texts[i].text,
				    texts[i].size);
	evidence->by_caller = ces_part_is(ces_part_member(document, "digest_by"), "caller");
	evidence->secrets = ces_part_number(ces_part_member(document, "secrets"));
}

int ces_read_record(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part packages = ces_part_member(document, "packages"), at = {NULL, NULL};
	struct ces_part found = ces_part_member(document, "vulnerabilities");
	unsigned format =
	    word_of(ces_part_member(document, "format"), ces_evidence_formats, CES_EVIDENCE_RECORD);

	read_head(evidence, document);
	if (format == CES_EVIDENCE_RECORD || !ces_digest_valid(evidence->digest))
		return ces_error_set(err, CES_E_IMAGE, "it is not a record of evidence");
	evidence->format = (enum ces_evidence_format)format;
	evidence->first_form = ces_part_number(ces_part_member(document, "ces_evidence")) == 1;
	while (ces_part_next(packages, &at))
		ces_gather_package(evidence, ces_part_member(at, "name"),
				   ces_part_member(at, "version"));
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(found, &at))
		if (read_vulnerability(evidence, at) != 0)
			return ces_error_set(err, CES_E_IMAGE, "it is not a record of evidence");
	/* ces-policy writes it sorted. Sorting may need calls that ces-parse does not have. */
	if (!ces_gather_sorted(&evidence->packages) ||
	    !ces_gather_sorted(&evidence->vulnerabilities))
		return ces_error_set(err, CES_E_IMAGE, "it is not as ces-policy wrote it");
	ces_gather_count(evidence);
	return 0;
}

/* Returns whether writing it again gives the same text. */
static int compare(const struct ces_evidence *evidence, const char *bytes, size_t length,
		   struct ces_error *err)
{
	CES_CLEANUP_FREE char *again = NULL;
	size_t again_length = 0;

	if (ces_evidence_write(evidence, &again, &again_length, err) != 0)
		return -1;
	if (again_length != length || memcmp(again, bytes, length) != 0)
		return ces_error_set(err, CES_E_IMAGE, "it is not as ces-policy wrote it");
	return 0;
}

int ces_evidence_load(const char *bytes, size_t length, struct ces_evidence *ret,
		      struct ces_error *err)
{
	const char *fault = ces_json_scan(bytes, length);

	*ret = (struct ces_evidence){.format = CES_EVIDENCE_FORMATS};
	if (fault != NULL)
		return ces_error_set(err, CES_E_IMAGE, "it %s", fault);
	if (ces_read_record(ret, ces_part_of(bytes, length), err) != 0 ||
	    compare(ret, bytes, length, err) != 0) {
		ces_evidence_free(ret);
		return -1;
	}
	return 0;
}

/* "critical 1 (1 fixable), high 3". */
static void say_counts(const struct ces_evidence *evidence, FILE *out)
{
	bool any = false;

	for (size_t i = 0; i < CES_EVIDENCE_SEVERITIES; i++) {
		uint64_t fixable = evidence->counts[i][1], all = fixable + evidence->counts[i][0];

		if (all == 0)
			continue;
		fprintf(out, "%s%s %llu", any ? ", " : "", ces_evidence_severities[i],
			(unsigned long long)all);
		if (fixable > 0)
			fprintf(out, " (%llu fixable)", (unsigned long long)fixable);
		any = true;
	}
	fputs(any ? "; " : "no vulnerability; ", out);
}

void ces_evidence_say(const struct ces_evidence *evidence, char *buffer, size_t size)
{
	FILE *out = fmemopen(buffer, size, "w");

	buffer[0] = '\0';
	if (out == NULL)
		return;
	fprintf(out, "%s%s%s", ces_evidence_formats[evidence->format],
		evidence->tool[0] != '\0' ? " by " : "", evidence->tool);
	fprintf(out, ", %.10s", evidence->made[0] != '\0' ? evidence->made : "no date");
	if (evidence->database[0] != '\0')
		fprintf(out, ", database of %.10s", evidence->database);
	fputs(": ", out);
	if (ces_evidence_counts(evidence))
		say_counts(evidence, out);
	else if (evidence->vulnerabilities.n > 0)
		fprintf(out, "%zu statements; ", evidence->vulnerabilities.n);
	fprintf(out, "%zu package%s", evidence->packages.n, evidence->packages.n == 1 ? "" : "s");
	if (evidence->secrets > 0)
		fprintf(out, "; secrets found: %llu", (unsigned long long)evidence->secrets);
	if (evidence->predicate[0] != '\0')
		fprintf(out, "; attestation %s, signature not checked", evidence->predicate);
	if (evidence->by_caller)
		fputs("; the image is named by --digest alone", out);
	(void)fclose(out);
	buffer[size - 1] = '\0';
	ces_text_clean(buffer);
}
