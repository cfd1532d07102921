/* Tests the file of the journal: who may have it, its chain over rotations and crashes, and what is
 * left when a write fails. */
/* links: helper/session/journal_file.c helper/session/json.c helper/session/lock.c */
/* links: helper/session/object.c helper/session/runs.c helper/clean/tree.c */
/* links: helper/core/beneath.c */
#include <check.h>
#include <errno.h>

#include "tests/unit/policy_fixture.h"
#include "tests/unit/remove_tree.h"
#include "tests/unit/session_journal.h"

#define MOST 98304 /* bytes of a line */

/* ---- who may have it ---- */

START_TEST(the_journal_and_its_head_are_made_for_root_alone)
{
	ces_journal_close(&journal);
	ck_assert_int_eq(remove_tree(AT_FDCWD, "var/log/ces"), 0);
	(void)umask(0);
	ck_assert_int_eq(ces_journal_open(&journal, &err), 0);
	ck_assert_int_eq(mode_of(DIR_PATH), S_IFDIR | 0700);
	ck_assert_int_eq(mode_of(HEAD), S_IFREG | 0600);
	ck_assert_int_eq(mode_of(JOURNAL), S_IFREG | 0600);
	ck_assert_int_ne(fcntl(journal.fd, F_GETFL) & O_APPEND, 0);
	for (int fd = journal.dir; fd <= journal.fd; fd++)
		ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
}
END_TEST

static const struct {
	const char *path;
	char kind; /* d, f, l: link to another file, p: FIFO */
	mode_t mode;
} wrong[] = {
    {DIR_PATH, 'd', 0750}, {DIR_PATH, 'd', 0701}, {DIR_PATH, 'f', 0600}, {DIR_PATH, 'l', 0},
    {HEAD, 'f', 0640},     {HEAD, 'f', 0606},     {HEAD, 'd', 0700},     {HEAD, 'l', 0},
    {HEAD, 'p', 0600},     {JOURNAL, 'f', 0640},  {JOURNAL, 'f', 0601},  {JOURNAL, 'd', 0700},
    {JOURNAL, 'l', 0},     {JOURNAL, 'p', 0600},
};

static void make(const char *path, char kind, mode_t mode)
{
	if (kind == 'd')
		ck_assert_int_eq(mkdir(path, 0700), 0);
	else if (kind == 'f')
		write_text(path, "");
	else if (kind == 'l')
		ck_assert_int_eq(
		    symlink(strcmp(path, DIR_PATH) == 0 ? "../../other" : "../../../other/x", path),
		    0);
	else
		ck_assert_int_eq(mkfifo(path, 0600), 0);
	if (kind != 'l')
		ck_assert_int_eq(chmod(path, mode), 0);
}

