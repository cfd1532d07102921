/* The audit journal. Must not write anything that it has not itself bounded and cleaned: text from
 * outside is made printable ASCII, and json-c escapes it.
 *
 * Who controls what: the file and its directory are root's; the caller controls how many records
 * are written and the (bounded) names in them, never their form. Concurrent writers are ordered by
 * flock, which only root can take, since only root can open the file. */
#include "helper/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/digest.h"
#include "common/io.h"
#include "common/paths.h"
#include "helper/beneath.h"
#include "helper/cleanroom.h"

#define LINE_MAX_BYTES 98304 /* 35 mounts of 1.3 KiB and the rest */

static int open_syslog(void)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	CES_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return ces_steal_fd(&fd);
}

int ces_journal_open(struct ces_journal *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int fd = -1;
	struct stat st;

	if (ces_beneath_own_dir(root, CES_JOURNAL_DIR, &dir, err) < 0)
		return -1;
	fd = ces_beneath_open(dir, "audit.jsonl", O_RDWR | O_APPEND | O_CREAT | O_NONBLOCK, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening the journal");
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077) != 0)
		return ces_error_set(err, CES_E_HOST,
				     "the journal must be a file of root's, mode 0600");
	ret->syslog = open_syslog();
	ret->fd = ces_steal_fd(&fd);
	return 0;
}

/* Reads the end of the file: the last line's digest and number. A last line without its newline was
 * torn by a crash: it is ended, so that what follows starts on a line of its own and chains to what
 * is there. */
static int read_tail(int fd, char *ret_prev, uint64_t *ret_seq, bool *ret_torn,
		     struct ces_error *err)
{
	char tail[LINE_MAX_BYTES + 1];
	struct stat st;
	off_t start;
	ssize_t n;
	char *line;

	*ret_seq = 0;
	*ret_torn = false;
	memset(ret_prev, 0, CES_DIGEST_LENGTH + 1);
	if (fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "the journal");
	if (st.st_size == 0)
		return 0;
	start = st.st_size > LINE_MAX_BYTES ? st.st_size - LINE_MAX_BYTES : 0;
	n = pread(fd, tail, LINE_MAX_BYTES, start);
	if (n <= 0)
		return ces_error_errno(err, CES_E_HOST, "reading the journal");
	*ret_torn = tail[n - 1] != '\n';
	if (!*ret_torn)
		n--;
	tail[n] = '\0';
	line = memrchr(tail, '\n', (size_t)n);
	line = line == NULL ? tail : line + 1;
	ces_digest_of(line, (size_t)(tail + n - line), ret_prev);
	if (strncmp(line, "{\"seq\":", 7) == 0)
		*ret_seq = strtoull(line + 7, NULL, 10);
	return 0;
}

/* Never waits: the journal is the record, this is a copy. */
static void to_syslog(int fd, const char *line)
{
	char message[LINE_MAX_BYTES + 32];
	/* <86>: facility 10 (authpriv), severity 6 (info); RFC 3164 */
	int length =
	    snprintf(message, sizeof(message), "<86>ces: %.*s", (int)strcspn(line, "\n"), line);

	if (fd >= 0 && length > 0)
		(void)send(fd, message, (size_t)length, MSG_NOSIGNAL);
}

static void format_time(char *buffer, size_t size)
{
	struct timespec now;
	struct tm utc;
	size_t used;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	used = strftime(buffer, size, "%Y-%m-%dT%H:%M:%S", &utc);
	(void)snprintf(buffer + used, size - used, ".%03ldZ", now.tv_nsec / 1000000);
}

static int append_locked(int fd, struct json_object *record, char *line, size_t size,
			 struct ces_error *err)
{
	char prev[CES_DIGEST_LENGTH + 1], when[40];
	const char *body;
	uint64_t seq;
	bool torn;
	int length;

	if (read_tail(fd, prev, &seq, &torn, err) < 0)
		return -1;
	format_time(when, sizeof(when));
	body = json_object_to_json_string_ext(record, JSON_C_TO_STRING_PLAIN |
							  JSON_C_TO_STRING_NOSLASHESCAPE);
	length = snprintf(line, size, "%s{\"seq\":%llu,\"time\":\"%s\",\"prev\":\"%s\",%s\n",
			  torn ? "\n" : "", (unsigned long long)(seq + 1), when, prev, body + 1);
	if (length < 0 || (size_t)length >= size)
		return ces_error_set(err, CES_E_INTERNAL, "a journal record is too long");
	if (ces_write_full(fd, line, (size_t)length, ces_now_ms() + 5000) < 0)
		return ces_error_errno(err, CES_E_HOST, "writing the journal");
	return 0;
}

int ces_journal_append(const struct ces_journal *journal, struct json_object *record, bool durable,
		       struct ces_error *err)
{
	char line[LINE_MAX_BYTES];
	unsigned left;
	int result;

	if (record == NULL || ces_cleanroom_lock(journal->fd, CES_LOCK_SECONDS, &left) < 0) {
		json_object_put(record);
		return ces_error_set(err, CES_E_HOST, "the journal cannot be written");
	}
	result = append_locked(journal->fd, record, line, sizeof(line), err);
	ces_cleanroom_unlock(journal->fd, left);
	json_object_put(record);
	if (result == 0 && durable && fdatasync(journal->fd) < 0)
		return ces_error_errno(err, CES_E_HOST, "the journal did not reach the disk");
	if (result == 0)
		to_syslog(journal->syslog, line[0] == '\n' ? line + 1 : line);
	return result;
}

