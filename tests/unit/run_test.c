/* Tests the start of a run: the order of its steps, what each fault on the way leaves undone and
 * gives back, who gets the last place, and that nothing runs that is not on record. */
/* links: helper/launch/run.c helper/launch/reserve.c helper/core/beneath.c */
#include "tests/unit/run_start.h"

#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>

static const char *const all[] = {
    "deadline 60", "trusted /usr/bin/crun", "filter", "grant ghcr.io/lab/tool:1", "signatures",
    "find gpus", "clear dead runs", "base 1000", "map 33:44 200000 groups 0",
    "cgroup 1000 0123456789",
    /* one step for all others: */
    "lock 10", "count runs", "turn 1000 p ticket 7 gpus 0 of 0", "choose gpus",
    "turn 1000 p ticket 7 gpus 1 of 2", "leave ticket 7", "categories",
    "record 0123456789 " D1 " devices 1", /* before anything of the run is there */
    "enter 0123456789 /tmp/0123456789 cgroups 1 gpus 1", "keep 0123456789", "unlock", "collector",
    "still there", "places /home/ann/outputs/0123456789 /tmp/0123456789", "limit",
    "confine 55 devices 0", /* before a process is in the cgroup */
    "leave the session", "share streams", "start ces-0123456789 33:44", "ports", "proxy", "tree 44",
    "list", "cleaner 44 as 33:44", "sync 0", "sync 73", /* journal and entry */
    "ready published ports",                            /* before the host's tree is gone */
    "ready the proxy of the policy", "await", "enter the tree", "deadline 120", "begin proof",
    "release", "proof", "weaken", "end proof 0", /* the program begins */
    "say that it started 1", "supervise 72 1 0", "finish 0", NULL};

static size_t number_of(const char *words)
{
	for (size_t i = 0; all[i] != NULL; i++)
		if (strncmp(all[i], words, strlen(words)) == 0)
			return i;
	ck_abort_msg("no step %s", words);
}

static void ask_for_all(void)
{
	decision.gpus = 1;
	request.ticket = 7;
	request.flags = CES_FLAG_DETACH;
}

START_TEST(a_run_starts_step_by_step)
{
	ask_for_all();
	ck_assert_msg(run() == 0, "%s", err.text);
	steps_check(all, 0);
	ck_assert_uint_eq(session.ticket, 0);
	ck_assert_uint_eq(session.position, 0);
}
END_TEST

/* These have no answer. */
static const char *const silent[] = {"deadline", "clear", "turn", "leave ticket", "unlock", "list",
				     "cleaner",  "await", "say",  "supervise",    "finish", "free"};

START_TEST(a_step_that_fails_is_followed_by_the_end_alone)
{
	const char *tail[8];
	size_t n = 0, i = (size_t)_i;

	for (size_t j = 0; j < CES_COUNT(silent); j++)
		if (strncmp(all[i], silent[j], strlen(silent[j])) == 0)
			return;
	ask_for_all();
	steps_begin(i + 1, EIO);
	if (i == number_of("choose"))
		tail[n++] = "leave ticket 7";
	if (i == number_of("count"))
		tail[n++] = "leave ticket 7";
	if (i == number_of("keep"))
		tail[n++] = "leave the register 0123456789";
	if (i > number_of("lock") && i < number_of("unlock"))
		tail[n++] = "unlock";
	if (i > number_of("unlock") && i < number_of("deadline 120"))
		tail[n++] = "deadline 120";
	if (i == number_of("begin proof") || i == number_of("release"))
		tail[n++] = "poll 1 1000";
	if (i == number_of("proof") || i == number_of("weaken"))
		tail[n++] = "end proof -1";
	if (i > number_of("unlock"))
		tail[n++] = "finish -1";
	/* 1: the end is on record */
	ck_assert_int_eq(run(), i > number_of("unlock") ? 1 : -1);
	if (i == number_of("still there")) /* (then the reason is not the errno) */
		ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	else
		ck_assert_int_eq(err.sys, EIO);
	ck_assert_uint_eq(steps->n, i + 1 + n);
	for (size_t j = 0; j <= i; j++)
		ck_assert_str_eq(steps->v[j], all[j]);
	for (size_t j = 0; j < n; j++)
		ck_assert_str_eq(steps->v[i + 1 + j], tail[j]);
}
END_TEST

START_TEST(a_plain_run_has_fewer_steps)
{
	static const char *const left_out[] = {"find gpus", "choose", "leave ticket",
					       "leave the session"};

	ck_assert_int_eq(run(), 0);
	for (size_t i = 0; i < CES_COUNT(left_out); i++)
		ck_assert_uint_eq(steps_count(left_out[i]), 0);
	ck_assert_uint_eq(steps->n, CES_COUNT(all) - 1 - 5);
}
END_TEST

