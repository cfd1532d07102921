/* The tar loop: libarchive reads headers and data, tree.c writes. Only tar, no filters (the stream
 * has decompressed already), and never libarchive's own writing to disk. */
#include "helper/unpack/layer.h"

#include <errno.h>
#include <locale.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include <archive.h>
#include <archive_entry.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "helper/unpack/archive.h"
#include "helper/unpack/tree.h"
#include "helper/unpack/whiteout.h"

#define ID_MAX    65535
#define ID_NOBODY 65534

struct layer {
	struct ces_archive tar;
	const struct ces_layer_limits *limits;
	struct ces_tree *tree;
	int root;
	uint64_t bytes, entries;
	uint64_t unlooked; /* bytes since the last look at the file system */
};

void ces_layer_prepare(void)
{
	/* (only LC_CTYPE: nothing else of the C library may change) */
	if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
		setlocale(LC_CTYPE, "en_US.UTF-8");
}

/* Makes an owner beyond the 16 bits of a container's id map "nobody". Otherwise an image built by a
 * user with a large uid would be unusable. */
static unsigned fit_id(int64_t id)
{
	return id < 0 || id > ID_MAX ? ID_NOBODY : (unsigned)id;
}

static struct ces_tree_meta meta_of(const struct layer *layer, struct archive_entry *entry)
{
	struct ces_tree_meta meta = {
	    .mode = layer->tar.headers.mode,
	    .uid = fit_id(archive_entry_uid(entry)),
	    .gid = fit_id(archive_entry_gid(entry)),
	    .mtime = {.tv_sec = archive_entry_mtime(entry)},
	};
	long nsec = archive_entry_mtime_nsec(entry);

	if (nsec >= 0 && nsec < 1000000000)
		meta.mtime.tv_nsec = nsec;
	return meta;
}

