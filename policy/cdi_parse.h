/* The parser of specifications of devices. It must not be linked into root's programs, which have a
 * specification from ces-parse (policy/flat.h). */
#ifndef CES_POLICY_CDI_PARSE_H
#define CES_POLICY_CDI_PARSE_H

#include "policy/cdi.h"

/* A program that a runtime would start. CES does not start it, but makes the links that some known
 * ones would make. No program of root's sees it. */
struct ces_cdi_hook {
	struct ces_strings args;
};

/* Reads one of root's specifications, strictly. It refuses a key that the CDI specification does
 * not define, or that changes more of the container than CES can. It leaves out the own nodes of
 * graphics cards. If its kind is not one of kinds,
 * *ret is NULL and the rest is not read; otherwise release it with ces_cdi_free. Code CES_E_HOST on
 * failure. */
int ces_cdi_parse(const char *bytes, size_t length, const struct ces_strings *kinds,
		  struct ces_cdi_spec **ret, struct ces_error *err);

void ces_cdi_free(struct ces_cdi_spec *spec);

#endif