START_TEST(the_record_has_what_clearing_up_needs)
{
	request.name = "mine";
	decision.n_ports = 1;
	decision.ports[0] = (struct ces_decision_port){8080, 80};
	decision.retain = CES_RETAIN_RUN;
	ck_assert_int_eq(run(), 0);
	ck_assert_str_eq(entered.name, "mine");
	ck_assert_uint_eq(entered.uid, 1000);
	ck_assert_str_eq(entered.image, "ghcr.io/lab/tool:1");
	ck_assert_str_eq(entered.digest, D1);
	ck_assert_uint_eq(entered.user, 33);
	ck_assert_uint_eq(entered.group, 44);
	ck_assert_uint_eq(entered.retain_run, 1);
	ck_assert_uint_eq(entered.categories, 5);
	ck_assert_uint_eq(entered.ports.n, 1);
	ck_assert_uint_eq(entered_port, 8080u << 16 | 80);
}
END_TEST

START_TEST(a_scratch_of_the_sites_own_is_not_to_be_removed)
{
	decision.scratch.per_run = false;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count("enter 0123456789 - "), 1);
}
END_TEST

static const struct {
	enum ces_identity identity;
	bool own_ids;
	const char *step;
} maps[] = {
    {CES_IDENTITY_ROOT_IS_USER, false, "map 33:44 200000 groups 2"},
    {CES_IDENTITY_SAME_UID, false, "map 1000:1000 200000 groups 2"},
    {CES_IDENTITY_ROOT_IS_USER, true, "own map 200000 groups 2"},
};

START_TEST(the_map_is_that_of_the_identity)
{
	decision.identity = maps[_i].identity;
	decision.own_ids = maps[_i].own_ids;
	decision.n_project_gids = 2;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count(maps[_i].step), 1);
	ck_assert_uint_eq(finished.uid, _i == 1 ? 1000 : 33);
	ck_assert_uint_eq(finished.gid, _i == 1 ? 1000 : 44);
}
END_TEST

/* What is in them may be older, and the project's. */
START_TEST(shared_outputs_keep_the_projects_group_also_at_the_callers_own_number)
{
	decision.own_ids = true;
	decision.n_project_gids = 1;
	decision.outputs.per_run = _i == 1;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count(_i == 0 ? "cleaner 44 as 1000:65536 shared 1000"
					      : "cleaner 44 as 1000:65536"),
			  1);
	ck_assert_uint_eq(steps_count("cleaner 44 as 1000:65536 shared"), _i == 0);
}
END_TEST

static char *one_layer[] = {(char *)D2};
#define ONE                                                                                        \
	{                                                                                          \
		one_layer, 1                                                                       \
	}

/* An image record that a torn disk or another version could have left. */
static const struct {
	struct ces_image_record image;
	bool good;
} images[] = {
    {{.digest = D1, .diff_ids = ONE}, true},
    {{.digest = D1, .diff_ids = ONE, .uid = 65535, .gid = 65535, .stop_signal = 64}, true},
    {{.digest = NULL, .diff_ids = ONE}, false},
    {{.digest = D1}, false},
    {{.digest = D2, .diff_ids = ONE}, false},
    {{.digest = D1, .diff_ids = ONE, .uid = 65536}, false},
    {{.digest = D1, .diff_ids = ONE, .gid = 65536}, false},
    {{.digest = D1, .diff_ids = ONE, .uid = 1ull << 32}, false},
    {{.digest = D1, .diff_ids = ONE, .stop_signal = 65}, false},
    {{.digest = D1, .diff_ids = ONE, .stop_signal = UINT64_MAX}, false},
    {{.digest = D1, .diff_ids = {NULL, CES_LAYERS_MAX + 1}}, false},
};

START_TEST(an_image_whose_record_is_damaged_does_not_run)
{
	world.image = images[_i].image;
	if (images[_i].good) {
		ck_assert_msg(run() == 0, "%s", err.text);
		return;
	}
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_str_eq(err.text,
			 "your copy of ghcr.io/lab/tool:1 is damaged or gone: pull it again");
	ck_assert_uint_eq(steps_count("signatures"), 0);
}
END_TEST

START_TEST(an_image_whose_record_its_documents_do_not_prove_does_not_run)
{
	world.image_unproven = true;
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_uint_eq(steps_count("signatures"), 0);
}
END_TEST

static const struct {
	const char *locked, *digest, *top;
	bool good;
} locks[] = {{D1, D1, D2, true}, {D1, D2, D1, true}, {D1, D2, D2, false}, {"", D2, D2, true}};

START_TEST(a_locked_image_runs_at_its_digest_alone)
{
	strcpy(decision.locked_digest, locks[_i].locked);
	strcpy(decision.rule, "projects.p.images[0]");
	world.grant_digest = world.image.digest = (char *)(uintptr_t)locks[_i].digest;
	world.top_digest = locks[_i].top;
	if (locks[_i].good) {
		ck_assert_msg(run() == 0, "%s", err.text);
		return;
	}
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, "projects.p.images[0]");
}
END_TEST

