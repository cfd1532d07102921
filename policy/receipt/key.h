/* Keys and signatures, by OpenSSL's libcrypto: ECDSA P-256 with SHA-256, and Ed25519. */
#ifndef CES_POLICY_RECEIPT_KEY_H
#define CES_POLICY_RECEIPT_KEY_H

#include <stddef.h>

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "common/error.h"

#define CES_KEY_ID        64   /* digits of the SHA-256 of the public key (DER, RFC 5280) */
#define CES_KEY_URI_MAX   1024 /* bytes of a path or URI, with its NUL */
#define CES_SIGNATURE_MAX 128  /* an ECDSA P-256 signature has 72 bytes at most */

struct ces_signature {
	unsigned char bytes[CES_SIGNATURE_MAX];
	size_t length;
	char keyid[CES_KEY_ID + 1];
};

/* Opens a private key: a PEM file, or a URI of a provider of OpenSSL's ("pkcs11:...",
 * "handle:0x81000001"). The file must be a regular one of this user or root, mode 0600 or less, and
 * no link. *ret is released with EVP_PKEY_free. */
int ces_key_private(const char *uri, EVP_PKEY **ret, struct ces_error *err);

/* Reads a public key from the bytes of a PEM file. name: of the file, for an error. */
int ces_key_public(const char *pem, size_t length, const char *name, EVP_PKEY **ret,
		   struct ces_error *err);

/* Writes the digits of the key's identifier. */
int ces_key_id(EVP_PKEY *key, char ret[CES_KEY_ID + 1], struct ces_error *err);

int ces_key_sign(EVP_PKEY *key, const void *bytes, size_t length, struct ces_signature *ret,
		 struct ces_error *err);

/* 0 if the signature is this key's over these bytes; -1 if it is not. */
int ces_key_check(EVP_PKEY *key, const void *bytes, size_t length, const unsigned char *signature,
		  size_t signature_length);

/* The same if only the SHA-256 of the bytes is known. An Ed25519 signature cannot be checked so. */
int ces_key_check_digest(EVP_PKEY *key, const unsigned char digest[SHA256_DIGEST_LENGTH],
			 const unsigned char *signature, size_t signature_length);

#endif
