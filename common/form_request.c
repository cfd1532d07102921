/* The request. */
#include "common/request.h"

#include "common/forms.h"
#include "common/schema.h"

static const struct ces_wire_field request_fields[] = {
    FIELD(ces_request, 1, U64, 1, 8, 1, verb),
    FIELD(ces_request, 2, U64, 0, 8, 1, flags),
    /* TEXT, so that a reference with control characters arrives, and CES refuses and records it */
    FIELD(ces_request, 3, TEXT, 0, 512, 1, image),
    FIELD(ces_request, 4, NAME, 0, 64, 1, project),
    FIELD(ces_request, 5, NAME, 0, 128, 1, name),
    FIELD(ces_request, 6, NAME, 0, 128, 1, run),
    FIELD(ces_request, 7, NAME, 0, 256, 1, username),
    FIELD(ces_request, 8, NAME, 0, 8192, 1, token),
    FIELD(ces_request, 9, TEXT, 0, PATH_CAP, 1, entrypoint),
    FIELD(ces_request, 10, LINE, 0, 1024, 1, workdir),
    FIELD(ces_request, 11, TEXTS, 0, ENV_CAP, 4096, args),
    FIELD(ces_request, 12, TEXTS, 0, ENV_CAP, 1024, env),
    FIELD(ces_request, 13, U64, 0, 8, 1, cpus),
    FIELD(ces_request, 14, U64, 0, 8, 1, memory_bytes),
    FIELD(ces_request, 15, U64, 0, 8, 1, time_seconds),
    FIELD(ces_request, 16, U64, 0, 8, 1, shm_bytes),
    FIELD(ces_request, 17, NAME, 0, 127, 1, gpu),
    FIELD(ces_request, 18, NAMES, 0, 16, 32, publish),
    FIELD(ces_request, 19, LINES, 0, 1023, 32, bind_sources),
    FIELD(ces_request, 20, LINES, 0, 255, 32, bind_destinations),
    FIELD(ces_request, 21, U64S, 0, 8, 32, bind_read_only),
    FIELD(ces_request, 22, LINES, 0, 255, 32, tmpfs_destinations),
    FIELD(ces_request, 23, U64S, 0, 8, 32, tmpfs_sizes),
    FIELD(ces_request, 24, U64, 0, 8, 1, ticket),
    FIELD(ces_request, 25, U64, 0, 8, 1, display),
    FIELD(ces_request, 26, U64S, 0, 8, CES_COOKIE_WORDS, cookie),
};
SCHEMA(ces_request_schema, "request", CES_FRAME_REQUEST, ces_request, request_fields);