START_TEST(layers_that_are_on_no_base_of_the_rule_do_not_run)
{
	decision.bases.n = 1;
	strcpy(decision.bases.v[0], D2);
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_uint_eq(steps_count("record"), 0);
	strcpy(decision.bases.v[0], D1); /* (the ChainID of one layer is its own digest) */
	ck_assert_msg(run() == 0, "%s", err.text);
}
END_TEST

START_TEST(without_a_command_there_is_no_run)
{
	world.command = NULL;
	ck_assert_int_lt(run(), 0);
	ck_assert_int_eq(err.code, CES_E_USAGE);
	ck_assert_uint_eq(steps_count("clear"), 0);
	ck_assert_uint_eq(steps_count("lock"), 0);
}
END_TEST

START_TEST(a_runtime_is_below_usr_and_its_name_says_which)
{
	strcpy(host.runtime, "/opt/bin/crun");
	ck_assert_int_lt(run(), 0);
	ck_assert_str_eq(err.text, "host.runtime /opt/bin/crun is not below /usr");
	ck_assert_int_eq(err.code, CES_E_POLICY);
	ck_assert_uint_eq(steps_count("trusted"), 0);
	strcpy(host.runtime, "/usr/local/bin/runc");
	ck_assert_int_eq(run(), 0);
	ck_assert(finished.runc);
	strcpy(host.runtime, "/usr/bin/crun");
	ck_assert_int_eq(run(), 0);
	ck_assert(!finished.runc);
}
END_TEST

START_TEST(a_terminal_is_asked_for_and_there_and_its_size_is_taken)
{
	const struct winsize size = {.ws_row = 31, .ws_col = 87};
	int one, other, saved = fcntl(0, F_DUPFD_CLOEXEC, 0);

	ck_assert_int_eq(openpty(&one, &other, NULL, NULL, &size), 0);
	close(0);
	ck_assert_int_eq(open("/dev/null", O_RDONLY), 0);
	request.flags = CES_FLAG_TTY;
	ck_assert_int_eq(run(), 0);
	ck_assert(!finished.tty);
	ck_assert_int_eq(dup2(other, 0), 0);
	ck_assert_int_eq(run(), 0);
	ck_assert(finished.tty && finished.rows == 31 && finished.columns == 87);
	ck_assert_uint_eq(steps_count("supervise 72 1 1"), 1);
	request.flags = 0;
	ck_assert_int_eq(run(), 0);
	ck_assert(!finished.tty);
	(void)dup2(saved, 0);
	close(saved);
	close(one);
	close(other);
}
END_TEST

/* The runtime gave up before there was a program to hold. */
START_TEST(a_run_without_a_program_is_watched_to_its_end)
{
	world.held = 0;
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count("say that it started 0"), 1);
	ck_assert_uint_eq(steps_count("supervise 72 0 0"), 1);
}
END_TEST

START_TEST(a_container_that_died_during_the_start_is_watched_by_a_weaker_process)
{
	ask_for_all();
	world.ended = true;
	steps_begin(number_of(_i == 0 ? "begin proof" : "release") + 1, EIO);
	ck_assert_int_eq(run(), 0);
	ck_assert_uint_eq(steps_count("weaken"), 1);
	ck_assert_uint_eq(steps_count("proof"), 0);
	ck_assert_uint_eq(steps_count("say that it started 0"), 1);
	ck_assert_uint_eq(steps_count("finish 0"), 1);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("run");

	tcase_add_checked_fixture(t, run_begin, NULL);
	tcase_add_test(t, a_run_starts_step_by_step);
	tcase_add_loop_test(t, a_step_that_fails_is_followed_by_the_end_alone, 0,
			    CES_COUNT(all) - 1);
	tcase_add_test(t, a_plain_run_has_fewer_steps);
	tcase_add_test(t, the_record_has_what_clearing_up_needs);
	tcase_add_test(t, a_scratch_of_the_sites_own_is_not_to_be_removed);
	tcase_add_loop_test(t, the_map_is_that_of_the_identity, 0, CES_COUNT(maps));
	tcase_add_loop_test(
	    t, shared_outputs_keep_the_projects_group_also_at_the_callers_own_number, 0, 2);
	tcase_add_loop_test(t, an_image_whose_record_is_damaged_does_not_run, 0, CES_COUNT(images));
	tcase_add_test(t, an_image_whose_record_its_documents_do_not_prove_does_not_run);
	tcase_add_loop_test(t, a_locked_image_runs_at_its_digest_alone, 0, CES_COUNT(locks));
	tcase_add_test(t, layers_that_are_on_no_base_of_the_rule_do_not_run);
	tcase_add_test(t, without_a_command_there_is_no_run);
	tcase_add_test(t, a_runtime_is_below_usr_and_its_name_says_which);
	tcase_add_test(t, a_terminal_is_asked_for_and_there_and_its_size_is_taken);
	tcase_add_test(t, a_run_without_a_program_is_watched_to_its_end);
	tcase_add_loop_test(
	    t, a_container_that_died_during_the_start_is_watched_by_a_weaker_process, 0, 2);
	return run_suite("run", t);
}
