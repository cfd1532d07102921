/* The places of a driver's files in a container. */
#ifndef CES_POLICY_CDI_PLACE_H
#define CES_POLICY_CDI_PLACE_H

#include "policy/cdi.h"
#include "policy/field.h"

/* The place of a file at this path. */
enum ces_cdi_place ces_cdi_place_of(const char *path);

/* Leaves out the nodes that no run gets, gives each mount its place, and makes the list of links
 * from the hooks. -1 without memory. */
int ces_cdi_settle(struct ces_fields *in, struct ces_cdi_edits *edits);

#endif
