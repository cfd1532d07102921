/* Grype's own JSON: `grype -o json`. It lists only findings: no package without a match. */
#include <string.h>

#include "policy/evidence/gather.h"

/* Grype names an advisory, GHSA-..., and beside it the CVE. */
static void take_alias(struct ces_part related, const char *id, char ret[CES_GATHER_TEXT])
{
	struct ces_part at = {NULL, NULL};

	ret[0] = '\0';
	while (ret[0] == '\0' && ces_part_next(related, &at)) {
		(void)ces_part_text(ces_part_member(at, "id"), ret, CES_GATHER_TEXT);
		if (strcmp(ret, id) == 0)
			ret[0] = '\0';
	}
}

static void take_match(struct ces_evidence *evidence, struct ces_part match)
{
	struct ces_part found = ces_part_member(match, "vulnerability"), at = {NULL, NULL};
	struct ces_part artifact = ces_part_member(match, "artifact");
	char words[5][CES_GATHER_TEXT];

	(void)ces_part_text(ces_part_member(found, "id"), words[0], sizeof(words[0]));
	(void)ces_part_text(ces_part_member(artifact, "name"), words[1], sizeof(words[1]));
	(void)ces_part_text(ces_part_member(artifact, "version"), words[2], sizeof(words[2]));
	words[3][0] = '\0';
	if (ces_part_is(ces_part_path(found, "fix.state"), "fixed") &&
	    ces_part_next(ces_part_path(found, "fix.versions"), &at))
		(void)ces_part_text(at, words[3], sizeof(words[3]));
	take_alias(ces_part_member(match, "relatedVulnerabilities"), words[0], words[4]);
	ces_gather_row(evidence, &evidence->vulnerabilities,
		       (const char *const[]){words[0], words[1], words[2], words[3], words[4]}, 5,
		       ces_gather_severity(ces_part_member(found, "severity")), CES_EVIDENCE_FOUND);
	ces_gather_package(evidence, ces_part_member(artifact, "name"),
			   ces_part_member(artifact, "version"));
}

int ces_read_grype(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part target = ces_part_path(document, "source.target"), at = {NULL, NULL};
	struct ces_part matches = ces_part_member(document, "matches");
	struct ces_part tool = ces_part_member(document, "descriptor");
	struct ces_part digests = ces_part_member(target, "repoDigests");

	evidence->format = CES_EVIDENCE_GRYPE;
	if (!ces_part_is(ces_part_path(document, "source.type"), "image"))
		return ces_error_set(err, CES_E_IMAGE,
				     "it is a report of Grype about something else than an image");
	ces_gather_digest_of(evidence, ces_part_member(target, "manifestDigest"));
	while (ces_part_next(digests, &at))
		ces_gather_digest_of(evidence, at);
	(void)ces_part_text(ces_part_member(target, "userInput"), evidence->image,
			    sizeof(evidence->image));
	ces_gather_tool(evidence, ces_part_member(tool, "name"), ces_part_member(tool, "version"));
	ces_gather_time(ces_part_member(tool, "timestamp"), evidence->made);
	/* up to Grype 0.87, and since */
	ces_gather_time(ces_part_path(tool, "db.built"), evidence->database);
	ces_gather_time(ces_part_path(tool, "db.status.built"), evidence->database);
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(matches, &at))
		take_match(evidence, at);
	return 0;
}
