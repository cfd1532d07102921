/* Tests what the client shows of a pull and in lists, and what it accepts as a token. */
/* links: client/progress.c client/fit.c client/table.c client/token.c client/say.c */
/* links: client/options.c client/optfile.c client/words.c client/signals.c */
#include <check.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/fit.h"
#include "client/progress.h"
#include "client/table.h"
#include "client/token.h"
#include "common/cleanup.h"
#include "common/event.h"

#define MIB (1024ULL * 1024)

/* ---- progress ---- */

static const struct ces_progress_layer half = {
    .state = CES_PROGRESS_FETCHING,
    .bytes = 50 * MIB,
    .size = 100 * MIB,
    .since = 1000,
    .id = "0123456789ab",
};

START_TEST(a_layers_line_says_how_far_how_much_how_fast_and_how_long)
{
	char line[CES_PROGRESS_LINE];

	ces_progress_format(&half, 3000, 80, line);
	ck_assert_ptr_nonnull(strstr(line, "ces: 0123456789ab ["));
	ck_assert_ptr_nonnull(strstr(line, "50%"));
	ck_assert_ptr_nonnull(strstr(line, " 50.0/100.0 MiB"));
	ck_assert_ptr_nonnull(strstr(line, " 25 MiB/s"));
	ck_assert_ptr_nonnull(strstr(line, " 2s left"));
}
END_TEST

START_TEST(a_layers_line_keeps_its_shape_while_it_grows)
{
	struct ces_progress_layer layer = half;
	char line[CES_PROGRESS_LINE], *end;
	ptrdiff_t place = 0;
	size_t length = 0;

	layer.size = 1023 * MIB + 900 * 1024; /* the widest figures */
	for (layer.bytes = 0; layer.bytes < layer.size; layer.bytes += 7 * MIB + 1) {
		ces_progress_format(&layer, 1000 + 60 * 1000, 79, line);
		end = strchr(line, ']');
		ck_assert_msg(end != NULL, "no bar: %s", line);
		if (length == 0) {
			place = end - line;
			length = strlen(line);
		}
		ck_assert_msg(end - line == place && strlen(line) == length, "%s", line);
	}
}
END_TEST

START_TEST(the_time_left_is_not_guessed_at_once)
{
	char line[CES_PROGRESS_LINE];

	ces_progress_format(&half, 1100, 80, line);
	ck_assert_ptr_null(strstr(line, "left"));
}
END_TEST

static const size_t widths[] = {1, 10, 20, 40, 60, 79, 80, 200, 1000};

START_TEST(a_layers_line_never_exceeds_the_terminal)
{
	struct ces_progress_layer layer = half;
	char line[CES_PROGRESS_LINE];

	for (uint64_t state = 0; state <= CES_PROGRESS_DONE; state++) {
		layer.state = state;
		ces_progress_format(&layer, 3000, widths[_i], line);
		ck_assert_uint_le(strlen(line), widths[_i]);
	}
}
END_TEST

START_TEST(a_layer_without_time_or_size_has_a_line_too)
{
	struct ces_progress_layer layer = {
	    .state = CES_PROGRESS_FETCHING, .since = 5, .id = "0123456789ab"};
	char line[CES_PROGRESS_LINE];

	ces_progress_format(&layer, 5, 80, line);
	ck_assert_ptr_nonnull(strstr(line, "100%"));
}
END_TEST

START_TEST(a_layer_that_sends_more_than_its_size_stays_at_100)
{
	struct ces_progress_layer layer = half;
	char line[CES_PROGRESS_LINE];

	layer.bytes = 500 * MIB;
	ces_progress_format(&layer, 3000, 80, line);
	ck_assert_ptr_nonnull(strstr(line, "] 100%"));
}
END_TEST

/* Returns what is written to fd while these events arrive. Every test runs in a process of its
 * own. */
