/* The tar loop, with the readers of ces-unpack: what those refuse is refused here. Must not hold
 * more of a layer than a few blocks, nor go on for ever. */
#include "policy/conform/look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/unpack/headers.h"
#include "helper/unpack/whiteout.h"

#define ENTRIES_MAX (8u * 1000 * 1000)
#define MINUTES_MAX 60

struct reading {
	struct ces_look *look;
	struct ces_stream *stream;
	struct archive *archive;
	struct ces_headers headers;
	bool stream_failed;
	struct ces_error stream_error;
};

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

static int check_limits(struct ces_look *look, size_t length, struct ces_error *err)
{
	if (length > look->bytes_left)
		return ces_error_set(err, CES_E_LIMIT,
				     "the layers unpack to more than --max-size allows");
	look->bytes_left -= length;
	if (ces_now_ms() > look->deadline_ms)
		return ces_error_set(err, CES_E_LIMIT, "it takes more than %d minutes to read",
				     MINUTES_MAX);
	return 0;
}

static la_ssize_t read_block(struct archive *archive, void *context, const void **ret)
{
	struct reading *r = context;
	const uint8_t *block = NULL;
	size_t length = 0;
	int more;

	ces_headers_feed(&r->headers, NULL, 0); /* the last block goes now */
	more = ces_stream_next(r->stream, &block, &length, &r->stream_error);
	if (more > 0 && check_limits(r->look, length, &r->stream_error) < 0)
		more = -1;
	if (more > 0) {
		ces_headers_feed(&r->headers, block, length);
		*ret = block;
		return (la_ssize_t)length;
	}
	if (more == 0)
		return 0;
	r->stream_failed = true;
	archive_set_error(archive, EIO, "the stream failed");
	return -1;
}

static int archive_failed(struct reading *r, struct ces_error *err)
{
	const char *text = archive_error_string(r->archive);

	if (r->stream_failed) {
		*err = r->stream_error;
		return -1;
	}
	return ces_error_set(err, CES_E_IMAGE, "the tar is broken: %.200s",
			     text != NULL ? text : "unknown");
}

static int open_archive(struct reading *r, struct ces_error *err)
{
	r->archive = archive_read_new();
	if (r->archive == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (archive_read_support_format_tar(r->archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(r->archive) != ARCHIVE_OK ||
	    archive_read_open(r->archive, r, NULL, read_block, NULL) != ARCHIVE_OK)
		return archive_failed(r, err);
	return 0;
}

static int take_entry(struct reading *r, struct archive_entry *entry, struct ces_error *err)
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
		ces_look_whiteout(r->look, hidden.text, whiteout == CES_WHITEOUT_OPAQUE);
		return 0;
	case CES_WHITEOUT_NONE:
	default:
		break;
	}
	if (ces_look_entry(r->look, r->archive, entry, &path, r->headers.mode, err) == 0)
		return 0;
	if (r->stream_failed) {
		*err = r->stream_error;
		return -1;
	}
	return ces_error_context(err, "entry \"%.200s\"", raw);
}

/* 1, 0 at the end, -1. */
static int next_entry(struct reading *r, struct archive_entry **ret, struct ces_error *err)
{
	int result;

	if (*ret != NULL && archive_read_data_skip(r->archive) != ARCHIVE_OK)
		return archive_failed(r, err);
	if (ces_headers_begin(&r->headers, (uint64_t)archive_filter_bytes(r->archive, 0), err) < 0)
		return -1;
	result = archive_read_next_header(r->archive, ret);
	if (result != ARCHIVE_OK && result != ARCHIVE_WARN && result != ARCHIVE_EOF)
		return archive_failed(r, err);
	if (ces_headers_end(&r->headers, result != ARCHIVE_EOF, err) < 0)
		return -1;
	return result != ARCHIVE_EOF;
}

static int read_all(struct reading *r, struct ces_error *err)
{
	struct archive_entry *entry = NULL;
	int more;

	while ((more = next_entry(r, &entry, err)) > 0) {
		if (r->look->entries_left-- == 0)
			return ces_error_set(err, CES_E_LIMIT,
					     "the layers have more than %u entries", ENTRIES_MAX);
		if (take_entry(r, entry, err) < 0)
			return -1;
	}
	return more;
}

int ces_look_layer(struct ces_look *look, const struct ces_stream_source *source, bool *ret_broken,
		   struct ces_error *err)
{
	struct reading reading = {.look = look};
	struct ces_error first = {0};
	int result = -1;

	*ret_broken = false;
	if (ces_stream_open(source, &reading.stream, err) < 0)
		return -1;
	if (open_archive(&reading, err) == 0)
		result = read_all(&reading, err);
	if (result < 0)
		first = *err;
	/* An entry that was refused may only be the first sign of other bytes. */
	if (ces_stream_finish(reading.stream, result, err) < 0) {
		*ret_broken = err->code != CES_E_LIMIT && (reading.stream_failed || result == 0 ||
							   strcmp(first.text, err->text) != 0);
		result = -1;
	}
	archive_read_free(reading.archive);
	ces_headers_free(&reading.headers);
	ces_stream_close(reading.stream);
	return result;
}
