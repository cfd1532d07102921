/* Plays the helper for ces-fetch: starts it as user nobody, sends one order and some
 * FETCH_GETs, keeps what comes through the pipes, and prints the statuses. For tests only.
 *
 *   fetch_driver [option...] ENDPOINT REPOSITORY GET...
 *     -e FILE   ces-fetch (build/ces-fetch)        -c FILE   CA bundle
 *     -u USER -t TOKEN   credential                -a HOST   another host (repeatable)
 *     -p PREFIX path prefix of the endpoint        -o DIR    write body I to DIR/I
 *     -r BYTES  read slowly: this many at a time   -v        print progress too
 *   GET: "manifest|REFERENCE|SIZE" or "blob|DIGEST|SIZE"
 *
 * Prints "I done BYTES" or "I failed CODE TEXT" for the I-th GET; exits 0 when all are done, 1 when
 * one failed, 2 when ces-fetch itself did. */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/num.h"
#include "common/packet.h"
#include "common/request.h"
#include "common/schema.h"
#include "common/worker.h"

#define GETS_MAX 64

struct job {
	int pipe, file;
	bool ended, final;
};

static struct job jobs[GETS_MAX];
static size_t n_jobs, chunk = 65536;
static bool verbose;
static const char *worker = "build/ces-fetch", *directory;

static void send_frame(int channel, const struct ces_wire_schema *schema, const void *object,
		       int fd)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {0};
	struct ces_error error = {0};
	uint8_t *frame;
	struct iovec part = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

	if (ces_wire_encode(schema, object, &frame, &part.iov_len, &error) < 0)
		errx(2, "%s", error.text);
	part.iov_base = frame;
	if (fd >= 0) {
		struct cmsghdr *c;

		message.msg_control = control.bytes;
		message.msg_controllen = sizeof(control.bytes);
		c = CMSG_FIRSTHDR(&message);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(int));
	}
	if (sendmsg(channel, &message, MSG_NOSIGNAL) < 0)
		err(2, "sendmsg");
	free(frame);
}

static pid_t start(int channel)
{
	const struct passwd *nobody = getpwnam("nobody");
	char *const argv[] = {(char *)(uintptr_t) "ces-fetch", NULL};
	/* Each of these would do harm if ces-fetch obeyed it. */
	char *const envp[] = {(char *)(uintptr_t) "https_proxy=http://127.0.0.1:1",
			      (char *)(uintptr_t) "ALL_PROXY=socks5h://127.0.0.1:1",
			      (char *)(uintptr_t) "SSLKEYLOGFILE=/tmp/ces-fetch-keys",
			      (char *)(uintptr_t) "SSL_CERT_FILE=/dev/null", NULL};
	int image = open(worker, O_RDONLY | O_CLOEXEC);
	pid_t pid;

	if (nobody == NULL || image < 0)
		err(2, "%s", worker);
	pid = fork();
	if (pid != 0)
		return pid;
	if (geteuid() == 0 && (setgroups(0, NULL) < 0 ||
			       setresgid(nobody->pw_gid, nobody->pw_gid, nobody->pw_gid) < 0 ||
			       setresuid(nobody->pw_uid, nobody->pw_uid, nobody->pw_uid) < 0))
		err(2, "setresuid");
	if (dup2(channel, 3) < 0)
		err(2, "dup2");
	if (channel == 3)
		fcntl(3, F_SETFD, 0);
	fexecve(image, argv, envp);
	err(2, "%s", worker);
}

static void ask(int channel, size_t id, char *text)
{
	struct ces_fetch_get get = {.id = id};
	char *kind = strtok(text, "|"), *reference = strtok(NULL, "|"), *size = strtok(NULL, "|");
	int ends[2];

	if (kind == NULL || reference == NULL || size == NULL ||
	    ces_num_parse(size, 0, UINT64_MAX, &get.size) < 0)
		errx(2, "not KIND|REFERENCE|SIZE");
	get.kind = strcmp(kind, "blob") == 0 ? CES_FETCH_BLOB : CES_FETCH_MANIFEST;
	get.reference = reference;
	if (pipe2(ends, O_CLOEXEC) < 0)
		err(2, "pipe2");
	send_frame(channel, &ces_fetch_get_schema, &get, ends[1]);
	close(ends[1]);
	jobs[id].pipe = ends[0];
	jobs[id].file = -1;
	if (directory != NULL) {
		char name[4096];

		(void)snprintf(name, sizeof(name), "%s/%zu", directory, id);
		jobs[id].file = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (jobs[id].file < 0)
			err(2, "%s", name);
	}
}

static void take_body(struct job *job)
{
	static char buffer[1 << 20];
	ssize_t n = read(job->pipe, buffer, chunk);

	if (n <= 0) {
		job->ended = true;
		close(job->pipe);
		job->pipe = -1;
	} else if (job->file >= 0 && write(job->file, buffer, (size_t)n) != n) {
		err(2, "write");
	}
	if (chunk < 65536)
		usleep(1000);
}

