/* ces-session as a child of the test's: its main() with an order of the test's and verbs that note
 * what they are given. A suite begins before main(), in a constructor, and calls it for each
 * request. */
#ifndef CES_TESTS_UNIT_SESSION_PROGRAM_H
#define CES_TESTS_UNIT_SESSION_PROGRAM_H

#include <check.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "common/event.h"
#include "common/request.h"
#include "common/wire_stream.h"
#include "helper/core/ask.h"
#include "helper/launch/rootfs.h"
#include "helper/session/record.h"
#include "helper/session/weaken.h"
#include "policy/flat.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_journal.h"
#include "tests/unit/session_steps.h"

int main(void);

/* (A program that refuses its order leaves the request to its end, which the sanitizer does not
 * know.) */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:read_request";
}

/* ---- the parts that act ---- */

static struct {
	int result;
	bool records, pulls, breaks_journal;
	uint64_t ticket;
} verb; /* how a verb ends */

/* (Check's own marks would go to the fds that the program has) */
#define must(what)                                                                                 \
	do {                                                                                       \
		if (!(what)) {                                                                     \
			(void)dprintf(STDERR_FILENO, "not so: %s\n", #what);                       \
			_exit(98);                                                                 \
		}                                                                                  \
	} while (0)

static struct stat order_file;

static inline int act(struct ces_session *session, const char *name, const char *run,
		      struct ces_error *to)
{
	struct stat st;

	/* (another file may have the number) */
	must(fstat(CES_FD_ORDER, &st) < 0 || st.st_ino != order_file.st_ino);
	for (int fd = 0; fd < CES_FD_ORDER; fd++)
		must(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	must(prctl(PR_GET_DUMPABLE) == 0);
	(void)step("%s%s%s uid %u user %s syslog %d", name, run != NULL ? " " : "",
		   run != NULL ? (ces_run_valid(run) ? "ten digits" : run) : "", session->uid,
		   session->caller.user != NULL ? session->caller.user : "-",
		   session->journal.syslog >= 0);
	if (verb.records)
		must(ces_record_decision(session, &(struct ces_decision){.project = "p"}, run, NULL,
					 NULL, NULL, to) == 0);
	if (verb.pulls)
		strcpy(session->pull, "pull-0123456789");
	session->ticket = verb.ticket;
	session->position = 3;
	if (verb.breaks_journal)
		must(unlink(JOURNAL) == 0 && mkdir(JOURNAL, 0700) == 0);
	if (verb.result != 0)
		(void)ces_error_set(to, CES_E_LIMIT, "it did not work");
	return verb.result;
}

int ces_verb_pull(struct ces_session *s, const struct ces_decision *d, struct ces_error *to)
{
	must(d->verb == CES_VERB_PULL);
	return act(s, "pull", NULL, to);
}

int ces_verb_run(struct ces_session *s, const struct ces_decision *d, const char *run,
		 struct ces_error *to)
{
	must(d->verb == CES_VERB_RUN);
	return act(s, "run", run, to);
}

#define VERB(name)                                                                                 \
	int ces_verb_##name(struct ces_session *s, struct ces_error *to)                           \
	{                                                                                          \
		return act(s, #name, NULL, to);                                                    \
	}
VERB(images)
VERB(remove)
VERB(inspect)
VERB(inspect_run)
VERB(runs)
VERB(stop)
VERB(clean)

void ces_pull_give_up(const struct ces_session *session)
{
	(void)step("give up %s", session->pull);
}

int ces_weaken_for_set_up(struct ces_error *to)
{
	return step("weaken") < 0 ? ces_error_errno(to, CES_E_HOST, "weaken") : 0;
}

int ces_rootfs_unshare(struct ces_error *to)
{
	return step("unshare") < 0 ? ces_error_errno(to, CES_E_HOST, "unshare") : 0;
}

int ces_store_open(struct ces_store *ret, struct ces_error *to)
{
	must(ret->dir == -1);
	return step("store") < 0 ? ces_error_errno(to, CES_E_HOST, "store") : 0;
}

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *to)
{
	const struct ces_parse_explain *what = (const void *)bytes;

	must(kind == CES_PARSE_EXPLAIN);
	must(kinds == NULL);
	must(length == sizeof(*what));
	if (step("explain %s %u %s", what->user, what->uid, what->decision.project) < 0)
		return ces_error_errno(to, code, "explain");
	*ret = (uint8_t *)strdup("one\ntwo\nno end");
	*ret_length = strlen((const char *)*ret);
	return 0;
}

/* ---- an order ---- */

static struct ces_order order;
static struct ces_request request;
static uint8_t *policy; /* its block */
static int events = -1;

static inline void program_begin(void)
{
	journal_begin();
	steps_begin(0, EPERM);
	memset(&order, 0, sizeof(order));
	order.magic = CES_ORDER_MAGIC;
	order.size = sizeof(order);
	order.uid = 1000;
	order.known = true;
	strcpy(order.user, "ann");
	strcpy(order.home, "/home/ann");
	memcpy(order.host.digest, D1, sizeof(D1));
	strcpy(order.host.contact, "the data office");
	strcpy(order.decision.project, "p");
	request = (struct ces_request){.verb = CES_VERB_IMAGES};
	memset(&verb, 0, sizeof(verb));
}

static inline void program_end(void)
{
	ces_cleanup_close(&events);
	free(policy);
	policy = NULL;
	journal_end();
}

/* Calls main() with `n` bytes of the order. */
static inline int start_with(size_t n, const uint8_t *block)
{
	int ends[2], in, out, file = open("order", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	int status;
	pid_t pid;

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(ces_write_full(file, &order, n, -1), 0);
	ck_assert_int_eq(ces_write_full(file, block, order.words, -1), 0);
	if (policy != NULL)
		ck_assert_int_eq(ces_write_full(file, policy, order.policy, -1), 0);
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	ck_assert_int_eq(fstat(file, &order_file), 0);
	pid = fork();
	if (pid == 0) {
		in = fcntl(file, F_DUPFD_CLOEXEC, 30);
		out = fcntl(ends[1], F_DUPFD_CLOEXEC, 30);
		if (dup2(out, 3) < 0 || dup2(out, CES_FD_EVENT) < 0 || dup2(in, CES_FD_ORDER) < 0)
			_exit(99);
		exit(main());
	}
	close(file);
	close(ends[1]);
	ces_cleanup_close(&events);
	events = ends[0];
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static inline int start(void)
{
	CES_CLEANUP_FREE uint8_t *block = NULL;

	ck_assert_int_eq(ces_flat_pack(&ces_request_flat, &request, &block, &order.words, &err), 0);
	return start_with(sizeof(order), block);
}

static inline void is_error(enum ces_code code, const char *text, const char *contact)
{
	struct ces_event_error event;

	ck_assert_int_eq(
	    ces_wire_receive(events, &ces_event_error_schema, 1 << 16, -1, &event, &err), 1);
	ck_assert_str_eq(event.text, text);
	ck_assert_uint_eq(event.code, code);
	ck_assert(contact == NULL ? event.contact == NULL : strcmp(event.contact, contact) == 0);
	ck_assert_uint_eq(event.ticket, verb.ticket);
	ces_wire_free(&ces_event_error_schema, &event);
}

/* Checks how many records there are, and that one has this part. */
static inline void recorded(uint64_t n, const char *part)
{
	CES_CLEANUP_FREE char *text = content(JOURNAL), *wanted = strdup(part);

	for (char *p = wanted; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	ck_assert_uint_eq(follow(JOURNAL, none).seq, n);
	ck_assert_msg(strstr(text, wanted) != NULL, "%s has not %s", text, wanted);
}

#define ANN " uid 1000 user ann syslog 0\n"

#endif
