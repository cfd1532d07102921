/* Looks for signed heads in a journal. They show what root has remade, cut or dated back since they
 * were signed. It must never use a word of a head before it has checked the signature. */
#include "policy/receipt/heads.h"

#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/receipt/dsse.h"
#include "policy/scan.h"
#include "policy/tool/audit.h"

#define KEY_MAX     65536
#define FILE_MAX    ((size_t)32 << 20)
#define HEADS_MAX   36525 /* a day each: a hundred years */
#define CLOCK_SLACK 1     /* seconds; a well-kept clock makes such steps */
#define HOST_TEXT   256

struct head {
	uint64_t first, seq;
	char digest[CES_DIGEST_LENGTH + 1], time[CES_TIME_TEXT];
	time_t seconds;
};

struct ces_heads {
	struct head *v;
	size_t n, next; /* next: the first that the journal has not come to */
	size_t before;  /* those that are of before its first record */
	size_t foreign, first_foreign;
	uint64_t restarts;
	char host[HOST_TEXT];
	time_t latest;                                       /* of the records so far */
	char cut[300], other[300], clock[300], between[300]; /* what is wrong; "": nothing */
};

static bool text_of(struct json_object *tree, const char *key, char *ret, size_t size)
{
	struct json_object *value;

	if (!json_object_is_type(tree, json_type_object) ||
	    !json_object_object_get_ex(tree, key, &value) ||
	    !json_object_is_type(value, json_type_string) ||
	    (size_t)json_object_get_string_len(value) >= size)
		return false;
	snprintf(ret, size, "%s", json_object_get_string(value));
	ces_text_clean(ret);
	return true;
}

static bool number_of(struct json_object *tree, const char *key, uint64_t *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(tree, key, &value) ||
	    !json_object_is_type(value, json_type_int) || json_object_get_int64(value) < 1)
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

static bool parse(const char *text, char host[HOST_TEXT], struct head *ret)
{
	struct json_object *tree;
	struct ces_error ignored;
	bool good;

	if (ces_scan_check(text, strlen(text), &ignored) != 0)
		return false;
	tree = json_tokener_parse(text);
	good = text_of(tree, "digest", ret->digest, sizeof(ret->digest)) &&
	       ces_digest_valid(ret->digest) &&
	       text_of(tree, "time", ret->time, sizeof(ret->time)) &&
	       (ret->seconds = ces_record_seconds(ret->time)) >= 0 &&
	       text_of(tree, "host", host, HOST_TEXT) && number_of(tree, "first", &ret->first) &&
	       number_of(tree, "seq", &ret->seq) && ret->first <= ret->seq;
	json_object_put(tree);
	return good;
}

/* The heads of one journal never go back, neither in number nor in time. */
static void compare_neighbours(struct ces_heads *heads, const struct head *before,
			       const struct head *head)
{
	if (head->seq < before->seq && heads->other[0] == '\0')
		snprintf(heads->other, sizeof(heads->other),
			 "the head of %s has record %llu, and that of %s only %llu: the journal "
			 "was made anew between them",
			 before->time, (unsigned long long)before->seq, head->time,
			 (unsigned long long)head->seq);
	if (head->seconds + CLOCK_SLACK < before->seconds && heads->between[0] == '\0')
		snprintf(heads->between, sizeof(heads->between),
			 "the clock was set back: a head of %s follows one of %s", head->time,
			 before->time);
}

static bool known(const struct ces_heads *heads, const struct head *head)
{
	size_t i = heads->n;

	while (i > 0 && (heads->v[i - 1].seq != head->seq || heads->v[i - 1].first != head->first ||
			 strcmp(heads->v[i - 1].digest, head->digest) != 0 ||
			 strcmp(heads->v[i - 1].time, head->time) != 0))
		i--;
	return i > 0;
}

/* Any user can repeat an old line in syslog, so the order of the lines proves nothing where the
 * heads themselves say which is older. One that is older in number and time takes its place among
 * the others, and its digest is compared there. One with a lower number and a later time comes
 * last: it shows a journal made anew. */
