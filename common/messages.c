/* The tables of every message: one line a field. A tag is never given a second meaning. */
#include <stddef.h>

#include "common/image.h"
#include "common/request.h"
#include "common/worker.h"

/* tag, kind, required, cap, count, member */
#define FIELD(type, tag, kind, required, cap, count, member)                                       \
	{                                                                                          \
		(tag), CES_WIRE_##kind, (required), (cap), (count), offsetof(struct type, member)  \
	}
#define SCHEMA(variable, label, frame, object, table)                                              \
	const struct ces_wire_schema variable = {(label), (frame), sizeof(struct object), (table), \
						 sizeof(table) / sizeof((table)[0])}

#define PATH_CAP 4096
#define ENV_CAP  65536

static const struct ces_wire_field request_fields[] = {
    FIELD(ces_request, 1, U64, 1, 8, 1, verb),
    FIELD(ces_request, 2, U64, 0, 8, 1, flags),
    /* TEXT, so that a reference with control characters comes here to be refused and recorded */
    FIELD(ces_request, 3, TEXT, 0, 512, 1, image),
    FIELD(ces_request, 4, NAME, 0, 64, 1, project),
    FIELD(ces_request, 5, NAME, 0, 64, 1, name),
    FIELD(ces_request, 6, NAME, 0, 64, 1, run),
    FIELD(ces_request, 7, NAME, 0, 256, 1, username),
    FIELD(ces_request, 8, NAME, 0, 8192, 1, token),
    FIELD(ces_request, 9, TEXT, 0, PATH_CAP, 1, entrypoint),
    FIELD(ces_request, 10, NAME, 0, 1024, 1, workdir),
    FIELD(ces_request, 11, TEXTS, 0, ENV_CAP, 4096, args),
    FIELD(ces_request, 12, TEXTS, 0, ENV_CAP, 1024, env),
    FIELD(ces_request, 13, U64, 0, 8, 1, cpus),
    FIELD(ces_request, 14, U64, 0, 8, 1, memory_bytes),
    FIELD(ces_request, 15, U64, 0, 8, 1, time_seconds),
    FIELD(ces_request, 16, U64, 0, 8, 1, shm_bytes),
    FIELD(ces_request, 17, NAME, 0, 127, 1, gpu),
    FIELD(ces_request, 18, NAMES, 0, 16, 32, publish),
    FIELD(ces_request, 19, NAMES, 0, 1023, 32, bind_sources),
    FIELD(ces_request, 20, NAMES, 0, 255, 32, bind_destinations),
    FIELD(ces_request, 21, U64S, 0, 8, 32, bind_read_only),
    FIELD(ces_request, 22, NAMES, 0, 255, 32, tmpfs_destinations),
    FIELD(ces_request, 23, U64S, 0, 8, 32, tmpfs_sizes),
};
SCHEMA(ces_request_schema, "request", CES_FRAME_REQUEST, ces_request, request_fields);

static const struct ces_wire_field control_fields[] = {
    FIELD(ces_control, 1, U64, 1, 8, 1, kind),
    FIELD(ces_control, 2, U64, 0, 8, 1, value),
};
SCHEMA(ces_control_schema, "control frame", CES_FRAME_CONTROL, ces_control, control_fields);

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

static const struct ces_wire_field started_fields[] = {
    FIELD(ces_event_started, 1, NAME, 1, 64, 1, run),
    FIELD(ces_event_started, 2, NAME, 0, PATH_CAP, 1, outputs),
    FIELD(ces_event_started, 3, NAME, 0, 64, 1, project),
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
};
SCHEMA(ces_event_exited_schema, "exited event", CES_FRAME_EXITED, ces_event_exited, exited_fields);

static const struct ces_wire_field error_fields[] = {
    FIELD(ces_event_error, 1, U64, 1, 8, 1, code),
    FIELD(ces_event_error, 2, NAME, 0, 128, 1, rule),
    FIELD(ces_event_error, 3, NAME, 1, 1024, 1, text),
    FIELD(ces_event_error, 4, NAME, 0, 256, 1, contact),
};
SCHEMA(ces_event_error_schema, "error event", CES_FRAME_ERROR, ces_event_error, error_fields);

