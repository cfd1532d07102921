/* The messages between workers. It must not be linked into root's programs: no program of root's
 * knows the form of a manifest, of a layer or of a registry's answer. */
#include "common/forms.h"
#include "common/schema.h"
#include "common/worker.h"

static const struct ces_wire_field fetch_get_fields[] = {
    FIELD(ces_fetch_get, 1, U64, 1, 8, 1, id),
    FIELD(ces_fetch_get, 2, U64, 1, 8, 1, kind),
    FIELD(ces_fetch_get, 3, NAME, 1, 256, 1, reference),
    FIELD(ces_fetch_get, 4, U64, 1, 8, 1, size),
};
SCHEMA(ces_fetch_get_schema, "fetch request", CES_FRAME_FETCH_GET, ces_fetch_get, fetch_get_fields);

static const struct ces_wire_field fetch_status_fields[] = {
    FIELD(ces_fetch_status, 1, U64, 1, 8, 1, id),
    FIELD(ces_fetch_status, 2, U64, 1, 8, 1, state),
    FIELD(ces_fetch_status, 3, U64, 0, 8, 1, bytes),
    FIELD(ces_fetch_status, 4, U64, 0, 8, 1, code),
    FIELD(ces_fetch_status, 5, NAME, 0, 512, 1, text),
    FIELD(ces_fetch_status, 6, U64, 0, 8, 1, type),
};
SCHEMA(ces_fetch_status_schema, "fetch status", CES_FRAME_FETCH_STATUS, ces_fetch_status,
       fetch_status_fields);

static const struct ces_wire_field unpack_manifest_fields[] = {
    FIELD(ces_unpack_manifest, 1, NAME, 1, 71, 1, digest),
    FIELD(ces_unpack_manifest, 2, NAME, 0, 71, 1, chosen),
    FIELD(ces_unpack_manifest, 3, U64, 0, 8, 1, chosen_size),
    FIELD(ces_unpack_manifest, 4, NAME, 0, 71, 1, config_digest),
    FIELD(ces_unpack_manifest, 5, U64, 0, 8, 1, config_size),
    FIELD(ces_unpack_manifest, 6, NAMES, 0, 71, CES_LAYERS_MAX, layer_digests),
    FIELD(ces_unpack_manifest, 7, U64S, 0, 8, CES_LAYERS_MAX, layer_sizes),
    FIELD(ces_unpack_manifest, 8, U64S, 0, 8, CES_LAYERS_MAX, layer_compressions),
};
SCHEMA(ces_unpack_manifest_schema, "manifest answer", CES_FRAME_UNPACK_MANIFEST,
       ces_unpack_manifest, unpack_manifest_fields);

static const struct ces_wire_field unpack_layer_fields[] = {
    FIELD(ces_unpack_layer, 1, NAME, 1, 71, 1, diff_id),
    FIELD(ces_unpack_layer, 2, U64, 0, 8, 1, bytes),
    FIELD(ces_unpack_layer, 3, U64, 0, 8, 1, entries),
    FIELD(ces_unpack_layer, 4, TEXTS, 0, PATH_CAP, CES_OPAQUE_MAX, opaque),
};
SCHEMA(ces_unpack_layer_schema, "layer answer", CES_FRAME_UNPACK_LAYER, ces_unpack_layer,
       unpack_layer_fields);

static const struct ces_wire_field unpack_error_fields[] = {
    FIELD(ces_unpack_error, 1, U64, 1, 8, 1, code),
    FIELD(ces_unpack_error, 2, NAME, 1, 512, 1, text),
};
SCHEMA(ces_unpack_error_schema, "unpack error", CES_FRAME_UNPACK_ERROR, ces_unpack_error,
       unpack_error_fields);

static const struct ces_wire_field unpack_signatures_fields[] = {
    FIELD(ces_unpack_signatures, 1, U64, 0, 8, 1, index),
    FIELD(ces_unpack_signatures, 2, NAMES, 0, 71, CES_BAG_DOCUMENTS, digests),
    FIELD(ces_unpack_signatures, 3, U64S, 0, 8, CES_BAG_DOCUMENTS, sizes),
};
SCHEMA(ces_unpack_signatures_schema, "signatures answer", CES_FRAME_UNPACK_SIGNATURES,
       ces_unpack_signatures, unpack_signatures_fields);
