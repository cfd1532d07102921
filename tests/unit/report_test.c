/* Tests what goes to the client and what comes from it: the events, for a client that reads, is
 * slow or is gone, and the control frames. The clock is the test's own: it goes on when a poll
 * waits. */
/* links: helper/session/report.c helper/session/frames.c helper/session/object.c */
/* links: helper/clean/tree.c helper/core/beneath.c */
#include "helper/session/report.h"

#include <check.h>
#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/event.h"
#include "common/schema.h"
#include "common/wire_stream.h"
#include "helper/core/fds.h"
#include "helper/session/frames.h"
#include "helper/session/object.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/session_scene.h"

static struct ces_error err;
static int64_t clock_ms = 1000, waited;
static int events = -1; /* the client's end */

int clock_gettime(clockid_t id, struct timespec *now)
{
	(void)id;
	*now = (struct timespec){clock_ms / 1000, clock_ms % 1000 * 1000000};
	return 0;
}

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	const struct timespec none = {0};
	int ready = (int)syscall(SYS_ppoll, fds, n, &none, NULL, 8);

	ck_assert_int_ge(ms, 0);
	if (ready == 0) {
		clock_ms += ms;
		waited += ms;
	}
	return ready;
}

static void set_up(void)
{
	int ends[2], end;

	directory_begin();
	end = fcntl(directory, F_DUPFD_CLOEXEC, 20);
	close(directory);
	directory = end;
	(void)signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	events = fcntl(ends[0], F_DUPFD_CLOEXEC, 20);
	end = fcntl(ends[1], F_DUPFD_CLOEXEC, 20);
	close(ends[0]);
	close(ends[1]);
	ck_assert_int_eq(dup2(end, CES_FD_EVENT), CES_FD_EVENT);
	close(end);
}

static void tear_down(void)
{
	close(CES_FD_EVENT);
	ces_cleanup_close(&events);
	ck_assert_int_eq(ces_tree_empty(directory), 0);
	directory_end();
}

static int receive(const struct ces_wire_schema *schema, void *event)
{
	return ces_wire_receive(events, schema, 1 << 16, clock_ms + 1, event, &err);
}

static void is_error(const char *text, const char *rule, const char *contact)
{
	struct ces_event_error event;

	ck_assert_int_eq(receive(&ces_event_error_schema, &event), 1);
	ck_assert_str_eq(event.text, text);
	ck_assert(rule == NULL ? event.rule == NULL : strcmp(event.rule, rule) == 0);
	ck_assert(contact == NULL ? event.contact == NULL : strcmp(event.contact, contact) == 0);
	ck_assert_uint_eq(event.code, CES_E_DENIED);
	ck_assert_uint_eq(event.ticket, 7);
	ck_assert_uint_eq(event.position, UINT64_MAX);
	ces_wire_free(&ces_event_error_schema, &event);
}

START_TEST(an_error_reaches_the_client_with_its_rule_and_contact)
{
	struct ces_error why = {CES_E_DENIED, 13, "projects.p", "no"};

	ces_report_error(&why, "the data office", 7, UINT64_MAX);
	is_error("no", "projects.p", "the data office");
	why.rule[0] = '\0';
	memset(why.text, 'a', sizeof(why.text) - 1);
	ces_report_error(&why, NULL, 7, UINT64_MAX);
	is_error(why.text, NULL, NULL);
	memset(why.rule, 'r', sizeof(why.rule) - 1);
	ces_report_error(&why, NULL, 7, UINT64_MAX);
	is_error(why.text, why.rule, NULL);
}
END_TEST

/* A policy's contact is a line of text, in any language (policy/valid.c). */
START_TEST(every_contact_that_a_policy_may_name_reaches_the_client)
{
	const struct ces_error why = {CES_E_DENIED, 0, "projects.p", "no"};
	struct ces_event_exited exited = {.reason = (char *)"exit"};
	char contact[257];

	for (size_t i = 0; i < 256; i += 2)
		memcpy(contact + i, "\303\274", 3);
	ces_report_error(&why, contact, 7, UINT64_MAX);
	is_error("no", "projects.p", contact);
	exited.contact = contact;
	ces_report_send(&ces_event_exited_schema, &exited, true);
	ck_assert_int_eq(receive(&ces_event_exited_schema, &exited), 1);
	ck_assert_str_eq(exited.contact, contact);
	ces_wire_free(&ces_event_exited_schema, &exited);
}
END_TEST

