/* Names of objects and labels in a Kubernetes cluster. */
#ifndef CES_COMMON_CLUSTER_H
#define CES_COMMON_CLUSTER_H

#include <stdbool.h>
#include <stddef.h>

/* A name of an object: up to `max` (at most 253) lower-case letters, digits, '-' and '.', each
 * part between dots beginning and ending with a letter or digit (RFC 1123). */
bool ces_cluster_name_valid(const char *text, size_t max);

/* The value of a label: 1 to 63 of [A-Za-z0-9._-], beginning and ending with a letter
 * or digit. */
bool ces_cluster_label_valid(const char *text);

#endif
