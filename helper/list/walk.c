/* Lists a tree of files. It must never follow a link, open what is not a regular file or a
 * directory, nor go on past a bound: the tree is a stranger's, and others may be changing it.
 *
 * Who controls what: the run, and its user, control every name, size, byte and time here, also
 * during the walk. A directory is opened in its parent without links; a file is opened so, and
 * without waiting, and only its descriptor says that it is regular. A file that grows, shrinks or
 * is written to while it is read is said to have changed. Sparse or endless files end at the bound
 * of bytes or of time; many files at that of names, which are also read no further. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "helper/list/check.h"

#define CHUNK 262144

#define END_BYTES 1024 /* bytes of the manifest after the last entry */

struct walk {
	struct ces_list_text *text;
	struct ces_list_answer *answer;
	struct ces_list_check *check;
	const struct ces_policy_manifest *most;
	dev_t device;
	int64_t hash_until, until;
	const char *cut; /* NULL: nothing was left out */
	bool changed;
	char path[PATH_MAX * 2];
	size_t names; /* in memory, of all levels */
};

static void cut(struct walk *w, const char *why)
{
	if (w->cut == NULL)
		w->cut = why;
}

/* Returns whether the list may go on. If it stops, the manifest says so. */
static bool goes_on(struct walk *w)
{
	if (w->text->full)
		cut(w, "size of the manifest");
	else if (w->answer->files >= w->most->files)
		cut(w, "number of files");
	else if (ces_now_ms() > w->until)
		cut(w, "time");
	else
		return true;
	return false;
}

static bool same(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static const char *see_first(struct walk *w, const unsigned char *bytes, size_t length)
{
	const char *content =
	    ces_list_content(bytes, length < CES_LIST_SAMPLE ? length : CES_LIST_SAMPLE);

	ces_list_check_first(w->check, bytes, length, content);
	return content;
}

static void unread(struct walk *w, const char *why)
{
	ces_list_print(w->text, ",\"unread\":\"%s\"", why);
	ces_list_check_note(w->check, "unread");
}

/* Returns how many bytes it has read, or -1. It stops at a bound: *ret_whole is false. */
static int64_t digest_file(struct walk *w, int fd, char digest[CES_DIGEST_LENGTH + 1],
			   const char **ret_content, bool *ret_whole)
{
	static unsigned char bytes[CHUNK];
	struct sha256_ctx state;
	int64_t all = 0;
	ssize_t n;

	*ret_content = "empty";
	*ret_whole = true;
	sha256_init(&state);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0) {
		if (all == 0)
			*ret_content = see_first(w, bytes, (size_t)n);
		sha256_update(&state, (size_t)n, bytes);
		ces_list_check_bytes(w->check, bytes, (size_t)n);
		all += n;
		w->answer->bytes += (uint64_t)n;
		if (w->answer->bytes > w->most->size || ces_now_ms() > w->hash_until) {
			*ret_whole = false;
			return all;
		}
	}
	if (n == 0 && all == 0)
		(void)see_first(w, bytes, 0);
	ces_digest_end(&state, digest);
	return n < 0 ? -1 : all;
}

static void list_content(struct walk *w, int fd, const struct stat *before)
{
	char digest[CES_DIGEST_LENGTH + 1];
	const char *content;
	struct stat after;
	bool whole;
	int64_t n = digest_file(w, fd, digest, &content, &whole);

	if (n < 0 || fstat(fd, &after) < 0) {
		unread(w, "it cannot be read");
		return;
	}
	ces_list_print(w->text, ",\"content\":\"%s\"", content);
	if (!whole) {
		cut(w, w->answer->bytes > w->most->size ? "bytes" : "time");
		unread(w, "a bound was reached");
		return;
	}
	ces_list_print(w->text, ",\"sha256\":\"%s\"", strchr(digest, ':') + 1);
	if (n != before->st_size || !same(before, &after)) {
		w->changed = true;
		ces_list_print(w->text, ",\"changed\":true");
		ces_list_check_note(w->check, "changed");
	}
}

static void list_file(struct walk *w, int parent, const char *name, const struct stat *seen)
{
	CES_CLEANUP_FD int fd =
	    openat(parent, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		ces_list_print(w->text, ",\"size\":%lld", (long long)seen->st_size);
		unread(w, "it cannot be read");
		return;
	}
	ces_list_print(w->text, ",\"size\":%lld", (long long)st.st_size);
	ces_list_check_size(w->check, (uint64_t)st.st_size);
	if (w->answer->bytes > w->most->size || ces_now_ms() > w->hash_until) {
		cut(w, w->answer->bytes > w->most->size ? "bytes" : "time");
		unread(w, "a bound was reached");
		return;
	}
	list_content(w, fd, &st);
}

static const char *type_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	case S_IFIFO:
		return "fifo";
	case S_IFSOCK:
		return "socket";
	default:
		return "device";
	}
}

/* Writes an entry of the list except for its end. */
static void begin_entry(struct walk *w, const char *type)
{
	ces_list_print(w->text, "%s{", w->answer->files++ == 0 ? "" : ",");
	ces_list_name(w->text, "path", w->path, strlen(w->path));
	ces_list_print(w->text, ",\"type\":\"%s\"", type);
}

static void list_one(struct walk *w, int parent, const char *name, const struct stat *st,
		     const char *why_unread)
{
	size_t start = w->text->length;

	begin_entry(w, type_of(st->st_mode));
	ces_list_check_file(w->check, w->path);
	if (why_unread != NULL)
		unread(w, why_unread);
	else if (S_ISREG(st->st_mode))
		list_file(w, parent, name, st);
	else if (!S_ISDIR(st->st_mode))
		ces_list_check_note(w->check, "no file");
	ces_list_check_end(w->check, w->text);
	ces_list_add(w->text, "}", 1);
	if (w->text->length > CES_LIST_TEXT - END_BYTES)
		w->text->full = true;
	if (w->text->full) { /* (no half of an entry) */
		w->text->length = start;
		w->answer->files--;
	}
}

