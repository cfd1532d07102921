/* Lists every message. Put a new one here: otherwise no test and no fuzzer sees it. */
#ifndef CES_TESTS_UNIT_SCHEMAS_H
#define CES_TESTS_UNIT_SCHEMAS_H

#include "common/event.h"
#include "common/image.h"
#include "common/request.h"
#include "common/schema.h"
#include "common/worker.h"

static const struct ces_wire_schema *const schemas[] = {
    &ces_request_schema,           &ces_event_progress_schema, &ces_event_started_schema,
    &ces_event_exited_schema,      &ces_event_error_schema,    &ces_event_text_schema,
    &ces_event_image_schema,       &ces_event_run_schema,      &ces_event_done_schema,
    &ces_image_record_schema,      &ces_fetch_get_schema,      &ces_fetch_status_schema,
    &ces_unpack_manifest_schema,   &ces_unpack_layer_schema,   &ces_unpack_error_schema,
    &ces_unpack_signatures_schema,
};

#endif
