/* Finds which format a report has, and which image it is about. It must not guess: it refuses a
 * document of two formats, and one about an unnamed image. */
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "helper/unpack/json_scan.h"
#include "policy/evidence/gather.h"

static bool has(struct ces_part document, const char *key)
{
	return ces_part_member(document, key).at != NULL;
}

ces_evidence_reader *ces_gather_recognise(struct ces_part document, size_t *ret_known)
{
	const struct {
		bool is;
		ces_evidence_reader *reader;
	} formats[] = {
	    {has(document, "SchemaVersion") && has(document, "ArtifactType"), ces_read_trivy},
	    {has(document, "matches") && has(document, "descriptor"), ces_read_grype},
	    {has(document, "runs") && has(document, "version"), ces_read_sarif},
	    {has(document, "spdxVersion"), ces_read_spdx},
	    {ces_part_is(ces_part_member(document, "bomFormat"), "CycloneDX"), ces_read_cyclonedx},
	    {ces_part_begins(ces_part_member(document, "@context"), "https://openvex.dev/ns"),
	     ces_read_openvex},
	    {ces_part_begins(ces_part_member(document, "_type"), "https://in-toto.io/Statement/"),
	     ces_read_statement},
	    {has(document, "payloadType") && has(document, "payload"), ces_read_envelope},
	    {has(document, "dsseEnvelope"), ces_read_bundle},
	    {has(document, "ces_evidence"), ces_read_record},
	};
	ces_evidence_reader *found = NULL;

	*ret_known = 0;
	for (size_t i = 0; i < CES_COUNT(formats); i++) {
		if (!formats[i].is)
			continue;
		found = formats[i].reader;
		(*ret_known)++;
	}
	return *ret_known == 1 ? found : NULL;
}

/* Formats with a place for an image's digest in a registry, which their tools fill in. */
static bool names_images(enum ces_evidence_format format)
{
	return format == CES_EVIDENCE_TRIVY || format == CES_EVIDENCE_GRYPE ||
	       format == CES_EVIDENCE_STATEMENT;
}

static bool named(const struct ces_evidence *evidence, const char *digest)
{
	for (size_t i = 0; i < evidence->n_named; i++)
		if (strcmp(evidence->named[i], digest) == 0)
			return true;
	return false;
}

static int choose_image(struct ces_evidence *evidence, const char *digest, struct ces_error *err)
{
	if (evidence->n_named == 0 &&
	    (names_images(evidence->format) || evidence->predicate[0] != '\0'))
		return ces_error_set(err, CES_E_IMAGE,
				     "it does not name its image by a registry's digest: scan "
				     "NAME@sha256:..., not a tag, an archive or a local image");
	if (evidence->n_named == 0 && digest == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "it does not name its image: type --digest sha256:...");
	if (evidence->n_named > 1 && digest == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "it names %zu digests, such as %s: type --digest sha256:...",
				     evidence->n_named, evidence->named[0]);
	if (evidence->n_named > 0 && digest != NULL && !named(evidence, digest))
		return ces_error_set(err, CES_E_IMAGE, "it is about %s, and not about %s",
				     evidence->named[0], digest);
	evidence->by_caller = evidence->n_named == 0;
	snprintf(evidence->digest, sizeof(evidence->digest), "%s",
		 digest != NULL ? digest : evidence->named[0]);
	return 0;
}

static int check_limits(const struct ces_evidence *evidence, struct ces_error *err)
{
	if (evidence->no_memory)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (evidence->named_too_many)
		return ces_error_set(err, CES_E_LIMIT, "it names more than %d images",
				     CES_EVIDENCE_NAMED);
	if (evidence->rows_too_many)
		return ces_error_set(err, CES_E_LIMIT,
				     "it has more than %d packages or vulnerabilities",
				     CES_EVIDENCE_ROWS_MAX);
	return 0;
}

static int read_document(const char *bytes, size_t length, const char *digest,
			 struct ces_evidence *evidence, struct ces_error *err)
{
	const char *fault = ces_json_scan(bytes, length);
	struct ces_part document;
	ces_evidence_reader *reader;
	size_t known = 0;

	if (fault != NULL)
		return ces_error_set(err, CES_E_IMAGE, "it %s", fault);
	document = ces_part_of(bytes, length);
	reader = ces_gather_recognise(document, &known);
	if (known > 1)
		return ces_error_set(err, CES_E_IMAGE, "it is of two formats at once");
	if (reader == NULL)
		return ces_error_set(err, CES_E_IMAGE,
				     "it is not a report in a known format: Trivy, Grype, SARIF, "
				     "SPDX, CycloneDX, OpenVEX or in-toto, as JSON");
	if (reader == ces_read_record)
		return ces_error_set(err, CES_E_IMAGE, "it is a record of ces-policy itself");
	if (digest != NULL)
		snprintf(evidence->digest, sizeof(evidence->digest), "%s", digest);
	if (reader(evidence, document, err) != 0 || check_limits(evidence, err) != 0)
		return -1;
	return choose_image(evidence, digest, err);
}

int ces_evidence_read(const char *bytes, size_t length, const char *digest,
		      struct ces_evidence *ret, struct ces_error *err)
{
	*ret = (struct ces_evidence){.format = CES_EVIDENCE_FORMATS};
	if (read_document(bytes, length, digest, ret, err) != 0) {
		ces_evidence_free(ret);
		return -1;
	}
	ces_digest_of(bytes, length, ret->report);
	ces_gather_end(ret);
	return 0;
}
