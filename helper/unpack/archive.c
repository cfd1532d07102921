/* Reads a tar's entries. It must not pass on an entry that its two readers see in different
 * ways. */
#include "helper/unpack/archive.h"

#include <errno.h>

static la_ssize_t read_block(struct archive *archive, void *context, const void **ret)
{
	struct ces_archive *tar = context;
	const uint8_t *block = NULL;
	size_t length = 0;
	int more;

	ces_headers_feed(&tar->headers, NULL, 0); /* (the last block goes now) */
	more = ces_stream_next(tar->stream, &block, &length, &tar->stream_error);
	if (more > 0 && tar->limit != NULL &&
	    tar->limit(tar->context, length, &tar->stream_error) < 0)
		more = -1;
	if (more > 0) {
		ces_headers_feed(&tar->headers, block, length);
		*ret = block;
		return (la_ssize_t)length;
	}
	if (more == 0)
		return 0;
	tar->stream_failed = true;
	archive_set_error(archive, EIO, "the stream failed");
	return -1;
}

int ces_archive_failed(const struct ces_archive *tar, struct ces_error *err)
{
	const char *text = archive_error_string(tar->archive);

	if (tar->stream_failed) {
		*err = tar->stream_error;
		return -1;
	}
	return ces_error_set(err, CES_E_IMAGE, "the tar is broken: %.200s",
			     text != NULL ? text : "unknown");
}

int ces_archive_open(struct ces_archive *tar, struct ces_error *err)
{
	tar->archive = archive_read_new();
	if (tar->archive == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	if (archive_read_support_format_tar(tar->archive) != ARCHIVE_OK ||
	    archive_read_support_format_empty(tar->archive) != ARCHIVE_OK ||
	    archive_read_open(tar->archive, tar, NULL, read_block, NULL) != ARCHIVE_OK)
		return ces_archive_failed(tar, err);
	return 0;
}

int ces_archive_next(struct ces_archive *tar, struct archive_entry **ret, struct ces_error *err)
{
	int result;

	if (*ret != NULL && archive_read_data_skip(tar->archive) != ARCHIVE_OK)
		return ces_archive_failed(tar, err);
	if (ces_headers_begin(&tar->headers, (uint64_t)archive_filter_bytes(tar->archive, 0), err) <
	    0)
		return -1;
	result = archive_read_next_header(tar->archive, ret);
	/* A warning is about an attribute that is dropped anyway. */
	if (result != ARCHIVE_OK && result != ARCHIVE_WARN && result != ARCHIVE_EOF)
		return ces_archive_failed(tar, err);
	if (ces_headers_end(&tar->headers, result != ARCHIVE_EOF, err) < 0)
		return -1;
	return result != ARCHIVE_EOF;
}

void ces_archive_free(struct ces_archive *tar)
{
	archive_read_free(tar->archive);
	ces_headers_free(&tar->headers);
}
