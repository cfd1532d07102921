/* The check of a receipt, on any machine, with the public key alone. */
#ifndef CES_POLICY_RECEIPT_CHECK_H
#define CES_POLICY_RECEIPT_CHECK_H

#include <stdbool.h>

/* Checks the receipt in a file, and prints its content. outputs: a ces-run.json, or NULL. Returns
 * the exit status. */
int ces_receipt_check(const char *key, const char *file, const char *outputs, bool json);

#endif