static void is_done(void)
{
	struct ces_event_done done;

	ck_assert_int_eq(receive(&ces_event_done_schema, &done), 1);
	ck_assert(done.digest == NULL && done.run == NULL && done.up_to_date == 0);
	ces_wire_free(&ces_event_done_schema, &done);
}

START_TEST(lines_and_the_end_reach_the_client_and_two_lines_at_once_do_not)
{
	static const char *const refused[] = {"one\ntwo", "\033[2J", "\377"};
	struct ces_event_text event;

	ces_report_text("M\303\274ller");
	ces_report_text(refused[_i]);
	ck_assert_int_eq(ces_report_done(), 0);
	ck_assert_int_eq(receive(&ces_event_text_schema, &event), 1);
	ck_assert_str_eq(event.text, "M\303\274ller");
	ces_wire_free(&ces_event_text_schema, &event);
	is_done();
}
END_TEST

static void fill(void)
{
	char bytes[4096] = {0};

	while (write(CES_FD_EVENT, bytes, sizeof(bytes)) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
}

static void empty(void)
{
	char bytes[4096];

	while (read(events, bytes, sizeof(bytes)) > 0)
		;
}

START_TEST(an_event_that_does_not_matter_is_dropped_when_the_pipe_is_full)
{
	const struct ces_event_done done = {0};

	fill();
	ces_report_send(&ces_event_done_schema, &done, false);
	ck_assert_int_eq(waited, 0);
	empty();
	ces_report_send(&ces_event_done_schema, &done, false);
	is_done();
}
END_TEST

START_TEST(an_event_that_matters_waits_once_and_never_again)
{
	const struct ces_event_done done = {0};
	char byte;

	fill();
	ces_report_send(&ces_event_done_schema, &done, true);
	ck_assert_int_eq(waited, 10000);
	ces_report_send(&ces_event_done_schema, &done, true);
	ck_assert_int_eq(waited, 10000);
	empty();
	ces_report_done();
	ces_report_text("x");
	ck_assert_int_eq(read(events, &byte, 1), -1);
}
END_TEST

START_TEST(a_client_that_is_gone_is_no_error_and_takes_no_time)
{
	ces_cleanup_close(&events);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ces_report_done(), 0);
	ck_assert_int_eq(waited, 0);
}
END_TEST

/* ---- control frames ---- */

#define FRAME sizeof(struct ces_control)

static const char signal_frame[FRAME + 1] = "CES1\2\0\34\0\0\0\1\0\10\0\0\0\1\0\0\0\0\0\0\0"
					    "\2\0\10\0\0\0\17\0\0\0\0\0\0\0";

static int control(const void *bytes, size_t n, enum ces_control_kind *kind, uint64_t *value)
{
	ck_assert_int_eq(write(CES_FD_EVENT, bytes, n), (ssize_t)n);
	return ces_control_receive(events, kind, value);
}

START_TEST(a_control_frame_is_read_and_the_next_after_it)
{
	static const uint64_t numbers[][2] = {{CES_CONTROL_SIGNAL, 15},
					      {CES_CONTROL_WINDOW, 33u << 16 | 101},
					      {CES_CONTROL_SIGNAL, UINT64_MAX},
					      {77, 0}};
	enum ces_control_kind kind;
	struct ces_control frame;
	uint64_t value, number;

	memcpy(&frame, signal_frame, sizeof(frame));
	for (size_t i = 0; i < CES_COUNT(numbers); i++) {
		number = htole64(numbers[i][0]);
		memcpy(frame.kind, &number, sizeof(number));
		number = htole64(numbers[i][1]);
		memcpy(frame.value, &number, sizeof(number));
		ck_assert_int_eq(write(CES_FD_EVENT, &frame, sizeof(frame)), sizeof(frame));
	}
	for (size_t i = 0; i < CES_COUNT(numbers); i++) {
		ck_assert_int_eq(ces_control_receive(events, &kind, &value), 0);
		ck_assert_uint_eq((uint64_t)kind, numbers[i][0]);
		ck_assert_uint_eq(value, numbers[i][1]);
	}
}
END_TEST

START_TEST(any_other_frame_is_refused)
{
	enum ces_control_kind kind = (enum ces_control_kind) - 7;
	char frame[FRAME];
	uint64_t value = 7;

	ck_assert_int_eq(control(signal_frame, sizeof(frame), &kind, &value), 0);
	ck_assert_uint_eq(value, 15);
	value = 7;
	for (size_t i = 0; i < sizeof(frame); i++) {
		if ((i >= 16 && i < 24) || i >= 30) /* the two numbers */
			continue;
		memcpy(frame, signal_frame, sizeof(frame));
		frame[i] ^= 1;
		ck_assert_int_eq(control(frame, sizeof(frame), &kind, &value), -1);
	}
	ck_assert_uint_eq(value, 7);
}
END_TEST

