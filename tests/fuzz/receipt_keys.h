/* Replaces keys, to reach the readers after a signature: a signature is good if it begins with an
 * 's'. */
#ifndef CES_TESTS_RECEIPT_KEYS_H
#define CES_TESTS_RECEIPT_KEYS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "policy/receipt/key.h"
#include "policy/receipt/signer.h"

int ces_key_public(const char *pem, size_t length, const char *name, EVP_PKEY **ret,
		   struct ces_error *err)
{
	(void)pem, (void)length, (void)name, (void)err;
	*ret = NULL;
	return 0;
}

int ces_key_check(EVP_PKEY *key, const void *bytes, size_t length, const unsigned char *signature,
		  size_t signature_length)
{
	(void)key, (void)bytes, (void)length;
	return signature_length > 0 && signature[0] == 's' ? 0 : -1;
}

int ces_signer_sign(struct ces_signer *signer, const char *uri, const void *bytes, size_t length,
		    struct ces_signature *ret, struct ces_error *err)
{
	(void)signer, (void)uri, (void)bytes, (void)length, (void)ret;
	return ces_error_set(err, CES_E_HOST, "no key signs here");
}

/* Makes an envelope of these bytes on one line, malloc'd. */
static inline char *sealed(const char *type, const void *bytes, size_t length)
{
	unsigned char *base64 = malloc(length / 3 * 4 + 5);
	char *envelope = NULL;

	if (base64 == NULL)
		abort();
	EVP_EncodeBlock(base64, bytes, (int)length);
	if (asprintf(
		&envelope,
		"{\"payload\":\"%s\",\"payloadType\":\"%s\",\"signatures\":[{\"sig\":\"c2ln\"}]}",
		base64, type) < 0)
		abort();
	free(base64);
	return envelope;
}

#endif
