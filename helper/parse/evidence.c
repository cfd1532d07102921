/* Reads the evidence about one image. Each file must be what its name says, by the digest of the
 * very bytes that are read here. Each record must be exactly as ces-policy writes it. */
#include "helper/parse/evidence.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "policy/demand.h"
#include "policy/evidence/judge.h"

struct walk {
	const char *at;
	size_t left;
};

/* Takes the next file: its name, its digest and its bytes. 1; 0 at the end. */
static int next(struct walk *walk, struct ces_parse_file *ret, char digest[CES_DIGEST_LENGTH + 1],
		const char **ret_bytes, struct ces_error *err)
{
	const char *hex;

	if (walk->left == 0)
		return 0;
	if (walk->left < sizeof(*ret))
		return ces_error_set(err, CES_E_INTERNAL, "not evidence");
	memcpy(ret, walk->at, sizeof(*ret));
	ret->name[sizeof(ret->name) - 1] = '\0';
	walk->at += sizeof(*ret);
	walk->left -= sizeof(*ret);
	if (ret->length > walk->left)
		return ces_error_set(err, CES_E_INTERNAL, "not evidence");
	*ret_bytes = walk->at;
	walk->at += ret->length;
	walk->left -= ret->length;
	ces_digest_of(*ret_bytes, ret->length, digest);
	hex = strchr(ret->name, '-');
	if (hex == NULL || strncmp(hex + 1, digest + 7, 64) != 0 || strcmp(hex + 65, ".json") != 0)
		return ces_error_set(err, CES_E_IMAGE, "%s was changed: its digest is %.19s...",
				     ret->name, digest);
	return 1;
}

/* The approved set comes first, because it says which records count. */
static int take_set(struct ces_judge *judge, const struct ces_parse_evidence *head,
		    struct walk walk, struct ces_error *err)
{
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_parse_file file;
	const char *bytes;
	int got;

	if (head->approved_by[0] == '\0')
		return 0;
	while ((got = next(&walk, &file, digest, &bytes, err)) > 0)
		if (file.name[0] == 'a' && strcmp(digest, head->approved_by) == 0)
			return ces_judge_set(judge, bytes, file.length, err);
	return got < 0 ? -1
		       : ces_error_set(err, CES_E_IMAGE,
				       "approved-%.12s..., which the rule names, is missing",
				       head->approved_by + 7);
}

static int take_records(struct ces_judge *judge, struct walk walk, struct ces_error *err)
{
	char digest[CES_DIGEST_LENGTH + 1];
	struct ces_evidence evidence;
	struct ces_parse_file file;
	const char *bytes;
	int got;

	while ((got = next(&walk, &file, digest, &bytes, err)) > 0) {
		if (file.name[0] != 'r')
			continue;
		if (ces_evidence_load(bytes, file.length, &evidence, err) < 0)
			return ces_error_context(err, "%s", file.name);
		if (ces_judge_record(judge, digest, &evidence, err) < 0)
			return -1;
	}
	return got;
}

int ces_parse_evidence(const char *bytes, size_t length, uint8_t **ret, size_t *ret_length,
		       struct ces_error *err)
{
	struct ces_parse_evidence head;
	struct ces_judge judge = {.digest = head.digest};
	struct ces_evidence_facts *facts = calloc(1, sizeof(*facts));
	int result = -1;

	if (facts == NULL) {
		(void)ces_error_set(err, CES_E_HOST, "out of memory");
	} else if (length < sizeof(head)) {
		(void)ces_error_set(err, CES_E_INTERNAL, "not evidence");
	} else {
		struct walk walk = {bytes + sizeof(head), length - sizeof(head)};

		memcpy(&head, bytes, sizeof(head));
		head.digest[CES_DIGEST_LENGTH] = head.approved_by[CES_DIGEST_LENGTH] = '\0';
		if (take_set(&judge, &head, walk, err) == 0 && take_records(&judge, walk, err) == 0)
			result = ces_judge_end(&judge, facts, err);
		ces_judge_free(&judge);
	}
	if (result < 0) {
		free(facts);
		return -1;
	}
	*ret = (uint8_t *)facts;
	*ret_length = sizeof(*facts);
	return 0;
}
