/* Gathers the documents that may hold signatures of an image, into one bag. Must not look into one:
 * a ces-unpack says where others are, and ces-verify reads them.
 *
 * Who controls what: the registry controls which documents there are, how large they are and when
 * they come. All that is bounded here: their number, their bytes, and the time for all together. A
 * document that cannot be had is left out. That can only make an image count as not signed, and
 * then the reason goes with the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/schema.h"
#include "helper/resolve/documents.h"
#include "helper/resolve/image.h"

#define WITHIN_MS 30000 /* for all documents */

struct gathering {
	int64_t deadline;
	uint8_t *bag;
	size_t length, n;
	struct ces_error missed; /* why a document could not be fetched, the last time */
};

static bool is_full(const struct gathering *g)
{
	return g->n == CES_BAG_DOCUMENTS || ces_now_ms() >= g->deadline;
}

static void put(struct gathering *g, const struct ces_small *small)
{
	uint8_t *at = g->bag + g->length;

	if (small->length == 0 || small->length > CES_BAG_MAX - g->length - 4)
		return;
	for (size_t i = 0; i < 4; i++)
		at[i] = (uint8_t)(small->length >> (8 * i));
	memcpy(at + 4, small->bytes, small->length);
	g->length += 4 + small->length;
	g->n++;
}

/* Gets one, and its list of others unless `others` is NULL. Returns 0; 1 if the registry does not
 * have it, or not in time; -1 if this pull cannot go on. */
static int get(struct gathering *g, enum ces_fetch_kind kind, const char *reference, uint64_t size,
	       struct ces_unpack_signatures *others, struct ces_error *err)
{
	struct ces_document document = {
	    .job = CES_UNPACK_SIGNATURES, .reference = reference, .max = size};
	struct ces_small small = {0};
	struct ces_error missed = {0};
	int result = 1;

	if (!is_full(g) && ces_document_fetch(&document, kind, g->deadline, &small, &missed) == 0) {
		if (kind == CES_FETCH_REFERRERS)
			document.reference = "";
		else
			put(g, &small);
		result = 0;
		if (others != NULL &&
		    ces_document_read(&document, &small, &ces_unpack_signatures_schema, others,
				      &missed) < 0)
			result = 1;
	}
	free(small.bytes);
	/* (the requested documents may still come; nobody reads them) */
	if (result == 1)
		ces_talk_forget();
	if (missed.code == CES_E_INTERNAL || missed.code == CES_E_HOST) {
		*err = missed;
		return -1;
	}
	if (missed.code != CES_OK && missed.code != CES_E_NOTFOUND)
		g->missed = missed;
	return result;
}

/* A manifest, and the blobs that it names. */
static int get_manifest(struct gathering *g, const char *reference, struct ces_error *err)
{
	struct ces_unpack_signatures blobs;
	int result = get(g, CES_FETCH_SIGNATURES, reference, CES_BAG_DOCUMENT, &blobs, err);

	if (result != 0)
		return result;
	for (size_t i = 0; blobs.index == 0 && i < blobs.digests.n && i < blobs.sizes.n; i++)
		if (result == 0 && ces_digest_valid(blobs.digests.v[i]) &&
		    blobs.sizes.v[i] <= CES_BAG_DOCUMENT &&
		    get(g, CES_FETCH_BLOB, blobs.digests.v[i], blobs.sizes.v[i], NULL, err) < 0)
			result = -1;
	ces_wire_free(&ces_unpack_signatures_schema, &blobs);
	return result;
}

/* Lists the manifests whose subject is this digest. OCI distribution-spec 1.1, "Listing Referrers":
 * a registry without the API has the list under a tag. */
static int get_referrers(struct gathering *g, const char *digest, const char *tag,
			 struct ces_error *err)
{
	struct ces_unpack_signatures manifests;
	int result = get(g, CES_FETCH_REFERRERS, digest, CES_BAG_DOCUMENT, &manifests, err);

	if (result == 1)
		result = get(g, CES_FETCH_SIGNATURES, tag, CES_BAG_DOCUMENT, &manifests, err);
	if (result != 0)
		return result;
	for (size_t i = 0; manifests.index == 1 && i < manifests.digests.n; i++)
		if (result == 0 && ces_digest_valid(manifests.digests.v[i]) &&
		    get_manifest(g, manifests.digests.v[i], err) < 0)
			result = -1;
	ces_wire_free(&ces_unpack_signatures_schema, &manifests);
	return result;
}

/* cosign's names for what belongs to a digest: the colon becomes a dash, and an ending follows. */
static int gather(struct gathering *g, const char *digest, struct ces_error *err)
{
	static const char *const endings[] = {".sig", ".att", ""};
	char tags[CES_COUNT(endings)][CES_DIGEST_LENGTH + 8];

	for (size_t i = 0; i < CES_COUNT(endings); i++) {
		(void)snprintf(tags[i], sizeof(tags[i]), "%s%s", digest, endings[i]);
		tags[i][strlen("sha256")] = '-';
	}
	return get_manifest(g, tags[0], err) < 0 || get_manifest(g, tags[1], err) < 0 ||
		       get_referrers(g, digest, tags[2], err) < 0
		   ? -1
		   : 0;
}

int ces_resolve_signatures(const char *digest, const char *top_digest, struct ces_error *err)
{
	static struct ces_wish wish;
	struct gathering g = {.deadline = ces_now_ms() + WITHIN_MS, .bag = malloc(CES_BAG_MAX)};
	int result;

	if (g.bag == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	result = gather(&g, digest, err);
	if (result == 0 && strcmp(digest, top_digest) != 0)
		result = gather(&g, top_digest, err);
	if (result == 0)
		result = ces_document_hand_over(CES_WISH_SIGNATURES, g.bag, g.length, err);
	free(g.bag);
	wish = (struct ces_wish){.kind = CES_WISH_SIGNED};
	return result == 0 ? ces_talk_wish(&wish, g.missed.text, strlen(g.missed.text), NULL, err)
			   : -1;
}
