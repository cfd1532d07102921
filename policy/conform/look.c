/* The tar loop, with the readers of ces-unpack: it refuses what these refuse. It must not hold more
 * of a layer than a few blocks, nor go on for ever. */
#include "policy/conform/look.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/unpack/archive.h"
#include "helper/unpack/whiteout.h"

#define ENTRIES_MAX (8u * 1000 * 1000)
#define MINUTES_MAX 60

void ces_look_begin(struct ces_look *look, struct ces_conform *conform, uint64_t max_size)
{
	*look = (struct ces_look){
	    .conform = conform,
	    .bytes_left = max_size,
	    .entries_left = ENTRIES_MAX,
	    .deadline_ms = ces_now_ms() + INT64_C(60000) * MINUTES_MAX,
	};
}

void ces_look_free(struct ces_look *look)
{
	ces_marks_free(&look->marks);
	free(look->list);
}

static int check_limits(void *context, size_t length, struct ces_error *err)
{
	struct ces_look *look = context;

	if (length > look->bytes_left)
		return ces_error_set(err, CES_E_LIMIT,
				     "the layers unpack to more than --max-size allows");
	look->bytes_left -= length;
	if (ces_now_ms() > look->deadline_ms)
		return ces_error_set(err, CES_E_LIMIT, "it takes more than %d minutes to read",
				     MINUTES_MAX);
	return 0;
}

static int take_entry(struct ces_look *look, const struct ces_archive *tar,
		      struct archive_entry *entry, struct ces_error *err)
{
	const char *raw = archive_entry_pathname(entry);
	struct ces_path path, hidden;
	enum ces_whiteout whiteout = CES_WHITEOUT_NONE;

	if (raw == NULL)
		return ces_error_set(err, CES_E_IMAGE, "the tar is broken: an entry has no name");
	if (ces_path_parse(raw, &path, err) < 0 ||
	    ces_whiteout_classify(&path, &whiteout, &hidden, err) < 0)
		return ces_error_context(err, "entry \"%.200s\"", raw);
	switch (whiteout) {
	case CES_WHITEOUT_IGNORE:
		return 0;
	case CES_WHITEOUT_HIDE:
	case CES_WHITEOUT_OPAQUE:
		ces_look_whiteout(look, hidden.text, whiteout == CES_WHITEOUT_OPAQUE);
		return 0;
	case CES_WHITEOUT_NONE:
	default:
		break;
	}
	if (ces_look_entry(look, tar->archive, entry, &path, tar->headers.mode, err) == 0)
		return 0;
	if (tar->stream_failed)
		return ces_archive_failed(tar, err);
	return ces_error_context(err, "entry \"%.200s\"", raw);
}

static int read_all(struct ces_look *look, struct ces_archive *tar, struct ces_error *err)
{
	struct archive_entry *entry = NULL;
	int more;

	while ((more = ces_archive_next(tar, &entry, err)) > 0) {
		if (look->entries_left-- == 0)
			return ces_error_set(err, CES_E_LIMIT,
					     "the layers have more than %u entries", ENTRIES_MAX);
		if (take_entry(look, tar, entry, err) < 0)
			return -1;
	}
	return more;
}

int ces_look_layer(struct ces_look *look, const struct ces_stream_source *source, bool *ret_broken,
		   struct ces_error *err)
{
	struct ces_archive tar = {.limit = check_limits, .context = look};
	struct ces_error first = {0};
	int result = -1;

	*ret_broken = false;
	if (ces_stream_open(source, &tar.stream, err) < 0)
		return -1;
	if (ces_archive_open(&tar, err) == 0)
		result = read_all(look, &tar, err);
	if (result < 0)
		first = *err;
	/* An entry that was refused may only be the first sign of other bytes. */
	if (ces_stream_finish(tar.stream, result, err) < 0) {
		*ret_broken = err->code != CES_E_LIMIT && (tar.stream_failed || result == 0 ||
							   strcmp(first.text, err->text) != 0);
		result = -1;
	}
	ces_archive_free(&tar);
	ces_stream_close(tar.stream);
	return result;
}
