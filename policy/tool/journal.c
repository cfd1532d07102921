/* Reads journals, also rotated and compressed ones. It opens all files at once, so that root's
 * rights can be given up before it reads a byte, and a rotation meanwhile changes nothing. It must
 * never hold more than one buffer of text. */
#include "policy/tool/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "common/cleanup.h"
#include "policy/tool/input.h"
#include "policy/tool/record.h"

#define BUFFER    (256 * 1024) /* more than twice the longest record that CES writes */
#define FILES_MAX 512

struct file {
	char *path;
	int fd;
	bool by_number; /* ".7", else "-20261001" */
	unsigned long order;
	uint64_t first, last; /* the numbers of its records; UINT64_MAX: it is empty */
};

struct ces_journal_reader {
	struct file files[FILES_MAX];
	size_t n_files, current;
	gzFile gz;
	char *buffer;
	size_t start, end;
	size_t number;
	bool file_done, skipping, ordered;
};

/* "1", "2.gz", "-20261001", "-20261001.gz" after the name of the journal. */
static bool rotated_name(const char *rest, struct file *ret)
{
	char *end;

	if ((rest[0] != '.' && rest[0] != '-') || rest[1] < '0' || rest[1] > '9')
		return false;
	errno = 0;
	ret->by_number = rest[0] == '.';
	ret->order = strtoul(rest + 1, &end, 10);
	return errno == 0 && (*end == '\0' || strcmp(end, ".gz") == 0);
}

/* Oldest first: dates rise, then numbers fall, then the journal itself (order 0). */
static int older_first(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	if (a->by_number != b->by_number)
		return a->by_number ? 1 : -1;
	if (a->order == b->order)
		return 0;
	return (a->order < b->order) == a->by_number ? 1 : -1;
}

/* The journal, if it was renamed after it was opened and before the directory was read. */
static bool is_open_already(const struct ces_journal_reader *reader, int fd)
{
	struct stat st, other;

	return reader->n_files > 0 && fstat(fd, &st) == 0 &&
	       fstat(reader->files[0].fd, &other) == 0 && st.st_dev == other.st_dev &&
	       st.st_ino == other.st_ino;
}

static int add_file(struct ces_journal_reader *reader, const char *path, const struct file *kind,
		    struct ces_error *err)
{
	struct file *file = &reader->files[reader->n_files];

	if (reader->n_files == FILES_MAX)
		return ces_error_set(err, CES_E_LIMIT, "%s: more than %d rotated files", path,
				     FILES_MAX);
	*file = *kind;
	if (ces_input_open(path, &file->fd, err) != 0)
		return -1;
	if (is_open_already(reader, file->fd)) {
		ces_cleanup_close(&file->fd);
		return 0;
	}
	reader->n_files++;
	file->path = strdup(path);
	return file->path != NULL ? 0 : ces_error_set(err, CES_E_HOST, "out of memory");
}

/* name: the journal's own, in dir. */
static int add_from(struct ces_journal_reader *reader, const char *dir, const char *name,
		    struct ces_error *err)
{
	CES_CLEANUP_DIR DIR *list = opendir(*dir != '\0' ? dir : ".");
	const struct dirent *entry;

	if (list == NULL)
		return ces_error_errno(err, CES_E_HOST, "the directory of %s", name);
	while ((entry = readdir(list)) != NULL) {
		struct file kind = {.fd = -1};
		char whole[PATH_MAX + NAME_MAX + 1];

		if (strncmp(entry->d_name, name, strlen(name)) != 0 ||
		    entry->d_name[strlen(name)] == '\0')
			continue;
		if (!rotated_name(entry->d_name + strlen(name), &kind)) {
			fprintf(stderr,
				"ces-policy: %s: not read: neither a number, a date nor "
				".gz ends its name\n",
				entry->d_name);
			continue;
		}
		snprintf(whole, sizeof(whole), "%s%s", dir, entry->d_name);
		if (add_file(reader, whole, &kind, err) != 0)
			return -1;
	}
	return 0;
}

static int add_rotated(struct ces_journal_reader *reader, const char *path, struct ces_error *err)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir))
		return ces_error_set(err, CES_E_USAGE, "the journal's path is too long");
	snprintf(dir, sizeof(dir), "%.*s", (int)(name - path), path);
	return add_from(reader, dir, name, err);
}

/* After a rotation there is no journal until the next record. Its older files must be there then.
 */
