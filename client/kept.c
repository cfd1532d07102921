/* The files of runs. They must not be asked whether a run lives: the helper knows that. */
#include "client/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "client/limit.h"
#include "client/runtime.h"
#include "client/say.h"
#include "common/cleanup.h"
#include "common/io.h"

#define JSON_MAX  65536
#define BLOCK     4096
#define RECENT_S  (UINT64_C(30) * 24 * 3600)
#define END_BYTES 2048 /* more than the end adds to the text, if it holds nothing odd */

static const char *home(void)
{
	const char *path = getenv("HOME");
	const struct passwd *entry;

	if (path != NULL && path[0] == '/')
		return path;
	entry = getpwuid(getuid());
	return entry != NULL ? entry->pw_dir : "/";
}

int ces_kept_open(bool make, int *ret, struct ces_error *err)
{
	static const char *const parts[] = {".local", "state", "ces"};
	CES_CLEANUP_FD int at = open(home(), O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (size_t i = 0; i < CES_COUNT(parts) && at >= 0; i++) {
		bool last = i + 1 == CES_COUNT(parts);
		int next;

		if (make && mkdirat(at, parts[i], 0700) < 0 && errno != EEXIST)
			break;
		next = openat(at, parts[i], (last ? O_RDONLY : O_PATH) | O_DIRECTORY | O_CLOEXEC);
		close(at);
		at = next;
		if (last && at >= 0) {
			*ret = ces_steal_fd(&at);
			return 0;
		}
	}
	return ces_error_errno(err, errno == ENOENT ? CES_E_NOTFOUND : CES_E_HOST,
			       "%s/.local/state/ces, where runs and their logs are kept", home());
}

static void put(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text[0] != '\0' ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_int64((int64_t)value));
}

static struct json_object *to_json(const struct ces_kept *kept)
{
	struct json_object *object = json_object_new_object();

	put(object, "run", kept->run);
	put(object, "name", kept->name);
	put(object, "image", kept->image);
	put(object, "digest", kept->digest);
	put(object, "project", kept->project);
	put(object, "outputs", kept->outputs);
	put(object, "host", kept->host);
	put_number(object, "started", kept->started);
	if (kept->ended != 0) {
		put_number(object, "ended", kept->ended);
		put_number(object, "status", (uint64_t)kept->status);
		put(object, "reason", kept->reason);
		put(object, "text", kept->text);
		put(object, "check", kept->check);
	}
	json_object_object_add(object, "attached", json_object_new_boolean(kept->attached));
	json_object_object_add(object, "log_complete", json_object_new_boolean(!kept->lost));
	return object;
}

static void copy(char *to, size_t size, const char *from)
{
	(void)snprintf(to, size, "%s", from != NULL ? from : "");
}

static void host_name(char *ret, size_t size)
{
	if (gethostname(ret, size) < 0)
		ret[0] = '\0';
	ret[size - 1] = '\0';
}

void ces_kept_begin(struct ces_kept *kept, const struct ces_request *request,
		    const struct ces_event_started *started)
{
	copy(kept->run, sizeof(kept->run), started->run);
	copy(kept->name, sizeof(kept->name), request->name);
	copy(kept->image, sizeof(kept->image), request->image);
	copy(kept->digest, sizeof(kept->digest), started->digest);
	copy(kept->project, sizeof(kept->project), started->project);
	copy(kept->outputs, sizeof(kept->outputs), started->outputs);
	host_name(kept->host, sizeof(kept->host));
	kept->started = (uint64_t)time(NULL);
}

void ces_kept_end(struct ces_kept *kept, const struct ces_event_exited *exited)
{
	kept->ended = (uint64_t)time(NULL);
	kept->status = (int)(exited->status & 0xff);
	copy(kept->reason, sizeof(kept->reason), exited->reason);
	if (exited->text != NULL)
		copy(kept->text, sizeof(kept->text), exited->text);
	else
		ces_limit_text(exited, kept->text, sizeof(kept->text));
	if (strcmp(kept->reason, CES_EXITED_RUNTIME) == 0)
		ces_runtime_word(kept);
}

