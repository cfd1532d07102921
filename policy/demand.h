/* What an image rule demands of the evidence about its digest, and what the evidence says: flat,
 * bounded values. A ces-parse reads the records (policy/evidence), and root compares numbers. */
#ifndef CES_POLICY_DEMAND_H
#define CES_POLICY_DEMAND_H

#include "policy/decide.h"

#define CES_EVIDENCE_DIR "/etc/ces/evidence.d"
#define CES_SCANS_MAX    4 /* one of each format of scanners */

/* The findings of a scan. The second four are those of the first four that a newer package
 * mends. */
enum ces_finding {
	CES_FOUND_CRITICAL,
	CES_FOUND_HIGH,
	CES_FOUND_MEDIUM,
	CES_FOUND_LOW,
	CES_FOUND_FIXABLE,
	CES_FINDINGS = 2 * CES_FOUND_FIXABLE,
};

struct ces_scan_facts {
	char record[CES_DIGEST_LENGTH + 1];
	int64_t made;                   /* of the scan or of its database, whichever is older */
	uint64_t found[CES_FINDINGS];   /* the number of findings */
	uint64_t excused[CES_FINDINGS]; /* of these: a statement says fixed, or not affected */
};

/* The newest scan of each format, and an SBOM ("": none), of one digest. */
struct ces_evidence_facts {
	uint64_t n_scans;
	struct ces_scan_facts scans[CES_SCANS_MAX];
	char sbom[CES_DIGEST_LENGTH + 1];
};

static inline bool ces_demand_any(const struct ces_policy_demand *demand)
{
	return demand->max_age > 0 || demand->sbom;
}

/* Completes a decision that demands evidence: 0, and decision->evidence is the record that met it;
 * or -1 with CES_E_DENIED, the key of the rule that is not met, and what would meet it. Pure, like
 * ces_decide. */
int ces_decide_demand(struct ces_decision *decision, const struct ces_evidence_facts *facts,
		      time_t now, struct ces_error *err);

/* Fills in an error as CES_E_DENIED with a key of the decision's rule. */
int ces_demand_deny(const struct ces_decision *decision, const char *key, const char *text,
		    struct ces_error *err);

/* The words of a policy for them. */
extern const char *const ces_findings[CES_FINDINGS];

#endif
