/* OpenVEX 0.2.0: statements about vulnerabilities in products. It leaves out statements about other
 * images. Statements about a product that is no image hold for this one. */
#include <stdio.h>
#include <string.h>

#include "policy/evidence/gather.h"

/* A product is a text, or an object with @id, identifiers and hashes. */
static void take_product(struct ces_evidence *evidence, struct ces_part product)
{
	char hex[72], digest[96];

	ces_gather_digest_of(evidence, product);
	ces_gather_digest_of(evidence, ces_part_member(product, "@id"));
	ces_gather_digest_of(evidence, ces_part_path(product, "identifiers.purl"));
	if (!ces_part_text(ces_part_path(product, "hashes.sha-256"), hex, sizeof(hex)))
		return;
	snprintf(digest, sizeof(digest), "sha256:%s", hex);
	ces_gather_digest(evidence, digest);
}

static enum ces_evidence_status status_of(struct ces_part word)
{
	for (unsigned i = CES_EVIDENCE_AFFECTED; i < CES_EVIDENCE_STATUSES; i++)
		if (ces_part_is(word, ces_evidence_statuses[i]))
			return (enum ces_evidence_status)i;
	return CES_EVIDENCE_INVESTIGATED;
}

/* The words of a package: of its URL "pkg:TYPE/NAMESPACE/NAME@VERSION?..." the name and version. */
static void take_component(struct ces_part component, char name[CES_GATHER_TEXT],
			   char version[CES_GATHER_TEXT])
{
	char url[CES_GATHER_TEXT];
	const char *at, *slash;

	if (ces_part_kind(component) == '{')
		component = ces_part_member(component, "@id");
	(void)ces_part_text(component, url, sizeof(url));
	url[strcspn(url, "?#")] = '\0';
	at = strrchr(url, '@');
	if (at != NULL)
		snprintf(version, CES_GATHER_TEXT, "%s", at + 1);
	url[strcspn(url, "@")] = '\0';
	slash = strrchr(url, '/');
	snprintf(name, CES_GATHER_TEXT, "%s", slash != NULL ? slash + 1 : url);
}

static void take_row(struct ces_evidence *evidence, struct ces_part statement,
		     struct ces_part component, const char *product)
{
	struct ces_part found = ces_part_member(statement, "vulnerability"), at = {NULL, NULL};
	char words[5][CES_GATHER_TEXT] = {"", "", "", "", ""};

	/* 0.0.1 has a text; since, an object */
	if (!ces_part_text(found, words[0], sizeof(words[0])) &&
	    !ces_part_text(ces_part_member(found, "name"), words[0], sizeof(words[0])))
		(void)ces_part_text(ces_part_member(found, "@id"), words[0], sizeof(words[0]));
	if (ces_part_next(ces_part_member(found, "aliases"), &at))
		(void)ces_part_text(at, words[4], sizeof(words[4]));
	if (component.at != NULL)
		take_component(component, words[1], words[2]);
	ces_gather_row(
	    evidence, &evidence->vulnerabilities,
	    (const char *const[]){words[0], words[1], words[2], words[3], words[4], product},
	    CES_EVIDENCE_WORDS, CES_EVIDENCE_UNKNOWN,
	    status_of(ces_part_member(statement, "status")));
}

/* By a digest. Those of other images are left out earlier, see elsewhere(). */
static bool names_image(struct ces_part product)
{
	struct ces_evidence one = {.format = CES_EVIDENCE_OPENVEX};

	take_product(&one, product);
	return one.n_named > 0;
}

/* One row for each component of a product, or for the whole. */
static void take_statement(struct ces_evidence *evidence, struct ces_part statement,
			   struct ces_part product)
{
	struct ces_part inside = ces_part_member(product, "subcomponents"), at = {NULL, NULL};
	struct ces_part url =
	    ces_part_kind(product) == '{' ? ces_part_member(product, "@id") : product;
	bool package = ces_part_begins(url, "pkg:") && !ces_part_begins(url, "pkg:oci/"),
	     any = false;
	const char *about = names_image(product) ? CES_PRODUCT_IMAGE
			    : package            ? CES_PRODUCT_PACKAGE
						 : CES_PRODUCT_OTHER;

	while (ces_part_next(inside, &at)) {
		/* "B in package A" is about B as A has it, which no scan can show. */
		take_row(evidence, statement, at, package ? CES_PRODUCT_OTHER : about);
		any = true;
	}
	if (!any && package)
		take_row(evidence, statement, url, about);
	else if (!any)
		take_row(evidence, statement, (struct ces_part){NULL, NULL}, about);
}

/* Returns whether the product is another image than the wanted one. */
static bool elsewhere(const struct ces_evidence *evidence, struct ces_part product)
{
	struct ces_evidence one = {.format = CES_EVIDENCE_OPENVEX};

	take_product(&one, product);
	for (size_t i = 0; i < one.n_named; i++)
		if (strcmp(one.named[i], evidence->digest) == 0)
			return false;
	return one.n_named > 0;
}

int ces_read_openvex(struct ces_evidence *evidence, struct ces_part document, struct ces_error *err)
{
	struct ces_part statements = ces_part_member(document, "statements");
	struct ces_part statement = {NULL, NULL};

	(void)err;
	evidence->format = CES_EVIDENCE_OPENVEX;
	ces_gather_time(ces_part_member(document, "timestamp"), evidence->made);
	ces_gather_time(ces_part_member(document, "last_updated"), evidence->made);
	if (!ces_part_text(ces_part_member(document, "tooling"), evidence->tool,
			   sizeof(evidence->tool)))
		(void)ces_part_text(ces_part_member(document, "author"), evidence->tool,
				    sizeof(evidence->tool));
	while (ces_part_next(statements, &statement)) {
		struct ces_part products = ces_part_member(statement, "products");
		struct ces_part at = {NULL, NULL};
		bool any = false;

		while (ces_part_next(products, &at)) {
			any = true;
			take_product(evidence, at);
			/* (without a chosen image there is none to compare with) */
			if (evidence->digest[0] == '\0' || !elsewhere(evidence, at))
				take_statement(evidence, statement, at);
		}
		/* In an attestation the subject is the product. */
		if (!any)
			take_row(evidence, statement, (struct ces_part){NULL, NULL},
				 evidence->predicate[0] != '\0' ? CES_PRODUCT_IMAGE
								: CES_PRODUCT_OTHER);
	}
	return 0;
}
