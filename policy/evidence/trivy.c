/* Trivy's own JSON, schema 2: `trivy image --format json`. The digest is that of the registry
 * (Metadata.RepoDigests); ImageID is the digest of a configuration, and no image's name. */
#include <stdio.h>

#include "policy/evidence/gather.h"

static void take_vulnerability(struct ces_evidence *evidence, struct ces_part one)
{
	char words[4][CES_GATHER_TEXT];

	(void)ces_part_text(ces_part_member(one, "VulnerabilityID"), words[0], sizeof(words[0]));
	(void)ces_part_text(ces_part_member(one, "PkgName"), words[1], sizeof(words[1]));
	(void)ces_part_text(ces_part_member(one, "InstalledVersion"), words[2], sizeof(words[2]));
	(void)ces_part_text(ces_part_member(one, "FixedVersion"), words[3], sizeof(words[3]));
	ces_gather_row(evidence, &evidence->vulnerabilities,
		       (const char *const[]){words[0], words[1], words[2], words[3]}, 4,
		       ces_gather_severity(ces_part_member(one, "Severity")), CES_EVIDENCE_FOUND);
	if (words[1][0] != '\0')
		ces_gather_package(evidence, ces_part_member(one, "PkgName"),
				   ces_part_member(one, "InstalledVersion"));
}

/* The version of a package of a distribution is written in three keys: EPOCH:VERSION-RELEASE. */
static void take_package(struct ces_evidence *evidence, struct ces_part one)
{
	char name[CES_GATHER_TEXT], version[CES_GATHER_TEXT], release[64], whole[CES_GATHER_TEXT];
	uint64_t epoch = ces_part_number(ces_part_member(one, "Epoch"));
	char before[16] = "";

	if (!ces_part_text(ces_part_member(one, "Name"), name, sizeof(name)) || name[0] == '\0')
		return;
	(void)ces_part_text(ces_part_member(one, "Version"), version, 160);
	(void)ces_part_text(ces_part_member(one, "Release"), release, sizeof(release));
	if (epoch > 0)
		snprintf(before, sizeof(before), "%u:", (unsigned)epoch);
	snprintf(whole, sizeof(whole), "%s%.160s%s%s", before, version,
		 release[0] != '\0' ? "-" : "", release);
	ces_gather_row(evidence, &evidence->packages, (const char *const[]){name, whole}, 2,
		       CES_EVIDENCE_UNKNOWN, CES_EVIDENCE_FOUND);
}

static void take_result(struct ces_evidence *evidence, struct ces_part result)
{
	struct ces_part packages = ces_part_member(result, "Packages"), at = {NULL, NULL};
	struct ces_part found = ces_part_member(result, "Vulnerabilities");

	while (ces_part_next(packages, &at))
		take_package(evidence, at);
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(found, &at))
		take_vulnerability(evidence, at);
	evidence->secrets += ces_part_count(ces_part_member(result, "Secrets"));
}

/* A scan for secrets alone, or of a distribution that Trivy does not know, has no such result. */
static bool is_about_packages(struct ces_part result)
{
	struct ces_part class = ces_part_member(result, "Class");

	return ces_part_is(class, "os-pkgs") || ces_part_is(class, "lang-pkgs");
}

int ces_read_trivy(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part results = ces_part_member(document, "Results"), at = {NULL, NULL};
	struct ces_part digests = ces_part_path(document, "Metadata.RepoDigests");
	bool looked = false;

	evidence->format = CES_EVIDENCE_TRIVY;
	if (ces_part_number(ces_part_member(document, "SchemaVersion")) != 2)
		return ces_error_set(err, CES_E_IMAGE, "it is a report of Trivy of another schema");
	if (!ces_part_is(ces_part_member(document, "ArtifactType"), "container_image"))
		return ces_error_set(err, CES_E_IMAGE,
				     "it is a report of Trivy about something else than an image");
	while (ces_part_next(digests, &at))
		ces_gather_digest_of(evidence, at);
	(void)ces_part_text(ces_part_member(document, "ArtifactName"), evidence->image,
			    sizeof(evidence->image));
	ces_gather_time(ces_part_member(document, "CreatedAt"), evidence->made);
	snprintf(evidence->tool, sizeof(evidence->tool), "Trivy");
	if (ces_part_kind(ces_part_path(document, "Trivy.Version")) == '"') {
		char version[40];

		(void)ces_part_text(ces_part_path(document, "Trivy.Version"), version,
				    sizeof(version));
		snprintf(evidence->tool, sizeof(evidence->tool), "Trivy %s", version);
	}
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(results, &at)) {
		looked |= is_about_packages(at);
		take_result(evidence, at);
	}
	/* (older versions wrote no class) */
	if (!looked && evidence->packages.n == 0)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "it is no scan of packages: scan with trivy image --scanners vuln "
		    "--list-all-pkgs, or with another scanner");
	return 0;
}
