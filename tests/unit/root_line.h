/* Root's side of a ces-store in the test's own process: what ces-store asks for goes over a real
 * socket, and helper/pull/steps.c serves it at once. If root refuses a step, the error is root's.
 */
#ifndef CES_TESTS_UNIT_ROOT_LINE_H
#define CES_TESTS_UNIT_ROOT_LINE_H

#include <sys/socket.h>

#include "helper/pull/steps.h"
#include "helper/session/account.h"
#include "helper/session/userns.h"
#include "helper/store/root.h"
#include "tests/unit/clean_stand_in.h"
#include "tests/unit/seal.h"

static struct ces_steps at_root;
static int line = -1; /* ces-store's end */
static bool notes_accounts;

/* ---- the accounts of workers, and their user namespace ---- */

int ces_account_take(int where, enum ces_account kind, uid_t *ret_uid, gid_t *ret_gid,
		     struct ces_error *ret_err)
{
	ck_assert_int_eq(where, runs);
	/* (a process can become no other user here, but a map needs one) */
	*ret_uid = *ret_gid = kind == CES_ACCOUNT_UNPACK ? 900 : 0;
	return notes_accounts && step("account %d", kind)
		   ? ces_error_set(ret_err, CES_E_HOST, "no account")
		   : 0;
}

int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *ret_err)
{
	(void)map, (void)ret_err;
	*ret = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC);
	return 0;
}

/* ---- root's side ---- */

static inline void line_begin(struct ces_session *of, enum ces_turn turn)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ces_steps_begin(&at_root, of, turn);
	at_root.worker.socket = pair[0];
	line = pair[1];
}

static inline void line_end(void)
{
	ces_steps_end(&at_root);
	ces_cleanup_close(&line);
}

int ces_root_take(struct ces_step_answer *ret, int *ret_fd, struct ces_error *ret_err)
{
	static struct ces_step_answer answer;
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {&answer, sizeof(answer)};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(line, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n < (ssize_t)offsetof(struct ces_step_answer, digests))
		return ces_error_set(ret_err, CES_E_INTERNAL, "no answer");
	ck_assert_uint_eq((size_t)n, offsetof(struct ces_step_answer, digests) +
					 answer.n * sizeof(answer.digests[0]));
	ck_assert_int_eq(message.msg_controllen > 0, ret_fd != NULL);
	if (ret_fd != NULL)
		memcpy(ret_fd, CMSG_DATA((struct cmsghdr *)control), sizeof(int));
	if (ret != NULL)
		*ret = answer;
	return 0;
}

int ces_root_ask(struct ces_step *asked, const void *bytes, size_t length,
		 struct ces_step_answer *ret, int *ret_fd, struct ces_error *ret_err)
{
	if (line < 0) { /* while the test fills the store */
		ck_assert_uint_eq(asked->kind, CES_STEP_EMPTY);
		return ces_tree_empty(store.trash);
	}
	ck_assert_uint_le(length, sizeof(asked->bytes));
	asked->length = length;
	if (length > 0)
		memcpy(asked->bytes, bytes, length);
	ck_assert_int_ge(send(line, asked, offsetof(struct ces_step, bytes) + length, 0), 0);
	return ces_steps_serve_one(&at_root, ret_err) < 0 ? -1
							  : ces_root_take(ret, ret_fd, ret_err);
}

#endif