START_TEST(a_journal_that_is_not_roots_alone_is_refused_and_not_touched)
{
	size_t fds;

	ces_journal_close(&journal);
	ck_assert_int_eq(mkdir("other", 0700), 0);
	write_text("other/x", "others' words\n");
	ck_assert_int_eq(remove_tree(AT_FDCWD, wrong[_i].path), 0);
	make(wrong[_i].path, wrong[_i].kind, wrong[_i].mode);
	fds = open_fds();
	ck_assert_int_eq(ces_journal_open(&journal, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert(journal.fd < 0 && journal.syslog < 0);
	ces_journal_close(&journal);
	ck_assert_uint_eq(open_fds(), fds);
	free(content("other/x"));
	ck_assert_int_eq(access("other/audit.jsonl", F_OK), -1);
}
END_TEST

START_TEST(a_journal_that_is_replaced_by_something_else_gets_no_record)
{
	CES_CLEANUP_FREE char *other = NULL;
	struct link before;

	append("one");
	before = follow(JOURNAL, none);
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	write_text("other", "others' words\n");
	ck_assert_int_eq(_i == 0 ? symlink("../../../other", JOURNAL) : link("other", JOURNAL), 0);
	if (_i == 1)
		ck_assert_int_eq(chmod("other", 0644), 0);
	ck_assert_int_eq(append_to(&journal, "two", true), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	other = content("other");
	ck_assert_str_eq(other, "others' words\n");
	head_is(before);
	ck_assert_int_eq(unlink(JOURNAL), 0);
	append("two");
	head_is(follow(JOURNAL, before));
}
END_TEST

/* ---- the chain ---- */

START_TEST(each_record_has_the_next_number_and_the_digest_of_the_line_before)
{
	size_t fds = open_fds();

	append("one");
	append("two");
	append("three");
	ck_assert_uint_eq(open_fds(), fds);
	head_is(follow(JOURNAL, none));
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 3);
}
END_TEST

START_TEST(the_chain_goes_on_in_a_new_file_after_a_rotation)
{
	size_t fds = open_fds();
	struct link last;

	append("one");
	append("two");
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	append("three");
	append("four");
	last = follow("old", none);
	ck_assert_uint_eq(last.seq, 2);
	last = follow(JOURNAL, last);
	ck_assert_uint_eq(last.seq, 4);
	head_is(last);
	ck_assert_int_eq(mode_of(JOURNAL), S_IFREG | 0600);
	ck_assert_int_eq(fcntl(journal.fd, F_GETFD), FD_CLOEXEC);
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

static const char *const heads[] = {
    "",
    "\n",
    "00000000000000000009 sha256:0000000000000000000000000000000000000000000000000000000000000000 "
    "short\n",
    "00000000000000000009_sha256:0000000000000000000000000000000000000000000000000000000000000000 "
    "00000000-0000-0000-0000-000000000000\n",
    "00000000000000000009 sha256:000000000000000000000000000000000000000000000000000000000000000G "
    "00000000-0000-0000-0000-000000000000\n",
    "00000000000000000009 sha256:0000000000000000000000000000000000000000000000000000000000000000 "
    "00000000-0000-0000-0000-000000000000X",
};

START_TEST(without_a_whole_head_the_chain_goes_on_after_the_last_line)
{
	append("one");
	append("two");
	write_text(HEAD, heads[_i]);
	append("three");
	head_is(follow(JOURNAL, none));
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 3);
	/* where there is no line either, a new chain begins */
	write_text(HEAD, heads[_i]);
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	append("one");
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 1);
}
END_TEST

/* Cuts the last line off. Returns the end of the chain before that. */
static struct link cut(void)
{
	struct link whole = follow(JOURNAL, none);
	CES_CLEANUP_FREE char *text = content(JOURNAL);
	char *end = text + strlen(text) - 1;

	*end = '\0';
	ck_assert_int_eq(truncate(JOURNAL, strrchr(text, '\n') + 1 - text), 0);
	return whole;
}

START_TEST(a_journal_that_was_cut_off_or_changed_shows_it)
{
	CES_CLEANUP_FREE char *text = NULL;
	struct link whole;
	char prev[120];

	append("one");
	append("two");
	whole = cut();
	if (_i == 1) /* another last line, of the same number */
		write_text(JOURNAL, "{\"seq\":2,\"event\":\"x\"}\n");
	append("three");
	text = content(JOURNAL);
	(void)snprintf(prev, sizeof(prev), "\"prev\":\"%s\",\"event\":\"three\"", whole.digest);
	ck_assert_ptr_nonnull(strstr(text, prev));
	ck_assert_ptr_nonnull(strstr(text, "\n{\"seq\":3,"));
}
END_TEST

/* Makes the head one of an earlier start of the machine. */
static void restart(void)
{
	CES_CLEANUP_FD int fd = open(HEAD, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(lseek(fd, 93, SEEK_SET), 93);
	ck_assert_int_eq(write(fd, "ffffffff", 8), 8);
}

START_TEST(after_a_power_cut_the_chain_goes_on_with_the_lines_that_are_there)
{
	append("one");
	append("two");
	append("three");
	restart();
	(void)cut();
	append("four");
	head_is(follow(JOURNAL, none));
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 3);
}
END_TEST

START_TEST(after_a_power_cut_a_new_file_goes_on_after_the_head)
{
	struct link last;

	append("one");
	append("two");
	last = follow(JOURNAL, none);
	restart();
	ck_assert_int_eq(rename(JOURNAL, "old"), 0);
	append("three");
	head_is(follow(JOURNAL, last));
}
END_TEST

START_TEST(a_line_that_the_head_does_not_have_yet_is_followed)
{
	CES_CLEANUP_FREE char *head = NULL;

	append("one");
	head = content(HEAD);
	append("two");
	write_text(HEAD, head); /* the helper was killed before it wrote the head */
	append("three");
	head_is(follow(JOURNAL, none));
}
END_TEST

static const struct {
	const char *torn;
	uint64_t seq; /* of the next record */
} tears[] = {
    {"{\"seq\":2,\"time\":\"20", 3}, {"{\"seq\":2", 3}, {"{\"se", 1}, {"{", 1}, {"\t", 1},
};

START_TEST(a_torn_line_is_ended_and_the_next_record_has_its_digest)
{
	CES_CLEANUP_FREE char *text = NULL;
	char digest[CES_DIGEST_LENGTH + 1], expected[256], *rest;
	struct link torn = {tears[_i].seq - 1, ""};
	int fd;

	append("one");
	fd = open(JOURNAL, O_WRONLY | O_APPEND | O_CLOEXEC);
	ck_assert_int_gt(write(fd, tears[_i].torn, strlen(tears[_i].torn)), 0);
	close(fd);
	append("two");
	ces_digest_of(tears[_i].torn, strlen(tears[_i].torn), digest);
	(void)snprintf(expected, sizeof(expected), "\n%s\n{\"seq\":%llu,", tears[_i].torn,
		       (unsigned long long)tears[_i].seq);
	text = content(JOURNAL);
	rest = strstr(text, expected);
	ck_assert_ptr_nonnull(rest);
	memcpy(torn.digest, digest, sizeof(digest));
	write_text("rest", rest + 2 + strlen(tears[_i].torn));
	head_is(follow("rest", torn));
}
END_TEST

/* ---- lengths ---- */

static off_t size_of(const char *path)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return st.st_size;
}

