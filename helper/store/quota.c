/* Counts the space of one user's images. Must not count the grants of another account that once had
 * the same uid: it drops those. */
#include "helper/store/quota.h"

#include <string.h>
#include <sys/statvfs.h>

#include "common/num.h"
#include "common/record.h"
#include "helper/store/digests.h"

struct tally {
	const struct ces_store_order *order; /* with the image that is to come: the grant that it
						replaces does not count */
	const struct ces_store *store;
	uint64_t images, bytes;
	struct ces_digests parts; /* layers and images, which count once */
};

/* (no image has the digest of a layer) */
static void add_image(struct tally *tally, const char *digest, const struct ces_strings *diff_ids)
{
	if (digest != NULL && ces_digests_add(&tally->parts, digest))
		tally->bytes += ces_store_documents_size(tally->store, digest);
	for (size_t i = 0; i < diff_ids->n; i++)
		if (ces_digests_add(&tally->parts, diff_ids->v[i]))
			tally->bytes += ces_store_layer_size(tally->store, diff_ids->v[i]);
}

static void grant_seen(const struct ces_grant *grant, void *context)
{
	struct tally *tally = context;
	const struct ces_store_order *order = tally->order;

	if (!ces_grant_is_of(grant, order->user)) {
		(void)ces_store_expire_grant(tally->store, (uid_t)order->uid, grant->reference);
		return;
	}
	if (strcmp(grant->reference, order->image) == 0)
		return;
	tally->images++;
	add_image(tally, grant->digest, &grant->image.diff_ids);
}

static int most(const struct tally *tally, uint64_t *ret, struct ces_error *err)
{
	struct statvfs fs;

	*ret = tally->order->space;
	if (*ret > 0)
		return 0;
	if (fstatvfs(tally->store->layers, &fs) < 0)
		return ces_error_errno(err, CES_E_HOST, "the image store");
	*ret = (uint64_t)fs.f_blocks * fs.f_frsize / 2;
	return 0;
}

static int compare(const struct tally *tally, uint64_t allowed, uint64_t *ret_left,
		   struct ces_error *err)
{
	unsigned long long images = tally->order->images;
	char used_text[32], allowed_text[32];

	if (tally->images >= images)
		return ces_error_rule(err, CES_E_LIMIT, "host.user_limits.images",
				      "you have %llu images already, and %llu are allowed; remove "
				      "one with 'ces-client rmi'",
				      (unsigned long long)tally->images, images);
	ces_num_format_size(tally->bytes, used_text, sizeof(used_text));
	ces_num_format_size(allowed, allowed_text, sizeof(allowed_text));
	if (tally->bytes > allowed)
		return ces_error_rule(err, CES_E_LIMIT, "host.user_limits.store",
				      "your images would take %s, and %s are allowed; remove some "
				      "with 'ces-client rmi'",
				      used_text, allowed_text);
	*ret_left = allowed - tally->bytes;
	return 0;
}

int ces_quota_check(const struct ces_store_order *order, const struct ces_store *store,
		    const struct ces_image_record *image, uint64_t *ret_left, struct ces_error *err)
{
	struct tally tally = {.order = order, .store = store};
	uint64_t allowed = 0;
	int result = ces_store_each_grant(store, (uid_t)order->uid, grant_seen, &tally);

	if (result < 0)
		ces_error_errno(err, CES_E_HOST, "reading your images");
	add_image(&tally, image->digest, &image->diff_ids);
	if (result == 0 && tally.parts.failed)
		result = ces_error_set(err, CES_E_HOST, "out of memory");
	ces_digests_free(&tally.parts);
	if (result < 0 || most(&tally, &allowed, err) < 0)
		return -1;
	return compare(&tally, allowed, ret_left, err);
}

int ces_quota_room(const struct ces_store *store, uint64_t reserve, uint64_t needed,
		   const char *what, struct ces_error *err)
{
	uint64_t room;
	char needed_text[32], room_text[32];
	struct statvfs fs;

	if (fstatvfs(store->layers, &fs) < 0)
		return ces_error_errno(err, CES_E_HOST, "the image store");
	room = (uint64_t)fs.f_bavail * fs.f_frsize;
	room -= room < reserve ? room : reserve;
	if (needed <= room)
		return 0;
	ces_num_format_size(needed, needed_text, sizeof(needed_text));
	ces_num_format_size(room, room_text, sizeof(room_text));
	return ces_error_set(err, CES_E_HOST,
			     "no space for the image: its %s take at least %s, and this machine's "
			     "image store has %s free; 'ces-client rmi' frees space",
			     what, needed_text, room_text);
}
