/* Finds the wanted records of a journal. A search for bytes skips records that cannot match,
 * without parsing them; the rest is compared field by field. Its memory (whose runs are open) must
 * not grow with the journal. */
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/num.h"
#include "policy/pattern.h"
#include "policy/tool/audit.h"

/* Open runs: 1024 sets of 16. With 4,000 runs open at once a set overflows about once in ten
 * million. Users: the last name that each of 4,096 uids had. */
#define SETS  1024
#define WAYS  16
#define USERS 4096

struct open_run {
	char run[CES_RUN_DIGITS + 1], project[CES_NAME_MAX + 1], user[64], started[CES_TIME_TEXT];
	uint64_t age, gpus;
};

struct known_user {
	uint64_t uid;
	char name[64];
};

#define NEEDLES_MAX 8

struct selection {
	const struct ces_audit_filter *filter;
	struct open_run runs[SETS][WAYS];
	struct known_user users[USERS];
	char needles[NEEDLES_MAX][CES_REFERENCE_MAX + 16];
	size_t n_needles;
	uint64_t age;
	bool ends_by_join; /* ends, strangers and denials left out lack the wanted field */
};

/* A literal that each match must contain: "key":"value, with the writer's escapes. */
static void add_needle(struct selection *s, const char *key, const char *value, bool whole)
{
	char *needle = s->needles[s->n_needles];
	size_t size = sizeof(s->needles[0]), used;

	if (value == NULL)
		return;
	used = (size_t)snprintf(needle, size, "\"%s\":\"", key);
	for (; *value != '\0' && used + 4 < size; value++) {
		if (*value == '"' || *value == '\\')
			needle[used++] = '\\';
		needle[used++] = *value;
	}
	if (whole)
		needle[used++] = '"';
	needle[used] = '\0';
	s->n_needles++;
}

static bool only_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

static void prepare(struct selection *s)
{
	const struct ces_audit_filter *f = s->filter;
	char literal[CES_REFERENCE_MAX];

	s->ends_by_join = f->user != NULL || f->project != NULL;
	/* A user may be named by number, which is elsewhere. */
	if (f->user != NULL && !only_digits(f->user))
		add_needle(s, "user", f->user, true);
	add_needle(s, "project", f->project, true);
	add_needle(s, "digest", f->digest, false);
	add_needle(s, "run", f->run, true);
	if (f->image != NULL) {
		snprintf(literal, sizeof(literal), "%.*s", (int)strcspn(f->image, "*"), f->image);
		add_needle(s, "image", literal, false);
	}
	if (f->outcome != NULL &&
	    (strcmp(f->outcome, "allowed") == 0 || strcmp(f->outcome, "denied") == 0))
		add_needle(s, "outcome", f->outcome, true);
}

static bool holds(const struct ces_line *line, const char *text)
{
	return memmem(line->at, line->length, text, strlen(text)) != NULL;
}

/* Returns whether this line could match. It looks at an end, and the like, if a decision before it
 * may have matched. */
static bool worth_reading(const struct selection *s, const struct ces_line *line)
{
	size_t i = 0;

	while (i < s->n_needles && holds(line, s->needles[i]))
		i++;
	return i == s->n_needles || (s->ends_by_join && (holds(line, "\"event\":\"end\"") ||
							 holds(line, "\"event\":\"denials\"") ||
							 holds(line, "\"event\":\"stranger\"")));
}

static struct open_run *run_set(struct selection *s, const char *run)
{
	uint64_t n = 0;

	(void)ces_num_parse(run + strspn(run, "0"), 0, UINT64_MAX, &n);
	return s->runs[n % SETS];
}

static struct open_run *find_run(struct selection *s, const char *run)
{
	struct open_run *set = run_set(s, run);

	for (size_t i = 0; i < WAYS; i++)
		if (strcmp(set[i].run, run) == 0)
			return &set[i];
	return NULL;
}

/* How many GPUs a run got. A run that asked for all has as many as were free, and its record has
 * the number that is allowed. (A quotation mark within a text has a backslash before it.) */
static uint64_t gpus_of(const struct ces_line *line, const struct ces_record *record)
{
	static const char list[] = "\"devices\":[";
	const char *at = memmem(line->at, line->length, list, strlen(list));
	uint64_t marks = 0;

	if (at == NULL)
		return ces_record_number(record, CES_RECORD_GPUS);
	for (at += strlen(list); *at != ']'; at++)
		marks += *at == '"';
	return marks / 2;
}

static void remember(struct selection *s, const struct ces_line *line,
		     const struct ces_record *record)
{
	struct open_run *set, *oldest;
	char run[16];
	uint64_t uid = ces_record_number(record, CES_RECORD_UID);
	struct known_user *user = &s->users[uid % USERS];

	/* (a request that was refused early has no name) */
	if (record->field[CES_RECORD_USER].at != NULL) {
		user->uid = uid;
		(void)ces_record_text(record, CES_RECORD_USER, user->name, sizeof(user->name));
	}
	if (!ces_run_valid(ces_record_text(record, CES_RECORD_RUN, run, sizeof(run))))
		return;
	set = oldest = run_set(s, run);
	for (size_t i = 1; i < WAYS; i++)
		if (set[i].age < oldest->age)
			oldest = &set[i];
	memcpy(oldest->run, run, sizeof(oldest->run));
	oldest->age = ++s->age;
	oldest->gpus = gpus_of(line, record);
	(void)ces_record_text(record, CES_RECORD_TIME, oldest->started, sizeof(oldest->started));
	(void)ces_record_text(record, CES_RECORD_USER, oldest->user, sizeof(oldest->user));
	(void)ces_record_text(record, CES_RECORD_PROJECT, oldest->project, sizeof(oldest->project));
}

