/* Envelopes of signed texts: DSSE v1 (github.com/secure-systems-lab/dsse), JSON with the text and
 * its signatures in base64. What is signed is the pre-authentication encoding,
 * "DSSEv1 LENGTH TYPE LENGTH TEXT". */
#ifndef CES_POLICY_RECEIPT_DSSE_H
#define CES_POLICY_RECEIPT_DSSE_H

#include "policy/receipt/key.h"
#include "policy/receipt/signer.h"

struct json_object;

#define CES_ENVELOPE_MAX ((size_t)2 * CES_SIGNED_MAX)

/* Signs the text. *ret: one line of JSON without a newline, malloc'd. */
int ces_dsse_sign(struct ces_signer *signer, const char *uri, const char *type, const char *text,
		  char **ret, struct ces_error *err);

/* Opens an envelope. It refuses what two readers could take differently (duplicate keys, base64
 * with other bytes), another type, and a text without a signature of this key. *ret: the text,
 * malloc'd, NUL-terminated and without other NULs. CES_E_DENIED: an envelope without that
 * signature; CES_E_USAGE: no envelope. */
int ces_dsse_open(EVP_PKEY *key, const char *type, const char *envelope, size_t length, char **ret,
		  struct ces_error *err);

/* The same for an envelope inside another document, which was scanned. */
int ces_dsse_open_tree(EVP_PKEY *key, const char *type, struct json_object *envelope, char **ret,
		       struct ces_error *err);

/* The text member of an object, as long as the object lives; NULL for anything else. For documents
 * that may contain anything. */
const char *ces_dsse_text(struct json_object *object, const char *key);

/* The signed bytes. *ret is malloc'd. */
int ces_dsse_encode(const char *type, const char *text, size_t length, char **ret,
		    size_t *ret_length, struct ces_error *err);

/* Standard base64, malloc'd; NULL: no memory. */
char *ces_base64_write(const void *bytes, size_t length);

/* Takes standard and URL-safe base64, as DSSE asks, and only the one way to write these bytes.
 * malloc'd, with a NUL after it; NULL if it is none. */
unsigned char *ces_base64_read(const char *text, size_t *ret_length);

#endif
