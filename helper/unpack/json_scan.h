/* The scanner in front of json-c. */
#ifndef CES_UNPACK_JSON_SCAN_H
#define CES_UNPACK_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* NULL when the bytes are one strict JSON object (see json.h), or what is wrong with them: a
 * constant text that goes on after "it ". */
const char *ces_json_scan(const char *bytes, size_t length);

/* A letter as Go's encoding/json compares it with that of a member's name: in lower case, and two
 * letters beyond ASCII (long s, the sign for kelvin) with those that they fold to. */
uint32_t ces_json_fold(uint32_t point);

#endif