static void insert(struct ces_heads *heads, const struct head *head)
{
	size_t i = heads->n;

	if (i > 0 && head->seq < heads->v[i - 1].seq)
		while (i > 0 && head->seq <= heads->v[i - 1].seq &&
		       head->seconds < heads->v[i - 1].seconds)
			i--;
	memmove(&heads->v[i + 1], &heads->v[i], (heads->n - i) * sizeof(*head));
	heads->v[i] = *head;
	heads->n++;
	if (i > 0)
		compare_neighbours(heads, &heads->v[i - 1], head);
}

static int add(struct ces_heads *heads, const char *text, struct ces_error *err)
{
	struct head head;
	char host[HOST_TEXT];

	if (!parse(text, host, &head))
		return ces_error_set(err, CES_E_USAGE, "well signed, but not a head of a journal");
	if (heads->n > 0 && strcmp(host, heads->host) != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "a head of %s among heads of %s: give those of one machine",
				     host, heads->host);
	memcpy(heads->host, host, sizeof(host));
	if (known(heads, &head))
		return 0;
	if (heads->n == HEADS_MAX)
		return ces_error_set(err, CES_E_LIMIT, "more than %d heads", HEADS_MAX);
	insert(heads, &head);
	return 0;
}

/* *why: of the first line that this key has not signed as a head. */
static int add_line(struct ces_heads *heads, EVP_PKEY *key, const char *envelope, size_t number,
		    struct ces_error *why, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;

	if (ces_dsse_open(key, CES_HEAD_MEDIA, envelope, strlen(envelope), &text, err) == 0)
		return add(heads, text, err);
	if (err->code == CES_E_HOST)
		return -1;
	if (heads->foreign++ == 0) {
		heads->first_foreign = number;
		*why = *err;
	}
	return 0;
}

/* Any user can write a line to syslog that looks like a head. Such a line must not stop the check
 * of the others. */
static int add_all(struct ces_heads *heads, EVP_PKEY *key, char *bytes, size_t length,
		   const char *path, struct ces_error *err)
{
	struct ces_error why = {0};
	size_t number = 0;
	char *rest = bytes, *line;

	/* (what follows would be left out) */
	if (memchr(bytes, '\0', length) != NULL)
		return ces_error_set(err, CES_E_USAGE, "%s: it is not a text: it has a NUL byte",
				     path);
	while ((line = strsep(&rest, "\n")) != NULL) {
		char *envelope = strstr(line, "{\"payload\":");

		number++;
		if (envelope != NULL && add_line(heads, key, envelope, number, &why, err) != 0)
			return ces_error_context(err, "%s, line %zu", path, number);
	}
	if (heads->n > 0)
		return 0;
	if (heads->foreign == 0)
		return ces_error_set(err, CES_E_USAGE, "%s: it has no signed head", path);
	*err = why;
	return ces_error_context(err, "%s, line %zu", path, heads->first_foreign);
}

int ces_heads_read(int key_fd, int fd, const char *path, struct ces_heads **ret,
		   struct ces_error *err)
{
	CES_CLEANUP_FREE char *pem = NULL, *bytes = NULL;
	struct ces_heads *heads = calloc(1, sizeof(*heads));
	EVP_PKEY *key = NULL;
	size_t pem_length = 0, length = 0;
	int result = -1;

	if (heads == NULL || (heads->v = calloc(HEADS_MAX, sizeof(*heads->v))) == NULL)
		(void)ces_error_set(err, CES_E_HOST, "out of memory");
	else if (ces_read_file(key_fd, KEY_MAX, &pem, &pem_length) != 0)
		ces_error_put_errno(err, CES_E_USAGE, "--key");
	else if (ces_read_file(fd, FILE_MAX, &bytes, &length) != 0)
		ces_error_put_errno(err, CES_E_USAGE, "%s", path);
	else if (ces_key_public(pem, pem_length, "--key", &key, err) == 0)
		result = add_all(heads, key, bytes, length, path, err);
	EVP_PKEY_free(key);
	if (result == 0)
		*ret = heads;
	else
		ces_heads_free(heads);
	return result;
}