struct who {
	char user[64], project[CES_NAME_MAX + 1], started[CES_TIME_TEXT];
	uint64_t gpus;
};

/* (the record's own words first) */
static void find_who(struct selection *s, const struct ces_record *record, struct who *ret)
{
	char run[16];
	uint64_t uid = ces_record_number(record, CES_RECORD_UID);
	const struct known_user *user = &s->users[uid % USERS];
	struct open_run *open;

	(void)ces_record_text(record, CES_RECORD_USER, ret->user, sizeof(ret->user));
	(void)ces_record_text(record, CES_RECORD_PROJECT, ret->project, sizeof(ret->project));
	ret->started[0] = '\0';
	ret->gpus = ces_record_number(record, CES_RECORD_GPUS);
	(void)ces_record_text(record, CES_RECORD_RUN, run, sizeof(run));
	open = run[0] != '\0' ? find_run(s, run) : NULL;
	if (open != NULL) {
		if (ret->user[0] == '\0')
			memcpy(ret->user, open->user, sizeof(ret->user));
		if (ret->project[0] == '\0')
			memcpy(ret->project, open->project, sizeof(ret->project));
	}
	if (open != NULL && ces_record_is(record, CES_RECORD_EVENT, "end")) {
		memcpy(ret->started, open->started, sizeof(ret->started));
		ret->gpus = open->gpus;
		open->age = 0;
	}
	if (ret->user[0] == '\0' && user->uid == uid)
		memcpy(ret->user, user->name, sizeof(ret->user));
}

static bool text_is(const struct ces_record *record, enum ces_record_key key, const char *want)
{
	char have[CES_REFERENCE_MAX];

	return want == NULL || strcmp(ces_record_text(record, key, have, sizeof(have)), want) == 0;
}

static bool begins(const struct ces_record *record, enum ces_record_key key, const char *want)
{
	char have[CES_REFERENCE_MAX];

	return want == NULL ||
	       strncmp(ces_record_text(record, key, have, sizeof(have)), want, strlen(want)) == 0;
}

/* A whole reference, or the part before its tag, or a pattern as in a policy. */
static bool image_is(const struct ces_record *record, const char *want)
{
	struct ces_reference reference;
	char have[CES_REFERENCE_MAX];

	if (want == NULL)
		return true;
	(void)ces_record_text(record, CES_RECORD_IMAGE, have, sizeof(have));
	if (strcmp(have, want) == 0)
		return true;
	return ces_reference_parse(have, &reference, NULL) == 0 && ces_pattern_valid(want) &&
	       ces_pattern_match(want, reference.registry, reference.repository);
}

static bool outcome_is(const struct ces_record *record, const char *want)
{
	bool end = ces_record_is(record, CES_RECORD_EVENT, "end");

	if (want == NULL)
		return true;
	if (strcmp(want, "ended") == 0)
		return end;
	if (strcmp(want, "failed") == 0)
		return end && ces_record_number(record, CES_RECORD_STATUS) != 0;
	return ces_record_is(record, CES_RECORD_OUTCOME, want);
}

/* The journal writes times in one form, so that they compare as text. "until" with a day or a
 * minute includes the whole day or minute. */
static bool time_is(const struct ces_record *record, const char *since, const char *until)
{
	char have[40];

	(void)ces_record_text(record, CES_RECORD_TIME, have, sizeof(have));
	if (since != NULL && strncmp(have, since, strcspn(since, "Z")) < 0)
		return false;
	return until == NULL || strncmp(have, until, strcspn(until, "Z")) <= 0;
}

static bool user_is(const struct ces_record *record, const struct who *who, const char *want)
{
	return want == NULL || strcmp(who->user, want) == 0 ||
	       ces_record_is(record, CES_RECORD_UID, want);
}

static bool matches(const struct ces_audit_filter *f, const struct ces_record *record,
		    const struct who *who)
{
	return user_is(record, who, f->user) &&
	       (f->project == NULL || strcmp(who->project, f->project) == 0) &&
	       image_is(record, f->image) && begins(record, CES_RECORD_DIGEST, f->digest) &&
	       text_is(record, CES_RECORD_RUN, f->run) && outcome_is(record, f->outcome) &&
	       time_is(record, f->since, f->until);
}

