/* Opens envelopes. It must never hand out a text before a signature over exactly its bytes was
 * found good.
 *
 * Who controls what: an envelope comes from anyone. It is bounded, scanned strictly before json-c
 * sees it, and no text of it is printed before the signature is known. */
#include "policy/receipt/dsse.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "policy/scan.h"

#define SIGNATURES_MAX 16

int ces_dsse_encode(const char *type, const char *text, size_t length, char **ret,
		    size_t *ret_length, struct ces_error *err)
{
	char head[200];
	int used = snprintf(head, sizeof(head), "DSSEv1 %zu %s %zu ", strlen(type), type, length);

	*ret = malloc((size_t)used + length);
	if (*ret == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(*ret, head, (size_t)used);
	memcpy(*ret + used, text, length);
	*ret_length = (size_t)used + length;
	return 0;
}

char *ces_base64_write(const void *bytes, size_t length)
{
	char *text = malloc(length / 3 * 4 + 5);

	if (text != NULL)
		EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

const char *ces_dsse_text(struct json_object *object, const char *key)
{
	struct json_object *value;

	if (!json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	return json_object_get_string(value);
}

/* Takes standard and URL-safe base64, as DSSE asks, and only the one way to write these bytes. */
unsigned char *ces_base64_read(const char *text, size_t *ret_length)
{
	size_t length = strlen(text), padding = 0;
	CES_CLEANUP_FREE char *standard = strdup(text), *again = NULL;
	CES_CLEANUP_FREE unsigned char *bytes = malloc(length / 4 * 3 + 1);

	if (standard == NULL || bytes == NULL || length % 4 != 0)
		return NULL;
	for (char *at = standard; *at != '\0'; at++)
		*at = (char)(*at == '-' ? '+' : *at == '_' ? '/' : *at);
	while (padding < 2 && padding < length && standard[length - 1 - padding] == '=')
		padding++;
	if (EVP_DecodeBlock(bytes, (const unsigned char *)standard, (int)length) !=
	    (int)(length / 4 * 3))
		return NULL;
	*ret_length = length / 4 * 3 - padding;
	again = ces_base64_write(bytes, *ret_length);
	if (again == NULL || strcmp(again, standard) != 0)
		return NULL;
	bytes[*ret_length] = '\0';
	return ces_steal_pointer(&bytes);
}

static int check_signatures(EVP_PKEY *key, struct json_object *list, const char *bytes,
			    size_t length, struct ces_error *err)
{
	size_t n = json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;

	if (n == 0 || n > SIGNATURES_MAX)
		return ces_error_set(err, CES_E_USAGE,
				     "not an envelope: it has no list of 1 to %d signatures",
				     SIGNATURES_MAX);
	for (size_t i = 0; i < n; i++) {
		const char *text = ces_dsse_text(json_object_array_get_idx(list, i), "sig");
		size_t signature_length = 0;
		CES_CLEANUP_FREE unsigned char *signature =
		    text == NULL ? NULL : ces_base64_read(text, &signature_length);

		if (signature != NULL &&
		    ces_key_check(key, bytes, length, signature, signature_length) == 0)
			return 0;
	}
	return ces_error_set(err, CES_E_DENIED,
			     "no signature of this key: it was signed by another key, or changed");
}

int ces_dsse_open_tree(EVP_PKEY *key, const char *type, struct json_object *envelope, char **ret,
		       struct ces_error *err)
{
	const char *payload = ces_dsse_text(envelope, "payload");
	const char *have = ces_dsse_text(envelope, "payloadType");
	CES_CLEANUP_FREE char *bytes = NULL;
	CES_CLEANUP_FREE unsigned char *text = NULL;
	struct json_object *list = NULL;
	size_t length = 0, text_length = 0;

	if (payload == NULL || have == NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "not an envelope: it has no payload or no payloadType");
	(void)json_object_object_get_ex(envelope, "signatures", &list);
	text = ces_base64_read(payload, &text_length);
	if (text == NULL || strlen((const char *)text) != text_length)
		return ces_error_set(err, CES_E_USAGE, "the payload is not base64 of a text");
	if (strcmp(have, type) != 0)
		return ces_error_set(err, CES_E_USAGE, "the payload is of another type: not %s",
				     type);
	if (ces_dsse_encode(type, (const char *)text, text_length, &bytes, &length, err) != 0 ||
	    check_signatures(key, list, bytes, length, err) != 0)
		return -1;
	*ret = (char *)ces_steal_pointer(&text);
	return 0;
}

int ces_dsse_open(EVP_PKEY *key, const char *type, const char *envelope, size_t length, char **ret,
		  struct ces_error *err)
{
	struct json_object *tree;
	int result;

	if (length > CES_ENVELOPE_MAX)
		return ces_error_set(err, CES_E_USAGE, "larger than 2 MiB");
	if (ces_scan_check(envelope, length, err) != 0)
		return ces_error_context(err, "not an envelope");
	tree = json_tokener_parse(envelope);
	result = ces_dsse_open_tree(key, type, tree, ret, err);
	json_object_put(tree);
	return result;
}
