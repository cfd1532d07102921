/* Tests a pull from its admission to its end on record: the order of root's steps, and for each
 * step that fails what is left. ces-store, what it asks for, and the journal's file are the test's.
 */
/* links: helper/pull/pull.c helper/store/grants.c helper/store/store.c helper/session/store.c helper/session/store_open.c helper/core/beneath.c helper/core/spawn.c helper/session/frames.c helper/session/lock.c helper/session/object.c helper/clean/tree.c helper/session/runs.c helper/session/journal.c helper/session/json.c */
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/event.h"
#include "common/record.h"
#include "common/request.h"
#include "helper/session/journal.h"
#include "helper/session/record.h"
#include "helper/session/report.h"
#include "helper/pull/collect.h"
#include "helper/pull/steps.h"
#include "helper/session/signed.h"
#include "helper/watch/finish.h"
#include "tests/unit/store_scene.h"

static struct ces_decision decision;
static struct ces_request request;
static struct ces_host host;
static struct ces_session session;

/* ---- the parts around a pull ---- */

static int cannot(const char *text, struct ces_error *ret_err)
{
	return ces_error_set(ret_err, CES_E_HOST, "%s", text);
}

void ces_finish_dead(struct ces_session *of)
{
	ck_assert_ptr_eq(of, &session);
	(void)step("finish the dead");
}

int ces_record_decision(struct ces_session *of, const struct ces_decision *what, const char *run,
			const char *image, const struct ces_strings *devices,
			const struct ces_error *why, struct ces_error *ret_err)
{
	ck_assert(of == &session && what == &decision && run == NULL && image == NULL &&
		  devices == NULL && why == NULL);
	return step("record the decision%s", is_locked(runs, ".") ? ", counted" : "")
		   ? cannot("no record", ret_err)
		   : 0;
}

int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool durable,
		       struct ces_error *ret_err)
{
	const char *text = ces_json_end(&record);
	bool bad;

	ck_assert(journal == &session.journal && !durable);
	ck_assert_ptr_nonnull(strstr(text, session.pull));
	ck_assert_ptr_nonnull(strstr(text, D1));
	bad = step("record the end: %s",
		   strstr(text, "\"up to date\"") != NULL ? "up to date" : "pulled");
	ces_json_free(&record);
	return bad ? cannot("no end", ret_err) : 0;
}

int fdatasync(int fd)
{
	if (fd == session.journal.fd)
		return step("sync the journal%s", is_locked(runs, ".") ? ", locked" : "") ? -1 : 0;
	return step("sync %.5s", name_of_fd(fd)) ? -1 : 0; /* a record, or a grant by its digits */
}

unsigned alarm(unsigned seconds)
{
	if (seconds > 60)
		(void)step("deadline %u", seconds);
	return 0;
}

void ces_collect_soon(const struct ces_session *of)
{
	ck_assert_ptr_eq(of, &session);
	(void)step("collect");
}

static struct ces_store_order got;
static pid_t self;

int ces_store_start(const struct ces_store *of, const struct ces_store_order *order, int event,
		    struct ces_worker *ret, struct ces_error *ret_err)
{
	char name[16] = "";

	(void)ret;
	if (getpid() != self) {
		(void)prctl(PR_GET_NAME, name);
		for (int fd = 5; fd < 256; fd++)
			if (fcntl(fd, F_GETFD) >= 0)
				_exit(1);
		_exit(order->mode == CES_STORE_SETTLE && order->n == 1 && of->layers == 3 &&
			      of->images < 0 && event < 0 && strcmp(name, "ces-settle") == 0 &&
			      strcmp(order->layers[0], digest(7)) == 0
			  ? 77
			  : 1);
	}
	got = *order;
	ck_assert(of == &session.store && event == CES_FD_EVENT);
	return step("ces-store") ? cannot("no ces-store", ret_err) : 0;
}

void ces_steps_begin(struct ces_steps *s, struct ces_session *of, enum ces_turn turn)
{
	if (getpid() == self)
		ck_assert(of == &session && turn == CES_TURN_BEGIN);
	*s = (struct ces_steps){.session = of, .store = &of->store};
}

