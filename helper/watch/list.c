/* Has a run's outputs listed. Must not look at a file, nor believe more of the answer than
 * three numbers and the form of a digest.
 *
 * Who controls what: the caller and their program control what is listed, and the caller could end
 * ces-list in its first moment. So the answer may be missing, late or wrong about files, which are
 * the caller's own anyway; then the record says that they were not listed. */
#include "helper/watch/list.h"

#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/list.h"
#include "common/paths.h"

#define LIST_MS 45000 /* within END_SECONDS of helper/watch/finish.c */

void ces_list_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_process *ret, int *ret_channel)
{
	struct ces_list_job job = {.user = plan->map.user, .group = plan->map.group};
	int pair[2], fds[2] = {plan->mounts[CES_PLAN_OUTPUTS].fd};
	struct ces_spawn how = {CES_LIST_PATH, 0, 0, container->userns, -1, fds, CES_COUNT(fds)};
	struct ces_error ignored;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	*ret_channel = pair[0];
	fds[1] = pair[1];
	memcpy(job.run, plan->run, sizeof(job.run));
	(void)send(pair[0], &job, sizeof(job), MSG_NOSIGNAL);
	(void)ces_spawn_worker(&how, ret, &ignored);
	ces_cleanup_close(&pair[1]);
}

void ces_list_record(int channel, struct ces_json *record)
{
	static const char *const states[CES_LIST_STATES] = {"listed", "cut", "changed"};
	struct ces_list_answer answer;

	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 ||
	    ces_read_full(channel, &answer, sizeof(answer), ces_now_ms() + LIST_MS) < 0 ||
	    answer.state >= CES_LIST_STATES || answer.digest[CES_DIGEST_LENGTH] != '\0' ||
	    !ces_digest_valid(answer.digest)) {
		ces_json_text(record, "outputs", "not listed");
		return;
	}
	ces_json_text(record, "outputs", states[answer.state]);
	ces_json_text(record, "manifest", answer.digest);
	ces_json_number(record, "files", answer.files);
	ces_json_number(record, "bytes", answer.bytes);
}
