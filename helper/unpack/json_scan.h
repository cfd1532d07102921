/* The scanner in front of json-c. */
#ifndef CES_UNPACK_JSON_SCAN_H
#define CES_UNPACK_JSON_SCAN_H

#include <stddef.h>

/* NULL when the bytes are one strict JSON object (see json.h), or what is wrong with them: a
 * constant text that goes on after "it ". */
const char *ces_json_scan(const char *bytes, size_t length);

#endif
