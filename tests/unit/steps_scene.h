/* Root's side of a ces-store that was taken over, for one test: asks for any step at any time. The
 * accounts of workers and their user namespace are the test's. */
#ifndef CES_TESTS_STEPS_SCENE_H
#define CES_TESTS_STEPS_SCENE_H

#include "tests/unit/serve_scene.h"

/* ---- ces-store ---- */

static struct ces_step step_sent;
static struct ces_step_answer answer;
static int fd_got;

/* Asks for a step. Which answers come is the step's matter: the first is taken. */
static inline int ask_with(struct ces_step wanted, const void *bytes, size_t length)
{
	step_sent = wanted;
	err = (struct ces_error){0};
	answer = (struct ces_step_answer){0};
	step_sent.length = length;
	if (bytes != NULL)
		memcpy(step_sent.bytes, bytes, length);
	ck_assert_int_ge(send(line, &step_sent, offsetof(struct ces_step, bytes) + length, 0), 0);
	return ces_steps_serve_one(&at_root, &err);
}

#define ASK(...) ask_with((const struct ces_step){__VA_ARGS__}, NULL, 0)

/* Takes what was answered. Returns how many descriptors came. */
static inline int take_all(void)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {&answer, sizeof(answer)};
	int fds = 0;

	for (;;) {
		struct msghdr message = {.msg_iov = &data,
					 .msg_iovlen = 1,
					 .msg_control = control,
					 .msg_controllen = sizeof(control)};

		if (recvmsg(line, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return fds;
		if (message.msg_controllen == 0)
			continue;
		memcpy(&fd_got, CMSG_DATA((struct cmsghdr *)control), sizeof(int));
		close(fd_got);
		fds++;
	}
}

static inline bool refused_by_root(void)
{
	return err.code == CES_E_INTERNAL &&
	       strcmp(err.text, "ces-store asked for what it may not have") == 0;
}

static inline void begin_at(enum ces_turn turn)
{
	begin_root();
	notes_accounts = true;
	at_root.turn = turn;
	(void)strcpy(at_root.digest, D1);
	(void)strcpy(at_root.top_digest, D2);
}

static inline void end_all(void)
{
	(void)take_all();
	end_root();
}

#define NAME "0123456789abcdef"

static inline void stage(const char *name)
{
	ck_assert_int_eq(mkdirat(store.staging, name, 0700), 0);
}

static inline int unpack(const char *name)
{
	struct ces_step wanted = {
	    .kind = CES_STEP_UNPACK, .digest = D1, .diff_id = D2, .size = 5, .left = UINT64_MAX};

	(void)strcpy(wanted.name, name);
	return ask_with(wanted, NULL, 0);
}

#endif
