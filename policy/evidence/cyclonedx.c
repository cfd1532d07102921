/* CycloneDX 1.2 to 1.7 as JSON (ECMA-424). The image is metadata.component; components, and those
 * inside others, are what is in it. A vulnerability names components by their references. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/evidence/gather.h"

struct component {
	uint64_t
	    ref; /* FNV-1a of the reference: two that collide only change which name is shown */
	struct ces_part at;
};

struct components {
	struct component *v;
	size_t n, cap;
};

static uint64_t hash(struct ces_part text)
{
	uint64_t sum = UINT64_C(14695981039346656037);

	for (const char *at = text.at; at != NULL && at < text.end; at++)
		sum = (sum ^ (unsigned char)*at) * UINT64_C(1099511628211);
	return sum;
}

static void remember(struct ces_evidence *evidence, struct components *list, struct ces_part at)
{
	size_t cap = list->cap * 2 + 256;
	struct component *v;

	if (list->n == CES_EVIDENCE_ROWS_MAX) {
		evidence->rows_too_many = true;
		return;
	}
	if (list->n == list->cap) {
		v = reallocarray(list->v, cap, sizeof(*v));
		if (v == NULL) {
			evidence->no_memory = true;
			return;
		}
		list->v = v;
		list->cap = cap;
	}
	list->v[list->n++] = (struct component){hash(ces_part_member(at, "bom-ref")), at};
}

/* Files, cryptographic assets and the like are no packages. */
static bool is_package(struct ces_part component)
{
	struct ces_part type = ces_part_member(component, "type");

	return ces_part_is(type, "library") || ces_part_is(type, "application") ||
	       ces_part_is(type, "framework") || ces_part_is(type, "operating-system") ||
	       ces_part_is(type, "firmware") || ces_part_is(type, "platform") ||
	       ces_part_is(type, "machine-learning-model");
}

/* As npm, Go and Maven have it: GROUP/NAME. */
static void full_name(struct ces_part component, char ret[CES_GATHER_TEXT])
{
	char group[100];
	size_t length;

	(void)ces_part_text(ces_part_member(component, "group"), group, sizeof(group));
	length = group[0] == '\0' ? 0 : (size_t)snprintf(ret, CES_GATHER_TEXT, "%s/", group);
	(void)ces_part_text(ces_part_member(component, "name"), ret + length,
			    CES_GATHER_TEXT - length);
}

/* The scanner has bounded the depth of the text, so this ends. */
static void take_components(struct ces_evidence *evidence, struct components *list,
			    struct ces_part components)
{
	struct ces_part at = {NULL, NULL};
	char name[CES_GATHER_TEXT], version[CES_GATHER_TEXT];

	while (ces_part_next(components, &at)) {
		remember(evidence, list, at);
		full_name(at, name);
		(void)ces_part_text(ces_part_member(at, "version"), version, sizeof(version));
		if (is_package(at) && name[0] != '\0')
			ces_gather_row(evidence, &evidence->packages,
				       (const char *const[]){name, version}, 2,
				       CES_EVIDENCE_UNKNOWN, CES_EVIDENCE_FOUND);
		take_components(evidence, list, ces_part_member(at, "components"));
	}
}

/* Some tools write a score of CVSS, and no word for it. Scores of other methods mean other
 * things. */
static enum ces_evidence_severity of_rating(struct ces_part rating)
{
	enum ces_evidence_severity severity =
	    ces_gather_severity(ces_part_member(rating, "severity"));

	if (severity == CES_EVIDENCE_UNKNOWN &&
	    ces_part_begins(ces_part_member(rating, "method"), "CVSS"))
		return ces_gather_score(ces_part_member(rating, "score"));
	return severity;
}

static enum ces_evidence_severity worst(struct ces_part ratings)
{
	enum ces_evidence_severity found = CES_EVIDENCE_UNKNOWN, one;
	struct ces_part at = {NULL, NULL};

	while (ces_part_next(ratings, &at)) {
		one = of_rating(at);
		if (one < found)
			found = one;
	}
	return found;
}

static enum ces_evidence_status status_of(struct ces_part state)
{
	if (state.at == NULL)
		return CES_EVIDENCE_FOUND;
	if (ces_part_is(state, "not_affected") || ces_part_is(state, "false_positive"))
		return CES_EVIDENCE_NOT_AFFECTED;
	if (ces_part_is(state, "resolved") || ces_part_is(state, "resolved_with_pedigree"))
		return CES_EVIDENCE_FIXED;
	return ces_part_is(state, "exploitable") ? CES_EVIDENCE_AFFECTED
						 : CES_EVIDENCE_INVESTIGATED;
}

static int by_ref(const void *left, const void *right)
{
	const struct component *a = left, *b = right;

	return a->ref < b->ref ? -1 : a->ref > b->ref;
}

/* The first version that is called unaffected; else the one at the end of a recommendation:
 * "Upgrade openssl to version 3.0.13". */
