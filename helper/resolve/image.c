/* Goes from a reference to an image's record. Must not hand over anything that it has not checked
 * itself, though ces-store checks it again.
 *
 * Who controls what: the registry controls every byte behind the answers of ces-unpack. The codec
 * bounds them, and they are lists, numbers and digests. */
#include "helper/resolve/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/image.h"
#include "common/io.h"
#include "common/schema.h"
#include "helper/resolve/documents.h"

struct image {
	struct ces_unpack_manifest manifest;
	struct ces_image_record record;
};

static int check_manifest(const struct ces_unpack_manifest *found, struct ces_error *err)
{
	if (found->config_digest == NULL || !ces_digest_valid(found->config_digest) ||
	    found->config_size > CES_CONFIG_MAX || found->layer_digests.n != found->layer_sizes.n ||
	    found->layer_digests.n != found->layer_compressions.n)
		return ces_error_set(err, CES_E_IMAGE, "the image's manifest is not valid");
	for (size_t i = 0; i < found->layer_digests.n; i++)
		if (!ces_digest_valid(found->layer_digests.v[i]))
			return ces_error_set(err, CES_E_IMAGE, "the image's manifest is not valid");
	return 0;
}

/* Gets the manifest for this machine's platform: the one that the reference names, or the one that
 * its index chooses. */
static int get_manifest(const char *reference, struct ces_unpack_manifest *ret,
			char ret_top[CES_DIGEST_LENGTH + 1], struct ces_error *err)
{
	struct ces_document top = {.which = CES_WISH_TOP,
				   .job = CES_UNPACK_MANIFEST,
				   .reference = reference,
				   .max = CES_MANIFEST_MAX};
	char chosen[CES_DIGEST_LENGTH + 1];

	if (ces_document_get(&top, &ces_unpack_manifest_schema, ret, err) < 0)
		return -1;
	(void)snprintf(ret_top, CES_DIGEST_LENGTH + 1, "%s", ret->digest);
	if (ret->chosen == NULL)
		return 0;
	if (!ces_digest_valid(ret->chosen) || ret->chosen_size > CES_MANIFEST_MAX)
		return ces_error_set(err, CES_E_IMAGE, "the image's index is not valid");
	memcpy(chosen, ret->chosen, sizeof(chosen));
	top.which = CES_WISH_CHOSEN;
	top.reference = chosen;
	top.max = ret->chosen_size;
	ces_wire_free(&ces_unpack_manifest_schema, ret);
	return ces_document_get(&top, &ces_unpack_manifest_schema, ret, err);
}

static int resolve(const struct ces_resolve_order *order, struct ces_unpack_manifest *ret,
		   struct ces_error *err)
{
	static struct ces_wish wish;
	char top[CES_DIGEST_LENGTH + 1];

	if (get_manifest(order->reference, ret, top, err) < 0)
		return -1;
	wish = (struct ces_wish){.kind = CES_WISH_MANIFEST};
	if (ces_talk_wish(&wish, NULL, 0, NULL, err) < 0)
		return -1;
	if (order->signatures == 1 && ces_resolve_signatures(ret->digest, top, err) < 0)
		return -1;
	return check_manifest(ret, err);
}

static int get_config(struct image *image, struct ces_error *err)
{
	const struct ces_document config = {.which = CES_WISH_CONFIG,
					    .job = CES_UNPACK_CONFIG,
					    .reference = image->manifest.config_digest,
					    .max = image->manifest.config_size,
					    .layers = image->manifest.layer_digests.n};
	const struct ces_strings *diff_ids = &image->record.diff_ids;

	if (ces_document_get(&config, &ces_image_record_schema, &image->record, err) < 0)
		return -1;
	if (diff_ids->n != image->manifest.layer_digests.n)
		return ces_error_set(
		    err, CES_E_IMAGE,
		    "the manifest and the configuration do not have the same number of layers");
	for (size_t i = 0; i < diff_ids->n; i++)
		if (!ces_digest_valid(diff_ids->v[i]))
			return ces_error_set(err, CES_E_IMAGE,
					     "the image's configuration is not valid");
	return 0;
}

static int hand_over_record(const struct ces_image_record *record, struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *frame = NULL;
	size_t length;

	if (ces_wire_encode(&ces_image_record_schema, record, &frame, &length, err) < 0)
		return -1;
	return ces_document_hand_over(CES_WISH_RECORD, frame, length, err);
}

/* Finds the image's USER: ces-unpack reads it from the image's own passwd file. ces-store itself
 * puts into the record what it knows better: the digests and the size. */
static int get_user(const struct image *image, struct ces_error *err)
{
	static struct ces_wish wish;
	const char *name = image->record.user != NULL ? image->record.user : "";
	struct ces_image_record user, whole = image->record;
	int answer, result;

	wish = (struct ces_wish){.kind = CES_WISH_USER};
	if (ces_talk_unpack(&wish, name, strlen(name), &answer, NULL, err) < 0 ||
	    ces_talk_unpacked(&answer, ces_now_ms() + CES_DOCUMENT_MS, &ces_image_record_schema,
			      &user, err) < 0)
		return -1;
	whole.uid = user.uid;
	whole.gid = user.gid;
	whole.groups = user.groups;
	whole.home = user.home;
	result = hand_over_record(&whole, err);
	ces_wire_free(&ces_image_record_schema, &user);
	return result;
}

/* Fetches the configuration, and asks the registry for the layers each time, even if all are here:
 * the registry decides who may have them, see layers.c. */
static int lead(const struct ces_resolve_order *order, struct image *image, struct ces_error *err)
{
	static struct ces_wish wish;
	bool shared = false;

	if (resolve(order, &image->manifest, err) < 0 || get_config(image, err) < 0 ||
	    ces_resolve_layers(&image->manifest, &image->record.diff_ids, &shared, err) < 0)
		return -1;
	wish = (struct ces_wish){.kind = CES_WISH_IMAGE, .number = shared};
	if (ces_talk_wish(&wish, NULL, 0, NULL, err) < 0 || get_user(image, err) < 0)
		return -1;
	wish = (struct ces_wish){.kind = CES_WISH_DONE};
	return ces_talk_wish(&wish, NULL, 0, NULL, err);
}

int ces_resolve_image(const struct ces_resolve_order *order, struct ces_error *err)
{
	struct image image = {0};
	int result;

	ces_talk_layout(order->layout);
	result = lead(order, &image, err);
	ces_wire_free(&ces_unpack_manifest_schema, &image.manifest);
	ces_wire_free(&ces_image_record_schema, &image.record);
	return result;
}
