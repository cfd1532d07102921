/* The forms of what a caller, a registry, an image or a worker sends. Each turns a frame into a
 * struct (common/wire.h). A file that includes this reads foreign bytes. Few places in root's
 * programs may do so, and `make size` counts these; all their other code has only flat values. */
#ifndef CES_COMMON_SCHEMA_H
#define CES_COMMON_SCHEMA_H

#include "common/wire.h"

/* common/request.h */
extern const struct ces_wire_schema ces_request_schema;
/* common/image.h */
extern const struct ces_wire_schema ces_image_record_schema;
/* common/worker.h */
extern const struct ces_wire_schema ces_fetch_get_schema;
extern const struct ces_wire_schema ces_fetch_status_schema;
extern const struct ces_wire_schema ces_unpack_manifest_schema;
extern const struct ces_wire_schema ces_unpack_layer_schema;
extern const struct ces_wire_schema ces_unpack_error_schema;
extern const struct ces_wire_schema ces_unpack_signatures_schema;

#endif