static void take_fix(struct ces_part found, struct ces_part affects, char ret[CES_GATHER_TEXT])
{
	struct ces_part versions = ces_part_member(affects, "versions"), at = {NULL, NULL};
	char advice[1024];
	const char *version;

	ret[0] = '\0';
	while (ces_part_next(versions, &at)) {
		if (!ces_part_is(ces_part_member(at, "status"), "unaffected"))
			continue;
		if (!ces_part_text(ces_part_member(at, "version"), ret, CES_GATHER_TEXT))
			(void)ces_part_text(ces_part_member(at, "range"), ret, CES_GATHER_TEXT);
		return;
	}
	(void)ces_part_text(ces_part_member(found, "recommendation"), advice, sizeof(advice));
	version = strstr(advice, " to version ");
	if (version != NULL)
		snprintf(ret, CES_GATHER_TEXT, "%s", version + strlen(" to version "));
}

static void take_vulnerability(struct ces_evidence *evidence, const struct components *list,
			       struct ces_part found)
{
	struct ces_part affects = ces_part_member(found, "affects"), at = {NULL, NULL};
	char words[4][CES_GATHER_TEXT] = {"", "", "", ""};
	bool any = false;

	(void)ces_part_text(ces_part_member(found, "id"), words[0], sizeof(words[0]));
	while (ces_part_next(affects, &at) || !any) {
		struct component key = {.ref = hash(ces_part_member(at, "ref"))};
		const struct component *one =
		    at.at == NULL || list->n == 0
			? NULL
			: bsearch(&key, list->v, list->n, sizeof(key), by_ref);

		any = true;
		words[1][0] = words[2][0] = '\0';
		if (one != NULL) {
			full_name(one->at, words[1]);
			(void)ces_part_text(ces_part_member(one->at, "version"), words[2],
					    sizeof(words[2]));
		}
		take_fix(found, at, words[3]);
		ces_gather_row(evidence, &evidence->vulnerabilities,
			       (const char *const[]){words[0], words[1], words[2], words[3]}, 4,
			       worst(ces_part_member(found, "ratings")),
			       status_of(ces_part_path(found, "analysis.state")));
	}
}

static void take_image(struct ces_evidence *evidence, struct ces_part image)
{
	struct ces_part properties = ces_part_member(image, "properties"), at = {NULL, NULL};
	struct ces_part hashes = ces_part_member(image, "hashes");
	char hex[72], digest[96];

	(void)ces_part_text(ces_part_member(image, "name"), evidence->image,
			    sizeof(evidence->image));
	ces_gather_digest_of(evidence, ces_part_member(image, "purl"));
	ces_gather_digest_of(evidence, ces_part_member(image, "version"));
	while (ces_part_next(properties, &at))
		if (ces_part_is(ces_part_member(at, "name"), "aquasecurity:trivy:RepoDigest"))
			ces_gather_digest_of(evidence, ces_part_member(at, "value"));
	at = (struct ces_part){NULL, NULL};
	while (ces_part_next(hashes, &at)) {
		if (!ces_part_is(ces_part_member(at, "alg"), "SHA-256") ||
		    !ces_part_text(ces_part_member(at, "content"), hex, sizeof(hex)))
			continue;
		snprintf(digest, sizeof(digest), "sha256:%s", hex);
		ces_gather_digest(evidence, digest);
	}
}

/* Up to 1.4 tools are a list; since 1.5 they may be components. */
static void take_tool(struct ces_evidence *evidence, struct ces_part tools)
{
	struct ces_part at = {NULL, NULL};

	if (ces_part_kind(tools) == '{')
		tools = ces_part_member(tools, "components");
	if (ces_part_next(tools, &at))
		ces_gather_tool(evidence, ces_part_member(at, "name"),
				ces_part_member(at, "version"));
}

int ces_read_cyclonedx(struct ces_evidence *evidence, struct ces_part document,
		       struct ces_error *err)
{
	struct ces_part found = ces_part_member(document, "vulnerabilities"), at = {NULL, NULL};
	struct components list = {NULL, 0, 0};

	evidence->format = CES_EVIDENCE_CYCLONEDX;
	if (!ces_part_begins(ces_part_member(document, "specVersion"), "1."))
		return ces_error_set(err, CES_E_IMAGE, "it is CycloneDX of another version than 1");
	ces_gather_time(ces_part_path(document, "metadata.timestamp"), evidence->made);
	take_tool(evidence, ces_part_path(document, "metadata.tools"));
	take_image(evidence, ces_part_path(document, "metadata.component"));
	take_components(evidence, &list, ces_part_member(document, "components"));
	if (list.n > 1)
		qsort(list.v, list.n, sizeof(*list.v), by_ref);
	while (ces_part_next(found, &at))
		take_vulnerability(evidence, &list, at);
	free(list.v);
	return 0;
}
