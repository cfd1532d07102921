/* The events that ces-store sends to the client, and root never does. */
#include "common/event.h"

#include "common/forms.h"

static const struct ces_wire_field progress_fields[] = {
    FIELD(ces_event_progress, 1, U64, 1, 8, 1, layer),
    FIELD(ces_event_progress, 2, U64, 1, 8, 1, layers),
    FIELD(ces_event_progress, 3, U64, 1, 8, 1, state),
    FIELD(ces_event_progress, 4, U64, 0, 8, 1, bytes),
    FIELD(ces_event_progress, 5, U64, 0, 8, 1, size),
    FIELD(ces_event_progress, 6, NAME, 0, 71, 1, digest),
};
SCHEMA(ces_event_progress_schema, "progress event", CES_FRAME_PROGRESS, ces_event_progress,
       progress_fields);

static const struct ces_wire_field image_fields[] = {
    FIELD(ces_event_image, 1, NAME, 1, 512, 1, reference),
    FIELD(ces_event_image, 2, NAME, 1, 71, 1, digest),
    FIELD(ces_event_image, 3, U64, 0, 8, 1, size),
    FIELD(ces_event_image, 4, U64, 0, 8, 1, pulled),
    FIELD(ces_event_image, 5, U64, 0, 8, 1, used),
    FIELD(ces_event_image, 6, U64, 0, 8, 1, layers),
    FIELD(ces_event_image, 7, TEXT, 0, CES_EVENT_CONFIG_MAX, 1, config),
};
SCHEMA(ces_event_image_schema, "image event", CES_FRAME_IMAGE, ces_event_image, image_fields);
