/* Asks root for what ces-store cannot do itself. Must not go on after a step that was refused. */
#include "helper/store/root.h"

#include <poll.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "helper/fetch/channel.h"

static int gone(struct ces_error *err)
{
	return ces_error_set(err, CES_E_INTERNAL, "ces-session ended this request");
}

static int send_step(struct ces_step *step, const void *bytes, size_t length, struct ces_error *err)
{
	if (length > sizeof(step->bytes))
		return ces_error_set(err, CES_E_INTERNAL, "too long for a step");
	step->length = length;
	if (length > 0)
		memcpy(step->bytes, bytes, length);
	return ces_packet_send(CES_STORE_SESSION, step, offsetof(struct ces_step, bytes) + length,
			       -1, 0) < 0
		   ? gone(err)
		   : 0;
}

int ces_root_take(struct ces_step_answer *ret, int *ret_fd, struct ces_error *err)
{
	static struct ces_step_answer answer;
	struct pollfd wait = {.fd = CES_STORE_SESSION, .events = POLLIN};
	CES_CLEANUP_FD int fd = -1;
	size_t got = 0;
	int result = 1;

	while (result == 1 && got == 0) {
		(void)poll(&wait, 1, -1);
		result =
		    ces_channel_receive(CES_STORE_SESSION, &answer, sizeof(answer), &got, &fd, err);
	}
	if (result != 1 || got < offsetof(struct ces_step_answer, digests) ||
	    (fd >= 0) != (ret_fd != NULL))
		return gone(err);
	if (ret_fd != NULL)
		*ret_fd = ces_steal_fd(&fd);
	if (ret != NULL)
		*ret = answer;
	return 0;
}

int ces_root_ask(struct ces_step *step, const void *bytes, size_t length,
		 struct ces_step_answer *ret, int *ret_fd, struct ces_error *err)
{
	return send_step(step, bytes, length, err) < 0 ? -1 : ces_root_take(ret, ret_fd, err);
}

void ces_root_end(struct ces_step *step, const struct ces_error *why)
{
	static const char *const rules[CES_STEP_RULES] = CES_STEP_RULE_NAMES;
	struct ces_error ignored;

	if (why == NULL) {
		step->kind = CES_STEP_END;
		(void)send_step(step, NULL, 0, &ignored);
		return;
	}
	*step = (struct ces_step){.kind = CES_STEP_FAILED, .number = why->code};
	for (size_t i = 0; i < CES_STEP_RULES; i++)
		if (strcmp(why->rule, rules[i]) == 0)
			step->size = i;
	(void)send_step(step, why->text, strlen(why->text), &ignored);
}