void ces_steps_end(struct ces_steps *s)
{
	(void)s;
	(void)step("end the workers");
}

static bool up_to_date, settled;
static bool of_another; /* the grant that is there at the end is of another pull */
static unsigned alive;  /* pulls, as others see them meanwhile */

static void count_pull(const struct ces_run_record *record, bool is_alive, void *context)
{
	(void)record, (void)context;
	alive += is_alive;
}

/* Gives the grant, as ces-store does. */
int ces_steps_serve(struct ces_steps *s, struct ces_error *ret_err)
{
	const struct ces_grant grant = {.reference = got.image,
					.user = got.user,
					.top_digest = (char[]){D2},
					.digest = (char[]){D1},
					.pulled = 1};

	ck_assert(s->session == &session && s->decision == &decision);
	ck_assert(is_locked(s->entry, "."));
	ck_assert_int_eq(ces_runs_each(runs, CES_EACH_PULL, count_pull, NULL), 0);
	if (step("serve %s", got.image))
		return cannot("no image", ret_err);
	steps_noted = false;
	ck_assert_int_eq(ces_store_write_grant(&store, 1234, &grant, NULL, NULL, &err), 0);
	steps_noted = true;
	s->turn = CES_TURN_GRANT;
	(void)strcpy(s->digest, of_another ? D2 : D1);
	(void)strcpy(s->top_digest, D2);
	if (step("last packet"))
		return cannot("no last packet", ret_err);
	(void)strcpy(s->layers[s->n++], digest(7));
	s->up_to_date = up_to_date;
	s->settled = settled;
	return 0;
}

void ces_report_send(const struct ces_wire_schema *schema, const void *event, bool matters)
{
	const struct ces_event_done *done = event;

	ck_assert(schema == &ces_event_done_schema && matters);
	ck_assert_str_eq(done->digest, D1);
	(void)step("tell the user%s", done->up_to_date ? " that it is up to date" : "");
}

/* ---- a pull ---- */

static void begin(void)
{
	static char me[] = "me", image[] = "ghcr.io/lab/tool:1";

	scene_begin();
	ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	self = getpid();
	decision = (struct ces_decision){
	    .rule = "projects.p.images[0]",
	    .project = "p",
	    .retain = CES_RETAIN_TIME,
	    .retain_seconds = 86400,
	    .image = {.registry = "ghcr.io", .repository = "lab/tool", .tag = "1"}};
	request = (struct ces_request){.verb = CES_VERB_PULL, .image = image};
	host =
	    (struct ces_host){.store = {.space = 1000, .images = 2, .pulls = 2, .reserve = 4096}};
	session = (struct ces_session){.uid = 1234,
				       .caller = {.uid = 1234, .user = me},
				       .request = &request,
				       .host = &host,
				       .journal = CES_JOURNAL_NONE,
				       .runs = runs,
				       .store = store};
	session.journal.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	up_to_date = settled = of_another = false;
	alive = 0;
	have_layer(digest(7), 600, D1);
	note_steps(0);
}

static void end(void)
{
	steps_noted = false;
	while (waitpid(-1, NULL, 0) > 0)
		;
	ck_assert_int_eq(errno, ECHILD);
	close(session.journal.fd);
	scene_end();
}

static bool has_grant(struct ces_grant *ret)
{
	struct ces_error ignored;

	return ces_store_read_grant(&store, 1234, "me", "ghcr.io/lab/tool:1", ret, &ignored) == 0;
}

static const char pull_steps[] = "finish the dead\n"
				 "record the decision, counted\n"
				 "sync recor\n"
				 "sync the journal\n"
				 "deadline 21600\n"
				 "collect\n"
				 "ces-store\n"
				 "serve ghcr.io/lab/tool:1\n"
				 "last packet\n"
				 "end the workers\n"
				 "record the end: pulled\n"
				 "tell the user\n";

/* Waits for the process that settles. Returns its exit status, or -1 if there is none. */
static int wait_for_settling(void)
{
	int status, last = -1;

	while (waitpid(-1, &status, 0) > 0)
		last = WIFEXITED(status) ? WEXITSTATUS(status) : -2;
	return last;
}