void ces_heads_free(struct ces_heads *heads)
{
	if (heads != NULL)
		free(heads->v);
	free(heads);
}

static void note_other(struct ces_heads *heads, const struct head *head)
{
	if (heads->other[0] == '\0')
		snprintf(heads->other, sizeof(heads->other),
			 "record %llu is not the one that the head of %s names: this is another "
			 "journal, made anew",
			 (unsigned long long)head->seq, head->time);
}

/* Finds a record dated before records that were there when it was written. */
static void see_time(struct ces_heads *heads, uint64_t seq, const struct ces_record *record)
{
	char text[CES_TIME_TEXT], before[CES_TIME_TEXT] = "";
	time_t at =
	    ces_record_seconds(ces_record_text(record, CES_RECORD_TIME, text, sizeof(text)));
	struct tm tm;

	if (at < 0)
		return;
	if (at + CLOCK_SLACK < heads->latest && heads->clock[0] == '\0' &&
	    gmtime_r(&heads->latest, &tm) != NULL &&
	    strftime(before, sizeof(before), "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		snprintf(heads->clock, sizeof(heads->clock),
			 "the clock was set back: record %llu is of %s, and was written after %s",
			 (unsigned long long)seq, text, before);
	heads->latest = at > heads->latest ? at : heads->latest;
}

static void pass(struct ces_heads *heads)
{
	const struct head *head = &heads->v[heads->next++];

	heads->latest = head->seconds > heads->latest ? head->seconds : heads->latest;
}

void ces_heads_see(struct ces_heads *heads, const struct ces_verify *v,
		   const struct ces_record *record)
{
	/* (if all are of before an older chain, they are of this one) */
	if (v->restarts > heads->restarts && heads->before == heads->n) {
		heads->next = heads->before = 0;
		heads->latest = 0;
		heads->clock[0] = '\0';
	}
	heads->restarts = v->restarts;
	/* (those before the journal's first record are judged by where it begins) */
	while (heads->next < heads->n && heads->v[heads->next].seq < v->seq) {
		if (v->seq > v->first_seq || v->restarts > 0)
			note_other(heads, &heads->v[heads->next]);
		else
			heads->before++;
		pass(heads);
	}
	see_time(heads, v->seq, record);
	while (heads->next < heads->n && heads->v[heads->next].seq == v->seq) {
		if (strcmp(heads->v[heads->next].digest, v->digest) != 0)
			note_other(heads, &heads->v[heads->next]);
		pass(heads);
	}
}

const char *ces_heads_judge(struct ces_heads *heads, const struct ces_verify *v)
{
	const struct head *last = &heads->v[heads->n - 1];

	if (heads->other[0] != '\0')
		return heads->other;
	if (heads->next < heads->n)
		snprintf(heads->cut, sizeof(heads->cut),
			 "it ends with record %llu, and the head of %s has record %llu: its end "
			 "was cut off",
			 (unsigned long long)v->seq, last->time, (unsigned long long)last->seq);
	else if (v->chain_first > last->first)
		snprintf(heads->cut, sizeof(heads->cut),
			 "records %llu to %llu were there at the head of %s, and are not here: its "
			 "beginning was cut off",
			 (unsigned long long)last->first, (unsigned long long)v->chain_first - 1,
			 last->time);
	if (heads->cut[0] != '\0')
		return heads->cut;
	if (heads->between[0] != '\0')
		return heads->between;
	return heads->clock[0] != '\0' ? heads->clock : NULL;
}

size_t ces_heads_count(const struct ces_heads *heads)
{
	return heads->n;
}

const char *ces_heads_last(const struct ces_heads *heads)
{
	return heads->v[heads->n - 1].time;
}

size_t ces_heads_foreign(const struct ces_heads *heads, size_t *ret_first)
{
	*ret_first = heads->first_foreign;
	return heads->foreign;
}
