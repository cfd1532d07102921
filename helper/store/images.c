/* Lists and removes the caller's images. Must not say anything about anyone else's. */

#include "common/cleanup.h"
#include "common/event.h"
#include "common/name.h"
#include "common/record.h"
#include "helper/session/report.h"
#include "helper/store/modes.h"

struct listing {
	const struct ces_store_order *order;
	char *config;
};

static void report(const struct ces_grant *grant, void *context)
{
	const struct listing *listing = context;
	struct ces_event_image event = {.reference = grant->reference,
					.digest = grant->digest,
					.size = grant->size,
					.pulled = grant->pulled,
					.used = grant->used,
					.layers = grant->layers,
					.config = listing->config};

	if (ces_grant_is_of(grant, listing->order->user))
		ces_report_send(&ces_event_image_schema, &event, true);
}

int ces_mode_list(const struct ces_store_order *order, const struct ces_store *store,
		  struct ces_error *err)
{
	struct listing all = {.order = order};

	return ces_store_each_grant(store, (uid_t)order->uid, report, &all) < 0
		   ? ces_error_set(err, CES_E_HOST, "not all of your images can be read")
		   : 0;
}

/* Finds the caller's own grant by its canonical name: the reference as written, but without the tag
 * if it has a digest. */
static int find(const struct ces_store_order *order, const struct ces_store *store,
		struct ces_grant *ret, struct ces_error *err)
{
	struct ces_reference reference;
	char name[CES_REFERENCE_MAX];

	if (order->image[0] == '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "name an image; ces-client images lists yours");
	if (ces_reference_parse(order->image, &reference, err) < 0)
		return -1;
	if (reference.digest[0] != '\0')
		reference.tag[0] = '\0';
	ces_reference_format(&reference, name, sizeof(name));
	return ces_store_read_grant(store, (uid_t)order->uid, order->user, name, ret, err);
}

int ces_mode_remove(const struct ces_store_order *order, const struct ces_store *store,
		    struct ces_error *err)
{
	struct ces_grant grant;
	int result;

	if (find(order, store, &grant, err) < 0)
		return -1;
	result = ces_store_remove_grant(store, (uid_t)order->uid, grant.reference, err);
	ces_grant_free(&grant);
	return result;
}

/* Checks that the layers of a grant are there. A job that pulls an image only where inspect finds
 * none pulls this one again. */
static int check_whole(const struct ces_grant *grant, const struct ces_store *store,
		       struct ces_error *err)
{
	const struct ces_strings *diff_ids = &grant->image.diff_ids;

	for (size_t i = 0; i < diff_ids->n; i++)
		if (!ces_store_has_layer(store, diff_ids->v[i]))
			return ces_error_set(err, CES_E_NOTFOUND,
					     "your copy of %s is damaged or gone; type: ces-client "
					     "pull %s",
					     grant->reference, grant->reference);
	return 0;
}

int ces_mode_inspect(const struct ces_store_order *order, const struct ces_store *store,
		     struct ces_error *err)
{
	CES_CLEANUP_FREE char *config = NULL;
	struct listing one = {.order = order};
	struct ces_grant grant;
	int result;

	if (find(order, store, &grant, err) < 0)
		return -1;
	result = check_whole(&grant, store, err);
	if (result == 0) {
		/* (passes the bytes on without a look at them) */
		(void)ces_store_read_config(store, grant.digest, CES_EVENT_CONFIG_MAX, &config);
		one.config = config;
		report(&grant, &one);
	}
	ces_grant_free(&grant);
	return result;
}