START_TEST(the_steps_of_a_pull_have_their_order_and_its_layers_are_settled)
{
	struct ces_grant grant;

	decision.signed_by.n = 1;
	(void)strcpy(decision.image.digest, D2);
	decision.image.tag[0] = '\0';
	ck_assert_msg(ces_verb_pull(&session, &decision, &err) == 0, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(steps, "serve ghcr.io/lab/tool@" D2 "\n"));
	ck_assert_str_eq(got.image, "ghcr.io/lab/tool@" D2);
	ck_assert_str_eq(got.named, D2);
	/* (printf %s ghcr.io/lab/tool | sha256sum) */
	ck_assert_str_eq(got.signers,
			 "sha256:6d977d343c0a2912ed772246fb812a9ab87e6deed50cfc7f56e98202cc9cc182");
	ck_assert_str_eq(got.user, "me");
	ck_assert_str_eq(got.project, "p");
	ck_assert_uint_eq(got.mode, CES_STORE_PULL);
	ck_assert_uint_eq(got.uid, 1234);
	ck_assert_uint_eq(got.space, 1000);
	ck_assert_uint_eq(got.images, 2);
	ck_assert_uint_eq(got.reserve, 4096);
	ck_assert_uint_eq(alive, 1);
	ck_assert_str_eq(session.pull, "");
	ck_assert_uint_eq(count(runs), 0);
	ck_assert_int_eq(wait_for_settling(), 77);
	ck_assert(!has_grant(&grant)); /* (it is for the name with the digest) */
}
END_TEST

START_TEST(a_pull_by_tag_has_these_steps)
{
	struct ces_grant grant;

	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), 0);
	ck_assert_str_eq(steps, pull_steps);
	ck_assert_str_eq(got.named, "");
	ck_assert_str_eq(got.signers, "");
	ck_assert(has_grant(&grant));
	ces_grant_free(&grant);
	ck_assert_int_eq(wait_for_settling(), 77);
}
END_TEST

/* (a process that was to settle them may have been killed: then a later pull does) */
START_TEST(a_pull_settles_unless_every_layer_is_on_the_disk)
{
	up_to_date = true;
	settled = _i == 1;
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), 0);
	ck_assert_ptr_nonnull(strstr(steps, "record the end: up to date\n"
					    "tell the user that it is up to date\n"));
	ck_assert_int_eq(wait_for_settling(), settled ? -1 : 77);
}
END_TEST

static const struct {
	int step;
	const char *text, *then; /* the last step that is done */
} faults[] = {
    {2, "no record", "record the decision, counted\n"},
    {3, "storing record", "sync recor\n"},
    {4, "the journal did not reach the disk", "sync the journal\n"},
    {7, "no ces-store", "ces-store\nend the workers\n"},
    {8, "no image", "serve ghcr.io/lab/tool:1\nend the workers\n"},
    {9, "no last packet", "last packet\nend the workers\n"},
    {11, "no end", "record the end: pulled\n"},
};

START_TEST(when_a_step_of_a_pull_fails_nobody_has_the_image_and_no_later_step_is_done)
{
	struct ces_grant grant;
	const char *then = faults[_i].then;

	note_steps(faults[_i].step);
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), -1);
	ck_assert_msg(strncmp(err.text, faults[_i].text, strlen(faults[_i].text)) == 0, "%s",
		      err.text);
	ck_assert_str_eq(steps + strlen(steps) - strlen(then), then);
	ck_assert(!has_grant(&grant));
	ck_assert(!is_locked(runs, "."));
	if (faults[_i].step < 4)
		return; /* (it was not entered) */
	/* the entry is there until the failure is on record, but it belongs to nobody */
	ck_assert_uint_eq(count(runs), 1);
	ck_assert(!ces_runs_alive(runs, session.pull));
	note_steps(0);
	ces_pull_give_up(&session);
	ck_assert_str_eq(steps, "collect\n");
	ck_assert_uint_eq(count(runs), 0);
}
END_TEST

