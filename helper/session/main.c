/* ces-session, root and not setuid. It records and does what ces-admit decided, and records and
 * reports what ces-admit refused. It alone has effects, from here to the end of the request.
 *
 * order -> journal -> the verb */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/core/ask.h"
#include "helper/core/beneath.h"
#include "helper/launch/rootfs.h"
#include "helper/session/record.h"
#include "helper/session/report.h"
#include "helper/session/runs.h"
#include "helper/session/session.h"
#include "helper/session/weaken.h"
#include "policy/flat.h"
#include "policy/parsed.h"

static int open_state(struct ces_session *session, struct ces_error *err)
{
	return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_store_open(&session->store, err);
}

/* Shows the caller what a ces-parse makes of the decision, line by line. Must not use the words for
 * anything else. */
static int explain(const struct ces_session *session, const struct ces_decision *decision,
		   struct ces_error *err)
{
	static struct ces_parse_explain what;
	CES_CLEANUP_FREE uint8_t *text = NULL;
	size_t length;

	what.uid = session->uid;
	what.decision = *decision;
	(void)snprintf(what.user, sizeof(what.user), "%s", session->caller.user);
	if (ces_ask(CES_PARSE_EXPLAIN, NULL, (const char *)&what, sizeof(what), CES_E_HOST, &text,
		    &length, err) < 0)
		return -1;
	for (char *next = (char *)text, *line;
	     (line = strsep(&next, "\n")) != NULL && next != NULL;)
		ces_report_text(line);
	return ces_report_done();
}

static int pull_or_run(struct ces_session *session, const struct ces_decision *decision,
		       struct ces_error *err)
{
	char run[CES_RUN_DIGITS + 1] = "";
	int result;

	if ((session->request->flags & CES_FLAG_EXPLAIN) != 0)
		return explain(session, decision, err);
	/* the private mount namespace comes first: the store's fds could not be mounted in a later
	 * one */
	if (decision->verb == CES_VERB_RUN && ces_rootfs_unshare(err) < 0)
		return -1;
	if (open_state(session, err) < 0)
		return -1;
	if (decision->verb == CES_VERB_RUN && ces_runs_name(session->runs, run, err) < 0)
		return -1;
	if (decision->verb == CES_VERB_RUN)
		result = ces_verb_run(session, decision, run, err);
	else
		result = ces_verb_pull(session, decision, err);
	/* if the end could not be recorded, the entry stays, and the next start records the end */
	if (result < 0 && session->recorded &&
	    ces_record_failure(session, session->pull[0] != '\0' ? session->pull : run, err) < 0)
		return -1;
	if (session->pull[0] != '\0')
		ces_pull_give_up(session);
	return result == 0 ? 0 : -1;
}

static int dispatch(struct ces_session *session, const struct ces_order *order,
		    struct ces_error *err)
{
	switch (session->request->verb) {
	case CES_VERB_PULL:
	case CES_VERB_RUN:
		if (!order->decided || order->decision.verb != session->request->verb)
			return ces_error_set(err, CES_E_INTERNAL, "nothing was decided");
		return pull_or_run(session, &order->decision, err);
	case CES_VERB_IMAGES:
		return open_state(session, err) < 0 ? -1 : ces_verb_images(session, err);
	case CES_VERB_REMOVE:
		return open_state(session, err) < 0 ? -1 : ces_verb_remove(session, err);
	case CES_VERB_INSPECT:
		if (open_state(session, err) < 0)
			return -1;
		return session->request->run != NULL ? ces_verb_inspect_run(session, err)
						     : ces_verb_inspect(session, err);
		/* questions about the register need no store */
	case CES_VERB_RUNS:
		return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_verb_runs(session, err);
	case CES_VERB_STOP:
		return ces_runs_open(&session->runs, err) < 0 ? -1 : ces_verb_stop(session, err);
	case CES_VERB_CLEAN:
		return open_state(session, err) < 0 ? -1 : ces_verb_clean(session, err);
	default:
		return ces_error_set(err, CES_E_USAGE,
				     "this version of CES does not know this command");
	}
}

/* Reads a part that follows the order: n bytes, malloc'd. */
static uint8_t *read_part(size_t n, size_t max)
{
	uint8_t *bytes = n > max ? NULL : calloc(1, n + 1);

	if (bytes != NULL && n > 0 && ces_read_full(CES_FD_ORDER, bytes, n, -1) < 0) {
		free(bytes);
		return NULL;
	}
	return bytes;
}

/* The block stays in memory: the verbs read the words in it. */
static int read_request(const struct ces_order *order, struct ces_session *session,
			struct ces_error *err)
{
	CES_CLEANUP_FREE uint8_t *block = read_part(order->words, CES_DECODE_BLOCK);

