/* Tests which files become evidence about an image, and how far root believes what was read in
 * them. */
/* links: helper/admit/evidence.c helper/core/beneath.c */
#include "helper/admit/evidence.h"

#include <check.h>

#include "helper/core/ask.h"
#include "policy/demand.h"
#include "tests/unit/own_root.h"
#include "tests/unit/policy_fixture.h"

#define HERE                                                                                       \
	"/etc/ces/evidence.d/"                                                                     \
	"sha256-1111111111111111111111111111111111111111111111111111111111111111"
#define NOW 1000000

static struct ces_decision decision;
static struct ces_error err;

/* ---- ces-parse ---- */

static char *asked; /* the bytes that it was given; NULL: nobody asked */
static size_t asked_length;
static struct ces_evidence_facts facts;
static size_t answer_length = sizeof(facts);
static bool refuses;

int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *ret_err)
{
	ck_assert_int_eq(kind, CES_PARSE_EVIDENCE);
	ck_assert_ptr_null(kinds);
	ck_assert_int_eq(code, CES_E_DENIED);
	asked = malloc(length);
	memcpy(asked, bytes, length);
	asked_length = length;
	if (refuses)
		return ces_error_set(ret_err, code, "report-1 is of another image");
	*ret = calloc(1, sizeof(facts) + 1);
	memcpy(*ret, &facts, sizeof(facts));
	*ret_length = answer_length;
	return 0;
}

/* ---- the scene ---- */

static void set_up(void)
{
	own_root();
	ck_assert_int_eq(mkdir("/etc", 0755), 0);
	ck_assert_int_eq(mkdir("/etc/ces", 0755), 0);
	ck_assert_int_eq(mkdir("/etc/ces/evidence.d", 0755), 0);
	ck_assert_int_eq(mkdir(HERE, 0755), 0);
	strcpy(decision.rule, "projects.p.images[0]");
	strcpy(decision.locked_digest, D1);
	decision.demand.max_age = 3600;
	facts.n_scans = 1;
	facts.scans[0].made = NOW;
	strcpy(facts.scans[0].record, D2);
}

static void put(const char *name, const char *text, mode_t mode)
{
	char path[300];

	(void)snprintf(path, sizeof(path), HERE "/%s", name);
	own_root_file(path, text, strlen(text), mode);
}

static void denied(const char *rule, const char *text)
{
	int open = own_root_fds();

	ck_assert_int_eq(ces_evidence_check(&decision, NOW, &err), -1);
	ck_assert_int_eq(err.code, CES_E_DENIED);
	ck_assert_str_eq(err.rule, rule);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
	ck_assert_str_eq(decision.evidence, "");
	ck_assert_int_eq(own_root_fds(), open);
}

/* The bytes of a file among those that were handed over, or NULL. */
static const char *handed(const char *name, size_t *ret_length)
{
	for (size_t at = sizeof(struct ces_parse_evidence); at < asked_length;) {
		struct ces_parse_file file;

		ck_assert_uint_le(at + sizeof(file), asked_length);
		memcpy(&file, asked + at, sizeof(file));
		at += sizeof(file);
		ck_assert_uint_le(at + file.length, asked_length);
		*ret_length = file.length;
		if (strcmp(file.name, name) == 0)
			return asked + at;
		at += file.length;
	}
	return NULL;
}

/* ---- what is gathered ---- */

START_TEST(nobody_is_asked_where_nothing_is_demanded)
{
	decision.demand.max_age = 0;
	put("report-1", "x", 0666);
	ck_assert_int_eq(ces_evidence_check(&decision, NOW, &err), 0);
	ck_assert_ptr_null(asked);
	ck_assert_str_eq(decision.evidence, "");
}
END_TEST

START_TEST(the_records_of_one_image_are_handed_over_and_no_other_file)
{
	struct ces_parse_evidence head;
	const char *bytes;
	size_t length;
	int open = own_root_fds();

	strcpy(decision.approved_by, D2);
	put("report-1", "one", 0644);
	put("approved-2", "", 0600);
	put("reports", "no", 0644);
	put(".report-3", "no", 0644);
	put("notes", "no", 0666); /* (not even looked at) */
	ck_assert_int_eq(ces_evidence_check(&decision, NOW, &err), 0);
	ck_assert_str_eq(decision.evidence, D2);
	memcpy(&head, asked, sizeof(head));
	ck_assert_str_eq(head.digest, D1);
	ck_assert_str_eq(head.approved_by, D2);
	bytes = handed("report-1", &length);
	ck_assert_ptr_nonnull(bytes);
	ck_assert_uint_eq(length, 3);
	ck_assert_int_eq(memcmp(bytes, "one", 3), 0);
	ck_assert_ptr_nonnull(handed("approved-2", &length));
	ck_assert_uint_eq(length, 0);
	ck_assert_uint_eq(asked_length,
			  sizeof(head) + 2 * sizeof(struct ces_parse_file) + strlen("one"));
	ck_assert_int_eq(own_root_fds(), open);
}
END_TEST

START_TEST(where_no_evidence_is_the_rule_is_not_met)
{
	facts = (struct ces_evidence_facts){0};
	if (_i == 0)
		ck_assert_int_eq(rmdir(HERE), 0);
	denied("projects.p.images[0].scan", "no scan of this image with a date");
	ck_assert_uint_eq(asked_length, sizeof(struct ces_parse_evidence));
}
END_TEST

