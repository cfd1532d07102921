/* Words the tags that a registry lists, for a user who asked for a missing one (distribution-spec,
 * "Listing Tags"). Pure, for hostile input. */
#ifndef CES_FETCH_TAGS_H
#define CES_FETCH_TAGS_H

#include <stddef.h>

#define CES_TAGS_SHOWN 3
#define CES_TAGS_TEXT  160

/* Writes what to say about the listing: "its tags: 1, 2", "the nearest: 1.2, 1.3, 2" or "it has no
 * tags". It leaves out names outside the grammar of tags, or too long for a line. -1 if the text is
 * no listing. */
int ces_tags_tell(const char *json, size_t length, const char *wanted, char ret[CES_TAGS_TEXT]);

#endif
