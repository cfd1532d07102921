/* A journal in the test's own directory, and a reader of its chain. */
#ifndef CES_TESTS_UNIT_SESSION_JOURNAL_H
#define CES_TESTS_UNIT_SESSION_JOURNAL_H

#include <check.h>

#include "common/digest.h"
#include "helper/session/journal.h"
#include "tests/unit/session_scene.h"

#define DIR_PATH "var/log/ces"
#define JOURNAL  DIR_PATH "/audit.jsonl"
#define HEAD     DIR_PATH "/head"

static struct ces_journal journal = CES_JOURNAL_NONE;
static struct ces_error err;

static inline int append_to(const struct ces_journal *to, const char *text, bool durable)
{
	struct ces_json record = {0};

	ces_json_object(&record, NULL);
	ces_json_text(&record, "event", text);
	return ces_journal_append(to, record, durable, &err);
}

static inline void append(const char *text)
{
	ck_assert_msg(append_to(&journal, text, false) == 0, "%s", err.text);
}

static inline void journal_begin(void)
{
	scene_begin();
	ck_assert_msg(ces_journal_open(&journal, &err) == 0, "%s", err.text);
}

static inline void journal_end(void)
{
	ces_journal_close(&journal);
	scene_end();
}

struct link {
	uint64_t seq;
	char digest[CES_DIGEST_LENGTH + 1];
};

/* Follows the chain from `from` over the lines of a file, and returns its end. A line that is no
 * record may be torn: the next line has its digest. */
static inline struct link follow(const char *path, struct link from)
{
	CES_CLEANUP_FREE char *text = content(path);
	char begin[160], when[32];
	unsigned long long seq;

	for (char *line = text, *end; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		if (end[-1] == '}') {
			ck_assert_int_eq(
			    sscanf(line, "{\"seq\":%llu,\"time\":\"%24[0-9TZ.:-]\"", &seq, when),
			    2);
			ck_assert_uint_eq(strlen(when), 24);
			ck_assert_uint_eq(seq, ++from.seq);
			(void)snprintf(begin, sizeof(begin),
				       "\"prev\":\"%s\",\"event\":", from.digest);
			ck_assert_msg(strstr(line, begin) != NULL, "%s has not %s", line, begin);
		}
		ces_digest_of(line, (size_t)(end - line), from.digest);
	}
	return from;
}

static const struct link none = {0, ""};

static inline void head_is(struct link link)
{
	CES_CLEANUP_FREE char *head = content(HEAD);
	char expected[160];

	(void)snprintf(expected, sizeof(expected), "%020llu %s ", (unsigned long long)link.seq,
		       link.digest);
	ck_assert_uint_eq(strlen(head), 130);
	ck_assert_int_eq(strncmp(head, expected, strlen(expected)), 0);
}

#endif
