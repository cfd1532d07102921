/* Root's side of a ces-store in the test's own process: what ces-store asks for goes over a real
 * socket, and helper/pull/steps.c serves it at once. If root refuses a step, the error is root's.
 */
#ifndef CES_TESTS_UNIT_ROOT_LINE_H
#define CES_TESTS_UNIT_ROOT_LINE_H

#include <sys/socket.h>

#include "helper/pull/steps.h"
#include "helper/store/root.h"

static struct ces_steps at_root;
static int line = -1; /* ces-store's end */

static inline void line_begin(const struct ces_store *of, int register_fd, enum ces_turn turn)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ces_steps_begin(&at_root, of, register_fd, turn);
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
		return ces_tree_remove(store.trash, asked->name);
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
