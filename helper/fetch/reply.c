/* Reads an answer that does not belong to an image. It must not believe anything in it. */
#include "helper/fetch/reply.h"

#define DEPTH 8

struct json_object *ces_reply_parse(const char *json, size_t length, size_t max)
{
	struct json_tokener *tokener = length <= max ? json_tokener_new_ex(DEPTH) : NULL;
	struct json_object *reply;

	if (tokener == NULL)
		return NULL;
	json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
	reply = json_tokener_parse_ex(tokener, json, (int)length);
	json_tokener_free(tokener);
	if (json_object_is_type(reply, json_type_object))
		return reply;
	json_object_put(reply);
	return NULL;
}
