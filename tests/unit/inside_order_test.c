/* Tests the order from ces-session to ces-inside: what was sent is read, and what is not whole, not
 * exact or out of bounds is refused. */
/* links: helper/launch/config.c helper/inside/order.c helper/session/json.c helper/session/idmap.c helper/session/lock.c helper/core/beneath.c */
#include "helper/inside/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "helper/launch/config.h"
#include "tests/unit/launch_plan.h"

static jmp_buf give_up;
static struct ces_inside inside;
static struct ces_inside_order order;
static char words[600];
static size_t used;

/* (What ces-inside makes stays to its end, which the sanitizer does not know.) */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:ces_inside_";
}

/* (of helper/inside/main.c, which ends the process) */
void ces_inside_fail(enum ces_inside_step step)
{
	ck_assert_int_eq(step, CES_STEP_ORDER);
	longjmp(give_up, 1);
}

/* (of helper/session/selinux.c) */
void ces_selinux_runtime_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	strcpy(ret, selinux->on ? "u:r:t:s0:c1,c2" : "");
}

static bool take(int fd)
{
	memset(&inside, 0, sizeof(inside));
	if (setjmp(give_up) != 0)
		return false;
	ces_inside_read(fd, &inside);
	return true;
}

static void put(enum ces_inside_row row, const char *word)
{
	memcpy(words + used, word, strlen(word) + 1);
	used += strlen(word) + 1;
	order.words[row]++;
}

/* Makes an order with one word in each row. */
static void set_up(void)
{
	used = 0;
	order = (struct ces_inside_order){.magic = CES_INSIDE_MAGIC, .size = sizeof(order)};
	for (size_t i = 0; i < CES_INSIDE_TEXTS; i++)
		put(CES_INSIDE_ROW_TEXTS, "text");
	for (enum ces_inside_row row = CES_INSIDE_ROW_MOUNTS; row < CES_INSIDE_ROWS; row++)
		put(row, "/word");
	order.length = used;
}

/* Returns whether the first n bytes of the order and its words are taken. */
static bool is_taken(size_t n)
{
	CES_CLEANUP_FD int fd = memfd_create("order", MFD_CLOEXEC);
	size_t head = n < sizeof(order) ? n : sizeof(order);

	ck_assert_int_eq(write(fd, &order, head), (ssize_t)head);
	ck_assert_int_eq(write(fd, words, n - head), (ssize_t)(n - head));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return take(fd);
}

START_TEST(an_order_is_its_numbers_and_rows_of_words)
{
	ck_assert(is_taken(sizeof(order) + used));
	for (enum ces_inside_row row = CES_INSIDE_ROW_MOUNTS; row < CES_INSIDE_ROWS; row++) {
		ck_assert_uint_eq(inside.rows[row].n, 1);
		ck_assert_str_eq(inside.rows[row].v[0], "/word");
	}
	ck_assert_uint_eq(inside.rows[CES_INSIDE_ROW_TEXTS].n, CES_INSIDE_TEXTS);
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_WORKDIR), "text");
}
END_TEST

START_TEST(an_order_that_is_cut_anywhere_is_refused)
{
	for (size_t n = 0; n < sizeof(order) + used; n++)
		ck_assert_msg(!is_taken(n), "%zu", n);
}
END_TEST

