/* The layers of an image, read one after the other, lowest first, without writing one down. */
#ifndef CES_POLICY_CONFORM_LOOK_H
#define CES_POLICY_CONFORM_LOOK_H

#include <archive.h>
#include <archive_entry.h>

#include "helper/unpack/path.h"
#include "helper/unpack/stream.h"
#include "policy/conform/conform.h"
#include "policy/conform/marks.h"

#define CES_LOOK_TMP 3

struct ces_look {
	struct ces_conform *conform;
	size_t layer; /* the one that is read, from 1 */
	struct ces_marks marks;
	const char *tmp[CES_LOOK_TMP]; /* directories of TMPDIR and its like, without the slash */

	uint64_t bytes_left, entries_left;
	int64_t deadline_ms;

	const char *kind; /* of the list of packages that is seen at the end, or NULL */
	const char *list_path;
	size_t list_layer;
	char *list;
	size_t list_length;
	size_t licences; /* seen in all layers */
};

/* What is left to read when nothing was: so many bytes, entries and minutes for all layers. */
void ces_look_begin(struct ces_look *look, struct ces_conform *conform, uint64_t max_size);

/* Reads one layer. CES_E_LIMIT: no further one is to be read. *ret_broken: it is not what its
 * digest says, else it was refused. */
int ces_look_layer(struct ces_look *look, const struct ces_stream_source *source, bool *ret_broken,
		   struct ces_error *err);

/* One entry of the tar with its mode (entry.c). `archive` gives its data. */
int ces_look_entry(struct ces_look *look, struct archive *archive, struct archive_entry *entry,
		   const struct ces_path *path, mode_t mode, struct ces_error *err);

/* A whiteout of `path`, or of all that is inside. */
void ces_look_whiteout(struct ces_look *look, const char *path, bool inside);

/* When the last layer was read: what is hidden, and by which layer. */
void ces_look_end(struct ces_look *look);
void ces_look_free(struct ces_look *look);

#endif
