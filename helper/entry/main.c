/* ces-helper, setuid root: the ordered steps from a caller to a decision, and nothing else.
 *
 * clean room -> request -> policy -> who -> facts -> decision -> ces-session
 *
 * It has no effect: what was decided, or why not, goes to ces-session, which records it first. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/deadline.h"
#include "helper/core/report.h"
#include "helper/entry/admit.h"
#include "helper/entry/cleanroom.h"
#include "helper/entry/facts.h"
#include "helper/entry/hand_over.h"
#include "helper/entry/policy.h"
#include "helper/core/who.h"

#define REQUEST_MS     10000
#define DECIDE_SECONDS 30

/* The frame as it came, and what it says. */
static int receive(uint8_t **ret, size_t *ret_length, struct ces_request *ret_request,
		   struct ces_error *err)
{
	uint16_t type;
	int got = ces_wire_read(CES_FD_REQUEST, CES_WIRE_REQUEST_MAX, ces_now_ms() + REQUEST_MS,
				ret, ret_length, &type, err);

	if (got == 0)
		return ces_error_set(err, CES_E_USAGE, "no request came");
	if (got < 0 ||
	    ces_wire_decode(&ces_request_schema, *ret, *ret_length, ret_request, err) < 0)
		return -1;
	/* Refuse unknown flags; never ignore them. */
	if ((ret_request->flags & ~(uint64_t)CES_FLAG_ALL) != 0)
		return ces_error_set(err, CES_E_USAGE, "malformed request: unknown flag");
	return 0;
}

static int decide(struct ces_order *order, const struct ces_policy *policy,
		  const struct ces_caller *caller, const struct ces_request *request,
		  struct ces_error *err)
{
	struct ces_facts facts;
	int result;

	if (ces_facts_gather(policy, caller, &facts, err) < 0)
		return -1;
	result = ces_decide(policy, caller, request, &facts, time(NULL), &order->decision, err);
	ces_facts_free(&facts);
	order->decided = result == 0;
	return result;
}

static int check(struct ces_order *order, const struct ces_request *request,
		 struct ces_read_policy *read, struct ces_caller *caller, struct ces_error *err)
{
	const struct ces_policy *policy;

	if (ces_read_policy(read, err) < 0 || ces_host_of(read->policy, &order->host, err) < 0 ||
	    ces_selinux_admit(read->policy->selinux == CES_SELINUX_REQUIRED, &order->selinux, err) <
		0)
		return -1;
	policy = read->policy;
	/* the one thing that root asks: it has no home and no project to be looked up */
	if (request->verb == CES_VERB_CLEAN)
		return 0;
	if (ces_caller_load(order->uid, caller, err) < 0 ||
	    ces_order_caller(order, caller, err) < 0)
		return -1;
	return request->verb == CES_VERB_PULL || request->verb == CES_VERB_RUN
		   ? decide(order, policy, caller, request, err)
		   : 0;
}

int main(int argc, char **argv)
{
	static struct ces_order order = {.magic = CES_ORDER_MAGIC, .size = sizeof(order)};
	struct ces_request request = {0};
	struct ces_caller caller = {0};
	struct ces_read_policy policy = {NULL, NULL, 0};
	struct ces_error err = {0};
	uint8_t *frame = NULL;

	(void)argv; /* the caller's: never a name, a path or a message */
	if (ces_cleanroom_enter(argc, &order.uid, &err) < 0) {
		ces_report_error(&err, NULL);
		return CES_EXIT_REFUSED;
	}
	if (receive(&frame, &order.frame, &request, &order.refused) == 0) {
		ces_order_request(&order, &request);
		ces_deadline(DECIDE_SECONDS);
		(void)check(&order, &request, &policy, &caller, &order.refused);
	}
	/* nothing is freed: the exec takes the whole of this memory away, a token included */
	order.policy = policy.block != NULL ? policy.length : 0;
	(void)ces_hand_over(&order, frame, policy.block, &err);
	ces_report_error(&err, NULL);
	return CES_EXIT_REFUSED;
}
