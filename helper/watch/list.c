/* Has a run's outputs listed. Must not look at a file, nor believe more of the answer than
 * a few numbers and the form of a digest.
 *
 * Who controls what: the caller and their program control what is listed, and a file may have taken
 * ces-list over. So the answer may be missing, late or wrong about files, which are the caller's
 * own anyway; then the record says that they were not listed. */
#include "helper/watch/list.h"

#include <string.h>
#include <sys/socket.h>

#include "common/cleanup.h"
#include "common/io.h"

#define LIST_MS 45000 /* within END_SECONDS of helper/watch/finish.c */

void ces_list_start(const struct ces_plan *plan, const struct ces_container *container,
		    struct ces_process *ret, int *ret_channel)
{
	struct ces_list_job job = {.user = plan->map.user, .group = plan->map.group};
	int pair[2], fds[2] = {plan->mounts[CES_PLAN_OUTPUTS].fd};
	struct ces_spawn how = {.path = CES_LIST_PATH,
				.uid = ces_idmap_other(job.user),
				.gid = job.group,
				.capabilities = CES_LIST_CAPABILITIES,
				.userns = container->userns,
				.netns = -1,
				.fds = fds,
				.n_fds = CES_COUNT(fds)};
	struct ces_error ignored;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return;
	*ret_channel = pair[0];
	fds[1] = pair[1];
	memcpy(job.run, plan->run, sizeof(job.run));
	job.most = plan->decision->manifest;
	memcpy(job.check, plan->decision->check, sizeof(job.check));
	(void)send(pair[0], &job, sizeof(job), MSG_NOSIGNAL);
	(void)ces_spawn_worker(&how, ret, &ignored);
	ces_cleanup_close(&pair[1]);
}

void ces_list_take(int channel, const struct ces_plan *plan, struct ces_list_answer *ret)
{
	bool asked = plan->decision->check[0] != '\0';

	if (send(channel, "", 1, MSG_NOSIGNAL) != 1 ||
	    ces_read_full(channel, ret, sizeof(*ret), ces_now_ms() + LIST_MS) < 0 ||
	    ret->state >= CES_LIST_STATES || ret->digest[CES_DIGEST_LENGTH] != '\0' ||
	    !ces_digest_valid(ret->digest))
		*ret = (struct ces_list_answer){.state = CES_LIST_STATES};
	if (!asked || (ret->check != CES_LIST_PASSED && ret->check != CES_LIST_FAILED))
		ret->check = asked ? CES_LIST_UNCHECKED : CES_LIST_UNASKED;
}

void ces_list_record(const struct ces_list_answer *answer, struct ces_json *record)
{
	static const char *const states[] = {"listed", "cut", "changed", "not listed"};
	static const char *const checks[] = {NULL, "passed", "failed", "not checked"};

	ces_json_text(record, "outputs", states[answer->state]);
	if (answer->state != CES_LIST_STATES) {
		ces_json_text(record, "manifest", answer->digest);
		ces_json_number(record, "files", answer->files);
		ces_json_number(record, "bytes", answer->bytes);
	}
	if (answer->check == CES_LIST_UNASKED)
		return;
	ces_json_text(record, "check", checks[answer->check]);
	ces_json_number(record, "findings", answer->findings);
}
