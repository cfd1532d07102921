/* The patterns of a policy's image rules. */
#ifndef CES_POLICY_PATTERN_H
#define CES_POLICY_PATTERN_H

#include <stdbool.h>

/* An allow pattern of a policy ("ghcr.io/epcced/<star>", final "<star><star>" for any depth):
 * matched component by component against "registry/repository", never as a string prefix. "*" is
 * exactly one whole component, "**" only as the last component and matches one or more components.
 */
bool ces_pattern_valid(const char *pattern);
bool ces_pattern_match(const char *pattern, const char *registry, const char *repository);

#endif
