/* Takes any bytes for the evidence that ces-admit hands to ces-parse. It is refused with a line of
 * text, or becomes values within their bounds. Half of the inputs are records, each under its own
 * digest, to reach the code after the comparison of digests. */
/* parses: helper/parse/evidence.c policy/evidence/judge.c policy/evidence/record.c policy/evidence/part.c */
/* links: helper/parse/evidence.c policy/evidence/judge.c policy/evidence/record.c policy/evidence/part.c */
/* links: policy/evidence/gather.c helper/unpack/json_scan.c policy/tool/say.c */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "helper/parse/evidence.h"
#include "policy/demand.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* The bytes up to each NUL become a file. The first byte of a file gives its kind. */
static char *make(const uint8_t *bytes, size_t length, size_t *ret_length)
{
	struct ces_parse_evidence head = {
	    .digest = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"};
	char digest[CES_DIGEST_LENGTH + 1];
	char *made = NULL;
	FILE *out = open_memstream(&made, ret_length);

	if (out == NULL)
		return NULL;
	fwrite(&head, sizeof(head), 1, out);
	while (length > 1) {
		struct ces_parse_file file = {.length =
						  strnlen((const char *)bytes + 1, length - 1)};
		int set = *bytes == 'a';

		ces_digest_of(bytes + 1, file.length, digest);
		snprintf(file.name, sizeof(file.name), "%s-%s.json", set ? "approved" : "report",
			 digest + 7);
		if (set)
			memcpy(head.approved_by, digest, sizeof(head.approved_by));
		fwrite(&file, sizeof(file), 1, out);
		fwrite(bytes + 1, 1, file.length, out);
		bytes += file.length + 1;
		length -= file.length + 1;
		if (length > 0) {
			bytes++;
			length--;
		}
	}
	fclose(out);
	memcpy(made, &head, sizeof(head));
	return made;
}

static void check(const char *bytes, size_t length)
{
	struct ces_error err = {0};
	uint8_t *block = NULL;
	size_t got = 0;

	if (ces_parse_evidence(bytes, length, &block, &got, &err) != 0) {
		if (err.text[0] == '\0')
			abort();
		return;
	}
	const struct ces_evidence_facts *facts = (const void *)block;

	if (got != sizeof(*facts) || facts->n_scans > CES_SCANS_MAX ||
	    (facts->sbom[0] != '\0' && !ces_digest_valid(facts->sbom)))
		abort();
	for (size_t i = 0; i < facts->n_scans; i++) {
		if (facts->scans[i].made <= 0 || !ces_digest_valid(facts->scans[i].record))
			abort();
		for (size_t j = 0; j < CES_FINDINGS; j++)
			if (facts->scans[i].excused[j] > facts->scans[i].found[j])
				abort();
	}
	free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	/* Uses a copy without a NUL after it, so that a sanitizer sees a read past the end. */
	char *text = malloc(length > 0 ? length : 1), *made;
	size_t made_length = 0;

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	check(text, length);
	free(text);
	made = make(bytes, length, &made_length);
	if (made != NULL) {
		text = malloc(made_length);
		if (text != NULL) {
			memcpy(text, made, made_length);
			check(text, made_length);
		}
		free(text);
	}
	free(made);
	return 0;
}
