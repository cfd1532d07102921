/* Lists other tags of a missing image. It must not print anything when it fails. */
#include "client/missing.h"

#include <stdio.h>
#include <string.h>

#include "client/listen.h"
#include "client/say.h"
#include "common/event.h"
#include "common/name.h"
#include "common/paths.h"

struct tags {
	struct ces_reference wanted;
	char text[512];
	size_t used;
};

static void on_image(void *context, const struct ces_event_image *image)
{
	struct tags *tags = context;
	struct ces_reference here;
	struct ces_error ignored;

	if (ces_reference_parse(image->reference, &here, &ignored) < 0 ||
	    strcmp(here.registry, tags->wanted.registry) != 0 ||
	    strcmp(here.repository, tags->wanted.repository) != 0 ||
	    tags->used + strlen(image->reference) + 3 > sizeof(tags->text))
		return;
	tags->used += (size_t)snprintf(tags->text + tags->used, sizeof(tags->text) - tags->used,
				       "%s%s", tags->used > 0 ? ", " : "", image->reference);
}

static void on_lost(void *context, const struct ces_error *err)
{
	(void)context;
	(void)err;
}

void ces_missing_image(const char *reference)
{
	static const struct ces_listener listener = {.image = on_image, .lost = on_lost};
	const struct ces_request request = {.verb = CES_VERB_IMAGES};
	struct tags tags = {.used = 0};
	struct ces_error ignored;

	if (ces_reference_parse(reference, &tags.wanted, &ignored) < 0 ||
	    ces_listen_to(CES_HELPER_PATH, &request, &listener, &tags, &ignored) < 0)
		return;
	if (tags.used > 0)
		ces_say_error("of that image you have: %s", tags.text);
}

struct look {
	char wanted[CES_REFERENCE_MAX];
	bool found;
};

static void compare(void *context, const struct ces_event_image *image)
{
	struct look *look = context;

	look->found = look->found || strcmp(image->reference, look->wanted) == 0;
}

void ces_missing_note(const char *reference)
{
	static const struct ces_listener listener = {.image = compare, .lost = on_lost};
	const struct ces_request request = {.verb = CES_VERB_IMAGES};
	struct ces_reference wanted;
	struct look look = {.found = false};
	struct ces_error ignored;

	if (ces_reference_parse(reference, &wanted, &ignored) < 0)
		return;
	ces_reference_format(&wanted, look.wanted, sizeof(look.wanted));
	if (ces_listen_to(CES_HELPER_PATH, &request, &listener, &look, &ignored) == 0 &&
	    !look.found)
		ces_say("you have no image %s here yet: first type ces-client pull %s", look.wanted,
			look.wanted);
}
