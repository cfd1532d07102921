/* ces-store's side of ces-resolve, which leads a pull and asks for its steps one by one. */
#ifndef CES_HELPER_STORE_SERVE_H
#define CES_HELPER_STORE_SERVE_H

#include "helper/store/claim.h"
#include "helper/store/store.h"

/* One layer of the image. */
struct ces_pull_layer {
	char digest[CES_DIGEST_LENGTH + 1], diff_id[CES_DIGEST_LENGTH + 1];
	uint64_t size, compression;   /* of the blob */
	char name[CES_STEP_NAME + 1]; /* of its staging directory; "" if none */
	int staging;                  /* the staging directory, locked */
	bool ended;                   /* its ces-unpack; root has said so */
	bool whole;                   /* ces-unpack has unpacked and verified it */
	struct ces_claim claim;
};

struct ces_pull {
	const struct ces_store_order *order;
	const struct ces_store *store;
	uint64_t left; /* bytes that the caller's images may take more, without those that this
			  pull has committed */
	int resolver;  /* socket to ces-resolve */
	struct ces_pull_layer layers[CES_LAYERS_MAX];
	char *diff_ids[CES_LAYERS_MAX]; /* of the layers above */
	size_t n;
	char top_digest[CES_DIGEST_LENGTH + 1]; /* of the document that the reference names: an
						   index, or the manifest */
	char digest[CES_DIGEST_LENGTH + 1];     /* of the manifest */
	char config_digest[CES_DIGEST_LENGTH + 1];
	struct ces_image_record image; /* for the grant; its digests may point here */
	uint64_t bytes;                /* unpacked, of all layers */
	bool up_to_date;               /* nothing had to be fetched */
};

/* Serves the wishes of pull->resolver until the image is in the store, with its digests, record,
 * bytes and up_to_date in *pull. Each wish is possible in one phase of a pull only. No wish can
 * decide what is approved, how much space there is, or where anything goes. On failure nothing of
 * this pull stays in staging. */
int ces_serve_pull(struct ces_pull *pull, struct ces_error *err);

#endif