/* Room for the text and for what the end adds, in whole blocks: the end then fits into the blocks
 * that the file has. */
static size_t room_for(const char *text, bool ended)
{
	size_t length = strlen(text) + (ended ? 1 : END_BYTES);

	return (length + BLOCK - 1) / BLOCK * BLOCK;
}

/* Writes the text, and blanks up to this length. */
static int write_padded(int fd, const char *text, size_t length)
{
	CES_CLEANUP_FREE char *padded = malloc(length + 1);

	if (padded == NULL)
		return -1;
	(void)snprintf(padded, length + 1, "%-*s\n", (int)(length - 1), text);
	return ces_write_full(fd, padded, length, -1);
}

/* A file server reports a full disk or quota only when a descriptor is closed, and only then do
 * other machines see what was written. The file itself stays open for its lock. */
static int deliver(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -1 : close(copy);
}

/* Writes a new file and renames it, so that a reader sees the whole new file or the old one. The
 * file is locked before it has its name, so that no reader takes its keeper for dead. */
static int replace(int dir, const struct ces_kept *kept, const char *name, const char *text,
		   int *held)
{
	CES_CLEANUP_FD int fd = -1;
	char making[40];
	int error;

	(void)snprintf(making, sizeof(making), ".%s.new", kept->run);
	fd = openat(dir, making, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	(void)flock(fd, LOCK_EX | LOCK_NB);
	if (write_padded(fd, text, room_for(text, kept->ended != 0)) == 0 && deliver(fd) == 0 &&
	    renameat(dir, making, dir, name) == 0) {
		ces_cleanup_close(held);
		*held = ces_steal_fd(&fd);
		return 0;
	}
	error = errno;
	(void)unlinkat(dir, making, 0);
	errno = error;
	return -1;
}

/* Writes into the blocks that the file has. A reader may see a half: that is better than no end. */
static int overwrite(int dir, const char *name, const char *text)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	if (S_ISREG(st.st_mode) && st.st_size > (off_t)strlen(text))
		return write_padded(fd, text, (size_t)st.st_size) < 0 ? -1 : deliver(fd);
	errno = EFBIG;
	return -1;
}

int ces_kept_write(int dir, const struct ces_kept *kept, int *held, struct ces_error *err)
{
	struct json_object *object = to_json(kept);
	const char *text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	char name[40];
	int result;

	(void)snprintf(name, sizeof(name), "%s.json", kept->run);
	result = replace(dir, kept, name, text, held);
	if (result < 0 && (errno == ENOSPC || errno == EDQUOT))
		result = overwrite(dir, name, text);
	if (result < 0)
		(void)ces_error_errno(err, CES_E_HOST, "~/.local/state/ces/%s", name);
	json_object_put(object);
	return result;
}

static void get(struct json_object *object, const char *key, char *ret, size_t size)
{
	struct json_object *value;

	ret[0] = '\0';
	if (json_object_object_get_ex(object, key, &value) &&
	    json_object_is_type(value, json_type_string))
		(void)snprintf(ret, size, "%s", json_object_get_string(value));
	ces_say_clean(ret);
}

static uint64_t get_number(struct json_object *object, const char *key)
{
	struct json_object *value;
	int64_t number = 0;

	if (json_object_object_get_ex(object, key, &value) &&
	    json_object_is_type(value, json_type_int))
		number = json_object_get_int64(value);
	return number > 0 ? (uint64_t)number : 0;
}

