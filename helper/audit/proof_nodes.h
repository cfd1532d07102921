/* Checks the device nodes of a container. */
#ifndef CES_HELPER_AUDIT_PROOF_NODES_H
#define CES_HELPER_AUDIT_PROOF_NODES_H

#include "helper/launch/devices.h"
#include "helper/session/json.h"

/* Checks a container's /dev, opened for reading: it must have the standard nodes and the n given,
 * with these numbers, and no other device (except a terminal at /dev/console). Adds the names found
 * to the list of found. */
int ces_proof_nodes(int dev, const struct ces_device *more, size_t n, struct ces_json *found,
		    struct ces_error *err);

#endif