static char *shown(int from, int to, uint64_t layers, size_t rounds)
{
	static char text[65536];
	struct ces_progress progress;
	size_t length = 0;
	ssize_t n;

	ck_assert_int_eq(dup2(to, STDERR_FILENO), STDERR_FILENO);
	ces_progress_start(&progress, true, STDERR_FILENO);
	for (size_t round = 0; round < rounds; round++) {
		for (uint64_t i = 0; i < layers; i++) {
			struct ces_event_progress event = {
			    .layer = i,
			    .layers = layers,
			    .state = round + 1 < rounds ? CES_PROGRESS_FETCHING : CES_PROGRESS_DONE,
			    .bytes = round * MIB,
			    .size = rounds * MIB,
			    .digest = (char[]){"sha256:0123456789abcdef"},
			};
			ces_progress_update(&progress, &event, 1000 + (int64_t)round);
		}
	}
	ces_progress_end(&progress);
	ces_progress_free(&progress);
	/* A terminal passes its bytes on with a delay. When the writers have ended, all bytes have
	 * come. */
	close(to);
	close(STDERR_FILENO);
	while (length < sizeof(text) - 1 &&
	       (n = read(from, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return text;
}

START_TEST(without_a_terminal_there_is_one_plain_line_a_layer)
{
	int pair[2];

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert_str_eq(shown(pair[0], pair[1], 2, 100),
			 "ces: layer 1 of 2 done, 100 MiB (0123456789ab)\n"
			 "ces: layer 2 of 2 done, 100 MiB (0123456789ab)\n");
}
END_TEST

static int open_terminal(unsigned short rows, int *ret_slave)
{
	const struct winsize size = {.ws_row = rows, .ws_col = 80};
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	ck_assert_int_ge(master, 0);
	grantpt(master);
	unlockpt(master);
	*ret_slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ioctl(master, TIOCSWINSZ, &size);
	setenv("TERM", "xterm", 1);
	return master;
}

START_TEST(on_a_terminal_lines_are_redrawn_in_place)
{
	int slave;
	int master = open_terminal(24, &slave);
	char *text = shown(master, slave, 3, 2);

	ck_assert_ptr_nonnull(strstr(text, "\033[3A")); /* back over its own three lines */
	ck_assert_ptr_nonnull(strstr(text, "done, 2 MiB"));
}
END_TEST

START_TEST(more_layers_than_rows_share_one_line)
{
	int slave;
	int master = open_terminal(10, &slave);
	char *text = shown(master, slave, 9, 2);

	ck_assert_ptr_nonnull(strstr(text, "9 of 9 layers"));
	ck_assert_ptr_null(strstr(text, "\033[9A"));
}
END_TEST

START_TEST(impossible_progress_is_not_drawn)
{
	struct ces_progress progress;
	struct ces_event_progress event = {.layer = 5, .layers = 5, .state = CES_PROGRESS_DONE};

	ces_progress_start(&progress, true, STDERR_FILENO);
	ces_progress_update(&progress, &event, 0);
	event = (struct ces_event_progress){
	    .layer = 0, .layers = UINT64_MAX, .state = CES_PROGRESS_DONE};
	ces_progress_update(&progress, &event, 0);
	ck_assert_uint_eq(progress.n, 0);
	ces_progress_free(&progress);
}
END_TEST

/* ---- listings ---- */

static char *printed(struct ces_table *table)
{
	static char text[8192];
	int pair[2];
	ssize_t n;

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert_int_eq(dup2(pair[1], STDOUT_FILENO), STDOUT_FILENO);
	ces_table_print(table);
	fflush(stdout);
	n = read(pair[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	return text;
}

static const struct ces_event_image image = {
    .reference = (char[]){"ghcr.io/a/b:1"},
    .digest = (char[]){"sha256:0123456789abcdef0123"},
    .size = 3 * MIB,
    .pulled = 86400,
    .layers = 2,
};

START_TEST(images_are_a_table_of_five_columns)
{
	struct ces_table table = {.kind = CES_TABLE_IMAGES};

	setenv("TZ", "UTC", 1);
	ces_table_add_image(&table, &image);
	ck_assert_str_eq(printed(&table),
			 "REFERENCE      DIGEST        SIZE   PULLED            LAST USED\n"
			 "ghcr.io/a/b:1  0123456789ab  3 MiB  1970-01-02 00:00  never\n");
	ces_table_free(&table);
}
END_TEST

START_TEST(images_as_json_are_an_array)
{
	struct ces_table table = {.kind = CES_TABLE_JSON};

	ces_table_add_image(&table, &image);
	ck_assert_str_eq(printed(&table),
			 "[\n  "
			 "{\"reference\":\"ghcr.io/a/"
			 "b:1\",\"digest\":\"sha256:0123456789abcdef0123\",\"size\":3145728,"
			 "\"layers\":2,\"pulled\":\"1970-01-02T00:00:00Z\",\"used\":null}\n]\n");
	ces_table_free(&table);
}
END_TEST

START_TEST(no_images_are_an_empty_array)
{
	struct ces_table table = {.kind = CES_TABLE_JSON};

	ck_assert_str_eq(printed(&table), "[]\n");
}
END_TEST

START_TEST(a_control_character_in_a_cell_is_not_printed)
{
	struct ces_table table = {.kind = CES_TABLE_RUNS};
	const struct ces_event_run run = {.run = (char[]){"0123456789"},
					  .image = (char[]){"\033[2Jx\x9b"}};
	char *text;

	ces_table_add_run(&table, &run);
	text = printed(&table);
	ck_assert_ptr_null(strchr(text, '\033'));
	ck_assert_ptr_null(strchr(text, 0x9b));
	ck_assert_ptr_nonnull(strstr(text, "?[2Jx?"));
	ces_table_free(&table);
}
END_TEST

static const struct {
	enum ces_fit kinds[3];
	size_t before[3], most, after[3];
} fits[] = {
    {{CES_FIT_WHOLE, CES_FIT_FIRST, CES_FIT_LAST}, {10, 20, 30}, 0, {10, 20, 30}},
    {{CES_FIT_WHOLE, CES_FIT_FIRST, CES_FIT_LAST}, {10, 20, 30}, 64, {10, 20, 30}},
    {{CES_FIT_WHOLE, CES_FIT_FIRST, CES_FIT_LAST}, {10, 20, 30}, 63, {10, 20, 29}},
    {{CES_FIT_WHOLE, CES_FIT_FIRST, CES_FIT_LAST}, {10, 20, 30}, 44, {10, 15, 15}},
    {{CES_FIT_WHOLE, CES_FIT_DAY, CES_FIT_LAST}, {10, 16, 30}, 54, {10, 10, 30}},
    {{CES_FIT_WHOLE, CES_FIT_DAY, CES_FIT_LAST}, {10, 5, 30}, 1, {10, 5, 9}},
};

START_TEST(the_widest_column_is_made_narrower_first)
{
	size_t columns[3];

	memcpy(columns, fits[_i].before, sizeof(columns));
	ces_fit_columns(fits[_i].kinds, columns, 3, fits[_i].most);
	ck_assert_mem_eq(columns, fits[_i].after, sizeof(columns));
}
END_TEST

/* ---- the token ---- */

static const struct {
	const char *text, *token; /* NULL: refused */
} tokens[] = {
    {"ghp_abc\n", "ghp_abc"},
    {"ghp_abc", "ghp_abc"},
    {"ghp_abc\r\nmore", "ghp_abc"},
    {"", NULL},
    {"\n", NULL},
    {"a b\n", NULL},
    {"a\tb", NULL},
    {"a\x1b", NULL},
    {"a\xff", NULL},
};

START_TEST(a_token_is_one_line_of_printable_text)
{
	struct ces_error err;
	char text[64];
	int result;

	strcpy(text, tokens[_i].text);
	result = ces_token_check(text, &err);
	ck_assert_int_eq(result, tokens[_i].token != NULL ? 0 : -1);
	if (tokens[_i].token != NULL)
		ck_assert_str_eq(text, tokens[_i].token);
}
END_TEST

START_TEST(a_token_is_read_from_a_file)
{
	char path[] = "/tmp/ces-client-test-XXXXXX";
	int fd = mkstemp(path);
	struct ces_options options = {.request = {.username = (char[]){"u"}}, .token_file = path};
	struct ces_error err;

	ck_assert_int_eq(write(fd, "secret\n", 7), 7);
	close(fd);
	ck_assert_msg(ces_token_take(&options, &err) == 0, "%s", err.text);
	unlink(path);
	ck_assert_str_eq(options.request.token, "secret");
	ces_options_free(&options);
}
END_TEST

START_TEST(a_token_is_read_from_stdin)
{
	struct ces_options options = {.request = {.username = (char[]){"u"}}, .token_stdin = true};
	struct ces_error err;
	int pair[2];

	ck_assert_int_eq(pipe2(pair, O_CLOEXEC), 0);
	ck_assert_int_eq(write(pair[1], "sec", 3), 3);
	ck_assert_int_eq(write(pair[1], "ret", 3), 3);
	close(pair[1]);
	dup2(pair[0], STDIN_FILENO);
	ck_assert_int_eq(ces_token_take(&options, &err), 0);
	ck_assert_str_eq(options.request.token, "secret");
	ces_options_free(&options);
}
END_TEST

START_TEST(an_endless_token_is_refused)
{
	struct ces_options options = {.request = {.username = (char[]){"u"}},
				      .token_file = (char[]){"/dev/zero"}};
	struct ces_error err;

	ck_assert_int_eq(ces_token_take(&options, &err), -1);
	ck_assert_ptr_null(options.request.token);
	ces_options_free(&options);
}
END_TEST

START_TEST(a_token_without_a_user_name_is_refused)
{
	struct ces_options options = {.token_stdin = true};
	struct ces_error err;

	ck_assert_int_eq(ces_token_take(&options, &err), -1);
	ck_assert_ptr_nonnull(strstr(err.text, "--username U"));
}
END_TEST

START_TEST(without_a_user_name_a_pull_is_anonymous)
{
	struct ces_options options = {0};
	struct ces_error err;

	ck_assert_int_eq(ces_token_take(&options, &err), 0);
	ck_assert_ptr_null(options.request.token);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client shows");
	TCase *tc = tcase_create("shows");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_layers_line_says_how_far_how_much_how_fast_and_how_long);
	tcase_add_test(tc, a_layers_line_keeps_its_shape_while_it_grows);
	tcase_add_test(tc, the_time_left_is_not_guessed_at_once);
	tcase_add_loop_test(tc, a_layers_line_never_exceeds_the_terminal, 0, CES_COUNT(widths));
	tcase_add_test(tc, a_layer_without_time_or_size_has_a_line_too);
	tcase_add_test(tc, a_layer_that_sends_more_than_its_size_stays_at_100);
	tcase_add_test(tc, without_a_terminal_there_is_one_plain_line_a_layer);
	tcase_add_test(tc, on_a_terminal_lines_are_redrawn_in_place);
	tcase_add_test(tc, more_layers_than_rows_share_one_line);
	tcase_add_test(tc, impossible_progress_is_not_drawn);
	tcase_add_test(tc, images_are_a_table_of_five_columns);
	tcase_add_test(tc, images_as_json_are_an_array);
	tcase_add_test(tc, no_images_are_an_empty_array);
	tcase_add_test(tc, a_control_character_in_a_cell_is_not_printed);
	tcase_add_loop_test(tc, the_widest_column_is_made_narrower_first, 0, (int)CES_COUNT(fits));
	tcase_add_loop_test(tc, a_token_is_one_line_of_printable_text, 0, CES_COUNT(tokens));
	tcase_add_test(tc, a_token_is_read_from_a_file);
	tcase_add_test(tc, a_token_is_read_from_stdin);
	tcase_add_test(tc, an_endless_token_is_refused);
	tcase_add_test(tc, a_token_without_a_user_name_is_refused);
	tcase_add_test(tc, without_a_user_name_a_pull_is_anonymous);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
