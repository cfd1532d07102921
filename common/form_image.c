/* The record of an image. */
#include "common/image.h"

#include "common/forms.h"
#include "common/schema.h"

static const struct ces_wire_field record_fields[] = {
    FIELD(ces_image_record, 1, NAME, 0, 71, 1, digest),
    FIELD(ces_image_record, 2, NAME, 0, 71, 1, config_digest),
    FIELD(ces_image_record, 3, NAMES, 0, 71, CES_LAYERS_MAX, diff_ids),
    FIELD(ces_image_record, 4, TEXTS, 0, ENV_CAP, 256, entrypoint),
    FIELD(ces_image_record, 5, TEXTS, 0, ENV_CAP, 256, cmd),
    FIELD(ces_image_record, 6, TEXTS, 0, ENV_CAP, 512, env),
    FIELD(ces_image_record, 7, NAME, 0, 1024, 1, workdir),
    FIELD(ces_image_record, 8, NAME, 0, 256, 1, user),
    FIELD(ces_image_record, 9, U64, 0, 8, 1, uid),
    FIELD(ces_image_record, 10, U64, 0, 8, 1, gid),
    FIELD(ces_image_record, 11, U64S, 0, 8, 32, groups),
    FIELD(ces_image_record, 12, NAME, 0, 1024, 1, home),
    FIELD(ces_image_record, 13, U64, 0, 8, 1, stop_signal),
    FIELD(ces_image_record, 14, U64, 0, 8, 1, size),
};
SCHEMA(ces_image_record_schema, "image record", CES_FRAME_IMAGE_RECORD, ces_image_record,
       record_fields);