/* The names of a directory, one after the other, each with its NUL. */
struct names {
	char *bytes, **v;
	size_t length, n;
	bool cut; /* there are more */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *names)
{
	free(names->bytes);
	free(names->v);
}

/* Copies the names, up to the bound of files, which is one for all levels. Returns whether the
 * directory could be read. */
static bool copy_names(struct walk *w, DIR *dir, FILE *to, struct names *names)
{
	const struct dirent *entry;

	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (w->names == CES_MANIFEST_FILES || ces_now_ms() > w->until) {
			cut(w, w->names == CES_MANIFEST_FILES ? "number of files" : "time");
			names->cut = true;
			return true;
		}
		if (fwrite(entry->d_name, strlen(entry->d_name) + 1, 1, to) != 1)
			return false;
		w->names++;
		names->n++;
	}
}

/* Reads the names of a directory in order. -1 if it cannot be read. */
static int read_names(struct walk *w, int fd, struct names *ret)
{
	CES_CLEANUP_FD int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_DIR DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	FILE *to = dir == NULL ? NULL : open_memstream(&ret->bytes, &ret->length);
	bool whole;
	char *at;

	if (dir != NULL)
		(void)ces_steal_fd(&copy);
	if (to == NULL)
		return -1;
	whole = copy_names(w, dir, to, ret);
	if (fclose(to) != 0 || !whole)
		return -1;
	ret->v = calloc(ret->n + 1, sizeof(*ret->v));
	if (ret->v == NULL)
		return -1;
	at = ret->bytes;
	for (size_t i = 0; i < ret->n; i++, at += strlen(at) + 1)
		ret->v[i] = at;
	qsort(ret->v, ret->n, sizeof(*ret->v), by_name);
	return 0;
}

static void list_directory(struct walk *w, int fd, size_t level);

static void visit_directory(struct walk *w, int parent, const char *name, const struct stat *st,
			    size_t level)
{
	CES_CLEANUP_FD int fd = -1;

	if (st->st_dev != w->device) {
		cut(w, "another file system");
		list_one(w, parent, name, st, "it is another file system");
		return;
	}
	if (level == CES_LIST_LEVELS) {
		cut(w, "depth");
		list_one(w, parent, name, st, "it is too deep");
		return;
	}
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0) {
		list_directory(w, fd, level + 1);
		return;
	}
	cut(w, "a directory that cannot be read");
	list_one(w, parent, name, st, "it cannot be read");
}

/* The path of an entry. The caller shortens it again. */
static bool enter(struct walk *w, const char *name)
{
	size_t length = strlen(w->path), more = strlen(name);

	if (length + 1 + more >= sizeof(w->path))
		return false;
	if (length > 0)
		w->path[length++] = '/';
	memcpy(w->path + length, name, more + 1);
	return true;
}

static void list_directory(struct walk *w, int fd, size_t level)
{
	size_t length = strlen(w->path), before = w->names;
	struct stat st = {.st_mode = S_IFDIR};
	struct names names = {0};
	bool unread = read_names(w, fd, &names) < 0;

	if (unread)
		cut(w, "a directory that cannot be read");
	if ((unread || names.n == 0) && length > 0 && goes_on(w)) /* (its name is an output too) */
		list_one(w, fd, ".", &st,
			 unread      ? "it cannot be read"
			 : names.cut ? "a bound was reached"
				     : NULL);
	for (size_t i = 0; names.v != NULL && i < names.n && goes_on(w); i++) {
		if (fstatat(fd, names.v[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
			w->changed = true; /* it is gone */
		else if (!enter(w, names.v[i]))
			cut(w, "length of a path");
		else if (S_ISDIR(st.st_mode))
			visit_directory(w, fd, names.v[i], &st, level);
		else
			list_one(w, fd, names.v[i], &st, NULL);
		w->path[length] = '\0';
	}
	w->names = before;
	free_names(&names);
}

void ces_list_walk(int dirfd, const struct ces_list_job *job, struct ces_list_check *check,
		   struct ces_list_text *text, struct ces_list_answer *ret)
{
	int64_t hash_until = ces_now_ms() + (int64_t)job->most.time * 1000;
	struct walk *w = calloc(1, sizeof(*w));
	struct stat top;

	if (w == NULL || fstat(dirfd, &top) < 0)
		_exit(1);
	*w = (struct walk){.text = text,
			   .answer = ret,
			   .check = check,
			   .most = &job->most,
			   .device = top.st_dev,
			   .hash_until = hash_until,
			   .until = hash_until + CES_LIST_REST * 1000};
	ces_list_print(text, "{\"ces_manifest\":1,\"run\":\"%s\",\"files\":[", job->run);
	list_directory(w, dirfd, 0);
	if (text->full)
		cut(w, "size of the manifest");
	text->full = false; /* (entries leave room for the end) */
	ces_list_print(text, "]");
	if (w->cut != NULL)
		ces_list_print(text, ",\"cut\":\"%s\"", w->cut);
	ces_list_check_all(check, text, w->cut != NULL ? w->cut : w->changed ? "changed" : NULL);
	ces_list_print(text, "}");
	ret->state = w->cut != NULL ? CES_LIST_CUT : w->changed ? CES_LIST_CHANGED : CES_LIST_WHOLE;
	ces_digest_of(text->bytes, text->length, ret->digest);
	free(w);
}
