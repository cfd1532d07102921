/* A child process without privilege that parses, and a parent that writes. The parent may be root,
 * or hold a policy that others trust. It takes from the child one struct of fixed size and some
 * bytes, and must look at nothing in them but the fields that it checks. */
#ifndef CES_POLICY_EVIDENCE_APART_H
#define CES_POLICY_EVIDENCE_APART_H

#include <stddef.h>
#include <stdint.h>

#include "common/error.h"

#define CES_APART_NOTE 1024 /* bytes of the struct that a job hands over */

struct ces_apart_result {
	unsigned char note[CES_APART_NOTE];
	char *bytes; /* malloc'd, or NULL */
	size_t length;
};

/* What the child does. Root's rights are given up before it begins. It may print to stdout. */
typedef int ces_apart_work(void *context, struct ces_apart_result *ret, struct ces_error *err);

/* Runs it. It takes at most max bytes. The parent waits for ten minutes; the child has two minutes
 * of processor time. 0 and the result of the child, to be freed; -1 and the child's error. */
int ces_apart_run(ces_apart_work *work, void *context, size_t max, struct ces_apart_result *ret,
		  struct ces_error *err);

#endif