/* 0, 1 if the line is no record, -1 if `each` failed. */
static int take(struct selection *s, const struct ces_line *line,
		int (*each)(void *, const struct ces_audit_row *), void *context)
{
	struct ces_record record;
	struct who who;
	struct ces_audit_row row = {line, &record, who.user, who.project, who.started, 0};

	if (line->too_long || line->length < 2 || line->at[0] != '{' ||
	    line->at[line->length - 1] != '}')
		return 1;
	if (!worth_reading(s, line))
		return 0;
	if (ces_record_read(line->at, line->length, &record) != 0)
		return 1;
	/* Before the filter: somebody may ask for an end without its decision. */
	if (ces_record_is(&record, CES_RECORD_EVENT, "decision"))
		remember(s, line, &record);
	find_who(s, &record, &who);
	row.gpus = who.gpus;
	return matches(s->filter, &record, &who) ? each(context, &row) : 0;
}

static int select_all(struct selection *s, struct ces_journal_reader *reader,
		      int (*each)(void *, const struct ces_audit_row *), void *context,
		      struct ces_error *err)
{
	struct ces_line line;
	size_t broken = 0;
	int more;

	while ((more = ces_journal_reader_next(reader, &line, err)) == 1) {
		int result = take(s, &line, each, context);

		if (result < 0)
			return ces_error_set(err, CES_E_HOST, "writing failed");
		if (result > 0 && broken++ == 0)
			fprintf(stderr,
				"ces-policy: %s, line %zu is not a record: see `audit "
				"verify`\n",
				line.file, line.number);
	}
	if (broken > 1)
		fprintf(stderr, "ces-policy: %zu lines are no records\n", broken);
	return more;
}

void ces_audit_user(const struct ces_audit_row *row, char ret[CES_AUDIT_USER])
{
	unsigned long long uid = ces_record_number(row->record, CES_RECORD_UID);

	if (row->user[0] == '\0')
		snprintf(ret, CES_AUDIT_USER, "uid %llu", uid);
	else if (strchr(row->user, '?') != NULL)
		snprintf(ret, CES_AUDIT_USER, "%s (uid %llu)", row->user, uid);
	else
		snprintf(ret, CES_AUDIT_USER, "%s", row->user);
}

int ces_audit_select(struct ces_journal_reader *reader, const struct ces_audit_filter *filter,
		     int (*each)(void *, const struct ces_audit_row *), void *context,
		     struct ces_error *err)
{
	struct selection *s = calloc(1, sizeof(*s));
	int result;

	if (s == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	s->filter = filter;
	prepare(s);
	result = select_all(s, reader, each, context, err);
	free(s);
	return result;
}

/* 2026, 2026-10-01, 2026-10-01T09:30, ... to milliseconds and Z: whole fields, of a day and an hour
 * that there are. Times are compared as text: 2026-1 would leave out nine months. */
static bool time_valid(const char *text)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddd";
	char whole[] = "0000-01-01T00:00:00.000";
	size_t length = strcspn(text, "Z"), i = 0;
	struct tm tm = {0}, same;

	if (length < 4 || length >= sizeof(form) || (length < 21 && form[length] == 'd') ||
	    (text[length] == 'Z' && text[length + 1] != '\0'))
		return false;
	while (i < length &&
	       (form[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == form[i]))
		i++;
	memcpy(whole, text, length);
	if (i < length || strptime(whole, "%Y-%m-%dT%H:%M:%S", &tm) == NULL)
		return false;
	same = tm;
	(void)timegm(&same); /* (it makes 2 March of 30 February) */
	return same.tm_mday == tm.tm_mday;
}

static bool digest_begins(const char *text)
{
	static const char prefix[] = "sha256:";

	return strncmp(text, prefix, strlen(prefix)) == 0 && strlen(text) <= CES_DIGEST_LENGTH &&
	       text[strlen(prefix) + strspn(text + strlen(prefix), "0123456789abcdef")] == '\0';
}

int ces_audit_filter_check(const struct ces_audit_filter *f, struct ces_error *err)
{
	static const char *const outcomes[] = {"allowed", "denied", "ended", "failed"};
	const char *const texts[] = {f->user, f->project, f->image};
	size_t i = 0;

	if ((f->since != NULL && !time_valid(f->since)) ||
	    (f->until != NULL && !time_valid(f->until)))
		return ces_error_set(
		    err, CES_E_USAGE,
		    "--since, --until: write 2026-10-01 or 2026-10-01T09:30 (UTC)");
	if (f->digest != NULL && !digest_begins(f->digest))
		return ces_error_set(err, CES_E_USAGE,
				     "--digest: write sha256:..., or the beginning of that");
	if (f->run != NULL && !ces_run_valid(f->run))
		return ces_error_set(err, CES_E_USAGE, "--run: write the ten digits of a run");
	while (f->outcome != NULL && i < CES_COUNT(outcomes) &&
	       strcmp(f->outcome, outcomes[i]) != 0)
		i++;
	if (i == CES_COUNT(outcomes))
		return ces_error_set(err, CES_E_USAGE,
				     "--outcome: write allowed, denied, ended or failed");
	for (i = 0; i < CES_COUNT(texts); i++)
		if (texts[i] != NULL && strlen(texts[i]) >= CES_REFERENCE_MAX / 2)
			return ces_error_set(err, CES_E_USAGE, "a filter is too long");
	return 0;
}