static int add_all(struct ces_journal_reader *reader, const char *path, struct ces_error *err)
{
	static const struct file live = {.fd = -1, .by_number = true};
	struct ces_error none = {0};

	if (add_file(reader, path, &live, &none) != 0 && none.sys != ENOENT) {
		*err = none;
		return none.sys != EACCES ? -1
					  : ces_error_set(err, CES_E_HOST,
							  "%s: you may not read it: type this as "
							  "root",
							  path);
	}
	if (add_rotated(reader, path, err) != 0) {
		if (none.sys != 0)
			*err = none; /* (its directory is not there either) */
		return -1;
	}
	if (none.sys == 0)
		return 0;
	if (reader->n_files == 0) {
		*err = none;
		return -1;
	}
	fprintf(stderr, "ces-policy: %s: not there: no record since it was rotated\n", path);
	return 0;
}

/* X.gz, of X */
static bool is_half(const struct file *file, const struct file *whole)
{
	size_t n = strlen(whole->path);

	return strncmp(file->path, whole->path, n) == 0 && strcmp(file->path + n, ".gz") == 0;
}

/* While a file is being compressed both are there, and the compressed one is not whole yet. Which
 * of the two comes first is not known: they have one order. */
static void drop_halves(struct ces_journal_reader *reader)
{
	size_t n = 0;

	for (size_t i = 0; i < reader->n_files; i++) {
		struct file *file = &reader->files[i];

		if ((i + 1 < reader->n_files && is_half(file, file + 1)) ||
		    (n > 0 && is_half(file, &reader->files[n - 1]))) {
			ces_cleanup_close(&file->fd);
			free(file->path);
			continue;
		}
		reader->files[n++] = *file;
	}
	reader->n_files = n;
}

int ces_journal_reader_open(const char *path, struct ces_journal_reader **ret,
			    struct ces_error *err)
{
	struct ces_journal_reader *reader = calloc(1, sizeof(*reader));

	if (reader == NULL || (reader->buffer = malloc(BUFFER)) == NULL) {
		free(reader);
		return ces_error_set(err, CES_E_HOST, "out of memory");
	}
	if (add_all(reader, path, err) != 0) {
		ces_journal_reader_close(reader);
		return -1;
	}
	qsort(reader->files, reader->n_files, sizeof(reader->files[0]), older_first);
	drop_halves(reader);
	*ret = reader;
	return 0;
}

size_t ces_journal_reader_files(const struct ces_journal_reader *reader)
{
	return reader->n_files;
}

/* Reads the number of a file's first record, and of its last one if `whole`. 0: it has none. */
static void look(struct ces_journal_reader *reader, struct file *file, bool whole)
{
	int fd = fcntl(file->fd, F_DUPFD_CLOEXEC, 0);
	gzFile gz = fd < 0 ? NULL : gzdopen(fd, "rb");

	file->first = gz == NULL ? 0 : UINT64_MAX;
	while (gz != NULL && gzgets(gz, reader->buffer, BUFFER) != NULL) {
		uint64_t seq = ces_record_seq(reader->buffer, strlen(reader->buffer));

		if (file->first == UINT64_MAX)
			file->first = seq;
		if (seq != 0) /* (a line that was torn has none) */
			file->last = seq;
		if (!whole)
			break;
	}
	if (gz != NULL)
		(void)gzclose_r(gz);
	else
		ces_cleanup_close(&fd);
	/* (a copy of an fd shares its place in the file) */
	if (lseek(file->fd, 0, SEEK_SET) != 0)
		file->first = 0;
}

static int lower_first(const void *left, const void *right)
{
	const struct file *a = left, *b = right;

	if (a->first != b->first)
		return a->first < b->first ? -1 : 1;
	return older_first(left, right);
}

static bool are_one_chain(const struct ces_journal_reader *reader)
{
	for (size_t i = 1; i < reader->n_files; i++)
		if (reader->files[i].first != UINT64_MAX &&
		    reader->files[i].first != reader->files[i - 1].last + 1)
			return false;
	return true;
}

/* The dates in names are the machine's clock's. After the clock was set back, or after names with
 * numbers became names with dates, the names say another order than the numbers of the records do.
 * If these are one chain, they say the order. Nothing passes by this that is broken: each record
 * has the digest of the one before it. */
