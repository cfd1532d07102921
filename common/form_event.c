/* The messages of the event pipe. */
#include "common/event.h"

#include "common/forms.h"

static const struct ces_wire_field started_fields[] = {
    FIELD(ces_event_started, 1, NAME, 1, 64, 1, run),
    FIELD(ces_event_started, 2, LINE, 0, PATH_CAP, 1, outputs),
    FIELD(ces_event_started, 3, NAME, 0, 64, 1, project),
    FIELD(ces_event_started, 4, NAME, 0, 71, 1, digest),
    FIELD(ces_event_started, 5, U64, 0, 8, 1, most_time),
    FIELD(ces_event_started, 6, U64, 0, 8, 1, most_memory),
    FIELD(ces_event_started, 7, U64, 0, 8, 1, most_cpus),
};
SCHEMA(ces_event_started_schema, "started event", CES_FRAME_STARTED, ces_event_started,
       started_fields);

static const struct ces_wire_field exited_fields[] = {
    FIELD(ces_event_exited, 1, U64, 1, 8, 1, status),
    FIELD(ces_event_exited, 2, NAME, 1, 64, 1, reason),
    FIELD(ces_event_exited, 3, U64, 0, 8, 1, peak_memory),
    FIELD(ces_event_exited, 4, U64, 0, 8, 1, cpu_us),
    FIELD(ces_event_exited, 5, NAME, 0, 512, 1, text),
    FIELD(ces_event_exited, 6, U64, 0, 8, 1, limit),
    FIELD(ces_event_exited, 7, U64, 0, 8, 1, value),
    FIELD(ces_event_exited, 8, U64, 0, 8, 1, most),
    FIELD(ces_event_exited, 9, U64, 0, 8, 1, check),
    FIELD(ces_event_exited, 10, U64, 0, 8, 1, findings),
    FIELD(ces_event_exited, 11, U64, 0, 8, 1, files),
    FIELD(ces_event_exited, 12, LINE, 0, 256, 1, contact),
    FIELD(ces_event_exited, 13, U64, 0, 8, 1, withheld),
};
SCHEMA(ces_event_exited_schema, "exited event", CES_FRAME_EXITED, ces_event_exited, exited_fields);

static const struct ces_wire_field error_fields[] = {
    FIELD(ces_event_error, 1, U64, 1, 8, 1, code),
    FIELD(ces_event_error, 2, NAME, 0, 128, 1, rule),
    FIELD(ces_event_error, 3, NAME, 1, 1024, 1, text),
    FIELD(ces_event_error, 4, LINE, 0, 256, 1, contact),
    FIELD(ces_event_error, 5, U64, 0, 8, 1, ticket),
    FIELD(ces_event_error, 6, U64, 0, 8, 1, position),
};
SCHEMA(ces_event_error_schema, "error event", CES_FRAME_ERROR, ces_event_error, error_fields);

static const struct ces_wire_field text_fields[] = {
    FIELD(ces_event_text, 1, LINE, 1, 4096, 1, text),
};
SCHEMA(ces_event_text_schema, "text event", CES_FRAME_TEXT, ces_event_text, text_fields);

static const struct ces_wire_field run_fields[] = {
    FIELD(ces_event_run, 1, NAME, 1, 64, 1, run),
    FIELD(ces_event_run, 2, NAME, 0, 128, 1, name),
    FIELD(ces_event_run, 3, NAME, 0, 512, 1, image),
    FIELD(ces_event_run, 4, NAME, 0, 71, 1, digest),
    FIELD(ces_event_run, 5, NAME, 0, 64, 1, project),
    FIELD(ces_event_run, 6, U64, 0, 8, 1, started),
    FIELD(ces_event_run, 7, LINE, 0, PATH_CAP, 1, outputs),
    FIELD(ces_event_run, 8, U64S, 0, 8, 32, ports),
};
SCHEMA(ces_event_run_schema, "run event", CES_FRAME_RUN, ces_event_run, run_fields);

static const struct ces_wire_field done_fields[] = {
    FIELD(ces_event_done, 1, NAME, 0, 71, 1, digest),
    FIELD(ces_event_done, 2, U64, 0, 8, 1, up_to_date),
    FIELD(ces_event_done, 3, NAME, 0, 64, 1, run),
};
SCHEMA(ces_event_done_schema, "done event", CES_FRAME_DONE, ces_event_done, done_fields);
