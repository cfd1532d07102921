/* The pointers of a request. */
#include "common/request.h"
#include "policy/flat_table.h"

static const struct ces_flat_type number = {sizeof(uint64_t), NULL, 0};

#define NUMBERS(type, member) COUNTED(type, member, ces_u64s, number)

static const struct ces_flat_field request_fields[] = {TEXT(ces_request, image),
						       TEXT(ces_request, project),
						       TEXT(ces_request, name),
						       TEXT(ces_request, run),
						       TEXT(ces_request, username),
						       TEXT(ces_request, token),
						       TEXT(ces_request, entrypoint),
						       TEXT(ces_request, workdir),
						       STRINGS(ces_request, args),
						       STRINGS(ces_request, env),
						       TEXT(ces_request, gpu),
						       STRINGS(ces_request, publish),
						       STRINGS(ces_request, bind_sources),
						       STRINGS(ces_request, bind_destinations),
						       NUMBERS(ces_request, bind_read_only),
						       STRINGS(ces_request, tmpfs_destinations),
						       NUMBERS(ces_request, tmpfs_sizes),
						       NUMBERS(ces_request, cookie)};
const struct ces_flat_type ces_request_flat = TYPE(struct ces_request, request_fields);
