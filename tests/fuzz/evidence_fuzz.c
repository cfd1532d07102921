/* Takes any bytes for a report, and for a record. A report is refused with a line of text, or
 * becomes a record that is printable, within its limits, and the same when it is read and written
 * again. */
/* parses: policy/evidence/part.c policy/evidence/gather.c policy/evidence/read.c policy/evidence/record.c */
/* parses: policy/evidence/trivy.c policy/evidence/grype.c policy/evidence/sarif.c policy/evidence/spdx.c */
/* parses: policy/evidence/cyclonedx.c policy/evidence/openvex.c policy/evidence/statement.c */
/* links: policy/evidence/part.c policy/evidence/gather.c policy/evidence/read.c policy/evidence/record.c */
/* links: policy/evidence/trivy.c policy/evidence/grype.c policy/evidence/sarif.c policy/evidence/spdx.c */
/* links: policy/evidence/cyclonedx.c policy/evidence/openvex.c policy/evidence/statement.c */
/* links: policy/evidence/judge.c helper/unpack/json_scan.c policy/tool/say.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/evidence/evidence.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static void check_record(const struct ces_evidence *evidence)
{
	struct ces_evidence again;
	struct ces_error err = {0};
	char *record = NULL, text[1024];
	size_t length = 0;

	if (!ces_digest_valid(evidence->digest) || !ces_digest_valid(evidence->report) ||
	    evidence->packages.n > CES_EVIDENCE_ROWS_MAX ||
	    evidence->vulnerabilities.n > CES_EVIDENCE_ROWS_MAX)
		abort();
	ces_evidence_say(evidence, text, sizeof(text));
	for (const char *at = text; *at != '\0'; at++)
		if (*at < 0x20 || *at > 0x7e)
			abort();
	if (ces_evidence_write(evidence, &record, &length, &err) != 0)
		abort();
	for (size_t i = 0; i < length; i++)
		if (record[i] != '\n' && (record[i] < 0x20 || record[i] > 0x7e))
			abort();
	if (ces_evidence_load(record, length, &again, &err) != 0)
		abort();
	ces_evidence_free(&again);
	free(record);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static const char digest[] =
	    "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
	/* Uses a copy without a NUL after it, so that a sanitizer sees a read past the end. */
	char *text = malloc(length > 0 ? length : 1);
	struct ces_evidence evidence;

	if (text == NULL)
		return 0;
	memcpy(text, bytes, length);
	for (int i = 0; i < 2; i++) {
		struct ces_error err = {0};

		if (ces_evidence_read(text, length, i == 0 ? NULL : digest, &evidence, &err) == 0) {
			check_record(&evidence);
			ces_evidence_free(&evidence);
		} else if (err.text[0] == '\0') {
			abort();
		}
	}
	if (ces_evidence_load(text, length, &evidence, NULL) == 0)
		ces_evidence_free(&evidence);
	free(text);
	return 0;
}
