/* The messages from root to workers, and the one answer that root reads itself: a relay's. */
#include "common/forms.h"
#include "common/schema.h"
#include "common/worker_order.h"

static const struct ces_wire_field fetch_open_fields[] = {
    FIELD(ces_fetch_open, 1, NAME, 1, 511, 1, scheme_host_port),
    FIELD(ces_fetch_open, 2, NAME, 0, 256, 1, prefix),
    FIELD(ces_fetch_open, 3, NAME, 1, 256, 1, repository),
    FIELD(ces_fetch_open, 4, NAMES, 0, 262, 32, hosts),
    FIELD(ces_fetch_open, 5, NAME, 0, 256, 1, username),
    FIELD(ces_fetch_open, 6, NAME, 0, 8192, 1, token),
    FIELD(ces_fetch_open, 7, U64, 0, 8, 1, ca),
    FIELD(ces_fetch_open, 8, NAME, 0, 300, 1, proxy),
};
SCHEMA(ces_fetch_open_schema, "fetch order", CES_FRAME_FETCH_OPEN, ces_fetch_open,
       fetch_open_fields);

static const struct ces_wire_field unpack_job_fields[] = {
    FIELD(ces_unpack_job, 1, U64, 1, 8, 1, kind),
    FIELD(ces_unpack_job, 2, NAME, 0, 71, 1, digest),
    FIELD(ces_unpack_job, 3, U64, 0, 8, 1, size),
    FIELD(ces_unpack_job, 4, U64, 0, 8, 1, compression),
    FIELD(ces_unpack_job, 5, NAME, 0, 71, 1, diff_id),
    FIELD(ces_unpack_job, 6, U64, 0, 8, 1, layers),
    FIELD(ces_unpack_job, 7, NAME, 0, 256, 1, user),
    FIELD(ces_unpack_job, 8, U64, 0, 8, 1, max_bytes),
    FIELD(ces_unpack_job, 9, U64, 0, 8, 1, max_entries),
    FIELD(ces_unpack_job, 10, U64, 0, 8, 1, reserve),
    FIELD(ces_unpack_job, 11, U64, 0, 8, 1, type),
};
SCHEMA(ces_unpack_job_schema, "unpack job", CES_FRAME_UNPACK_JOB, ces_unpack_job,
       unpack_job_fields);

static const struct ces_wire_field relay_job_fields[] = {
    FIELD(ces_relay_job, 1, U64, 0, 8, 1, uid),
    FIELD(ces_relay_job, 2, U64S, 0, 8, CES_RELAY_PORTS, host_ports),
    FIELD(ces_relay_job, 3, U64S, 0, 8, CES_RELAY_PORTS, container_ports),
    FIELD(ces_relay_job, 4, U64, 1, 8, 1, kind),
    FIELD(ces_relay_job, 5, NAME, 0, 270, 1, proxy),
    FIELD(ces_relay_job, 6, NAME, 0, 255, 1, address),
};
SCHEMA(ces_relay_job_schema, "relay job", CES_FRAME_RELAY_JOB, ces_relay_job, relay_job_fields);

static const struct ces_wire_field relay_report_fields[] = {
    FIELD(ces_relay_report, 1, U64, 0, 8, 1, port),
    FIELD(ces_relay_report, 2, U64, 0, 8, 1, uid),
    FIELD(ces_relay_report, 3, NAME, 0, 255, 1, address),
    FIELD(ces_relay_report, 4, NAME, 0, 512, 1, text),
};
SCHEMA(ces_relay_report_schema, "relay report", CES_FRAME_RELAY_REPORT, ces_relay_report,
       relay_report_fields);