static void from_json(struct json_object *object, struct ces_kept *ret)
{
	struct json_object *complete;
	char here[sizeof(ret->host)];

	memset(ret, 0, sizeof(*ret));
	get(object, "run", ret->run, sizeof(ret->run));
	get(object, "name", ret->name, sizeof(ret->name));
	get(object, "image", ret->image, sizeof(ret->image));
	get(object, "digest", ret->digest, sizeof(ret->digest));
	get(object, "project", ret->project, sizeof(ret->project));
	get(object, "outputs", ret->outputs, sizeof(ret->outputs));
	ret->started = get_number(object, "started");
	ret->ended = get_number(object, "ended");
	ret->status = (int)(get_number(object, "status") & 0xff);
	get(object, "reason", ret->reason, sizeof(ret->reason));
	get(object, "text", ret->text, sizeof(ret->text));
	get(object, "check", ret->check, sizeof(ret->check));
	ret->attached = json_object_object_get_ex(object, "attached", &complete) &&
			json_object_get_boolean(complete);
	ret->lost = json_object_object_get_ex(object, "log_complete", &complete) &&
		    !json_object_get_boolean(complete);
	get(object, "host", ret->host, sizeof(ret->host));
	host_name(here, sizeof(here));
	ret->elsewhere = ret->host[0] != '\0' && strcmp(ret->host, here) != 0;
}

/* Takes the number out of "<number>.json". False for any other name. */
static bool number_of(const char *name, char ret[CES_RUN_DIGITS + 1])
{
	if (strlen(name) != CES_RUN_DIGITS + 5 || strcmp(name + CES_RUN_DIGITS, ".json") != 0)
		return false;
	(void)snprintf(ret, CES_RUN_DIGITS + 1, "%.10s", name);
	return ces_run_valid(ret);
}

static bool read_one(int dir, const char *name, struct ces_kept *ret)
{
	CES_CLEANUP_FD int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CES_CLEANUP_FREE char *text = NULL;
	char run[CES_RUN_DIGITS + 1];
	struct json_object *object;
	size_t length;

	if (fd < 0 || !number_of(name, run) || ces_read_file(fd, JSON_MAX, &text, &length) < 0)
		return false;
	object = json_tokener_parse(text);
	if (!json_object_is_type(object, json_type_object)) {
		json_object_put(object);
		return false;
	}
	from_json(object, ret);
	json_object_put(object);
	if (ret->ended == 0 && flock(fd, LOCK_SH | LOCK_NB) == 0)
		ret->forsaken = true;
	else if (ret->ended == 0)
		ret->held = errno == EWOULDBLOCK; /* (some file systems have no locks) */
	return strcmp(ret->run, run) == 0;
}

/* The end may have been noted between the reading and the lock, so an unlocked file is read
 * again. */
static bool read_run(int dir, const char *name, struct ces_kept *ret)
{
	return read_one(dir, name, ret) && (!ret->forsaken || read_one(dir, name, ret));
}

void ces_kept_each(int dir, void (*each)(const struct ces_kept *, void *), void *context)
{
	CES_CLEANUP_DIR DIR *list = NULL;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	struct ces_kept kept;

	list = fd < 0 ? NULL : fdopendir(fd);
	if (list == NULL) {
		ces_cleanup_close(&fd);
		return;
	}
	while ((entry = readdir(list)) != NULL)
		if (read_run(dir, entry->d_name, &kept))
			each(&kept, context);
}

struct search {
	const char *name;
	struct ces_kept *best;
	bool found;
};

/* Of two that started in one second, one that has not ended is the younger. */
static bool is_younger(const struct ces_kept *one, const struct ces_kept *other)
{
	if (one->started != other->started)
		return one->started > other->started;
	return one->ended == 0 || (other->ended != 0 && one->ended > other->ended);
}

static void take_younger(const struct ces_kept *kept, void *context)
{
	struct search *search = context;

	if (strcmp(kept->name, search->name) != 0 ||
	    (search->found && !is_younger(kept, search->best)))
		return;
	*search->best = *kept;
	search->found = true;
}

