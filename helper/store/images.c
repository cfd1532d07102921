/* Lists and removes the caller's images. Must not say anything about anyone else's. */

#include "common/cleanup.h"
#include "common/event.h"
#include "common/record.h"
#include "common/request.h"
#include "helper/session/report.h"
#include "helper/session/session.h"
#include "helper/store/collect.h"

static void report(const struct ces_grant *grant, const struct ces_caller *caller, char *config)
{
	struct ces_event_image event = {.reference = grant->reference,
					.digest = grant->digest,
					.size = grant->size,
					.pulled = grant->pulled,
					.used = grant->used,
					.layers = grant->layers,
					.config = config};

	if (ces_grant_is_of(grant, caller->user))
		ces_report_send(&ces_event_image_schema, &event, true);
}

static void report_image(const struct ces_grant *grant, void *context)
{
	report(grant, context, NULL);
}

int ces_verb_images(struct ces_session *session, struct ces_error *err)
{
	const struct ces_store *store = &session->store;

	if (ces_store_each_grant(store, session->uid, report_image, &session->caller) < 0)
		return ces_error_set(err, CES_E_HOST, "not all of your images can be read");
	return ces_report_done();
}

/* Finds the caller's own grant by its canonical name: the reference as written, but without the tag
 * if it has a digest. */
static int find(const struct ces_session *session, struct ces_grant *ret, struct ces_error *err)
{
	struct ces_reference reference;
	char name[CES_REFERENCE_MAX];

	if (session->request->image == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "name an image; ces-client images lists yours");
	if (ces_reference_parse(session->request->image, &reference, err) < 0)
		return -1;
	if (reference.digest[0] != '\0')
		reference.tag[0] = '\0';
	ces_reference_format(&reference, name, sizeof(name));
	return ces_store_read_grant(&session->store, &session->caller, name, ret, err);
}

int ces_verb_remove(struct ces_session *session, struct ces_error *err)
{
	struct ces_grant grant;
	int result = find(session, &grant, err);

	if (result < 0)
		return -1;
	result = ces_store_remove_grant(&session->store, session->uid, grant.reference, err);
	ces_wire_free(&ces_grant_schema, &grant);
	ces_collect_soon(session, true);
	return result < 0 ? -1 : ces_report_done();
}

int ces_verb_inspect(struct ces_session *session, struct ces_error *err)
{
	CES_CLEANUP_FREE char *config = NULL;
	struct ces_grant grant;

	if (find(session, &grant, err) < 0)
		return -1;
	/* (passes the bytes on without a look at them) */
	(void)ces_store_read_config(&session->store, grant.digest, CES_EVENT_CONFIG_MAX, &config);
	report(&grant, &session->caller, config);
	ces_wire_free(&ces_grant_schema, &grant);
	return ces_report_done();
}