/* Returns false if ces-fetch has gone. */
static bool take_status(int channel, bool *failed)
{
	static uint8_t buffer[65536];
	struct ces_fetch_status status = {0};
	struct ces_error error = {0};
	ssize_t n = recv(channel, buffer, sizeof(buffer), 0);

	if (n <= 0)
		return false;
	if (ces_wire_decode(&ces_fetch_status_schema, buffer, (size_t)n, &status, &error) < 0 ||
	    status.id >= n_jobs)
		errx(2, "a bad status: %s", error.text);
	if (status.state == CES_FETCH_BYTES) {
		if (verbose)
			printf("%llu bytes %llu\n", (unsigned long long)status.id,
			       (unsigned long long)status.bytes);
	} else if (status.state == CES_FETCH_DONE) {
		printf("%llu done %llu\n", (unsigned long long)status.id,
		       (unsigned long long)status.bytes);
		jobs[status.id].final = true;
	} else {
		printf("%llu failed %s %s\n", (unsigned long long)status.id,
		       ces_code_name((enum ces_code)status.code), status.text);
		jobs[status.id].final = true;
		*failed = true;
	}
	(void)fflush(stdout);
	ces_wire_free(&ces_fetch_status_schema, &status);
	return true;
}

static bool all_over(void)
{
	for (size_t i = 0; i < n_jobs; i++)
		if (!jobs[i].ended || !jobs[i].final)
			return false;
	return true;
}

static int relay(int channel)
{
	bool failed = false;

	while (!all_over()) {
		struct pollfd fds[GETS_MAX + 1];

		for (size_t i = 0; i < n_jobs; i++)
			fds[i] = (struct pollfd){.fd = jobs[i].pipe, .events = POLLIN};
		fds[n_jobs] = (struct pollfd){.fd = channel, .events = POLLIN};
		if (poll(fds, n_jobs + 1, -1) < 0)
			err(2, "poll");
		for (size_t i = 0; i < n_jobs; i++)
			if (jobs[i].pipe >= 0 && fds[i].revents != 0)
				take_body(&jobs[i]);
		if (fds[n_jobs].revents != 0 && !take_status(channel, &failed)) {
			printf("ces-fetch has gone\n");
			return 2;
		}
	}
	return failed ? 1 : 0;
}

static void put(char *to, size_t size, const char *text)
{
	if (snprintf(to, size, "%s", text) >= (int)size)
		errx(2, "too long: %s", text);
}

static void options(int argc, char **argv, struct ces_fetch_open *open_frame, int *ca)
{
	uint64_t n;
	int c;

	while ((c = getopt(argc, argv, "e:c:u:t:a:p:o:r:v")) != -1) {
		switch (c) {
		case 'e':
			worker = optarg;
			break;
		case 'c':
			*ca = open(optarg, O_RDONLY | O_CLOEXEC);
			if (*ca < 0)
				err(2, "%s", optarg);
			open_frame->ca = 1;
			break;
		case 'u':
			put(open_frame->username, sizeof(open_frame->username), optarg);
			break;
		case 't':
			put(open_frame->token, sizeof(open_frame->token), optarg);
			break;
		case 'a':
			put(open_frame->hosts.v[open_frame->hosts.n++], 264, optarg);
			break;
		case 'p':
			put(open_frame->prefix, sizeof(open_frame->prefix), optarg);
			break;
		case 'o':
			directory = optarg;
			break;
		case 'r':
			if (ces_num_parse(optarg, 1, 65536, &n) < 0)
				errx(2, "-r %s", optarg);
			chunk = (size_t)n;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			exit(2);
		}
	}
	if (argc - optind < 3 || argc - optind - 2 > GETS_MAX)
		errx(2, "ENDPOINT REPOSITORY GET...");
	put(open_frame->scheme_host_port, sizeof(open_frame->scheme_host_port), argv[optind]);
	put(open_frame->repository, sizeof(open_frame->repository), argv[optind + 1]);
}

int main(int argc, char **argv)
{
	struct ces_fetch_open open_frame = {0};
	int ca = -1, ends[2], status = 0, result;
	pid_t pid;

	options(argc, argv, &open_frame, &ca);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		err(2, "socketpair");
	pid = start(ends[1]);
	close(ends[1]);
	if (ces_packet_send(ends[0], &open_frame, sizeof(open_frame), ca, 0) < 0)
		err(2, "sending the order");
	for (n_jobs = 0; optind + 2 + (int)n_jobs < argc; n_jobs++)
		ask(ends[0], n_jobs, argv[optind + 2 + (int)n_jobs]);
	result = relay(ends[0]);
	close(ends[0]);
	if (waitpid(pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		if (WIFSIGNALED(status))
			printf("ces-fetch: signal %d\n", WTERMSIG(status));
		return 2;
	}
	return result;
}