/* Each changes one thing of an order that would be taken. */
static void another_version(void)
{
	order.magic++;
}
static void another_size(void)
{
	order.size--;
}
static void a_byte_more(void)
{
	used++;
}
static void a_byte_that_is_counted(void)
{
	order.length = ++used;
}
static void a_length_of_nothing(void)
{
	order.length = 0;
}
static void a_length_beyond_all(void)
{
	order.length = UINT64_MAX;
}
static void a_length_above_the_most(void)
{
	order.length = CES_INSIDE_MAX + 1;
}
static void no_end_of_the_last_word(void)
{
	words[used - 1] = 'x';
}
static void a_word_too_few(void)
{
	order.words[CES_INSIDE_ROW_LIBRARIES]--;
}
static void a_word_too_many(void)
{
	order.words[CES_INSIDE_ROW_LIBRARIES]++;
}
static void words_without_bytes(void)
{
	order.words[CES_INSIDE_ROW_COMMAND] = UINT32_MAX;
}
static void counts_that_wrap(void)
{
	order.words[CES_INSIDE_ROW_COMMAND] = UINT32_MAX;
	order.words[CES_INSIDE_ROW_IMAGE_ENV] = 3;
}
static void a_text_less(void)
{
	order.words[CES_INSIDE_ROW_TEXTS]--;
	order.words[CES_INSIDE_ROW_COMMAND]++;
}
static void a_text_more(void)
{
	order.words[CES_INSIDE_ROW_TEXTS]++;
	order.words[CES_INSIDE_ROW_COMMAND]--;
}
static void fill_row(enum ces_inside_row row, size_t n)
{
	used = 0;
	memset(order.words, 0, sizeof(order.words));
	for (size_t i = 0; i < CES_INSIDE_TEXTS; i++)
		put(CES_INSIDE_ROW_TEXTS, "");
	for (size_t i = 0; i < n; i++)
		put(row, "/");
	order.length = used;
}
static void a_mount_without_a_place(void)
{
	fill_row(CES_INSIDE_ROW_MOUNTS, CES_INSIDE_MOUNTS + 1);
}
static void a_tmpfs_without_a_size(void)
{
	fill_row(CES_INSIDE_ROW_TMPFS, CES_TMPFS_MAX + 1);
}
static void a_group_without_a_place(void)
{
	order.n_gids = CES_INSIDE_GIDS + 1;
}
static void groups_beyond_all(void)
{
	order.n_gids = UINT32_MAX;
}
static void make_relative(enum ces_inside_row row)
{
	fill_row(row, 1);
	words[used - 2] = '.';
}
static void a_relative_mount(void)
{
	make_relative(CES_INSIDE_ROW_MOUNTS);
}
static void a_relative_tmpfs(void)
{
	make_relative(CES_INSIDE_ROW_TMPFS);
}
static void a_relative_library(void)
{
	make_relative(CES_INSIDE_ROW_LIBRARIES);
}
static void a_relative_link(void)
{
	make_relative(CES_INSIDE_ROW_LINKS);
}
static void an_empty_mount(void)
{
	a_relative_mount();
	words[used - 2] = '\0';
	order.length = --used;
}

static void (*const damages[])(void) = {another_version,
					another_size,
					a_byte_more,
					a_byte_that_is_counted,
					a_length_of_nothing,
					a_length_beyond_all,
					a_length_above_the_most,
					no_end_of_the_last_word,
					a_word_too_few,
					a_word_too_many,
					words_without_bytes,
					counts_that_wrap,
					a_text_less,
					a_text_more,
					a_mount_without_a_place,
					a_tmpfs_without_a_size,
					a_group_without_a_place,
					groups_beyond_all,
					a_relative_mount,
					a_relative_tmpfs,
					a_relative_library,
					a_relative_link,
					an_empty_mount};

START_TEST(an_order_that_is_not_exact_or_out_of_bounds_is_refused)
{
	damages[_i]();
	ck_assert(!is_taken(sizeof(order) + used));
}
END_TEST

/* (there are as many bytes, each the end of an empty word) */
START_TEST(an_order_has_eight_mebibytes_of_words_at_most)
{
	CES_CLEANUP_FD int fd = memfd_create("order", MFD_CLOEXEC);
	const size_t most = 8u << 20;

	memset(order.words, 0, sizeof(order.words));
	order.words[CES_INSIDE_ROW_TEXTS] = CES_INSIDE_TEXTS;
	order.words[CES_INSIDE_ROW_COMMAND] = (uint32_t)(most - CES_INSIDE_TEXTS) + (uint32_t)_i;
	order.length = most + (size_t)_i;
	ck_assert_int_eq(write(fd, &order, sizeof(order)), (ssize_t)sizeof(order));
	ck_assert_int_eq(ftruncate(fd, (off_t)(sizeof(order) + order.length)), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert_int_eq(take(fd), _i == 0);
}
END_TEST

/* Such a count would be of memory, before anybody saw that the words are not there. */
START_TEST(a_count_is_bounded_by_the_bytes_before_any_is_read)
{
	CES_CLEANUP_FD int fd = memfd_create("order", MFD_CLOEXEC);

	order.words[CES_INSIDE_ROW_COMMAND] = _i == 0 ? UINT32_MAX : (uint32_t)used;
	ck_assert_int_eq(write(fd, &order, sizeof(order)), (ssize_t)sizeof(order));
	ck_assert_int_eq(write(fd, words, used), (ssize_t)used);
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	ck_assert(!take(fd));
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), (off_t)sizeof(order));
}
END_TEST

START_TEST(the_most_of_each_is_taken)
{
	static const struct {
		enum ces_inside_row row;
		size_t n;
	} rows[] = {{CES_INSIDE_ROW_MOUNTS, CES_INSIDE_MOUNTS},
		    {CES_INSIDE_ROW_TMPFS, CES_TMPFS_MAX},
		    {CES_INSIDE_ROW_COMMAND, 200}};

	fill_row(rows[_i].row, rows[_i].n);
	order.n_gids = CES_INSIDE_GIDS;
	ck_assert(is_taken(sizeof(order) + used));
	ck_assert_uint_eq(inside.rows[rows[_i].row].n, rows[_i].n);
}
END_TEST

