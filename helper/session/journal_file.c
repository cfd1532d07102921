/* The file of the audit journal, its chain, and the copy to syslog. Must not write a line before it
 * has found its place in the chain under the lock.
 *
 * Who controls what: the files and their directory are root's. The caller controls how many records
 * are written and the (bounded) names in them, never their form. The lock on the head orders
 * concurrent writers; only root can take it, since only root can open the head. Rotation may rename
 * the journal at any moment, and the name then means a new file. So each record opens the journal
 * anew, by its name in a directory that is held open. */
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
#include "helper/core/beneath.h"
#include "helper/session/journal.h"
#include "helper/session/lock.h"
#include "helper/session/object.h"
#include "helper/session/runs.h"

/* 35 mounts with 2 KiB of ASCII, and the rest. A byte outside ASCII takes five here, so a run with
 * many long binds may not fit, and is refused. */
#define LINE_MAX_BYTES 98304
#define LINE_BYTES     4096 /* as a rule */
#define NEWEST_BYTES   (1 << 20)

/* "SEQ DIGEST BOOT\n", SEQ in 20 digits */
#define HEAD_BYTES (20 + 1 + CES_DIGEST_LENGTH + 1 + CES_BOOT_LENGTH + 1)

/* A place in the chain: the last record, or the rest of a torn one. */
struct place {
	uint64_t seq;
	char digest[CES_DIGEST_LENGTH + 1]; /* "": there is none */
	bool torn;
};

static int open_syslog(void)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
	CES_CLEANUP_FD int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -1;
	return ces_steal_fd(&fd);
}

static int open_checked(int dir, const char *name, int flags, int *ret, struct ces_error *err)
{
	CES_CLEANUP_FD int fd =
	    ces_beneath_open(dir, name, O_RDWR | O_CREAT | O_NONBLOCK | flags, 0600);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening the journal");
	if (!S_ISREG(st.st_mode) || st.st_uid != 0 || (st.st_mode & 077) != 0)
		return ces_error_set(err, CES_E_HOST,
				     "the journal must be a file of root's, mode 0600");
	*ret = ces_steal_fd(&fd);
	return 0;
}

int ces_journal_open(struct ces_journal *ret, struct ces_error *err)
{
	if (ces_beneath_own_dir(CES_AT_ROOT, CES_JOURNAL_DIR, &ret->dir, err) < 0 ||
	    open_checked(ret->dir, "head", 0, &ret->head, err) < 0 ||
	    open_checked(ret->dir, "audit.jsonl", O_APPEND, &ret->fd, err) < 0)
		return -1;
	ret->syslog = open_syslog();
	return 0;
}

void ces_journal_close(struct ces_journal *journal)
{
	ces_cleanup_close(&journal->dir);
	ces_cleanup_close(&journal->head);
	ces_cleanup_close(&journal->fd);
	ces_cleanup_close(&journal->syslog);
}

/* Replaces the old journal by the file that has its name now. */
static int open_current(const struct ces_journal *journal, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;

	if (open_checked(journal->dir, "audit.jsonl", O_APPEND, &fd, err) < 0)
		return -1;
	if (dup3(fd, journal->fd, O_CLOEXEC) < 0)
		return ces_error_errno(err, CES_E_HOST, "opening the journal");
	return 0;
}

/* Reads the end of the file: the last line's digest and number. A crash tore a last line that has
 * no newline. Such a line is ended, so that the next record starts on a line of its own and chains
 * to the torn one. */
static int read_tail(int fd, struct place *ret, struct ces_error *err)
{
	char tail[LINE_MAX_BYTES + 1], *line = NULL;
	off_t most = LINE_BYTES;
	struct stat st;
	ssize_t n = 0;

	*ret = (struct place){0};
	if (fstat(fd, &st) < 0)
		return ces_error_errno(err, CES_E_HOST, "the journal");
	if (st.st_size == 0)
		return 0;
	for (; line == NULL && most <= LINE_MAX_BYTES; most *= LINE_MAX_BYTES / LINE_BYTES) {
		n = pread(fd, tail, (size_t)most, st.st_size > most ? st.st_size - most : 0);
		if (n <= 0)
			return ces_error_errno(err, CES_E_HOST, "reading the journal");
		ret->torn = tail[n - 1] != '\n';
		n -= !ret->torn;
		line = memrchr(tail, '\n', (size_t)n);
	}
	tail[n] = '\0';
	line = line == NULL ? tail : line + 1;
	ces_digest_of(line, (size_t)(tail + n - line), ret->digest);
	if (strncmp(line, "{\"seq\":", 7) == 0)
		ret->seq = strtoull(line + 7, NULL, 10);
	return 0;
}

/* Leaves *ret as it is if there is no head, or if the head was not written whole. *ret_same: the
 * head was written since this machine started. */
static void read_head(const struct ces_journal *journal, const char *boot, struct place *ret,
		      bool *ret_same)
{
	char head[HEAD_BYTES + 1], digest[CES_DIGEST_LENGTH + 1];

	if (pread(journal->head, head, HEAD_BYTES, 0) != HEAD_BYTES || head[HEAD_BYTES - 1] != '\n')
		return;
	head[HEAD_BYTES - 1] = '\0';
	memcpy(digest, head + 21, CES_DIGEST_LENGTH);
	digest[CES_DIGEST_LENGTH] = '\0';
	if (head[20] != ' ' || !ces_digest_valid(digest))
		return;
	ret->seq = strtoull(head, NULL, 10);
	memcpy(ret->digest, digest, sizeof(digest));
	*ret_same = strcmp(head + HEAD_BYTES - 1 - CES_BOOT_LENGTH, boot) == 0;
}

