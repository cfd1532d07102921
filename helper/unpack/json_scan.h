/* The scanner in front of json-c. */
#ifndef CES_UNPACK_JSON_SCAN_H
#define CES_UNPACK_JSON_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* NULL if the bytes are one strict JSON object (see json.h); otherwise what is wrong, as a constant
 * text that follows "it ". */
const char *ces_json_scan(const char *bytes, size_t length);

/* A letter as Go's encoding/json compares it with that of a member's name: in lower case, and with
 * two letters beyond ASCII (long s, the sign for kelvin) folded. */
uint32_t ces_json_fold(uint32_t point);

#endif