/* ---- what ces-session sends ---- */

static void send_plan(void)
{
	CES_CLEANUP_FD int fd = -1;

	ck_assert_msg(ces_config_order(&plan, &fd, &err) == 0, "%s", err.text);
	ck_assert_int_eq(fcntl(fd, F_GET_SEALS),
			 F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);
	ck_assert_int_lt(write(fd, "x", 1), 0);
	ck_assert(take(fd));
}

START_TEST(the_largest_plan_is_read_as_it_was_sent)
{
	static char destinations[CES_PLAN_MOUNTS][CES_DESTINATION];
	static uint64_t groups[33];

	plan_begin();
	for (size_t i = 0; i < CES_COUNT(groups); i++)
		groups[i] = i + 1;
	image.groups = (struct ces_u64s){groups, CES_COUNT(groups)};
	plan.map.n_project_gids = CES_DECISION_GROUPS;
	for (size_t i = 0; i < CES_DECISION_GROUPS; i++)
		plan.map.project_gids[i] = 65536 + (uint32_t)i;
	for (size_t i = 0; i < CES_PLAN_MOUNTS; i++) {
		memset(destinations[i], '/', sizeof(destinations[i]) - 1);
		plan_mount(destinations[i], -1, i % 2 == 0, i % 3 == 0);
	}
	decision.n_tmpfs = CES_TMPFS_MAX;
	for (size_t i = 0; i < CES_TMPFS_MAX; i++) {
		strcpy(decision.tmpfs[i].destination, "/t");
		decision.tmpfs[i].size = UINT64_MAX - i;
	}
	plan.selinux.on = true;
	decision.display = 1;
	decision.cookie[1] = UINT64_MAX;
	send_plan();
	/* (a record of an image has 32 groups at most) */
	ck_assert_uint_eq(inside.order.n_gids, CES_INSIDE_GIDS);
	ck_assert_uint_eq(inside.order.gids[31], 32);
	ck_assert_uint_eq(inside.order.gids[32], 65536);
	ck_assert_uint_eq(inside.rows[CES_INSIDE_ROW_MOUNTS].n, CES_PLAN_MOUNTS);
	ck_assert_str_eq(inside.rows[CES_INSIDE_ROW_MOUNTS].v[5], destinations[5]);
	ck_assert(inside.order.read_only[34] && !inside.order.read_only[35]);
	ck_assert(inside.order.file[33] && !inside.order.file[34]);
	ck_assert_mem_eq(inside.order.cookie, decision.cookie, sizeof(decision.cookie));
	ck_assert_uint_eq(inside.order.sizes[32], UINT64_MAX - 32);
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_CONTEXT), "u:r:t:s0:c1,c2");
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_HOSTNAME), "ces-0123456789");
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_RUNTIME), "/usr/bin/crun");
}
END_TEST

START_TEST(of_a_request_and_an_image_only_what_the_program_gets_is_sent)
{
	plan_begin();
	image.workdir = "/w";
	image.user = "secret";
	image.config_digest = "secret";
	request.token = "secret";
	request.bind_sources = STRINGS("secret");
	decision.cookie[0] = 0x7365637265747365;
	strcpy(decision.proxy, "http://secret:1");
	decision.identity = CES_IDENTITY_SAME_UID;
	send_plan();
	ck_assert(inside.order.proxy && inside.order.same_uid);
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_USER), "ann");
	ck_assert_str_eq(ces_inside_text(&inside, CES_INSIDE_WORKDIR), "/w");
	ck_assert_ptr_null(memmem(&inside.order, sizeof(inside.order), "secret", 6));
	ck_assert_ptr_null(memmem(inside.rows[0].v[0], inside.order.length, "secret", 6));
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("inside_order");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, an_order_is_its_numbers_and_rows_of_words);
	tcase_add_test(t, an_order_that_is_cut_anywhere_is_refused);
	tcase_add_loop_test(t, an_order_that_is_not_exact_or_out_of_bounds_is_refused, 0,
			    CES_COUNT(damages));
	tcase_add_loop_test(t, an_order_has_eight_mebibytes_of_words_at_most, 0, 2);
	tcase_add_loop_test(t, a_count_is_bounded_by_the_bytes_before_any_is_read, 0, 2);
	tcase_add_loop_test(t, the_most_of_each_is_taken, 0, 3);
	tcase_add_test(t, the_largest_plan_is_read_as_it_was_sent);
	tcase_add_test(t, of_a_request_and_an_image_only_what_the_program_gets_is_sent);
	return run_suite("inside_order", t);
}
