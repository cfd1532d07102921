/* Opens private keys, and signs.
 *
 * Who controls what: root, or the user who types the command, names the private key. */
#include "policy/receipt/key.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/provider.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/receipt/key_internal.h"

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
		return ces_error_set(
		    err, CES_E_USAGE,
		    "%s: only you may be able to read a private key; type chmod 600 %s", path,
		    path);
	if (ces_read_file(fd, CES_PEM_MAX, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_USAGE, "%s", path);
	return 0;
}

/* A URI's scheme chooses the provider of OpenSSL; so does the label of a key that only a TPM can
 * use. */
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
	/* The default one stays, for the digests: loading another provider would unload it. */
	if (OSSL_PROVIDER_load(NULL, name) == NULL || OSSL_PROVIDER_load(NULL, "default") == NULL)
		return ces_key_fail(err, "the provider of OpenSSL's for this key");
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
		return ces_key_take(OSSL_STORE_open(uri, NULL, NULL, NULL, NULL),
				    OSSL_STORE_INFO_PKEY, uri, ret, err);
	}
	if (read_private(uri, &pem, &length, err) != 0 || load_provider(uri, pem, err) != 0)
		return -1;
	result = ces_key_from_bytes(pem, length, OSSL_STORE_INFO_PKEY, uri, ret, err);
	OPENSSL_cleanse(pem, length);
	return result;
}

int ces_key_sign(EVP_PKEY *key, const void *bytes, size_t length, struct ces_signature *ret,
		 struct ces_error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool good;

	ret->length = sizeof(ret->bytes);
	good =
	    context != NULL &&
	    EVP_DigestSignInit_ex(context, NULL, ces_key_hash(key), NULL, NULL, key, NULL) == 1 &&
	    EVP_DigestSign(context, ret->bytes, &ret->length, bytes, length) == 1;
	EVP_MD_CTX_free(context);
	if (!good)
		return ces_key_fail(err, "signing");
	return ces_key_id(key, ret->keyid, err);
}
