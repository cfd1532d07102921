/* in-toto Statements 0.1 and 1, with the predicates that are reports; in a DSSE envelope, or in a
 * bundle of Sigstore. The subject is what it is about. A signature is not looked at: whose word it
 * is must be said by who adds it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <nettle/base64.h>

#include "common/cleanup.h"
#include "helper/unpack/json_scan.h"
#include "policy/evidence/gather.h"

static void take_subjects(struct ces_evidence *evidence, struct ces_part subjects)
{
	struct ces_part at = {NULL, NULL};
	char hex[72], digest[96];

	while (ces_part_next(subjects, &at)) {
		if (!ces_part_text(ces_part_path(at, "digest.sha256"), hex, sizeof(hex)))
			continue;
		snprintf(digest, sizeof(digest), "sha256:%s", hex);
		ces_gather_digest(evidence, digest);
		if (evidence->image[0] == '\0')
			(void)ces_part_text(ces_part_member(at, "name"), evidence->image,
					    sizeof(evidence->image));
	}
}

/* cosign's predicate of a scan: about the scanner, with the scanner's own report inside. */
static struct ces_part take_scan(struct ces_evidence *evidence, struct ces_part predicate)
{
	struct ces_part scanner = ces_part_member(predicate, "scanner");

	ces_gather_tool(evidence, ces_part_member(scanner, "uri"),
			ces_part_member(scanner, "version"));
	ces_gather_time(ces_part_path(scanner, "db.lastUpdate"), evidence->database);
	ces_gather_time(ces_part_path(predicate, "metadata.scanFinishedOn"), evidence->made);
	return ces_part_member(scanner, "result");
}

/* A predicate may name the image, too: then it must be the subject. So the subjects are kept apart
 * while it is read. */
static int read_inner(struct ces_evidence *evidence, ces_evidence_reader *reader,
		      struct ces_part inner, struct ces_error *err)
{
	struct ces_evidence subjects = *evidence;

	evidence->n_named = 0;
	if (reader(evidence, inner, err) != 0)
		return -1;
	for (size_t i = 0; i < evidence->n_named; i++) {
		size_t j = 0;

		while (j < subjects.n_named && strcmp(evidence->named[i], subjects.named[j]) != 0)
			j++;
		if (j == subjects.n_named && evidence->format != CES_EVIDENCE_OPENVEX)
			return ces_error_set(err, CES_E_IMAGE,
					     "its predicate is about %s, and not about its subject",
					     evidence->named[i]);
	}
	memcpy(evidence->named, subjects.named, sizeof(evidence->named));
	evidence->n_named = subjects.n_named;
	return 0;
}

int ces_read_statement(struct ces_evidence *evidence, struct ces_part document,
		       struct ces_error *err)
{
	struct ces_part predicate = ces_part_member(document, "predicate");
	ces_evidence_reader *reader;
	size_t known = 0;

	(void)ces_part_text(ces_part_member(document, "predicateType"), evidence->predicate,
			    sizeof(evidence->predicate));
	take_subjects(evidence, ces_part_member(document, "subject"));
	if (evidence->n_named == 1)
		memcpy(evidence->digest, evidence->named[0], sizeof(evidence->digest));
	if (ces_part_kind(ces_part_path(predicate, "scanner.result")) == '{')
		predicate = take_scan(evidence, predicate);
	reader = ces_gather_recognise(predicate, &known);
	if (known > 1)
		return ces_error_set(err, CES_E_IMAGE, "its predicate is of two formats at once");
	/* (no statement inside a statement) */
	if (reader == NULL || reader == ces_read_statement || reader == ces_read_envelope ||
	    reader == ces_read_bundle || reader == ces_read_record) {
		evidence->format = CES_EVIDENCE_STATEMENT;
		return 0;
	}
	return read_inner(evidence, reader, predicate, err);
}

/* The base64 of a DSSE payload, decoded. */
static int decode(struct ces_part payload, uint8_t **ret, size_t *ret_length, struct ces_error *err)
{
	struct base64_decode_ctx context;
	size_t length = (size_t)(payload.end - payload.at) - 2;
	CES_CLEANUP_FREE uint8_t *bytes = NULL;

	/* Nothing in base64 needs an escape. */
	if (memchr(payload.at, '\\', length) != NULL)
		return ces_error_set(err, CES_E_IMAGE, "its payload is not base64");
	bytes = malloc(BASE64_DECODE_LENGTH(length) + 1);
	if (bytes == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	base64_decode_init(&context);
	*ret_length = BASE64_DECODE_LENGTH(length) + 1;
	if (!base64_decode_update(&context, ret_length, bytes, length, payload.at + 1) ||
	    !base64_decode_final(&context))
		return ces_error_set(err, CES_E_IMAGE, "its payload is not base64");
	*ret = ces_steal_pointer(&bytes);
	return 0;
}

int ces_read_envelope(struct ces_evidence *evidence, struct ces_part document,
		      struct ces_error *err)
{
	struct ces_part payload = ces_part_member(document, "payload"), inner;
	CES_CLEANUP_FREE uint8_t *bytes = NULL;
	size_t length = 0;
	const char *fault;

	if (!ces_part_is(ces_part_member(document, "payloadType"), "application/vnd.in-toto+json"))
		return ces_error_set(err, CES_E_IMAGE,
				     "it is an envelope of something else than in-toto");
	if (ces_part_kind(payload) != '"' || decode(payload, &bytes, &length, err) != 0)
		return ces_error_set(err, CES_E_IMAGE, "its payload is not base64");
	fault = ces_json_scan((const char *)bytes, length);
	if (fault != NULL)
		return ces_error_set(err, CES_E_IMAGE, "its payload %s", fault);
	inner = ces_part_of((const char *)bytes, length);
	if (!ces_part_begins(ces_part_member(inner, "_type"), "https://in-toto.io/Statement/"))
		return ces_error_set(err, CES_E_IMAGE, "its payload is not an in-toto Statement");
	return ces_read_statement(evidence, inner, err);
}

int ces_read_bundle(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	return ces_read_envelope(evidence, ces_part_member(document, "dsseEnvelope"), err);
}
