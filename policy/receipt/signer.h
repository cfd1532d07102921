/* A process that holds a private key and signs once. ces-policy reads journals and policies as
 * nobody, and the key stays with root. */
#ifndef CES_POLICY_RECEIPT_SIGNER_H
#define CES_POLICY_RECEIPT_SIGNER_H

#include <sys/types.h>

#include "policy/receipt/key.h"

#define CES_SIGNED_MAX (1024 * 1024) /* bytes of what is signed */

struct ces_signer {
	int fd; /* -1: none */
	pid_t pid;
};

#define CES_SIGNER_NONE ((struct ces_signer){-1, 0})

/* Starts it; call this before ces_input_drop. */
int ces_signer_start(struct ces_signer *ret, struct ces_error *err);

/* Opens the key (ces_key_private), signs the bytes, and ends. */
int ces_signer_sign(struct ces_signer *signer, const char *uri, const void *bytes, size_t length,
		    struct ces_signature *ret, struct ces_error *err);

void ces_signer_end(struct ces_signer *signer);

#endif