/* ---- what is not root's alone ---- */

START_TEST(a_file_that_others_may_write_ends_it)
{
	put("report-1", "x", _i == 0 ? 0664 : 0646);
	denied("projects.p.images[0].scan",
	       "the evidence about this image cannot be used: report-1: it is writable by others");
	ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_directory_that_others_may_write_ends_it)
{
	put("report-1", "x", 0644);
	ck_assert_int_eq(chmod(_i == 0 ? HERE : "/etc/ces/evidence.d", 01777), 0);
	denied("projects.p.images[0].scan", "is writable by others than root");
	ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(what_is_no_file_ends_it_and_nobody_waits)
{
	if (_i == 0)
		ck_assert_int_eq(symlink("/etc/passwd", HERE "/report-1"), 0);
	else if (_i == 1)
		ck_assert_int_eq(mkfifo(HERE "/report-1", 0600), 0);
	else
		ck_assert_int_eq(mkdir(HERE "/report-1", 0700), 0);
	put("report-2", "x", 0644);
	/* (one whose rule names records is denied by another key) */
	strcpy(decision.approved_by, D2);
	denied("projects.p.images[0].evidence", "report-1: ");
	ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_link_in_the_directorys_place_is_not_followed)
{
	ck_assert_int_eq(rmdir(HERE), 0);
	ck_assert_int_eq(symlink("/etc/ces", HERE), 0);
	denied("projects.p.images[0].scan", "is a symbolic link");
	ck_assert_ptr_null(asked);
}
END_TEST

/* ---- how much ---- */

static void fill(const char *name, size_t length)
{
	put(name, "", 0644);
	ck_assert_int_eq(
	    truncate(name[0] == 'r' ? HERE "/report-1" : HERE "/approved-2", (off_t)length), 0);
}

#define ROOM (CES_PARSE_FILES - sizeof(struct ces_parse_evidence) - sizeof(struct ces_parse_file))

START_TEST(all_of_it_has_room_in_64_mebibytes)
{
	fill("report-1", ROOM);
	ck_assert_int_eq(ces_evidence_check(&decision, NOW, &err), 0);
	ck_assert_uint_eq(asked_length, CES_PARSE_FILES);
}
END_TEST

START_TEST(a_byte_more_is_too_much)
{
	size_t half = ROOM / 2;

	if (_i == 0) {
		fill("report-1", ROOM + 1);
	} else {
		fill("report-1", half);
		fill("approved-2", ROOM - half - sizeof(struct ces_parse_file) + 1);
	}
	denied("projects.p.images[0].scan", "it has more than 64 MiB");
	ck_assert_ptr_null(asked);
}
END_TEST

START_TEST(a_huge_file_is_not_read)
{
	fill("report-1", (size_t)1 << 33);
	denied("projects.p.images[0].scan", "report-1: cannot read it: File too large");
	ck_assert_ptr_null(asked);
}
END_TEST

/* ---- the answer ---- */

START_TEST(an_answer_that_cannot_go_on_record_is_none)
{
	static const char *const records[] = {"x", D1 "1", "\",\"a\":\"", "sha256:"};

	if (_i < 4) {
		memset(facts.scans[3].record, 0, sizeof(facts.scans[3].record));
		memcpy(facts.scans[3].record, records[_i],
		       strnlen(records[_i], sizeof(facts.scans[3].record)));
	} else if (_i == 4) {
		memset(facts.sbom, 'a', sizeof(facts.sbom));
	} else {
		answer_length += _i == 5 ? (size_t)1 : (size_t)-1;
	}
	denied("projects.p.images[0].scan", "cannot be used: ces-parse gave no answer");
}
END_TEST

START_TEST(a_refusal_is_the_reason)
{
	refuses = true;
	put("report-1", "x", 0644);
	denied("projects.p.images[0].scan",
	       "the evidence about this image cannot be used: report-1 is of another image");
}
END_TEST

START_TEST(an_old_scan_is_refused_by_its_numbers)
{
	facts.scans[0].made = NOW - 3601;
	denied("projects.p.images[0].scan.max_age", "hours old");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("evidence");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_test(t, nobody_is_asked_where_nothing_is_demanded);
	tcase_add_test(t, the_records_of_one_image_are_handed_over_and_no_other_file);
	tcase_add_loop_test(t, where_no_evidence_is_the_rule_is_not_met, 0, 2);
	tcase_add_loop_test(t, a_file_that_others_may_write_ends_it, 0, 2);
	tcase_add_loop_test(t, a_directory_that_others_may_write_ends_it, 0, 2);
	tcase_add_loop_test(t, what_is_no_file_ends_it_and_nobody_waits, 0, 3);
	tcase_add_test(t, a_link_in_the_directorys_place_is_not_followed);
	tcase_add_test(t, all_of_it_has_room_in_64_mebibytes);
	tcase_add_loop_test(t, a_byte_more_is_too_much, 0, 2);
	tcase_add_test(t, a_huge_file_is_not_read);
	tcase_add_loop_test(t, an_answer_that_cannot_go_on_record_is_none, 0, 7);
	tcase_add_test(t, a_refusal_is_the_reason);
	tcase_add_test(t, an_old_scan_is_refused_by_its_numbers);
	return run_suite("evidence", t);
}
