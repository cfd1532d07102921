/* The names in a directory of evidence. Internal to policy/evidence/. */
#ifndef CES_POLICY_EVIDENCE_STORE_NAMES_H
#define CES_POLICY_EVIDENCE_STORE_NAMES_H

#include <stdbool.h>

#include "common/name.h"

#define CES_STORE_NAME 96

/* Both take a valid digest. */
void ces_store_folder(const char *digest, char ret[CES_STORE_NAME]);
void ces_store_name(const char *kind, const char *digest, char ret[CES_STORE_NAME]);

/* The digest in "<before><64 hex><after>". */
bool ces_store_digest(const char *name, const char *before, const char *after,
		      char ret[CES_DIGEST_LENGTH + 1]);

#endif
