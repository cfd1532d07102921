/* Finds what deserves a look in a journal. It only points: people decide whether something was
 * wrong. It must hold only a bounded sum of the journal. */
#include <grp.h>
#include <pwd.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "policy/tool/review.h"
#include "policy/tool/rules.h"
#include "policy/tool/tool.h"

#define WORD       1100 /* an image reference fits */
#define DAY        86400
#define LAST_DAYS  7 /* of an approval */
#define MORNING    7 /* hours, UTC */
#define EVENING    20
#define GROUPS_MAX 512

static int add(struct ces_review *review, enum ces_review_kind kind,
	       const struct ces_audit_row *row, const char *what)
{
	struct ces_tally_row one = {.good = 1}, *sum;
	char time[CES_TIME_TEXT], image[WORD], user[CES_AUDIT_USER];

	ces_audit_user(row, user);
	(void)ces_record_text(row->record, CES_RECORD_TIME, time, sizeof(time));
	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	snprintf(one.first, sizeof(one.first), "%.10s", time);
	memcpy(one.last, one.first, sizeof(one.last));
	if (ces_record_is(row->record, CES_RECORD_EVENT, "denials"))
		one.good = ces_record_number(row->record, CES_RECORD_COUNT);
	sum = ces_tally_find(&review->found[kind],
			     (const char *const[]){row->project[0] != '\0' ? row->project : "-",
						   user, image[0] != '\0' ? image : "-", what});
	if (sum == NULL)
		return -1;
	ces_tally_add(sum, &one);
	return 0;
}

static int look_at_end(struct ces_review *review, const struct ces_audit_row *row, time_t when)
{
	struct ces_rules_walk rule;
	char day[16], what[48];
	time_t end;

	if (review->policy == NULL || !ces_rules_find(review->policy, row, &rule))
		return 0;
	end = ces_rules_end(&rule);
	if (end == 0 || when >= end || end - when > (time_t)LAST_DAYS * DAY)
		return 0;
	snprintf(what, sizeof(what), "approval ends on %s", ces_tool_day(end, day));
	return add(review, CES_REVIEW_ENDING, row, what);
}

static int look_at_hour(struct ces_review *review, const struct ces_audit_row *row, time_t when)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL)
		return 0;
	if (tm.tm_wday == 0 || tm.tm_wday == 6)
		return add(review, CES_REVIEW_HOURS, row, "at the weekend");
	if (tm.tm_hour < MORNING || tm.tm_hour >= EVENING)
		return add(review, CES_REVIEW_HOURS, row, "at night");
	return 0;
}

static bool listed(const struct ces_strings *list, const char *name)
{
	size_t i = 0;

	while (i < list->n && strcmp(list->v[i], name) != 0)
		i++;
	return i < list->n;
}

static bool is_member(const struct ces_policy_project *project, const struct passwd *user)
{
	gid_t gids[GROUPS_MAX];
	int n = GROUPS_MAX;

	if (listed(&project->member_users, user->pw_name))
		return true;
	if (getgrouplist(user->pw_name, user->pw_gid, gids, &n) < 0)
		return true; /* more groups than are looked at: no claim */
	for (int i = 0; i < n; i++) {
		const struct group *group = getgrgid(gids[i]);

		if (group != NULL && listed(&project->member_groups, group->gr_name))
			return true;
	}
	return false;
}

static int look_at_user(struct ces_review *review, const struct ces_audit_row *row)
{
	const struct ces_policy *p = review->policy;
	const struct passwd *user;
	size_t i = 0;

	if (!review->host)
		return 0;
	user = getpwuid((uid_t)ces_record_number(row->record, CES_RECORD_UID));
	if (user == NULL)
		return add(review, CES_REVIEW_REMOVED, row, "no user of this machine any more");
	while (p != NULL && i < p->n_projects && strcmp(p->projects[i].name, row->project) != 0)
		i++;
	if (p == NULL || (i == p->n_projects && p->infer))
		return 0;
	if (i == p->n_projects)
		return add(review, CES_REVIEW_REMOVED, row,
			   "the project is not in the policy any more");
	if (!is_member(&p->projects[i], user))
		return add(review, CES_REVIEW_REMOVED, row, "no member of the project any more");
	return 0;
}

