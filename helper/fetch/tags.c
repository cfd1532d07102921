/* Finds the tags of a repository that the user may have meant. The names are the registry's own
 * words, the only ones that CES ever shows. It must show only a few short names, in the characters
 * of tags. */
#include "helper/fetch/tags.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/suggest.h"
#include "helper/fetch/reply.h"

#define TAGS_MAX       4096 /* more are not read */
#define TAG_MAX        40 /* longer ones are digests or numbers of builds, which nobody mistypes */
#define TAG_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

struct near {
	const char *tag;
	size_t distance;
};

struct nearest {
	struct near v[CES_TAGS_SHOWN];
	size_t n;     /* in v */
	size_t valid; /* seen */
};

static bool is_tag(const char *text, size_t length)
{
	return length > 0 && length <= TAG_MAX && strspn(text, TAG_CHARACTERS) == length &&
	       text[0] != '.' && text[0] != '-';
}

/* Keeps the nearest tags. Of equally near tags it keeps the later one: listings are sorted by name,
 * and people mostly want the highest version. */
static void offer(struct nearest *nearest, const char *tag, const char *wanted)
{
	struct near new = {tag, ces_suggest_distance(wanted, tag)};

	nearest->valid++;
	/* (no better than any other: it shares nothing with the wanted tag) */
	if (2 * new.distance > strlen(wanted) + strlen(tag))
		new.distance = strlen(wanted) + CES_SUGGEST_MAX;
	for (size_t i = 0; i < CES_TAGS_SHOWN; i++) {
		struct near old = nearest->v[i];

		if (i == nearest->n) {
			nearest->v[nearest->n++] = new;
			return;
		}
		if (new.distance > old.distance)
			continue;
		nearest->v[i] = new;
		new = old;
	}
}

static void write_text(const struct nearest *nearest, char ret[CES_TAGS_TEXT])
{
	size_t at = (size_t)snprintf(ret, CES_TAGS_TEXT, "%s",
				     nearest->n < nearest->valid ? "the nearest: " : "its tags: ");

	for (size_t i = 0; i < nearest->n && at < CES_TAGS_TEXT; i++)
		at += (size_t)snprintf(ret + at, CES_TAGS_TEXT - at, "%s%s", i > 0 ? ", " : "",
				       nearest->v[i].tag);
	if (nearest->n == 0)
		(void)snprintf(ret, CES_TAGS_TEXT, "it has no tags");
}

int ces_tags_tell(const char *json, size_t length, const char *wanted, char ret[CES_TAGS_TEXT])
{
	struct json_object *reply = ces_reply_parse(json, length, CES_TAGS_REPLY_MAX);
	struct json_object *tags = NULL;
	struct nearest nearest = {.n = 0};
	bool listed = json_object_object_get_ex(reply, "tags", &tags) &&
		      (tags == NULL || json_object_is_type(tags, json_type_array));
	size_t n = listed && tags != NULL ? json_object_array_length(tags) : 0;

	for (size_t i = 0; i < n && i < TAGS_MAX; i++) {
		struct json_object *tag = json_object_array_get_idx(tags, i);

		if (json_object_is_type(tag, json_type_string) &&
		    is_tag(json_object_get_string(tag), (size_t)json_object_get_string_len(tag)))
			offer(&nearest, json_object_get_string(tag), wanted);
	}
	if (listed)
		write_text(&nearest, ret);
	json_object_put(reply);
	return listed ? 0 : -1;
}
