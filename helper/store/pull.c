/* A pull, from the user's limits to the grant. Must not leave a grant of a pull that failed, nor
 * take away the one that the user had before.
 *
 * Who controls what: the caller controls the reference (already decided), and by other pulls at the
 * same time how much of their limits is left. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/record.h"
#include "common/schema.h"
#include "helper/store/modes.h"
#include "helper/store/quota.h"
#include "helper/store/root.h"
#include "helper/store/serve.h"

/* Has root start ces-fetch and ces-resolve. */
static int start(struct ces_pull *pull, struct ces_error *err)
{
	static struct ces_step step;

	step = (struct ces_step){.kind = CES_STEP_START};
	return ces_root_ask(&step, NULL, 0, NULL, &pull->resolver, err);
}

/* (pulls that end at once could not see one another before) */
static int fits(void *context, struct ces_error *err)
{
	struct ces_pull *pull = context;
	const struct ces_image_record image = {.digest = pull->digest,
					       .diff_ids = {pull->diff_ids, pull->n}};

	return ces_quota_check(pull->order, pull->store, &image, &pull->left, err);
}

static int grant(struct ces_pull *pull, struct ces_error *err)
{
	static struct ces_step step;
	const struct ces_store_order *order = pull->order;
	struct ces_grant given = {.reference = (char *)(uintptr_t)order->image,
				  .user = (char *)(uintptr_t)order->user,
				  .top_digest = pull->top_digest,
				  .digest = pull->digest,
				  .project = (char *)(uintptr_t)order->project,
				  .size = pull->bytes,
				  .layers = pull->n,
				  .pulled = (uint64_t)time(NULL),
				  .retain = order->retain,
				  .image = pull->image};

	step = (struct ces_step){.kind = CES_STEP_GRANT};
	return ces_root_ask(&step, NULL, 0, NULL, NULL, err) < 0
		   ? -1
		   : ces_store_write_grant(pull->store, (uid_t)order->uid, &given, fits, pull, err);
}

static bool is_settled(const struct ces_pull *pull)
{
	bool settled = true;

	for (size_t i = 0; settled && i < pull->n; i++)
		settled = ces_store_is_settled(pull->store, pull->diff_ids[i]);
	return settled;
}

int ces_mode_pull(const struct ces_store_order *order, const struct ces_store *store,
		  uint64_t *ret_end, struct ces_error *err)
{
	static struct ces_pull pull;
	const struct ces_image_record none = {0};
	int result;

	pull = (struct ces_pull){.order = order, .store = store, .resolver = -1};
	result = ces_quota_check(order, store, &none, &pull.left, err);
	if (result == 0)
		result = start(&pull, err);
	if (result == 0)
		result = ces_serve_pull(&pull, err);
	ces_cleanup_close(&pull.resolver);
	if (result == 0)
		result = grant(&pull, err);
	ces_wire_free(&ces_image_record_schema, &pull.image);
	if (result < 0)
		return -1;
	*ret_end =
	    (pull.up_to_date ? CES_END_UP_TO_DATE : 0) | (is_settled(&pull) ? CES_END_SETTLED : 0);
	return 0;
}
