/* Lists of an order as lists of pointers, for programs without privilege. */
#ifndef CES_POLICY_NAMES_H
#define CES_POLICY_NAMES_H

#include "policy/decide.h"

/* The pointers lead into names; v gets them. */
static inline struct ces_strings ces_decision_list(const struct ces_decision_names *names,
						   char *v[CES_DECISION_NAMES])
{
	for (size_t i = 0; i < names->n; i++)
		v[i] = (char *)(uintptr_t)names->v[i];
	return (struct ces_strings){v, names->n};
}

#endif