	if (block == NULL || order->words == 0)
		return ces_error_set(err, CES_E_HOST, "reading the request");
	if (ces_flat_load(&ces_request_flat, block, order->words, err) < 0)
		return -1;
	session->request = (const struct ces_request *)(const void *)block;
	block = NULL;
	return 0;
}

/* Keeps the policy, so that the next start reads no JSON; if this fails, that start reads it. A
 * block for which ces-admit gave no digest was refused there. */
static void keep_policy(const struct ces_order *order)
{
	CES_CLEANUP_FREE uint8_t *block = read_part(order->policy, CES_PARSE_BLOCK);
	struct ces_kept_policy head = {
	    .magic = CES_KEPT_MAGIC, .size = sizeof(struct ces_policy), .length = order->policy};
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int fd = -1;
	struct ces_error ignored;
	char name[32];

	if (order->policy == 0 || order->host.digest[0] == '\0' || block == NULL ||
	    ces_runs_open(&dir, &ignored) < 0)
		return;
	memcpy(head.digest, order->host.digest, sizeof(head.digest));
	(void)snprintf(name, sizeof(name), CES_KEPT_NAME ".%d", (int)getpid());
	fd = ces_beneath_open(dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || ces_write_full(fd, &head, sizeof(head), -1) < 0 ||
	    ces_write_full(fd, block, order->policy, -1) < 0 ||
	    renameat(dir, name, dir, CES_KEPT_NAME) < 0)
		(void)unlinkat(dir, name, 0);
}

/* The order comes from root, who alone can start this, or from an older ces-admit during an
 * upgrade. */
static int take_order(struct ces_order *order, struct ces_session *session, struct ces_error *err)
{
	struct ces_error unread;
	int result;

	if (ces_read_full(CES_FD_ORDER, order, sizeof(*order), -1) < 0 ||
	    order->magic != CES_ORDER_MAGIC || order->size != sizeof(*order))
		return ces_error_set(
		    err, CES_E_HOST,
		    "ces-session is started by ces-admit of the same version only");
	session->uid = order->uid;
	session->host = &order->host;
	session->selinux = order->selinux;
	if (order->known)
		session->caller = (struct ces_caller){.uid = order->uid,
						      .gid = order->gid,
						      .user = order->user,
						      .home = order->home,
						      .groups = order->groups,
						      .n_groups = order->n_groups};
	result = read_request(order, session, &unread);
	keep_policy(order);
	close(CES_FD_ORDER);
	if (result < 0 && order->refused.code == CES_OK)
		order->refused = unread;
	return 0;
}

/* Gives up again what the exec gave back. */
static int begin(struct ces_order *order, struct ces_session *session, struct ces_error *err)
{
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return ces_error_errno(err, CES_E_HOST, "prctl");
	for (int fd = 0; fd < CES_FD_ORDER; fd++) /* (that one is closed soon) */
		if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
			return ces_error_errno(err, CES_E_HOST, "fd %d", fd);
	if (ces_weaken_for_set_up(err) < 0 || take_order(order, session, err) < 0 ||
	    ces_journal_open(&session->journal, err) < 0)
		return -1;
	if (order->host.digest[0] != '\0' && !order->host.audit_syslog)
		ces_cleanup_close(&session->journal.syslog);
	return 0;
}

/* The refusal that gave the ticket is on record already. */
static bool waits_on(const struct ces_session *session)
{
	return session->ticket != 0 && session->request->ticket == session->ticket;
}

int main(void)
{
	static struct ces_order order;
	struct ces_session session = {
	    .runs = -1, .journal = CES_JOURNAL_NONE, .store = CES_STORE_NONE};
	struct ces_error err = {0}, unrecorded;
	int result;

	if (begin(&order, &session, &err) < 0) {
		ces_report_error(&err, NULL, 0, 0);
		return CES_EXIT_REFUSED;
	}
	err = order.refused;
	result = err.code == CES_OK ? dispatch(&session, &order, &err) : -1;
	if (result < 0 && !session.recorded && !waits_on(&session) &&
	    ces_record_decision(&session, NULL, NULL, NULL, NULL, &err, &unrecorded) < 0)
		ces_error_context(&err, "%s", unrecorded.text);
	/* where a rule of the policy decided, the caller should ask the site's contact */
	if (result < 0)
		ces_report_error(&err,
				 err.rule[0] != '\0' && order.host.contact[0] != '\0'
				     ? order.host.contact
				     : NULL,
				 session.ticket, session.position);
	/* the request may hold a token */
	if (session.request != NULL)
		explicit_bzero((void *)(uintptr_t)session.request, order.words);
	free((void *)(uintptr_t)session.request);
	return result < 0 ? CES_EXIT_REFUSED : 0;
}