START_TEST(half_a_frame_is_waited_for_for_a_second)
{
	enum ces_control_kind kind;
	uint64_t value;

	ck_assert_int_eq(control(signal_frame, _i == 0 ? 0 : FRAME - 1, &kind, &value), -1);
	ck_assert_int_eq(waited, 1000);
	close(CES_FD_EVENT);
	ck_assert_int_eq(ces_control_receive(events, &kind, &value), -1);
	ck_assert_int_eq(waited, 1000);
}
END_TEST

/* ---- a grant, and the record of its image ---- */

static int take_grant(struct ces_grant *ret)
{
	CES_CLEANUP_FD int fd = openat(directory, "grant", O_RDONLY | O_CLOEXEC);

	return ces_grant_take(fd, ret, &err);
}

static void put_grant(const uint8_t *bytes, size_t length)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, "grant", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

START_TEST(a_grant_is_two_frames_and_neither_is_read_if_one_is_not_whole)
{
	char *layers[] = {(char *)D1, (char *)D2};
	const struct ces_image_record record = {
	    .digest = (char *)D1, .diff_ids = {layers, 2}, .uid = 65535, .size = UINT64_MAX};
	const struct ces_grant grant = {.reference = (char *)"ghcr.io/lab/tool:1",
					.user = (char *)"me",
					.top_digest = (char *)D2,
					.digest = (char *)D1,
					.pulled = 1};
	CES_CLEANUP_FREE uint8_t *first = NULL;
	CES_CLEANUP_FREE uint8_t *second = NULL;
	uint8_t both[1024];
	struct ces_grant read;
	size_t length, more;

	ck_assert_int_eq(take_grant(&read), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_int_eq(ces_wire_encode(&ces_grant_schema, &grant, &first, &length, &err), 0);
	ck_assert_int_eq(ces_wire_encode(&ces_image_record_schema, &record, &second, &more, &err),
			 0);
	memcpy(both, first, length);
	memcpy(both + length, second, more);
	both[length + more] = 0;
	for (size_t n = 0; n <= length + more + 1; n++) {
		put_grant(both, n);
		if (n == length + more)
			continue;
		ck_assert_int_eq(take_grant(&read), -1);
		ck_assert_int_eq(err.code, CES_E_INTERNAL);
	}
	put_grant(both, length + more);
	ck_assert_int_eq(take_grant(&read), 0);
	ck_assert_str_eq(read.digest, D1);
	ck_assert_str_eq(read.image.digest, D1);
	ck_assert_uint_eq(read.image.diff_ids.n, 2);
	ck_assert_str_eq(read.image.diff_ids.v[1], D2);
	ck_assert_uint_eq(read.image.uid, 65535);
	ck_assert_uint_eq(read.image.size, UINT64_MAX);
	ces_grant_free(&read);
	ck_assert_ptr_null(read.digest);
	ck_assert_ptr_null(read.image.digest);
	/* the other order, and a first frame that says it is longer than the file */
	memcpy(both, second, more);
	memcpy(both + more, first, length);
	put_grant(both, length + more);
	ck_assert_int_eq(take_grant(&read), -1);
	memcpy(both, first, length);
	memset(both + 6, 0xff, 4);
	put_grant(both, length);
	ck_assert_int_eq(take_grant(&read), -1);
	ck_assert_int_eq(err.code, CES_E_INTERNAL);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("report");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, an_error_reaches_the_client_with_its_rule_and_contact);
	tcase_add_test(t, every_contact_that_a_policy_may_name_reaches_the_client);
	tcase_add_loop_test(t, lines_and_the_end_reach_the_client_and_two_lines_at_once_do_not, 0,
			    3);
	tcase_add_test(t, an_event_that_does_not_matter_is_dropped_when_the_pipe_is_full);
	tcase_add_test(t, an_event_that_matters_waits_once_and_never_again);
	tcase_add_test(t, a_client_that_is_gone_is_no_error_and_takes_no_time);
	tcase_add_test(t, a_control_frame_is_read_and_the_next_after_it);
	tcase_add_test(t, any_other_frame_is_refused);
	tcase_add_loop_test(t, half_a_frame_is_waited_for_for_a_second, 0, 2);
	tcase_add_test(t, a_grant_is_two_frames_and_neither_is_read_if_one_is_not_whole);
	return run_suite("report", t);
}