/* Returns whether this is the first record of the image, and remembers the image. */
static int is_new(struct ces_review *review, const struct ces_audit_row *row, bool *ret)
{
	char image[WORD];
	struct ces_tally_row *known;

	(void)ces_record_text(row->record, CES_RECORD_IMAGE, image, sizeof(image));
	known = ces_tally_find(&review->images, (const char *const[]){image, "", "", ""});
	if (known == NULL)
		return -1;
	*ret = known->good++ == 0;
	return 0;
}

static int look_at_outputs(struct ces_review *review, const struct ces_audit_row *row)
{
	char check[32], what[80];
	bool withheld = row->record->field[CES_RECORD_WITHHELD].at != NULL;

	(void)ces_record_text(row->record, CES_RECORD_CHECK, check, sizeof(check));
	if (!withheld && (check[0] == '\0' || strcmp(check, "passed") == 0))
		return 0;
	snprintf(what, sizeof(what), "%s%s", check, withheld ? ", withheld" : "");
	return add(review, CES_REVIEW_OUTPUTS, row, what);
}

static int look(struct ces_review *review, const struct ces_audit_row *row, bool new_image)
{
	const struct ces_record *record = row->record;
	char text[WORD];
	time_t when =
	    ces_record_seconds(ces_record_text(record, CES_RECORD_TIME, text, sizeof(text)));
	bool decision = ces_record_is(record, CES_RECORD_EVENT, "decision");

	(void)ces_record_text(record, CES_RECORD_REASON, text, sizeof(text));
	if (ces_record_is(record, CES_RECORD_OUTCOME, "denied"))
		return add(review, CES_REVIEW_DENIED, row, text);
	if (ces_record_is(record, CES_RECORD_OUTCOME, "refused"))
		return add(review, CES_REVIEW_DENIED, row,
			   "another user connected to a port of it");
	if (ces_record_is(record, CES_RECORD_OUTCOME, "deviates"))
		return add(review, CES_REVIEW_PROOFS, row, text);
	if (ces_record_is(record, CES_RECORD_EVENT, "end"))
		return look_at_outputs(review, row);
	if (!decision)
		return 0;
	if (new_image && add(review, CES_REVIEW_FIRST, row, "first use") != 0)
		return -1;
	return look_at_end(review, row, when) != 0 || look_at_hour(review, row, when) != 0 ||
		       look_at_user(review, row) != 0
		   ? -1
		   : 0;
}

static int each(void *context, const struct ces_audit_row *row)
{
	struct ces_review *review = context;
	bool allowed = ces_record_is(row->record, CES_RECORD_EVENT, "decision") &&
		       ces_record_is(row->record, CES_RECORD_OUTCOME, "allowed");
	bool new_image = false;
	char day[11];

	(void)ces_record_text(row->record, CES_RECORD_TIME, day, sizeof(day));
	if (strcmp(day, review->to) > 0)
		return 0;
	review->position = ces_record_number(row->record, CES_RECORD_SEQ);
	ces_digest_of(row->line->at, row->line->length, review->digest);
	if (allowed && is_new(review, row, &new_image) != 0)
		return -1;
	if (strcmp(day, review->from) < 0)
		return 0;
	review->records++;
	return look(review, row, new_image);
}

int ces_review_find(struct ces_review *review, struct ces_journal_reader *reader,
		    struct ces_error *err)
{
	static const struct ces_audit_filter all = {0};

	if (ces_audit_select(reader, &all, each, review, err) != 0)
		return -1;
	for (size_t i = 0; i < CES_REVIEW_KINDS; i++)
		ces_tally_sort(&review->found[i]);
	return 0;
}

uint64_t ces_review_count(const struct ces_review *review, enum ces_review_kind kind)
{
	uint64_t n = 0;

	for (size_t i = 0; i < review->found[kind].n; i++)
		n += review->found[kind].v[i].good;
	return n;
}

void ces_review_free(struct ces_review *review)
{
	for (size_t i = 0; i < CES_REVIEW_KINDS; i++)
		ces_tally_free(&review->found[i]);
	ces_tally_free(&review->images);
}