static int write_at(int fd, const char *bytes, size_t length, int64_t offset, struct ces_error *err)
{
	while (length > 0) {
		ssize_t n = pwrite(fd, bytes, length, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ces_walk_failed(err, "write");
		bytes += n;
		offset += n;
		length -= (size_t)n;
	}
	return 0;
}

/* Looks at the file system each time before it writes so many bytes: others write there too. An
 * entry counts as at least its cost. */
#define LOOK_BYTES   (16u << 20)
#define ENTRY_BYTES  (64u << 10)
#define INODES_SHARE 64 /* (one in so many of all inodes stays free) */

static int check_room(struct layer *layer, uint64_t more, struct ces_error *err)
{
	struct statfs fs;

	layer->unlooked += more;
	if (layer->limits->reserve == 0 || layer->unlooked < LOOK_BYTES)
		return 0;
	layer->unlooked = 0;
	if (fstatfs(layer->root, &fs) < 0)
		return ces_error_errno(err, CES_E_HOST, "the image store");
	if ((uint64_t)fs.f_bavail * (uint64_t)fs.f_frsize < layer->limits->reserve + LOOK_BYTES ||
	    fs.f_ffree < fs.f_files / INODES_SHARE)
		return ces_error_set(err, CES_E_HOST,
				     "no space for the image: this machine keeps the rest of its "
				     "image store free (rule host.store_reserve)");
	return 0;
}

/* What an entry counts for at least, and a file in multiples of it: it takes an inode, and blocks
 * of a file system. */
#define BLOCK 4096u

static int count(struct layer *layer, uint64_t bytes, struct ces_error *err)
{
	uint64_t most = layer->limits->max_bytes;
	char text[32];

	if (bytes <= most - layer->bytes) {
		layer->bytes += bytes;
		return 0;
	}
	ces_num_format_size(most, text, sizeof(text));
	return most < CES_LAYER_BYTES_MAX
		   ? ces_error_set(err, CES_E_LIMIT,
				   "the layer unpacks to more than the %s that are left of the "
				   "space for your images (host.user_limits.store)",
				   text)
		   : ces_error_set(err, CES_E_LIMIT, "the layer unpacks to more than %s", text);
}

/* Counts the entries that have come since: a path also makes the directories above it. */
static int count_entries(struct layer *layer, struct ces_error *err)
{
	uint64_t before = layer->entries;

	layer->entries = ces_tree_entries(layer->tree);
	return count(layer, (layer->entries - before) * BLOCK, err);
}

/* How many bytes must come for a file of that size. They are fewer only if the entry has a map of
 * holes. */
static int64_t bytes_due(struct archive_entry *entry, int64_t size)
{
	la_int64_t offset, length, sum = 0;

	if (archive_entry_sparse_reset(entry) == 0)
		return size;
	while (archive_entry_sparse_next(entry, &offset, &length) == ARCHIVE_OK)
		sum = length < size - sum ? sum + length : size;
	return sum;
}

/* Holes of a sparse entry stay holes. It must write no byte beyond the counted size. */
static int write_data(struct layer *layer, struct archive_entry *entry, int fd, int64_t size,
		      struct ces_error *err)
{
	int64_t end = 0, came = 0, due = bytes_due(entry, size);

	for (;;) {
		const void *bytes;
		size_t length;
		la_int64_t offset;
		int result = archive_read_data_block(layer->tar.archive, &bytes, &length, &offset);

		if (result == ARCHIVE_EOF)
			break;
		if (result != ARCHIVE_OK)
			return ces_archive_failed(&layer->tar, err);
		if (length == 0)
			continue;
		if (offset < end || offset > size || length > (uint64_t)(size - offset))
			return ces_error_set(err, CES_E_IMAGE, "it has data beyond its size");
		if (check_room(layer, length, err) < 0 ||
		    write_at(fd, bytes, length, offset, err) < 0)
			return -1;
		end = offset + (int64_t)length;
		came += (int64_t)length;
	}
	/* libarchive would fill a size that another record claims (GNU.sparse.realsize,
	 * SCHILY.realsize) up with zeros: a file that only this reader sees. */
	if (came < due)
		return ces_error_set(err, CES_E_IMAGE, "it ends after %lld of %lld bytes",
				     (long long)came, (long long)due);
	if (end < size && ftruncate(fd, size) < 0)
		return ces_walk_failed(err, "set a file's size");
	return 0;
}

static int extract_file(struct layer *layer, struct archive_entry *entry,
			const struct ces_path *path, struct ces_error *err)
{
	struct ces_tree_meta meta = meta_of(layer, entry);
	int64_t size = archive_entry_size(entry);
	uint64_t whole = size < 0 ? UINT64_MAX : ((uint64_t)size + BLOCK - 1) / BLOCK * BLOCK;
	CES_CLEANUP_FD int fd = -1;

	/* (before the first byte: a sparse file may claim 8 EiB) */
	if (count(layer, whole, err) < 0)
		return -1;
	layer->bytes -= whole > 0 ? BLOCK : 0; /* (the entry itself counts for one) */
	if (ces_tree_file(layer->tree, path, &meta, &fd, err) < 0)
		return -1;
	if (write_data(layer, entry, fd, size, err) < 0)
		return -1;
	return ces_tree_seal(&fd, &meta, err);
}

static int extract_link(struct layer *layer, const char *linkname, const struct ces_path *path,
			struct ces_error *err)
{
	struct ces_path target;

	if (ces_path_parse(linkname, &target, err) < 0)
		return ces_error_context(err, "its hard link's target");
	return ces_tree_link(layer->tree, path, &target, err);
}

/* libarchive turns a file into a link if a record gives it a target, and into a directory if its
 * name ends in a slash. Other readers use only the header. */
static bool is_as_typed(uint8_t type, struct archive_entry *entry)
{
	static const struct {
		uint8_t type;
		mode_t made;
	} kinds[] = {{'2', AE_IFLNK}, {'3', AE_IFCHR}, {'4', AE_IFBLK},
		     {'5', AE_IFDIR}, {'6', AE_IFIFO}, {'\0', AE_IFDIR}};
	mode_t made = archive_entry_filetype(entry);

	if (type == '1' || archive_entry_hardlink(entry) != NULL)
		return type == '1' && archive_entry_hardlink(entry) != NULL;
	for (size_t i = 0; i < CES_COUNT(kinds); i++)
		if (kinds[i].type == type && kinds[i].made == made)
			return true;
	return made == AE_IFREG && (type == '\0' || strchr("07S", type) != NULL);
}

/* It makes no devices, FIFOs and sockets: a run gets its own /dev, and a 0:0 device would be a
 * whiteout that nobody wrote. It never looks at extended attributes, ACLs and flags. */
static int extract_object(struct layer *layer, struct archive_entry *entry,
			  const struct ces_path *path, struct ces_error *err)
{
	const char *linkname = archive_entry_hardlink(entry), *target;
	struct ces_tree_meta meta;

	if (!is_as_typed(layer->tar.headers.type, entry))
		return ces_error_set(err, CES_E_IMAGE,
				     "the tar is broken: it can be read in two ways");
	if (linkname != NULL)
		return extract_link(layer, linkname, path, err);
	switch (archive_entry_filetype(entry)) {
	case AE_IFREG:
		return extract_file(layer, entry, path, err);
	case AE_IFDIR:
		meta = meta_of(layer, entry);
		return ces_tree_directory(layer->tree, path, &meta, err);
	case AE_IFLNK:
		meta = meta_of(layer, entry);
		target = archive_entry_symlink(entry);
		return ces_tree_symlink(layer->tree, path, target != NULL ? target : "", &meta,
					err);
	case AE_IFCHR:
	case AE_IFBLK:
	case AE_IFIFO:
	case AE_IFSOCK:
		return 0;
	default:
		return ces_error_set(err, CES_E_IMAGE, "it is of an unknown type");
	}
}

static int extract_entry(struct layer *layer, struct archive_entry *entry, struct ces_error *err)
{
	const char *raw = archive_entry_pathname(entry);
	struct ces_path path, hidden;
	enum ces_whiteout whiteout;

	if (raw == NULL)
		return ces_error_set(err, CES_E_IMAGE, "the tar is broken: an entry has no name");
	if (ces_path_parse(raw, &path, err) < 0 ||
	    ces_whiteout_classify(&path, &whiteout, &hidden, err) < 0)
		return ces_error_context(err, "entry \"%.200s\"", raw);
	switch (whiteout) {
	case CES_WHITEOUT_IGNORE:
		return 0;
	case CES_WHITEOUT_HIDE:
		if (ces_tree_whiteout(layer->tree, &hidden, err) < 0)
			return ces_error_context(err, "entry \"%.200s\"", raw);
		return 0;
	case CES_WHITEOUT_OPAQUE:
		if (ces_tree_opaque(layer->tree, &hidden, err) < 0)
			return ces_error_context(err, "entry \"%.200s\"", raw);
		return 0;
	case CES_WHITEOUT_NONE:
	default:
		break;
	}
	if (extract_object(layer, entry, &path, err) < 0)
		return layer->tar.stream_failed ? -1
						: ces_error_context(err, "entry \"%.200s\"", raw);
	return 0;
}

static int extract_all(struct layer *layer, struct ces_error *err)
{
	struct archive_entry *entry = NULL;
	uint64_t headers = 0;
	int more;

	while ((more = ces_archive_next(&layer->tar, &entry, err)) > 0) {
		/* Headers without data cost time too. */
		if (headers++ >= layer->limits->max_entries)
			return ces_error_set(err, CES_E_LIMIT,
					     "the layer has more than %llu entries",
					     (unsigned long long)layer->limits->max_entries);
		if (check_room(layer, ENTRY_BYTES, err) < 0 ||
		    extract_entry(layer, entry, err) < 0 || count_entries(layer, err) < 0)
			return -1;
	}
	return more < 0 ? -1 : ces_tree_finish(layer->tree, err);
}

int ces_layer_extract(struct ces_stream *stream, int root, const struct ces_layer_limits *limits,
		      struct ces_unpack_layer *ret, struct ces_error *err)
{
	struct layer layer = {
	    .tar = {.stream = stream}, .limits = limits, .root = root, .unlooked = LOOK_BYTES};
	int result = -1;

	if (ces_tree_open(root, limits->max_entries, &layer.tree, err) == 0 &&
	    ces_archive_open(&layer.tar, err) == 0)
		result = extract_all(&layer, err);
	result = ces_stream_finish(stream, result, err);
	if (result == 0) {
		ret->bytes = layer.bytes;
		ret->entries = layer.entries;
		ces_tree_take_opaque(layer.tree, &ret->opaque);
	}
	ces_archive_free(&layer.tar);
	ces_tree_close(layer.tree);
	return result;
}

void ces_layer_free(struct ces_unpack_layer *answer)
{
	for (size_t i = 0; i < answer->opaque.n; i++)
		free(answer->opaque.v[i]);
	free(answer->opaque.v);
	answer->opaque = (struct ces_strings){NULL, 0};
}
