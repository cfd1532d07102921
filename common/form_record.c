/* CES's own records on disk. */
#include "common/record.h"

#include "common/forms.h"
#include "common/name.h"

static const struct ces_wire_field grant_fields[] = {
    FIELD(ces_grant, 1, NAME, 1, 512, 1, reference),
    FIELD(ces_grant, 2, NAME, 1, 71, 1, top_digest),
    FIELD(ces_grant, 3, NAME, 1, 71, 1, digest),
    FIELD(ces_grant, 4, NAME, 0, 64, 1, project),
    FIELD(ces_grant, 5, U64, 0, 8, 1, size),
    FIELD(ces_grant, 6, U64, 0, 8, 1, layers),
    FIELD(ces_grant, 7, U64, 1, 8, 1, pulled),
    FIELD(ces_grant, 8, U64, 0, 8, 1, used),
    FIELD(ces_grant, 9, U64, 0, 8, 1, retain),
    FIELD(ces_grant, 10, TEXT, 0, 256, 1, user),
};
SCHEMA(ces_grant_schema, "grant", CES_FRAME_GRANT, ces_grant, grant_fields);

static const struct ces_wire_field run_record_fields[] = {
    FIELD(ces_run_record, 1, NAME, 1, 15, 1, run),
    FIELD(ces_run_record, 2, NAME, 0, 128, 1, name),
    FIELD(ces_run_record, 3, U64, 1, 8, 1, uid),
    FIELD(ces_run_record, 4, NAME, 0, 64, 1, project),
    FIELD(ces_run_record, 5, NAME, 0, 512, 1, image),
    FIELD(ces_run_record, 6, NAME, 0, 71, 1, digest),
    FIELD(ces_run_record, 7, U64, 0, 8, 1, started),
    FIELD(ces_run_record, 8, LINE, 0, 1100, 1, outputs),
    FIELD(ces_run_record, 9, LINE, 0, 1100, 1, scratch),
    FIELD(ces_run_record, 10, U64, 0, 8, 1, user),
    FIELD(ces_run_record, 11, U64, 0, 8, 1, group),
    FIELD(ces_run_record, 12, U64, 0, 8, 1, retain_run),
    FIELD(ces_run_record, 13, U64S, 0, 8, 16, project_gids),
    FIELD(ces_run_record, 20, U64S, 0, 8, 256, gpus),
    FIELD(ces_run_record, 21, NAMES, 0, 400, 5, cgroups),
    FIELD(ces_run_record, 22, U64, 0, 8, 1, categories),
    FIELD(ces_run_record, 23, NAMES, 0, 71, CES_LAYERS_MAX, layers),
    FIELD(ces_run_record, 24, U64S, 0, 8, 32, ports),
};
SCHEMA(ces_run_record_schema, "run record", CES_FRAME_RUN_RECORD, ces_run_record,
       run_record_fields);