/* (of two pulls of one tag, which has moved in between) */
START_TEST(a_pull_that_fails_at_its_end_leaves_the_grant_of_another)
{
	struct ces_grant grant;

	of_another = true;
	note_steps(9);
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), -1);
	ck_assert_str_eq(err.text, "no last packet");
	ck_assert(has_grant(&grant));
	ces_grant_free(&grant);
}
END_TEST

/* ---- limits ---- */

/* Enters a pull of a user; it lives as long as *ret is open. */
static void enter(unsigned number, uid_t uid, int *ret)
{
	char name[32];
	const struct ces_run_record record = {.run = name, .uid = uid};
	int stop = -1;

	(void)snprintf(name, sizeof(name), CES_RUNS_PULL "%010u", number);
	ck_assert_int_eq(ces_runs_enter(runs, &record, ret, &stop, &err), 0);
	close(stop);
}

static const struct {
	unsigned mine, others, ended, most;
	bool admitted;
} limits[] = {{0, 0, 0, 1, true},  {1, 0, 0, 1, false}, {1, 0, 0, 2, true},
	      {2, 0, 0, 2, false}, {3, 0, 0, 2, false}, {0, 3, 0, 1, true},
	      {0, 0, 3, 1, true},  {1, 3, 3, 2, true},  {0, 0, 0, 0, false}};

START_TEST(a_user_has_as_many_pulls_at_once_as_the_policy_says)
{
	unsigned mine = limits[_i].mine, others = limits[_i].others, ended = limits[_i].ended;
	int entries[16];

	steps_noted = false;
	for (unsigned i = 0; i < mine + others + ended; i++)
		enter(i, i < mine || i >= mine + others ? 1234 : 1235, &entries[i]);
	for (unsigned i = mine + others; i < mine + others + ended; i++)
		close(entries[i]);
	host.store.pulls = limits[_i].most;
	note_steps(8); /* (it need not go on to the image) */
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), -1);
	ck_assert_str_eq(err.rule, limits[_i].admitted ? "" : "host.user_limits.pulls");
	ck_assert_int_eq(err.code, limits[_i].admitted ? CES_E_HOST : CES_E_LIMIT);
	if (!limits[_i].admitted)
		ck_assert_str_eq(steps, "finish the dead\n");
	for (unsigned i = 0; i < mine + others; i++)
		close(entries[i]);
}
END_TEST

START_TEST(a_register_that_cannot_be_read_admits_nobody)
{
	ck_assert_int_eq(mkdirat(runs, CES_RUNS_PULL "0000000001", 0700), 0);
	ck_assert_int_eq(mkdirat(runs, CES_RUNS_PULL "0000000001/record", 0700), 0);
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_str_eq(steps, "finish the dead\n");
}
END_TEST

static const enum ces_retain retains[] = {CES_RETAIN_RUN, CES_RETAIN_TIME, CES_RETAIN_ALWAYS};

START_TEST(a_grant_has_a_time_only_where_the_policy_has_one)
{
	decision.retain = retains[_i];
	ck_assert_int_eq(ces_verb_pull(&session, &decision, &err), 0);
	ck_assert_uint_eq(got.retain, retains[_i] == CES_RETAIN_TIME ? 86400 : 0);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("pull");

	tcase_add_test(t, the_steps_of_a_pull_have_their_order_and_its_layers_are_settled);
	tcase_add_test(t, a_pull_by_tag_has_these_steps);
	tcase_add_loop_test(t, a_pull_settles_unless_every_layer_is_on_the_disk, 0, 2);
	tcase_add_loop_test(
	    t, when_a_step_of_a_pull_fails_nobody_has_the_image_and_no_later_step_is_done, 0,
	    CES_COUNT(faults));
	tcase_add_test(t, a_pull_that_fails_at_its_end_leaves_the_grant_of_another);
	tcase_add_loop_test(t, a_user_has_as_many_pulls_at_once_as_the_policy_says, 0,
			    CES_COUNT(limits));
	tcase_add_test(t, a_register_that_cannot_be_read_admits_nobody);
	tcase_add_loop_test(t, a_grant_has_a_time_only_where_the_policy_has_one, 0,
			    CES_COUNT(retains));
	return run_scenes_between("pull", t, begin, end);
}