static char *letters(size_t n)
{
	char *text = malloc(n + 1);

	memset(text, 'a', n);
	text[n] = '\0';
	return text;
}

/* Returns the text that makes the line of this record so long, with its newline. */
static char *filling(size_t line, size_t seq)
{
	return letters(line - (size_t)snprintf(NULL, 0,
					       "{\"seq\":%zu,\"time\":\"%024d\",\"prev\":\"%071d\","
					       "\"event\":\"\"}\n",
					       seq, 0, 0));
}

START_TEST(long_lines_are_chained_and_one_that_is_too_long_is_not_written)
{
	static const size_t lengths[] = {4095, 4096, 4097, 4098, MOST - 1};
	size_t fds = open_fds(), seq = 1;
	struct link before;

	append("one");
	for (size_t i = 0; i < CES_COUNT(lengths); i++) {
		CES_CLEANUP_FREE char *text = filling(lengths[i], ++seq);
		off_t size = size_of(JOURNAL);

		append(text);
		ck_assert_int_eq(size_of(JOURNAL) - size, (off_t)lengths[i]);
		append("next");
		seq++;
	}
	before = follow(JOURNAL, none);
	ck_assert_uint_eq(before.seq, seq);
	for (size_t longer = 0; longer < 2 * MOST; longer += MOST) {
		CES_CLEANUP_FREE char *text = filling(MOST + longer, seq + 1);
		off_t size = size_of(JOURNAL);

		ck_assert_int_eq(append_to(&journal, text, true), -1);
		ck_assert_int_eq(err.code, CES_E_LIMIT);
		ck_assert_ptr_nonnull(strstr(err.text, "use fewer"));
		ck_assert_int_eq(size_of(JOURNAL), size);
		head_is(before);
	}
	append("and the lock is free");
	head_is(follow(JOURNAL, none));
	ck_assert_uint_eq(open_fds(), fds);
}
END_TEST

START_TEST(a_record_that_is_not_whole_is_not_written)
{
	struct ces_json deep = {0};

	for (int i = 0; i < CES_JSON_DEPTH + 1; i++)
		ces_json_object(&deep, i == 0 ? NULL : "x");
	ck_assert_int_eq(ces_journal_append(&journal, deep, true, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(follow(JOURNAL, none).seq, 0);
	append("the lock is free");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("journal file");

	tcase_add_checked_fixture(t, journal_begin, journal_end);
	tcase_add_test(t, the_journal_and_its_head_are_made_for_root_alone);
	tcase_add_loop_test(t, a_journal_that_is_not_roots_alone_is_refused_and_not_touched, 0,
			    CES_COUNT(wrong));
	tcase_add_loop_test(t, a_journal_that_is_replaced_by_something_else_gets_no_record, 0, 2);
	tcase_add_test(t, each_record_has_the_next_number_and_the_digest_of_the_line_before);
	tcase_add_test(t, the_chain_goes_on_in_a_new_file_after_a_rotation);
	tcase_add_loop_test(t, without_a_whole_head_the_chain_goes_on_after_the_last_line, 0,
			    CES_COUNT(heads));
	tcase_add_loop_test(t, a_journal_that_was_cut_off_or_changed_shows_it, 0, 2);
	tcase_add_test(t, after_a_power_cut_the_chain_goes_on_with_the_lines_that_are_there);
	tcase_add_test(t, after_a_power_cut_a_new_file_goes_on_after_the_head);
	tcase_add_test(t, a_line_that_the_head_does_not_have_yet_is_followed);
	tcase_add_loop_test(t, a_torn_line_is_ended_and_the_next_record_has_its_digest, 0,
			    CES_COUNT(tears));
	tcase_add_test(t, long_lines_are_chained_and_one_that_is_too_long_is_not_written);
	tcase_add_test(t, a_record_that_is_not_whole_is_not_written);
	return run_suite("journal file", t);
}
