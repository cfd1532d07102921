/* Opens public keys, and checks signatures. Must not take a key of any other kind than two: what a
 * verifier elsewhere would have to guess is refused here. No file is opened here.
 *
 * Who controls what: a public key comes from anyone, in a text of at most 64 KiB. */
#include "policy/receipt/key.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "policy/receipt/key_internal.h"

int ces_key_fail(struct ces_error *err, const char *what)
{
	char text[200] = "unknown error";
	unsigned long code = ERR_peek_last_error();

	if (code != 0)
		ERR_error_string_n(code, text, sizeof(text));
	ERR_clear_error();
	return ces_error_set(err, CES_E_HOST, "%s: %s", what, text);
}

static bool is_known(EVP_PKEY *key)
{
	char group[32];

	if (EVP_PKEY_is_a(key, "ED25519"))
		return true;
	return EVP_PKEY_is_a(key, "EC") == 1 &&
	       EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
	       (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

int ces_key_take(OSSL_STORE_CTX *store, int kind, const char *name, EVP_PKEY **ret,
		 struct ces_error *err)
{
	EVP_PKEY *key = NULL;

	if (store == NULL)
		return ces_key_fail(err, name);
	while (key == NULL && OSSL_STORE_eof(store) == 0) {
		OSSL_STORE_INFO *info = OSSL_STORE_load(store);

		if (info == NULL && OSSL_STORE_error(store) == 1)
			break;
		if (info != NULL && OSSL_STORE_INFO_get_type(info) == kind)
			key = kind == OSSL_STORE_INFO_PKEY ? OSSL_STORE_INFO_get1_PKEY(info)
							   : OSSL_STORE_INFO_get1_PUBKEY(info);
		OSSL_STORE_INFO_free(info);
	}
	(void)OSSL_STORE_close(store);
	ERR_clear_error();
	if (key == NULL)
		return ces_error_set(err, CES_E_USAGE, "%s: no %s key in PEM is there", name,
				     kind == OSSL_STORE_INFO_PKEY ? "private" : "public");
	if (!is_known(key)) {
		EVP_PKEY_free(key);
		return ces_error_set(err, CES_E_USAGE,
				     "%s: the key is neither ECDSA P-256 nor Ed25519", name);
	}
	*ret = key;
	return 0;
}

int ces_key_from_bytes(const char *pem, size_t length, int kind, const char *name, EVP_PKEY **ret,
		       struct ces_error *err)
{
	BIO *bio = length <= CES_PEM_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
	OSSL_STORE_CTX *store = NULL;
	int result;

	if (bio == NULL)
		return ces_error_set(err, CES_E_USAGE, "%s: no key, it is too large", name);
	store = OSSL_STORE_attach(bio, "file", NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	if (store != NULL)
		(void)OSSL_STORE_expect(store, kind);
	result = ces_key_take(store, kind, name, ret, err);
	BIO_free(bio);
	return result;
}

int ces_key_public(const char *pem, size_t length, const char *name, EVP_PKEY **ret,
		   struct ces_error *err)
{
	return ces_key_from_bytes(pem, length, OSSL_STORE_INFO_PUBKEY, name, ret, err);
}

int ces_key_id(EVP_PKEY *key, char ret[CES_KEY_ID + 1], struct ces_error *err)
{
	unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
	int length = i2d_PUBKEY(key, &der);

	if (length <= 0 || EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL) != 1) {
		OPENSSL_free(der);
		return ces_key_fail(err, "the public half of the key");
	}
	OPENSSL_free(der);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

const char *ces_key_hash(EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") == 1 ? NULL : "SHA256";
}

int ces_key_check(EVP_PKEY *key, const void *bytes, size_t length, const unsigned char *signature,
		  size_t signature_length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good =
	    context != NULL &&
	    EVP_DigestVerifyInit_ex(context, NULL, ces_key_hash(key), NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestVerify(context, signature, signature_length, bytes, length) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good ? 0 : -1;
}

int ces_key_check_digest(EVP_PKEY *key, const unsigned char digest[SHA256_DIGEST_LENGTH],
			 const unsigned char *signature, size_t signature_length)
{
	EVP_PKEY_CTX *context = ces_key_hash(key) != NULL ? EVP_PKEY_CTX_new(key, NULL) : NULL;
	bool good = context != NULL && EVP_PKEY_verify_init(context) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1 &&
		    EVP_PKEY_verify(context, signature, signature_length, digest,
				    SHA256_DIGEST_LENGTH) == 1;

	EVP_PKEY_CTX_free(context);
	ERR_clear_error();
	return good ? 0 : -1;
}
