/* The paths that matter in the layers so far, and which later layers hide. Source: OCI image-spec
 * v1.0.2 layer.md, "Whiteouts". */
#ifndef CES_POLICY_CONFORM_MARKS_H
#define CES_POLICY_CONFORM_MARKS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define CES_MARKS_MAX 16384

enum ces_mark_kind {
	CES_MARK_DIRECTORY, /* a directory of the service, or of TMPDIR */
	CES_MARK_LICENCE,
	CES_MARK_HUB,     /* a library of Hugging Face */
	CES_MARK_FINDING, /* something that was reported */
};

struct ces_mark {
	char *path;
	size_t layer;
	enum ces_mark_kind kind;
	mode_t mode;
	size_t finding; /* its index, or SIZE_MAX */
	size_t hidden;  /* the layer that hides it; 0: none */
};

struct ces_marks {
	struct ces_mark *v; /* sorted by path */
	size_t n;
	bool full; /* some are missing */
};

void ces_marks_add(struct ces_marks *marks, const struct ces_mark *mark);

/* The entry `path` of a layer. An earlier one of the same path is hidden, and everything below it,
 * unless both are directories. */
void ces_marks_replace(struct ces_marks *marks, const char *path, size_t layer, bool directory);

/* A whiteout in a layer: hides what lower layers have at `path` (itself as well, unless `inside`)
 * and below. */
void ces_marks_hide(struct ces_marks *marks, const char *path, size_t layer, bool inside);

/* The first mark of this kind that nothing hides, and of this path unless that is NULL. */
const struct ces_mark *ces_marks_find(const struct ces_marks *marks, enum ces_mark_kind kind,
				      const char *path);

void ces_marks_free(struct ces_marks *marks);

#endif
