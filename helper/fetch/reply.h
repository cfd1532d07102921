/* Small JSON answers of a registry or its token server. */
#ifndef CES_FETCH_REPLY_H
#define CES_FETCH_REPLY_H

#include <stddef.h>

#include <json-c/json.h>

#define CES_TOKEN_REPLY_MAX (64 * 1024)
#define CES_TAGS_REPLY_MAX  (256 * 1024)

/* Parses text as a JSON object, at most eight levels deep and max bytes long; NULL for any other
 * text. Release it with json_object_put. */
struct json_object *ces_reply_parse(const char *json, size_t length, size_t max);

#endif
