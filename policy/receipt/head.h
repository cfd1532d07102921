/* ces-policy audit head: the signed last record of a journal. */
#ifndef CES_POLICY_RECEIPT_HEAD_H
#define CES_POLICY_RECEIPT_HEAD_H

#include "policy/tool/audit.h"

/* Checks the command line. -1 if it makes no sense, after saying so. */
int ces_anchor_check(const struct ces_anchor *anchor, bool head);

/* Opens what signing and the search for heads need, before root's rights are given up. */
int ces_anchor_prepare(struct ces_anchor *anchor, struct ces_error *err);
void ces_anchor_release(struct ces_anchor *anchor);

int ces_audit_head(const struct ces_audit *audit);

#endif
