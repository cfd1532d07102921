/* Makes envelopes. */
#include "policy/receipt/dsse.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/receipt/signer.h"

static struct json_object *base64(const void *bytes, size_t length)
{
	CES_CLEANUP_FREE char *text = ces_base64_write(bytes, length);

	return text == NULL ? NULL : json_object_new_string(text);
}

static char *print(struct json_object *envelope)
{
	const char *text = json_object_to_json_string_ext(
	    envelope, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

	return text == NULL ? NULL : strdup(text);
}

int ces_dsse_sign(struct ces_signer *signer, const char *uri, const char *type, const char *text,
		  char **ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_signature signature;
	struct json_object *envelope, *list, *one;
	size_t length;

	if (ces_dsse_encode(type, text, strlen(text), &bytes, &length, err) != 0 ||
	    ces_signer_sign(signer, uri, bytes, length, &signature, err) != 0)
		return -1;
	envelope = json_object_new_object();
	list = json_object_new_array();
	one = json_object_new_object();
	(void)json_object_object_add(envelope, "payload", base64(text, strlen(text)));
	(void)json_object_object_add(envelope, "payloadType", json_object_new_string(type));
	(void)json_object_object_add(envelope, "signatures", list);
	(void)json_object_array_add(list, one);
	(void)json_object_object_add(one, "keyid", json_object_new_string(signature.keyid));
	(void)json_object_object_add(one, "sig", base64(signature.bytes, signature.length));
	*ret = print(envelope);
	json_object_put(envelope);
	return *ret != NULL ? 0 : ces_error_set(err, CES_E_HOST, "out of memory");
}