bool ces_kept_find(int dir, const char *run, struct ces_kept *ret)
{
	struct search search = {.name = run, .best = ret};
	char name[40];

	if (ces_run_valid(run)) {
		(void)snprintf(name, sizeof(name), "%s.json", run);
		return read_run(dir, name, ret);
	}
	if (run[0] != '\0')
		ces_kept_each(dir, take_younger, &search);
	return search.found;
}

static const char *const log_kinds[] = {"log", "times"};

static void log_name(const char *run, size_t kind, bool older, char ret[40])
{
	(void)snprintf(ret, 40, "%s.%s%s", run, log_kinds[kind], older ? ".1" : "");
}

static int open_log(int dir, const char *run, size_t kind, bool older, int flags)
{
	char name[40];

	log_name(run, kind, older, name);
	return openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC, 0600);
}

int ces_kept_log(int dir, const char *run, bool older, int flags)
{
	return open_log(dir, run, 0, older, flags);
}

int ces_kept_times(int dir, const char *run, bool older, int flags)
{
	return open_log(dir, run, 1, older, flags);
}

void ces_kept_rotate(int dir, const char *run)
{
	char name[40], to[40];

	/* the times first: a log may lack its times, but never has those of another */
	for (size_t kind = CES_COUNT(log_kinds); kind-- > 0;) {
		log_name(run, kind, false, name);
		log_name(run, kind, true, to);
		(void)renameat(dir, name, dir, to);
	}
}

struct old {
	uint64_t when; /* it ended, or started and was forsaken */
	char run[CES_RUN_DIGITS + 1];
};

struct olds {
	struct old *v;
	size_t n;
};

static bool is_recent(uint64_t started)
{
	return started + RECENT_S > (uint64_t)time(NULL);
}

static void add_old(const struct ces_kept *kept, void *context)
{
	struct olds *olds = context;
	struct old *grown;

	/* (a lock on another machine may not be seen here) */
	if (kept->ended == 0 && (!kept->forsaken || (kept->elsewhere && is_recent(kept->started))))
		return;
	grown = reallocarray(olds->v, olds->n + 1, sizeof(*grown));
	if (grown == NULL)
		return;
	olds->v = grown;
	olds->v[olds->n].when = kept->ended != 0 ? kept->ended : kept->started;
	(void)snprintf(olds->v[olds->n++].run, sizeof(grown->run), "%s", kept->run);
}

static int youngest_first(const void *a, const void *b)
{
	const struct old *one = a, *other = b;

	return one->when < other->when ? 1 : one->when > other->when ? -1 : 0;
}

/* Counts them without reading them: ces_kept_prune reads them only now and then. */
static size_t count(int dir)
{
	CES_CLEANUP_DIR DIR *list = NULL;
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const struct dirent *entry;
	char run[CES_RUN_DIGITS + 1];
	size_t n = 0;

	list = fd < 0 ? NULL : fdopendir(fd);
	if (list == NULL) {
		ces_cleanup_close(&fd);
		return 0;
	}
	while ((entry = readdir(list)) != NULL)
		n += number_of(entry->d_name, run);
	return n;
}

void ces_kept_prune(int dir)
{
	struct olds olds = {0};
	char name[40];

	if (count(dir) < CES_KEPT_RUNS + CES_KEPT_RUNS / 10)
		return;
	ces_kept_each(dir, add_old, &olds);
	if (olds.n > 1)
		qsort(olds.v, olds.n, sizeof(*olds.v), youngest_first);
	for (size_t i = CES_KEPT_RUNS; i < olds.n; i++) {
		for (size_t kind = 0; kind < 2 * CES_COUNT(log_kinds); kind++) {
			log_name(olds.v[i].run, kind / 2, kind % 2 != 0, name);
			(void)unlinkat(dir, name, 0);
		}
		(void)snprintf(name, sizeof(name), "%s.json", olds.v[i].run);
		(void)unlinkat(dir, name, 0);
	}
	free(olds.v);
}
