/* A run of ann's that ends, with outputs and scratch of its own: what the suites of ces_finish
 * share. */
#ifndef CES_TESTS_UNIT_FINISH_END_H
#define CES_TESTS_UNIT_FINISH_END_H

#include "tests/unit/finish_scene.h"

static struct ces_image_record image;
static struct ces_plan plan;
static struct ces_finish finish;
static int list[2];

/* A run with outputs and scratch of its own, in the register and on the disk. */
static void begin(void)
{
	struct ces_run_record record = {.run = (char *)(uintptr_t)RUN,
					.uid = 1000,
					.image = grant.reference,
					.digest = grant.digest};

	set_up();
	make_directory("o");
	make_directory("o/" RUN);
	put("o/" RUN "/result", "42");
	make_directory("s");
	make_directory("s/" RUN);
	make_directory("s/" RUN "/scratch");
	put("s/" RUN "/scratch/big", "0");
	plan = (struct ces_plan){.run = RUN,
				 .session = &session,
				 .decision = &decision,
				 .image = &image,
				 .n_mounts = 3,
				 .map = {.user = getuid(), .group = getgid()},
				 .outputs = "/home/ann/o/" RUN,
				 .scratch = "/scratch/s/" RUN,
				 .withheld = -1,
				 .kept = -1};
	plan.mounts[CES_PLAN_OUTPUTS].fd = open_directory("o/" RUN);
	plan.outputs_parent = open_directory("o");
	plan.scratch_parent = open_directory("s");
	plan.scratch_dir = open_directory("s/" RUN);
	decision.scratch.per_run = decision.outputs.per_run = true;
	decision.retain = CES_RETAIN_TIME;
	cleaned[0] = plan.mounts[CES_PLAN_OUTPUTS].fd;
	cleaned[1] = plan.scratch_dir;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, list), 0);
	finish = (struct ces_finish){.plan = &plan,
				     .grant = &grant,
				     .record = -1,
				     .stop = -1,
				     .container.userns = 77,
				     .container.process.pid = 5,
				     .list.pid = 6,
				     .cleaner.channel = 9,
				     .list_channel = list[0],
				     .end = {.status = 3, .reason = "exit"}};
	ck_assert_int_eq(ces_runs_enter(session.runs, &record, &finish.record, &finish.stop, &err),
			 0);
	ck_assert_int_eq(ces_object_write(session.store.runs, record.run, &ces_run_record_schema,
					  &record, NULL, &err),
			 0);
	close(finish.stop);
	noted->text[0] = '\0';
}

static void answer(uint64_t check)
{
	struct ces_list_answer sent = {
	    .state = CES_LIST_WHOLE, .files = 1, .bytes = 2, .check = check, .digest = IMAGE};

	ck_assert_int_eq(write(list[1], &sent, sizeof(sent)), sizeof(sent));
}

/* The client reads how the run ended; NULL: nothing. */
static void heard(const char *reason)
{
	struct ces_event_exited event;
	int got;

	close(CES_FD_EVENT);
	got = ces_wire_receive(events[0], &ces_event_exited_schema, 4096, -1, &event, &err);
	ck_assert_int_eq(got, reason != NULL);
	if (reason == NULL)
		return;
	ck_assert_str_eq(event.reason, reason);
	ck_assert_uint_eq(event.withheld, finish.end.withheld);
	ces_wire_free(&ces_event_exited_schema, &event);
}

#define STOPPED                                                                                    \
	"1800 seconds\nthe cgroup is killed\nthe ports are free\nthe way out is closed\nkills 5\n"
#define LOG "did it start?\nreads the log\n"
#define CLEANED                                                                                    \
	"caller 1000:100+2 removes directory /s/" RUN "/scratch: no\n"                             \
	"ces-clean empties /s/" RUN "/\n"                                                          \
	"root removes /s/" RUN "/scratch/big\n"                                                    \
	"root removes directory /s/" RUN "/scratch\n"                                              \
	"ces-clean gives /o/" RUN "/\n"                                                            \
	"caller 1000:100+2 removes directory /s/" RUN "\n"                                         \
	"60 seconds\n"
#define RECORD(outputs)                                                                            \
	"record: {\"event\":\"end\",\"verb\":\"run\",\"uid\":1000,\"user\":\"ann\","               \
	"\"project\":\"p\",\"run\":\"" RUN "\",\"image\":\"ghcr.io/a/b:1\",\"digest\":\"" IMAGE    \
	"\",\"status\":3,\"reason\":\"exit\"," outputs "}\n"
#define LISTED "\"outputs\":\"listed\",\"manifest\":\"" IMAGE "\",\"files\":1,\"bytes\":2"
#define ENDED  "kills 6\nends ces-clean\nthe cgroup is removed\n"
#define USED   "1000 used ghcr.io/a/b:1\n"
#define FORGOTTEN                                                                                  \
	"root removes /kept/" RUN "\n"                                                             \
	"root removes directory /runs/" RUN "\n"

#endif