static void order_by_records(struct ces_journal_reader *reader)
{
	struct file *files = reader->files;
	bool falls = false;

	for (size_t i = 0; i < reader->n_files; i++) {
		look(reader, &files[i], false);
		falls |= i > 0 && files[i].first < files[i - 1].first;
	}
	for (size_t i = 0; i < reader->n_files && falls; i++)
		look(reader, &files[i], true);
	if (falls)
		qsort(files, reader->n_files, sizeof(files[0]), lower_first);
	if (falls && (files[0].first == 0 || !are_one_chain(reader)))
		qsort(files, reader->n_files, sizeof(files[0]), older_first);
}

/* zlib reads a file that is not compressed unchanged. 1, or 0 if there is no further file. */
static int begin_file(struct ces_journal_reader *reader, struct ces_error *err)
{
	struct file *file = &reader->files[reader->current];

	if (reader->current == reader->n_files)
		return 0;
	reader->gz = gzdopen(file->fd, "rb");
	if (reader->gz == NULL)
		return ces_error_set(err, CES_E_HOST, "%s: out of memory", file->path);
	file->fd = -1;
	(void)gzbuffer(reader->gz, BUFFER / 2);
	reader->start = reader->end = reader->number = 0;
	reader->file_done = reader->skipping = false;
	return 1;
}

static void end_file(struct ces_journal_reader *reader)
{
	(void)gzclose_r(reader->gz);
	reader->gz = NULL;
	reader->current++;
}

static int fill(struct ces_journal_reader *reader, struct ces_error *err)
{
	const char *path = reader->files[reader->current].path;
	int n, code = Z_OK;

	memmove(reader->buffer, reader->buffer + reader->start, reader->end - reader->start);
	reader->end -= reader->start;
	reader->start = 0;
	n = gzread(reader->gz, reader->buffer + reader->end, (unsigned)(BUFFER - reader->end));
	if (n > 0) {
		reader->end += (size_t)n;
		return 0;
	}
	/* A compressed file that was cut seems to end, and says so only if asked. */
	(void)gzerror(reader->gz, &code);
	if (n < 0 || code != Z_OK)
		return ces_error_set(err, CES_E_IMAGE, "%s: %s", path,
				     code == Z_BUF_ERROR ? "the compressed file is cut off"
							 : "the compressed file is damaged");
	reader->file_done = true;
	return 0;
}

/* Hands out [start, start + length), then goes on after it and its newline. */
static int hand_out(struct ces_journal_reader *reader, size_t length, bool ended, bool too_long,
		    struct ces_line *ret)
{
	*ret = (struct ces_line){
	    .at = reader->buffer + reader->start,
	    .length = length,
	    .file = reader->files[reader->current].path,
	    .number = ++reader->number,
	    .first = reader->number == 1,
	    .ended = ended,
	    .too_long = too_long,
	};
	reader->start += length + ended;
	reader->skipping = too_long;
	return 1;
}

/* 1 and a line, 0 if the buffer holds no whole one. */
static int take_line(struct ces_journal_reader *reader, struct ces_line *ret)
{
	size_t held = reader->end - reader->start;
	const char *from = reader->buffer + reader->start;
	const char *newline = memchr(from, '\n', held);

	if (reader->skipping) {
		reader->start =
		    newline != NULL ? (size_t)(newline + 1 - reader->buffer) : reader->end;
		reader->skipping = newline == NULL;
		return newline == NULL ? 0 : take_line(reader, ret);
	}
	if (newline != NULL)
		return hand_out(reader, (size_t)(newline - from), true, false, ret);
	if (reader->file_done && held > 0)
		return hand_out(reader, held, false, false, ret);
	if (held == BUFFER)
		return hand_out(reader, held, false, true, ret);
	return 0;
}

int ces_journal_reader_next(struct ces_journal_reader *reader, struct ces_line *ret,
			    struct ces_error *err)
{
	if (!reader->ordered)
		order_by_records(reader);
	reader->ordered = true;
	for (;;) {
		if (reader->gz == NULL) {
			int more = begin_file(reader, err);

			if (more <= 0)
				return more;
		}
		if (take_line(reader, ret) == 1)
			return 1;
		if (reader->file_done)
			end_file(reader);
		else if (fill(reader, err) != 0)
			return -1;
	}
}

void ces_journal_reader_close(struct ces_journal_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->gz != NULL)
		(void)gzclose_r(reader->gz);
	for (size_t i = 0; i < reader->n_files; i++) {
		ces_cleanup_close(&reader->files[i].fd);
		free(reader->files[i].path);
	}
	free(reader->buffer);
	free(reader);
}
