/* Reads the layers of an image one after the other, lowest first, without writing any to disk. */
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
	size_t layer; /* the current one, from 1 */
	struct ces_marks marks;
	const char *tmp[CES_LOOK_TMP]; /* directories in TMPDIR and the like, without the slash */

	uint64_t bytes_left, entries_left;
	int64_t deadline_ms;

	const char *kind; /* of the list of packages that is visible in the end, or NULL */
	const char *list_path;
	size_t list_layer;
	char *list;
	size_t list_length;
	size_t licences; /* found in all layers */
};

/* What is left to read at the start: bytes, entries and minutes for all layers. */
void ces_look_begin(struct ces_look *look, struct ces_conform *conform, uint64_t max_size);

/* Reads one layer. CES_E_LIMIT: do not read another. *ret_broken: it does not match its digest;
 * otherwise it was refused. */
int ces_look_layer(struct ces_look *look, const struct ces_stream_source *source, bool *ret_broken,
		   struct ces_error *err);

/* One entry of the tar with its mode (entry.c). `archive` gives its data. */
int ces_look_entry(struct ces_look *look, struct archive *archive, struct archive_entry *entry,
		   const struct ces_path *path, mode_t mode, struct ces_error *err);

/* A whiteout of `path`, or of everything inside. */
void ces_look_whiteout(struct ces_look *look, const char *path, bool inside);

/* After the last layer: what is hidden, and by which layer. */
void ces_look_end(struct ces_look *look);
void ces_look_free(struct ces_look *look);

#endif
