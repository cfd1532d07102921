/* The file of reviews: JSON lines, chained like the journal. It must never write to a file in which
 * a line does not follow from the previous one. */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "policy/tool/review.h"

#define FILE_MAX (16 * 1024 * 1024)

/* The lock holds until the file is closed, so that two reviews never get the same number. */
int ces_review_open(const char *path, int *ret_fd, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
		 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_USAGE, "%s: not a regular file", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0)
		return errno == EWOULDBLOCK
			   ? ces_error_set(err, CES_E_HOST, "%s: another review is being recorded",
					   path)
			   : ces_error_errno(err, CES_E_HOST, "%s", path);
	*ret_fd = ces_steal_fd(&fd);
	return 0;
}

/* One line of text without control characters, because it goes to a terminal. */
static bool text_of(struct json_object *tree, const char *key, char *ret, size_t size)
{
	struct json_object *value;

	if (!json_object_object_get_ex(tree, key, &value) ||
	    !json_object_is_type(value, json_type_string) ||
	    (size_t)json_object_get_string_len(value) >= size ||
	    !ces_line_valid(json_object_get_string(value),
			    (size_t)json_object_get_string_len(value)))
		return false;
	snprintf(ret, size, "%s", json_object_get_string(value));
	return true;
}

static bool number_of(struct json_object *tree, const char *key, uint64_t *ret)
{
	struct json_object *value;

	if (!json_object_object_get_ex(tree, key, &value) ||
	    !json_object_is_type(value, json_type_int))
		return false;
	*ret = json_object_get_uint64(value);
	return true;
}

/* line: without its newline, NUL-terminated. */
static bool parse(const char *line, const struct ces_review_entry *before,
		  struct ces_review_entry *ret)
{
	struct json_object *tree = json_tokener_parse(line);
	struct ces_review_entry entry = {0};
	char prev[CES_DIGEST_LENGTH + 1];
	bool good = json_object_is_type(tree, json_type_object) &&
		    number_of(tree, "seq", &entry.seq) &&
		    text_of(tree, "prev", prev, sizeof(prev)) &&
		    text_of(tree, "time", entry.time, sizeof(entry.time)) &&
		    text_of(tree, "from", entry.from, sizeof(entry.from)) &&
		    text_of(tree, "to", entry.to, sizeof(entry.to)) &&
		    number_of(tree, "record", &entry.position) &&
		    text_of(tree, "digest", entry.digest, sizeof(entry.digest)) &&
		    text_of(tree, "by", entry.by, sizeof(entry.by)) &&
		    text_of(tree, "note", entry.note, sizeof(entry.note)) &&
		    entry.seq == before->seq + 1 && strcmp(prev, before->own) == 0;

	json_object_put(tree);
	if (!good)
		return false;
	ces_digest_of(line, strlen(line), entry.own);
	*ret = entry;
	return true;
}

int ces_review_read(int fd, const char *path,
		    int (*each)(void *context, const struct ces_review_entry *entry), void *context,
		    struct ces_review_entry *ret_last, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	struct ces_review_entry last = {0};
	size_t length = 0;
	char *line, *end;

	if (ces_read_file(fd, FILE_MAX, &bytes, &length) != 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	for (line = bytes; line < bytes + length; line = end + 1) {
		end = memchr(line, '\n', (size_t)(bytes + length - line));
		if (end != NULL)
			*end = '\0';
		if (end == NULL || !parse(line, &last, &last))
			return ces_error_set(
			    err, CES_E_NOTFOUND,
			    "%s: line %llu does not follow from the one before it: "
			    "the file was changed",
			    path, (unsigned long long)last.seq + 1);
		if (each != NULL && each(context, &last) != 0)
			return ces_error_set(err, CES_E_HOST, "writing failed");
	}
	*ret_last = last;
	return 0;
}

static void add_text(struct json_object *to, const char *key, const char *text)
{
	(void)json_object_object_add(to, key, json_object_new_string(text));
}

static struct json_object *describe(const struct ces_review_entry *last,
				    const struct ces_review *review, const char *by,
				    const char *note)
{
	static const char *const names[CES_REVIEW_KINDS] = {
	    "denials",       "near_end",      "first_use",     "unusual_hours",
	    "failed_proofs", "removed_users", "failed_outputs"};
	struct json_object *line = json_object_new_object(), *found = json_object_new_object();
	char time_text[CES_TIME_TEXT];
	time_t now = time(NULL);
	struct tm tm;

	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		time_text[0] = '\0';
	(void)json_object_object_add(line, "seq", json_object_new_uint64(last->seq + 1));
	add_text(line, "time", time_text);
	add_text(line, "prev", last->own);
	add_text(line, "event", "review");
	add_text(line, "by", by);
	add_text(line, "from", review->from);
	add_text(line, "to", review->to);
	(void)json_object_object_add(line, "record", json_object_new_uint64(review->position));
	add_text(line, "digest", review->digest);
	for (size_t i = 0; i < CES_REVIEW_KINDS; i++)
		(void)json_object_object_add(found, names[i],
					     json_object_new_uint64(ces_review_count(review, i)));
	(void)json_object_object_add(line, "found", found);
	add_text(line, "note", note);
	return line;
}

int ces_review_append(int fd, const char *path, const struct ces_review_entry *last,
		      const struct ces_review *review, const char *by, const char *note,
		      struct ces_error *err)
{
	struct json_object *line = describe(last, review, by, note);
	CES_CLEANUP_FREE char *text = NULL;
	int length = asprintf(&text, "%s\n",
			      json_object_to_json_string_ext(
				  line, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));

	json_object_put(line);
	if (length < 0) {
		text = NULL;
		return ces_error_set(err, CES_E_HOST, "out of memory");
	}
	if (ces_write_full(fd, text, (size_t)length, -1) != 0 || fsync(fd) != 0)
		return ces_error_errno(err, CES_E_HOST, "%s", path);
	return 0;
}