static const struct ces_wire_field text_fields[] = {
    FIELD(ces_event_text, 1, NAME, 1, 4096, 1, text),
};
SCHEMA(ces_event_text_schema, "text event", CES_FRAME_TEXT, ces_event_text, text_fields);

static const struct ces_wire_field image_fields[] = {
    FIELD(ces_event_image, 1, NAME, 1, 512, 1, reference),
    FIELD(ces_event_image, 2, NAME, 1, 71, 1, digest),
    FIELD(ces_event_image, 3, U64, 0, 8, 1, size),
    FIELD(ces_event_image, 4, U64, 0, 8, 1, pulled),
    FIELD(ces_event_image, 5, U64, 0, 8, 1, used),
    FIELD(ces_event_image, 6, U64, 0, 8, 1, layers),
};
SCHEMA(ces_event_image_schema, "image event", CES_FRAME_IMAGE, ces_event_image, image_fields);

static const struct ces_wire_field run_fields[] = {
    FIELD(ces_event_run, 1, NAME, 1, 64, 1, run),
    FIELD(ces_event_run, 2, NAME, 0, 64, 1, name),
    FIELD(ces_event_run, 3, NAME, 0, 512, 1, image),
    FIELD(ces_event_run, 4, NAME, 0, 71, 1, digest),
    FIELD(ces_event_run, 5, NAME, 0, 64, 1, project),
    FIELD(ces_event_run, 6, U64, 0, 8, 1, started),
    FIELD(ces_event_run, 7, NAME, 0, PATH_CAP, 1, outputs),
};
SCHEMA(ces_event_run_schema, "run event", CES_FRAME_RUN, ces_event_run, run_fields);

static const struct ces_wire_field done_fields[] = {
    FIELD(ces_event_done, 1, NAME, 0, 71, 1, digest),
    FIELD(ces_event_done, 2, U64, 0, 8, 1, up_to_date),
    FIELD(ces_event_done, 3, NAME, 0, 64, 1, run),
};
SCHEMA(ces_event_done_schema, "done event", CES_FRAME_DONE, ces_event_done, done_fields);

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
    FIELD(ces_run_record, 2, NAME, 0, 64, 1, name),
    FIELD(ces_run_record, 3, U64, 1, 8, 1, uid),
    FIELD(ces_run_record, 4, NAME, 0, 64, 1, project),
    FIELD(ces_run_record, 5, NAME, 0, 512, 1, image),
    FIELD(ces_run_record, 6, NAME, 0, 71, 1, digest),
    FIELD(ces_run_record, 7, U64, 0, 8, 1, started),
    FIELD(ces_run_record, 8, NAME, 0, 1100, 1, outputs),
    FIELD(ces_run_record, 9, NAME, 0, 1100, 1, scratch),
    FIELD(ces_run_record, 10, U64, 0, 8, 1, user),
    FIELD(ces_run_record, 11, U64, 0, 8, 1, group),
    FIELD(ces_run_record, 12, U64, 0, 8, 1, retain_run),
    FIELD(ces_run_record, 20, U64S, 0, 8, 256, gpus),
    FIELD(ces_run_record, 21, NAMES, 0, 400, 5, cgroups),
    FIELD(ces_run_record, 22, U64, 0, 8, 1, categories),
    FIELD(ces_run_record, 23, NAMES, 0, 71, CES_LAYERS_MAX, layers),
};
SCHEMA(ces_run_record_schema, "run record", CES_FRAME_RUN_RECORD, ces_run_record,
       run_record_fields);

static const struct ces_wire_field fetch_open_fields[] = {
    FIELD(ces_fetch_open, 1, NAME, 1, 300, 1, scheme_host_port),
    FIELD(ces_fetch_open, 2, NAME, 0, 256, 1, prefix),
    FIELD(ces_fetch_open, 3, NAME, 1, 256, 1, repository),
    FIELD(ces_fetch_open, 4, NAMES, 0, 262, 32, hosts),
    FIELD(ces_fetch_open, 5, NAME, 0, 256, 1, username),
    FIELD(ces_fetch_open, 6, NAME, 0, 8192, 1, token),
    FIELD(ces_fetch_open, 7, U64, 0, 8, 1, ca),
};
SCHEMA(ces_fetch_open_schema, "fetch order", CES_FRAME_FETCH_OPEN, ces_fetch_open,
       fetch_open_fields);

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
