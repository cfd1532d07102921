/* SPDX 2.2 and 2.3 as JSON. The image is the package that is a container, or one whose package URL
 * has type oci; the others are its contents. */
#include <stdio.h>
#include <string.h>

#include "policy/evidence/gather.h"

/* Trivy and Syft give an image's package the URL pkg:oci/NAME@sha256%3A... */
static bool take_url(struct ces_evidence *evidence, struct ces_part package)
{
	struct ces_part refs = ces_part_member(package, "externalRefs"), at = {NULL, NULL};
	bool image = false;

	while (ces_part_next(refs, &at)) {
		struct ces_part locator = ces_part_member(at, "referenceLocator");

		if (!ces_part_is(ces_part_member(at, "referenceType"), "purl") ||
		    !ces_part_begins(locator, "pkg:oci/"))
			continue;
		ces_gather_digest_of(evidence, locator);
		image = true;
	}
	return image;
}

static void take_image(struct ces_evidence *evidence, struct ces_part package)
{
	struct ces_part sums = ces_part_member(package, "checksums"), at = {NULL, NULL};
	char hex[72], digest[96];

	ces_gather_digest_of(evidence, ces_part_member(package, "versionInfo"));
	while (ces_part_next(sums, &at)) {
		if (!ces_part_is(ces_part_member(at, "algorithm"), "SHA256") ||
		    !ces_part_text(ces_part_member(at, "checksumValue"), hex, sizeof(hex)))
			continue;
		snprintf(digest, sizeof(digest), "sha256:%s", hex);
		ces_gather_digest(evidence, digest);
	}
	if (evidence->image[0] == '\0')
		(void)ces_part_text(ces_part_member(package, "name"), evidence->image,
				    sizeof(evidence->image));
}

static void take_package(struct ces_evidence *evidence, struct ces_part package)
{
	bool image = take_url(evidence, package);

	if (image || ces_part_is(ces_part_member(package, "primaryPackagePurpose"), "CONTAINER"))
		take_image(evidence, package);
	else
		ces_gather_package(evidence, ces_part_member(package, "name"),
				   ces_part_member(package, "versionInfo"));
}

int ces_read_spdx(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part packages = ces_part_member(document, "packages"), at = {NULL, NULL};
	struct ces_part creators = ces_part_path(document, "creationInfo.creators");
	struct ces_part version = ces_part_member(document, "spdxVersion");
	char tool[96];

	evidence->format = CES_EVIDENCE_SPDX;
	if (!ces_part_is(version, "SPDX-2.2") && !ces_part_is(version, "SPDX-2.3"))
		return ces_error_set(err, CES_E_IMAGE,
				     "it is SPDX of another version than 2.2 and 2.3");
	ces_gather_time(ces_part_path(document, "creationInfo.created"), evidence->made);
	while (ces_part_next(creators, &at))
		if (ces_part_text(at, tool, sizeof(tool)) && strncmp(tool, "Tool: ", 6) == 0)
			snprintf(evidence->tool, sizeof(evidence->tool), "%s", tool + 6);
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(packages, &at))
		take_package(evidence, at);
	return 0;
}
