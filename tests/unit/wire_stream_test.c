/* Tests frames on an fd: complete and in time, or refused. */
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/event.h"
#include "common/forms.h"
#include "common/io.h"
#include "common/request.h"
#include "common/schema.h"
#include "common/wire_stream.h"

struct pair {
	void *memory;
	uint64_t kind, value;
};
static const struct ces_wire_field pair_fields[] = {
    FIELD(pair, 1, U64, 1, 8, 1, kind),
    FIELD(pair, 2, U64, 0, 8, 1, value),
};
static SCHEMA(pair_schema, "pair", CES_FRAME_CONTROL, pair, pair_fields);

static int ends[2];
static uint8_t *frame;
static size_t length;

static void setup(void)
{
	struct pair pair = {.kind = 1, .value = 15};

	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(ces_wire_encode(&pair_schema, &pair, &frame, &length, NULL), 0);
}

static void teardown(void)
{
	ces_cleanup_close(&ends[0]);
	ces_cleanup_close(&ends[1]);
	free(frame);
}

static int receive(size_t max, int64_t wait_ms, struct ces_error *err)
{
	struct pair got = {0};
	int result = ces_wire_receive(ends[0], &pair_schema, max,
				      wait_ms < 0 ? -1 : ces_now_ms() + wait_ms, &got, err);

	if (result == 1) {
		ck_assert_uint_eq(got.kind, 1);
		ck_assert_uint_eq(got.value, 15);
		ces_wire_free(&pair_schema, &got);
	} else {
		ck_assert_ptr_null(got.memory);
	}
	return result;
}

START_TEST(a_frame_arrives_and_then_the_end)
{
	struct pair pair = {.kind = 1, .value = 15};
	struct ces_error err = {0};

	ck_assert_int_eq(ces_wire_send(ends[1], &pair_schema, &pair, -1, &err), 0);
	ck_assert_int_eq(ces_wire_send(ends[1], &pair_schema, &pair, -1, &err), 0);
	ces_cleanup_close(&ends[1]);
	ck_assert_int_eq(receive(1024, 5000, &err), 1);
	ck_assert_int_eq(receive(1024, -1, &err), 1);
	ck_assert_int_eq(receive(1024, 5000, &err), 0);
	ck_assert_int_eq(receive(1024, -1, &err), 0);
}
END_TEST

START_TEST(a_control_struct_has_the_bytes_of_a_frame_with_two_numbers)
{
	struct ces_control control = {
	    .head = CES_CONTROL_HEAD, .between = CES_CONTROL_BETWEEN, .value = {15}};

	control.kind[0] = 1;
	ck_assert_uint_eq(sizeof(control), length);
	ck_assert_mem_eq(&control, frame, length);
}
END_TEST

