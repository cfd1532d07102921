/* Says to the caller that a run began, and how it ended. Must not decide anything by what a runtime
 * wrote. */
#include "helper/watch/outcome.h"

#include <fcntl.h>
#include <stdio.h>

#include "common/event.h"
#include "common/image.h"
#include "common/io.h"
#include "common/paths.h"
#include "common/request.h"
#include "helper/launch/config.h"
#include "helper/session/report.h"

#define LOG_MAX 390

void ces_outcome_started(const struct ces_plan *plan, bool began)
{
	const struct ces_policy_limits *limits = &plan->decision->limits;
	struct ces_event_started event = {.run = (char *)(uintptr_t)plan->run,
					  .outputs = (char *)(uintptr_t)plan->outputs,
					  .project = (char *)(uintptr_t)plan->decision->project,
					  .digest = plan->image->digest,
					  .most_time = limits->time,
					  .most_memory = limits->memory,
					  .most_cpus = limits->cpus};
	struct ces_event_done done = {.run = event.run};

	ces_report_send(&ces_event_started_schema, &event, true);
	if (began && (plan->session->request->flags & CES_FLAG_DETACH) != 0)
		ces_report_send(&ces_event_done_schema, &done, true);
}

/* Only the runtime writes there; the container never sees the file. Image and caller chose words in
 * it, so the client finds out what they mean, and only shows them. */
void ces_outcome_read_log(const struct ces_plan *plan, struct ces_end *end)
{
	char log[LOG_MAX + 1];

	if (end->status == 0 || ces_read_text(AT_FDCWD, "/run/log", log, sizeof(log)) <= 0)
		return;
	end->status = CES_EXIT_REFUSED;
	end->reason = CES_EXITED_RUNTIME;
	(void)snprintf(end->text, sizeof(end->text), "cannot start %.100s: %.390s",
		       ces_config_command(plan), log);
	ces_text_clean(end->text);
}

void ces_outcome_exited(const struct ces_plan *plan, const struct ces_end *end)
{
	const char *contact = plan->session->host->contact;
	struct ces_event_exited event = {.status = (uint64_t)end->status,
					 .reason = (char *)(uintptr_t)end->reason,
					 .peak_memory = end->usage.peak_memory,
					 .cpu_us = end->usage.cpu_us,
					 .limit = end->limit,
					 .value = end->value,
					 .most = end->most,
					 .check = end->outputs.check,
					 .findings = end->outputs.findings,
					 .files = end->outputs.files,
					 .withheld = end->withheld};

	if (end->text[0] != '\0')
		event.text = (char *)(uintptr_t)end->text;
	if ((event.check > CES_LIST_PASSED || end->withheld) && contact[0] != '\0')
		event.contact = (char *)(uintptr_t)contact;
	ces_report_send(&ces_event_exited_schema, &event, true);
}
