/* Lines and columns of the values of a JSON text, by their paths. */
#ifndef CES_POLICY_TOOL_WHERE_H
#define CES_POLICY_TOOL_WHERE_H

#include <stddef.h>

struct ces_where;

/* Walks the text once. It must have passed ces_scan_check. NULL if there is no memory. */
struct ces_where *ces_where_new(const char *bytes, size_t length);

/* "projects.p.images[0].allow": where that key, or array element, begins, both from 1. If it is not
 * there, its nearest existing parent. */
void ces_where_find(const struct ces_where *where, const char *path, size_t *ret_line,
		    size_t *ret_column);

void ces_where_free(struct ces_where *where);

#endif
