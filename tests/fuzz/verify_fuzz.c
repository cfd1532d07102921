/* Takes any bytes for the documents of a registry, and for a list of signatures. Documents count
 * for a key only if they hold a signature that is kept beside this fuzzer, and never for another
 * key or digest. The result for a list is bounded. */
/* parses: helper/verify/find.c helper/verify/forms.c policy/receipt/dsse_open.c helper/unpack/signatures.c */
/* links: helper/verify/find.c helper/verify/forms.c policy/receipt/dsse_open.c helper/unpack/signatures.c */
/* links: policy/receipt/key.c helper/unpack/json.c helper/unpack/json_scan.c */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "helper/unpack/signatures.h"
#include "helper/verify/find.h"
#include "policy/receipt/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

/* The first key signs the seeds. The private key of each was thrown away. */
static const char signer[] = "-----BEGIN PUBLIC KEY-----\n"
			     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsHF6PZpcMFbYT0fI5G8TzHCyK76C\n"
			     "wQzn+/QdFK18NavlWijrd7am3rAHnxnOXG3bMO9H4QbRPFAuXvhrUN3U+w==\n"
			     "-----END PUBLIC KEY-----\n";
static const char other[] = "-----BEGIN PUBLIC KEY-----\n"
			    "MCowBQYDK2VwAyEAgCmLqrtLveUus/M/m302598PyUJq6g9mX/NArOxWHUI=\n"
			    "-----END PUBLIC KEY-----\n";

#define SIGNED "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define NEVER  "sha256:fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"

static EVP_PKEY *key_of(const char *pem)
{
	EVP_PKEY *key = NULL;

	if (ces_key_public(pem, strlen(pem), "key", &key, NULL) != 0)
		abort();
	return key;
}

static void check_list(const char *text, size_t length)
{
	struct ces_signatures list;
	struct ces_error err = {0};

	if (ces_signatures_parse(text, length, &list, &err) != 0) {
		if (err.text[0] == '\0')
			abort();
		return;
	}
	if (list.answer.digests.n > CES_BAG_DOCUMENTS ||
	    list.answer.digests.n != list.answer.sizes.n)
		abort();
	for (size_t i = 0; i < list.answer.digests.n; i++)
		if (!ces_digest_valid(list.answer.digests.v[i]) ||
		    list.answer.sizes.v[i] > CES_BAG_DOCUMENT)
			abort();
	ces_signatures_free(&list);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct ces_verify asked;
	struct ces_verify verify;
	uint8_t *copy = malloc(length > 0 ? length : 1); /* reading past the end is seen */

	if (copy == NULL)
		return 0;
	memcpy(copy, bytes, length);
	if (asked.n_keys == 0)
		asked = (struct ces_verify){.n_keys = 3,
					    .n_digests = 2,
					    .keys = {key_of(signer), NULL, key_of(other)},
					    .digests = {SIGNED, NEVER}};
	verify = asked;
	ces_verify_find(&verify, copy, length);
	if ((verify.found.by[0] & ~(uint64_t)1) != 0 || verify.found.by[1] != 0)
		abort();
	check_list((const char *)copy, length);
	free(copy);
	return 0;
}