START_TEST(a_frame_cut_at_any_byte_by_the_end_is_refused)
{
	struct ces_error err = {0};

	ck_assert_int_eq(write(ends[1], frame, (size_t)_i), _i);
	ces_cleanup_close(&ends[1]);
	ck_assert_int_eq(receive(1024, 5000, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(a_frame_over_the_cap_is_refused_before_its_bytes_come)
{
	struct ces_error err = {0};

	/* the header alone: a reader that waited for the body would reach the deadline */
	ck_assert_int_eq(write(ends[1], frame, CES_WIRE_HEADER), CES_WIRE_HEADER);
	ck_assert_int_eq(receive(length - 1, 5000, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(a_frame_of_exactly_the_cap_is_accepted)
{
	ck_assert_int_eq(write(ends[1], frame, length), (ssize_t)length);
	ck_assert_int_eq(receive(length, 5000, NULL), 1);
}
END_TEST

START_TEST(a_cap_holds_however_small_it_is)
{
	struct ces_error err = {0};

	ck_assert_int_eq(write(ends[1], frame, length), (ssize_t)length);
	ck_assert_int_eq(receive((size_t)_i, 5000, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(bytes_that_are_no_frame_are_refused_at_once)
{
	struct ces_error err = {0};

	ck_assert_int_eq(write(ends[1], "GET / HTTP/1.1\r\n\r\n", 18), 18);
	ck_assert_int_eq(receive(1024, 5000, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(a_frame_of_another_type_is_refused)
{
	struct ces_event_text event = {.text = (char[]){"hello"}};
	struct ces_error err = {0};

	ck_assert_int_eq(ces_wire_send(ends[1], &ces_event_text_schema, &event, -1, &err), 0);
	ck_assert_int_eq(receive(1024, 5000, &err), -1);
	ck_assert_int_eq(err.code, CES_E_USAGE);
}
END_TEST

START_TEST(a_silent_writer_meets_the_deadline)
{
	struct ces_error err = {0};
	int64_t begin = ces_now_ms(), took;

	ck_assert_int_eq(write(ends[1], frame, (size_t)_i), _i);
	ck_assert_int_eq(receive(1024, 60, &err), -1);
	took = ces_now_ms() - begin;
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_int_ge(took, 59);
	ck_assert_int_lt(took, 3000);
}
END_TEST

START_TEST(a_writer_of_single_bytes_does_not_move_the_deadline)
{
	struct ces_error err = {0};
	int64_t begin = ces_now_ms();
	pid_t writer = fork();

	ck_assert_int_ge(writer, 0);
	if (writer == 0) {
		for (size_t i = 0; i < length && write(ends[1], frame + i, 1) == 1; i++)
			poll(NULL, 0, 30);
		_exit(0);
	}
	ck_assert_int_eq(receive(1024, 200, &err), -1);
	ck_assert_int_eq(err.code, CES_E_LIMIT);
	ck_assert_int_lt(ces_now_ms() - begin, 600); /* the whole frame takes over 900 ms */
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
}
END_TEST

START_TEST(a_frame_larger_than_the_pipe_arrives_whole)
{
	static char text[60000];
	char *texts[4] = {text, text, text, text};
	struct ces_request sent = {.verb = CES_VERB_RUN, .args = {texts, 4}}, got;
	struct ces_error err = {0};
	int status;
	pid_t writer;

	memset(text, 'x', sizeof(text) - 1);
	writer = fork();
	ck_assert_int_ge(writer, 0);
	if (writer == 0)
		_exit(ces_wire_send(ends[1], &ces_request_schema, &sent, -1, NULL) == 0 ? 0 : 1);
	ck_assert_int_eq(ces_wire_receive(ends[0], &ces_request_schema, CES_WIRE_REQUEST_MAX,
					  ces_now_ms() + 10000, &got, &err),
			 1);
	ck_assert_uint_eq(got.args.n, 4);
	ck_assert_str_eq(got.args.v[3], text);
	ces_wire_free(&ces_request_schema, &got);
	waitpid(writer, &status, 0);
	ck_assert_int_eq(status, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire_stream");
	TCase *stream = tcase_create("stream");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_checked_fixture(stream, setup, teardown);
	tcase_add_test(stream, a_frame_arrives_and_then_the_end);
	tcase_add_test(stream, a_control_struct_has_the_bytes_of_a_frame_with_two_numbers);
	tcase_add_loop_test(stream, a_frame_cut_at_any_byte_by_the_end_is_refused, 1, 38);
	tcase_add_test(stream, a_frame_over_the_cap_is_refused_before_its_bytes_come);
	tcase_add_test(stream, a_frame_of_exactly_the_cap_is_accepted);
	tcase_add_loop_test(stream, a_cap_holds_however_small_it_is, 0, CES_WIRE_HEADER + 1);
	tcase_add_test(stream, bytes_that_are_no_frame_are_refused_at_once);
	tcase_add_test(stream, a_frame_of_another_type_is_refused);
	tcase_add_loop_test(stream, a_silent_writer_meets_the_deadline, 0, 12);
	tcase_add_test(stream, a_writer_of_single_bytes_does_not_move_the_deadline);
	tcase_add_test(stream, a_frame_larger_than_the_pipe_arrives_whole);
	suite_add_tcase(suite, stream);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
