/* ces-admit, root and not setuid: the ordered steps from a caller to a decision, and nothing else.
 *
 * ces-helper -> policy -> who -> request -> facts -> decision -> ces-session
 *
 * It has no effect: the decision, or the reason for a refusal, goes to ces-session, which records
 * it first. */
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#include "common/check.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/ask.h"
#include "helper/core/capability.h"
#include "helper/core/deadline.h"
#include "helper/core/caller.h"
#include "helper/admit/confined.h"
#include "helper/admit/evidence.h"
#include "helper/admit/facts.h"
#include "helper/admit/hand_over.h"
#include "helper/core/last_words.h"
#include "helper/admit/policy.h"
#include "policy/flat.h"

#define REQUEST_MS     (CES_DECODE_MS + 2000)
#define DECIDE_SECONDS 30

/* The capabilities in effect, to look at directories with the caller's rights, and to start and end
 * ces-decode and ces-parse. setfsuid(2) brings back those that concern files. The others are kept
 * for ces-session, which does not get them back where no_new_privs is set. */
#define DECIDING                                                                                   \
	(CES_CAPABILITY(CAP_SETUID) | CES_CAPABILITY(CAP_SETGID) | CES_CAPABILITY(CAP_KILL) |      \
	 CES_CAPABILITY(CAP_SYS_RESOURCE))

/* All that decides one request, and the part that goes on to ces-session. */
struct entry {
	struct ces_order order;
	struct ces_read_policy policy;
	struct ces_caller caller;
	uint8_t *words; /* the request's block as it came, for ces-session */
	const struct ces_request *request;
};

/* Takes the block from ces-decode as two copies: one stays as it came, the other is loaded. */
static int receive(struct entry *entry, struct ces_asking *asking, struct ces_error *err)
{
	uint8_t *block;
	size_t length = 0;
	int got = ces_ask_take(asking, CES_DECODE_BLOCK, ces_now_ms() + REQUEST_MS, &entry->words,
			       &length, err);

	if (got < 0 || (got > 0 && length < sizeof(struct ces_request)))
		return ces_error_set(err, CES_E_HOST, "ces-decode gave no answer");
	if (got == 0)
		return -1;
	block = malloc(length);
	if (block == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	memcpy(block, entry->words, length);
	if (ces_flat_load(&ces_request_flat, block, length, err) < 0)
		return -1;
	entry->request = (const struct ces_request *)(const void *)block;
	if (ces_request_check(entry->request, err) < 0)
		return -1;
	entry->order.words = length;
	return 0;
}

/* Does the work that does not depend on the request, while ces-decode waits for it. */
static int prepare(struct entry *entry, struct ces_error *err)
{
	struct ces_order *order = &entry->order;

	if (ces_read_policy(&entry->policy, err) < 0 ||
	    ces_host_of(entry->policy.policy, &order->host, err) < 0 ||
	    ces_selinux_admit(entry->policy.policy->selinux == CES_SELINUX_REQUIRED,
			      &order->selinux, err) < 0)
		return -1;
	/* root asks for one thing only, and has no home and no project to look up */
	if (order->uid == 0)
		return 0;
	return ces_caller_load(order->uid, &entry->caller, err) < 0
		   ? -1
		   : ces_order_caller(order, &entry->caller, err);
}

static int decide(struct entry *entry, struct ces_error *err)
{
	const struct ces_policy *policy = entry->policy.policy;
	time_t now = time(NULL);
	struct ces_facts facts;
	int result;

	ces_facts_gather(policy, &entry->caller, &facts);
	result = ces_decide(policy, &entry->caller, entry->request, &facts, now,
			    &entry->order.decision, err);
	if (result == 0)
		result = ces_evidence_check(&entry->order.decision, now, err);
	entry->order.decided = result == 0;
	return result;
}

static int serve(struct entry *entry, struct ces_error *err)
{
	struct ces_asking asking;
	struct ces_error early = {0};
	const struct ces_request *request;

	/* a user database may be slow; ces-decode ends before that by its own deadline */
	ces_deadline(DECIDE_SECONDS);
	if (ces_ask_begin(CES_DECODE_PATH, CES_FD_REQUEST, &asking, err) < 0)
		return -1;
	(void)prepare(entry, &early);
	if (receive(entry, &asking, err) < 0)
		return -1;
	request = entry->request;
	/* Refuse unknown flags; never ignore them. */
	if ((request->flags & ~(uint64_t)CES_FLAG_ALL) != 0)
		return ces_error_set(err, CES_E_USAGE, "malformed request: unknown flag");
	if (early.code != CES_OK) {
		*err = early;
		return -1;
	}
	if (entry->order.uid == 0 && request->verb != CES_VERB_CLEAN)
		return ces_caller_load(0, &entry->caller, err);
	ces_deadline(DECIDE_SECONDS);
	return request->verb == CES_VERB_PULL || request->verb == CES_VERB_RUN ? decide(entry, err)
									       : 0;
}

/* Gives up again what the exec gave back, and takes the caller's uid from ces-helper, which alone
 * can start this: no user may execute it. */
static int begin(int argc, char **argv, uid_t *ret_uid, struct ces_error *err)
{
	char *end = NULL;
	unsigned long uid = argc == 2 ? strtoul(argv[1], &end, 10) : 0;

	if (end == NULL || end == argv[1] || *end != '\0' || uid > UINT32_MAX)
		return ces_error_set(err, CES_E_HOST,
				     "ces-admit is started by ces-helper of the same version only");
	*ret_uid = (uid_t)uid;
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "prctl");
	return ces_capability_keep(UINT64_MAX, DECIDING, err);
}

int main(int argc, char **argv)
{
	static struct entry entry = {
	    .order = {.magic = CES_ORDER_MAGIC, .size = sizeof(struct ces_order)}};
	struct ces_error err = {0};

	if (begin(argc, argv, &entry.order.uid, &err) < 0) {
		ces_last_words(&err);
		return CES_EXIT_REFUSED;
	}
	(void)serve(&entry, &entry.order.refused);
	entry.order.policy = entry.policy.block != NULL ? entry.policy.length : 0;
	/* nothing is freed: the exec discards all of this memory, with any token in it */
	(void)ces_hand_over(&entry.order, entry.words, entry.policy.block, &err);
	ces_last_words(&err);
	return CES_EXIT_REFUSED;
}