static int write_head(const struct ces_journal *journal, const struct place *last, const char *boot,
		      struct ces_error *err)
{
	char head[HEAD_BYTES + 1];

	(void)snprintf(head, sizeof(head), "%020llu %s %s\n", (unsigned long long)last->seq,
		       last->digest, boot);
	return pwrite(journal->head, head, HEAD_BYTES, 0) == HEAD_BYTES
		   ? 0
		   : ces_error_errno(err, CES_E_HOST, "writing the head of the journal");
}

/* Finds where the chain goes on: after the last line of the file, or in a new file (after a
 * rotation) after the record that the head names. If the file lacks records that the head names, it
 * was cut off or changed: the next record follows the head all the same, so that it shows
 * (ces-policy audit verify). But a power cut may take from the file records that the head has: then
 * the chain goes on with the lines that are there. */
static int find_place(const struct ces_journal *journal, const char *boot, struct place *ret,
		      struct ces_error *err)
{
	struct place head = {0};
	bool same_boot = false;

	if (read_tail(journal->fd, ret, err) < 0)
		return -1;
	read_head(journal, boot, &head, &same_boot);
	if (head.digest[0] == '\0' || ret->torn)
		return 0;
	if (ret->digest[0] == '\0' || (same_boot && head.seq >= ret->seq))
		*ret = head;
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

/* Reserves space for the journal, where the file system can do so. If another writer, or a pull,
 * fills the disk, it does not stop the record, and with it everybody's runs. Elsewhere the record
 * has the space that the store's reserve leaves (fallocate(2)). */
#define ASIDE_BYTES (4 << 20)

static void set_aside(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && st.st_blocks * 512 < st.st_size + ASIDE_BYTES / 4)
		(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, st.st_size, ASIDE_BYTES);
}

static int append_locked(const struct ces_journal *journal, const char *record, char *line,
			 size_t size, struct ces_error *err)
{
	char boot[CES_BOOT_LENGTH + 1], when[40];
	struct place last;
	int length;
	off_t end;

	if (open_current(journal, err) < 0 || ces_object_boot(boot, err) < 0 ||
	    find_place(journal, boot, &last, err) < 0)
		return -1;
	set_aside(journal->fd);
	format_time(when, sizeof(when));
	length = snprintf(line, size, "%s{\"seq\":%llu,\"time\":\"%s\",\"prev\":\"%s\",%s\n",
			  last.torn ? "\n" : "", (unsigned long long)++last.seq, when, last.digest,
			  record + 1);
	if (length < 0 || (size_t)length >= size)
		return ces_error_set(err, CES_E_LIMIT,
				     "the record of this request is too long for the journal: use "
				     "fewer binds, or shorter paths");
	end = lseek(journal->fd, 0, SEEK_END);
	if (ces_write_full(journal->fd, line, (size_t)length, ces_now_ms() + 5000) < 0) {
		ces_error_errno(err, CES_E_HOST, "writing the journal");
		/* (two lines that a full disk has cut short would look like forged ones) */
		(void)!ftruncate(journal->fd, end);
		return -1;
	}
	ces_digest_of(line + last.torn, (size_t)(length - last.torn - 1), last.digest);
	return write_head(journal, &last, boot, err);
}

int ces_journal_append(const struct ces_journal *journal, struct ces_json record, bool durable,
		       struct ces_error *err)
{
	struct ces_lock lock = CES_LOCK_NONE;
	const char *text = ces_json_end(&record);
	char line[LINE_MAX_BYTES];
	int result;

	if (text == NULL || ces_lock_take(journal->head, CES_LOCK_SECONDS, &lock) < 0)
		result = ces_error_set(err, CES_E_HOST, "the journal cannot be written");
	else
		result = append_locked(journal, text, line, sizeof(line), err);
	ces_lock_release(&lock);
	ces_json_free(&record);
	if (result == 0 && durable && fdatasync(journal->fd) < 0)
		return ces_error_errno(err, CES_E_HOST, "the journal did not reach the disk");
	if (result == 0)
		to_syslog(journal->syslog, line[0] == '\n' ? line + 1 : line);
	return result;
}

/* No caller can write these marks: in a string, a quotation mark has a backslash before it. A torn
 * line may have them, but not a record's last character, and after a power cut a file may have
 * zeros. */
bool ces_journal_has_end(const struct ces_journal *journal, const char *entry)
{
	static char newest[NEWEST_BYTES];
	char wanted[CES_RUN_DIGITS + 32];
	struct ces_error ignored;
	struct stat st;
	ssize_t n = -1;

	(void)snprintf(wanted, sizeof(wanted), "\"%s\":\"%s\"",
		       ces_runs_is_pull(entry) ? "pull" : "run", entry);
	if (open_current(journal, &ignored) == 0 && fstat(journal->fd, &st) == 0)
		n = pread(journal->fd, newest, sizeof(newest) - 1,
			  st.st_size < NEWEST_BYTES ? 0 : st.st_size - NEWEST_BYTES + 1);
	newest[n < 0 ? 0 : n] = '\0';
	for (char *line = newest, *end; line < newest + n; line = end + 1) {
		end = line + strcspn(line, "\n");
		*end = '\0';
		if (strstr(line, wanted) != NULL && strstr(line, "\"event\":\"end\"") != NULL &&
		    end[-1] == '}')
			return true;
	}
	return false;
}
