/* Reads the evidence about one image. */
#ifndef CES_HELPER_PARSE_EVIDENCE_H
#define CES_HELPER_PARSE_EVIDENCE_H

#include <stddef.h>
#include <stdint.h>

#include "policy/parsed.h"

/* Takes a struct ces_parse_evidence and its files, as bytes, and makes a struct
 * ces_evidence_facts. */
int ces_parse_evidence(const char *bytes, size_t length, uint8_t **ret, size_t *ret_length,
		       struct ces_error *err);

#endif
