/* Opens keys, signs and checks. Must not take a key of any other kind than two: what a verifier
 * elsewhere would have to guess is refused here.
 *
 * Who controls what: root, or the user who types the command, names the private key; a public key
 * comes from anyone, in a file of at most 64 KiB. */
#include "policy/receipt/key.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/provider.h>
#include <openssl/sha.h>
#include <openssl/store.h>
#include <openssl/x509.h>

#include "common/cleanup.h"
#include "common/io.h"

#define PEM_MAX 65536

/* Puts the last word of OpenSSL's into err. */
static int fail(struct ces_error *err, const char *what)
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

/* Takes the first key of the wanted kind. Consumes store. */
static int take_key(OSSL_STORE_CTX *store, int kind, const char *name, EVP_PKEY **ret,
		    struct ces_error *err)
{
	EVP_PKEY *key = NULL;

	if (store == NULL)
		return fail(err, name);
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

static int from_bytes(const char *pem, size_t length, int kind, const char *name, EVP_PKEY **ret,
		      struct ces_error *err)
{
	BIO *bio = length <= PEM_MAX ? BIO_new_mem_buf(pem, (int)length) : NULL;
	OSSL_STORE_CTX *store = NULL;
	int result;

	if (bio == NULL)
		return ces_error_set(err, CES_E_USAGE, "%s: no key, it is too large", name);
	store = OSSL_STORE_attach(bio, "file", NULL, NULL, NULL, NULL, NULL, NULL, NULL);
	if (store != NULL)
		(void)OSSL_STORE_expect(store, kind);
	result = take_key(store, kind, name, ret, err);
	BIO_free(bio);
	return result;
}

int ces_key_public(const char *pem, size_t length, EVP_PKEY **ret, struct ces_error *err)
{
	return from_bytes(pem, length, OSSL_STORE_INFO_PUBKEY, "--key", ret, err);
}

/* A private key that others can read, or could have replaced, proves nothing. */
static int read_private(const char *path, char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_USAGE, "%s: not a regular file", path);
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & 077) != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: a private key must be yours alone; type chmod 600 %s",
				     path, path);
	if (ces_read_file(fd, PEM_MAX, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_USAGE, "%s", path);
	return 0;
}

/* A URI's scheme says which provider of OpenSSL's has the key; so does the label of a key that only
 * a TPM can use. */
static int load_provider(const char *uri, const char *pem, struct ces_error *err)
{
	const char *name = NULL;

	if (strncmp(uri, "pkcs11:", 7) == 0)
		name = "pkcs11";
	else if (strncmp(uri, "handle:", 7) == 0 ||
		 (pem != NULL && strstr(pem, "-----BEGIN TSS2 PRIVATE KEY-----") != NULL))
		name = "tpm2";
	if (name == NULL)
		return 0;
	/* The default one stays, for the digests: loading another ends its being there by itself.
	 */
	if (OSSL_PROVIDER_load(NULL, name) == NULL || OSSL_PROVIDER_load(NULL, "default") == NULL)
		return fail(err, "the provider of OpenSSL's for this key");
	return 0;
}

int ces_key_private(const char *uri, EVP_PKEY **ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *pem = NULL;
	size_t length = 0;
	int result;

	if (strncmp(uri, "pkcs11:", 7) == 0 || strncmp(uri, "handle:", 7) == 0) {
		if (load_provider(uri, NULL, err) != 0)
			return -1;
		return take_key(OSSL_STORE_open(uri, NULL, NULL, NULL, NULL), OSSL_STORE_INFO_PKEY,
				uri, ret, err);
	}
	if (read_private(uri, &pem, &length, err) != 0 || load_provider(uri, pem, err) != 0)
		return -1;
	result = from_bytes(pem, length, OSSL_STORE_INFO_PKEY, uri, ret, err);
	OPENSSL_cleanse(pem, length);
	return result;
}

int ces_key_id(EVP_PKEY *key, char ret[CES_KEY_ID + 1], struct ces_error *err)
{
	unsigned char *der = NULL, digest[SHA256_DIGEST_LENGTH];
	int length = i2d_PUBKEY(key, &der);

	if (length <= 0 || EVP_Digest(der, (size_t)length, digest, NULL, EVP_sha256(), NULL) != 1) {
		OPENSSL_free(der);
		return fail(err, "the public half of the key");
	}
	OPENSSL_free(der);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

/* Ed25519 has its digest inside. */
static const char *digest_of(EVP_PKEY *key)
{
	return EVP_PKEY_is_a(key, "ED25519") == 1 ? NULL : "SHA256";
}

int ces_key_sign(EVP_PKEY *key, const void *bytes, size_t length, struct ces_signature *ret,
		 struct ces_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	ret->length = sizeof(ret->bytes);
	good = context != NULL &&
	       EVP_DigestSignInit_ex(context, NULL, digest_of(key), NULL, NULL, key, NULL) == 1 &&
	       EVP_DigestSign(context, ret->bytes, &ret->length, bytes, length) == 1;
	EVP_MD_CTX_free(context);
	if (!good)
		return fail(err, "signing");
	return ces_key_id(key, ret->keyid, err);
}

int ces_key_check(EVP_PKEY *key, const void *bytes, size_t length, const unsigned char *signature,
		  size_t signature_length)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good =
	    context != NULL &&
	    EVP_DigestVerifyInit_ex(context, NULL, digest_of(key), NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestVerify(context, signature, signature_length, bytes, length) == 1;

	EVP_MD_CTX_free(context);
	ERR_clear_error();
	return good ? 0 : -1;
}