static void put(struct json_object *object, const char *key, const char *text)
{
	char clean[1100];

	if (text == NULL || text[0] == '\0')
		return;
	(void)snprintf(clean, sizeof(clean), "%s", text);
	ces_text_clean(clean);
	(void)json_object_object_add(object, key, json_object_new_string(clean));
}

static void put_number(struct json_object *object, const char *key, uint64_t value)
{
	(void)json_object_object_add(object, key, json_object_new_uint64(value));
}

static const char *verb_name(uint64_t verb)
{
	static const char *const names[] = {"",     "pull", "run",     "images", "remove",
					    "runs", "stop", "inspect", "clean"};

	return verb < CES_COUNT(names) ? names[verb] : "";
}

void ces_journal_fill_run(const char *source, const char *run, char *buffer, size_t size)
{
	const char *mark = strstr(source, "{run}");

	if (mark == NULL)
		(void)snprintf(buffer, size, "%s", source);
	else
		(void)snprintf(buffer, size, "%.*s%s%s", (int)(mark - source), source, run,
			       mark + strlen("{run}"));
}

static void put_mount(struct json_object *mounts, const struct ces_decision_mount *mount,
		      const char *run)
{
	struct json_object *one = json_object_new_object();
	char source[1100];

	ces_journal_fill_run(mount->source, run, source, sizeof(source));
	put(one, "source", source);
	put(one, "destination", mount->destination);
	put(one, "access", mount->read_only ? "read-only" : "read-write");
	(void)json_object_array_add(mounts, one);
}

static void put_list(struct json_object *record, const char *key, const struct ces_strings *list)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < list->n; i++)
		(void)json_object_array_add(array, json_object_new_string(list->v[i]));
	(void)json_object_object_add(record, key, array);
}

static void put_run(struct json_object *record, const struct ces_decision *decision,
		    const char *run)
{
	struct json_object *mounts = json_object_new_array(), *limits = json_object_new_object();

	put_mount(mounts, &decision->data, run);
	put_mount(mounts, &decision->outputs, run);
	put_mount(mounts, &decision->scratch, run);
	for (size_t i = 0; i < decision->n_binds; i++)
		put_mount(mounts, &decision->binds[i], run);
	(void)json_object_object_add(record, "mounts", mounts);
	put_number(limits, "cpus_milli", decision->limits.cpus);
	put_number(limits, "memory", decision->limits.memory);
	put_number(limits, "pids", decision->limits.pids);
	put_number(limits, "time", decision->limits.time);
	(void)json_object_object_add(record, "limits", limits);
	put_number(record, "gpus", decision->gpus);
	put_number(record, "ports", decision->n_ports);
	put(record, "proxy", decision->proxy);
}

struct json_object *ces_journal_decision(const struct ces_policy *policy,
					 const struct ces_caller *caller, uid_t uid,
					 const struct ces_request *request,
					 const struct ces_decision *decision, const char *run,
					 const char *digest, const struct ces_strings *devices,
					 const struct ces_error *why)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "decision");
	put(record, "outcome", why == NULL ? "allowed" : "denied");
	put_number(record, "uid", uid);
	if (caller != NULL)
		put(record, "user", caller->user);
	if (request != NULL) {
		put(record, "verb", verb_name(request->verb));
		put(record, "image", request->image);
		put(record, "project", decision != NULL ? decision->project : request->project);
		put_number(record, "args", request->args.n);
		put_number(record, "env", request->env.n);
	}
	put(record, "run", run);
	put(record, "digest", digest);
	if (policy != NULL)
		put(record, "policy", policy->digest);
	if (decision != NULL) {
		put(record, "rule", decision->rule);
		put(record, "approval", decision->approval);
		if (decision->verb == CES_VERB_RUN)
			put_run(record, decision, run);
		if (devices != NULL && devices->n > 0)
			put_list(record, "devices", devices);
	}
	if (why != NULL) {
		put(record, "code", ces_code_name(why->code));
		put(record, "rule", why->rule);
		put(record, "reason", why->text);
	}
	return record;
}

struct json_object *ces_journal_stranger(uid_t uid, const char *run, uint64_t port,
					 uint64_t stranger, uint64_t count)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "stranger");
	put(record, "verb", "port");
	put(record, "outcome", "refused");
	put_number(record, "uid", uid);
	put(record, "run", run);
	put_number(record, "port", port);
	put_number(record, "stranger", stranger);
	put_number(record, "count", count);
	return record;
}

static void put_subject(struct json_object *record, const struct ces_journal_subject *about)
{
	put_number(record, "uid", about->uid);
	put(record, "user", about->user);
	put(record, "project", about->project);
	put(record, "run", about->run);
	put(record, "image", about->image);
	put(record, "digest", about->digest);
}

struct json_object *ces_journal_end(const char *verb, const struct ces_journal_subject *about,
				    uint64_t status, const char *reason, uint64_t peak_memory,
				    uint64_t cpu_us)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "end");
	put(record, "verb", verb);
	put_subject(record, about);
	put_number(record, "status", status);
	put(record, "reason", reason);
	if (peak_memory > 0)
		put_number(record, "peak_memory", peak_memory);
	if (cpu_us > 0)
		put_number(record, "cpu_us", cpu_us);
	return record;
}

struct json_object *ces_journal_proof(const struct ces_journal_subject *about,
				      struct json_object *found, const char *deviation)
{
	struct json_object *record = json_object_new_object();

	put(record, "event", "proof");
	put(record, "verb", "run");
	put(record, "outcome", deviation == NULL ? "as planned" : "deviates");
	put_subject(record, about);
	put(record, "reason", deviation);
	json_object_object_foreach(found, key, value)
	{
		(void)json_object_object_add(record, key, json_object_get(value));
	}
	json_object_put(found);
	return record;
}
