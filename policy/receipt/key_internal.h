/* Shared by the files that open keys. */
#ifndef CES_POLICY_RECEIPT_KEY_INTERNAL_H
#define CES_POLICY_RECEIPT_KEY_INTERNAL_H

#include <openssl/store.h>

#include "policy/receipt/key.h"

#define CES_PEM_MAX 65536

/* Puts the last error of OpenSSL into err. */
int ces_key_fail(struct ces_error *err, const char *what);

/* Takes the first key of the wanted kind, OSSL_STORE_INFO_PKEY or _PUBKEY. Consumes store. */
int ces_key_take(OSSL_STORE_CTX *store, int kind, const char *name, EVP_PKEY **ret,
		 struct ces_error *err);

/* The same from a text in PEM. */
int ces_key_from_bytes(const char *pem, size_t length, int kind, const char *name, EVP_PKEY **ret,
		       struct ces_error *err);

/* The hash of the key's signatures; NULL for Ed25519, which has its own. */
const char *ces_key_hash(EVP_PKEY *key);

#endif
