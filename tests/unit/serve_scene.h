/* Makes a pull for one test, and a ces-resolve that sends wishes from a script. The store, the
 * register, the sockets, the client's pipe, root's side and the processes are real. The test takes
 * the place of what needs the host's root: of the mounts, of marks on directories, of a change into
 * another user namespace, and of the program that a worker executes. It also takes the place of
 * helper/session/signed.c, which has a suite of its own. */
#ifndef CES_TESTS_SERVE_SCENE_H
#define CES_TESTS_SERVE_SCENE_H

#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "common/event.h"
#include "common/paths.h"
#include "common/wire_stream.h"
#include "helper/core/fds.h"
#include "helper/session/frames.h"
#include "helper/session/signed.h"
#include "helper/store/serve_internal.h"
#define SCENE_HAS_ROOT
#include "tests/unit/store_scene.h"

#include "tests/unit/root_line.h"

/* ---- what the processes of one test share ---- */

#define ANSWERS 700
#define JOBS    8

enum worker_end { WORKER_DONE, WORKER_FAILS, WORKER_CRASHES };

static struct shared {
	unsigned n_answers, n_fds; /* that ces-resolve got */
	struct ces_wish_answer answers[ANSWERS];
	enum worker_end worker_end;
	unsigned first_bad;  /* of the workers, the first that ends so */
	unsigned claims;     /* at the end of the script: files in the register, */
	uint64_t claimed[2]; /* and what is in those of the first two layers */
	unsigned n_jobs;     /* of workers */
	struct job {
		struct ces_unpack_job order;
		char path[64], input[16];
		unsigned n_fds, in_userns;
	} jobs[JOBS];
} * shared;

/* ---- a worker ---- */

static bool in_userns;

int setns(int fd, int kind)
{
	(void)fd;
	in_userns = kind == CLONE_NEWUSER;
	return 0;
}

int setgroups(size_t n, const gid_t *groups)
{
	(void)groups;
	return n == 0 ? 0 : -1;
}

int getgroups(int n, gid_t *groups)
{
	(void)n, (void)groups;
	return 0;
}

/* Plays ces-unpack: reads its job and all of its input, makes a file if it has one directory, and
 * answers. */
int execve(const char *path, char *const arguments[], char *const environment[])
{
	unsigned number = __atomic_fetch_add(&shared->n_jobs, 1, __ATOMIC_SEQ_CST);
	struct job *job = &shared->jobs[number % JOBS];
	ssize_t n;

	(void)arguments, (void)environment;
	(void)snprintf(job->path, sizeof(job->path), "%s", path);
	job->in_userns = in_userns;
	job->n_fds = 0;
	for (int fd = 3; fd < 512; fd++)
		job->n_fds += fcntl(fd, F_GETFD) >= 0;
	if (read(3, &job->order, sizeof(job->order)) != sizeof(job->order))
		_exit(99);
	while (job->order.kind != CES_UNPACK_FIND_USER &&
	       (n = read(5, job->input, sizeof(job->input) - 1)) > 0)
		;
	if (job->order.kind == CES_UNPACK_LAYER &&
	    (mkdirat(6, "directory", 0755) < 0 || symlinkat("directory", 6, "link") < 0))
		_exit(98);
	(void)!write(4, "answer", 6);
	if (number >= shared->first_bad && shared->worker_end == WORKER_CRASHES)
		__builtin_trap();
	_exit(number >= shared->first_bad && shared->worker_end == WORKER_FAILS ? 3 : 0);
}

/* ---- mounts and marks ---- */

int open_tree(int fd, const char *path, unsigned flags)
{
	if (step("open_tree %s '%s'%s%s%s", name_of_fd(fd), path,
		 (flags & OPEN_TREE_CLONE) != 0 ? " clone" : "",
		 (flags & OPEN_TREE_CLOEXEC) != 0 ? " cloexec" : "",
		 (flags & 0x8000 /* AT_RECURSIVE */) != 0 ? " recursive" : ""))
		return -1;
	return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int userns; /* of the unpackers */

int mount_setattr(int fd, const char *path, unsigned flags, struct mount_attr *attributes,
		  size_t size)
{
	(void)fd, (void)path, (void)flags;
	ck_assert_uint_eq(size, sizeof(*attributes));
	return step("setattr%s%s%s%s", (attributes->attr_set & MOUNT_ATTR_NOSUID) ? " nosuid" : "",
		    (attributes->attr_set & MOUNT_ATTR_NODEV) ? " nodev" : "",
		    (attributes->attr_set & MOUNT_ATTR_RDONLY) ? " ro" : "",
		    (attributes->attr_set & MOUNT_ATTR_IDMAP) &&
			    attributes->userns_fd == (unsigned)userns
			? " idmap"
			: "")
		   ? -1
		   : 0;
}

int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags)
{
	(void)flags;
	return step("%s=%.*s %s", name, (int)size, (const char *)value, name_of_fd(fd)) ? -1 : 0;
}

/* ---- signatures ---- */

static enum ces_code signatures; /* CES_OK: there are enough */

int ces_signed_check(const struct ces_decision *decision, const char *image, const char *top,
		     const struct ces_bytes *bag, struct ces_signers *ret,
		     struct ces_error *ret_err)
{
	(void)decision, (void)ret;
	(void)step("check of %.10s in %.10s with %zu bytes", image + 7, top + 7, bag->length);
	return signatures == CES_OK ? 0 : ces_error_set(ret_err, signatures, "too few have signed");
}

/* ---- the script of ces-resolve ---- */

struct wish {
	uint64_t kind, layer, number, size;
	const char *digest, *diff_id;
	const char *bytes; /* NULL: none */
	size_t length;     /* of the bytes; 0: up to the NUL */
	uint64_t layers, type;
};

static struct wish script[ANSWERS];
static size_t n_script;
static bool reads_no_answers;

static void say(const struct wish *wish)
{
	ck_assert_uint_lt(n_script, ANSWERS);
	script[n_script++] = *wish;
}

#define SAY(...) say(&(const struct wish){__VA_ARGS__})

static int to_session; /* in the process of ces-resolve */

static void send_wish(const struct wish *w)
{
	static struct ces_wish wish;

	wish = (struct ces_wish){.kind = w->kind,
				 .layer = w->layer,
				 .number = w->number,
				 .size = w->size,
				 .layers = w->layers,
				 .type = w->type};
	if (w->digest != NULL)
		memcpy(wish.digest, w->digest, strnlen(w->digest, sizeof(wish.digest)));
	if (w->diff_id != NULL)
		memcpy(wish.diff_id, w->diff_id, strnlen(w->diff_id, sizeof(wish.diff_id)));
	if (w->bytes != NULL) {
		wish.length = w->length > 0 ? w->length : strlen(w->bytes);
		memcpy(wish.bytes, w->bytes, wish.length);
	}
	(void)send(to_session, &wish, offsetof(struct ces_wish, bytes) + wish.length, MSG_NOSIGNAL);
}

/* Takes one answer. A descriptor that comes along is read to its end, or written to and closed. */
static bool take_answer(int *late)
{
	char control[CMSG_SPACE(sizeof(int))], bytes[64];
	struct ces_wish_answer *answer = &shared->answers[shared->n_answers];
	struct iovec part = {answer, sizeof(*answer)};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	int fd = -1;

	if (recvmsg(to_session, &message, MSG_CMSG_CLOEXEC) != sizeof(*answer))
		return false;
	shared->n_answers++;
	if (message.msg_controllen == 0)
		return true;
	memcpy(&fd, CMSG_DATA((struct cmsghdr *)control), sizeof(fd));
	shared->n_fds++;
	if (*late < 0) { /* the first one of two is an answer, which comes after the input */
		*late = fd;
		return true;
	}
	(void)!write(fd, "input", 5);
	close(fd);
	(void)!read(*late, bytes, sizeof(bytes));
	ces_cleanup_close(late);
	return true;
}

static const char *blob(unsigned i)
{
	return digest(0x1000 + i);
}

static const char *diff_id(unsigned i)
{
	return digest(0x2000 + i);
}

/* Looks at the claims while the session waits for the next wish. */
static void look_at_claims(void)
{
	char name[80];

	shared->claims = 0;
	for (unsigned i = 0; i < 2; i++) {
		CES_CLEANUP_FD int fd = -1;

		(void)snprintf(name, sizeof(name), "layer-%s", blob(i) + strlen("sha256:"));
		fd = openat(store.locks, name, O_RDONLY | O_CLOEXEC);
		shared->claims += fd >= 0;
		(void)!read(fd, &shared->claimed[i], sizeof(shared->claimed[i]));
	}
}

static void be_resolve(void)
{
	static const unsigned answers[CES_WISH_KINDS] = {
	    [CES_WISH_PARSE] = 2, [CES_WISH_NEED] = 1,   [CES_WISH_CLAIM] = 1,
	    [CES_WISH_LOOK] = 1,  [CES_WISH_UNPACK] = 2, [CES_WISH_USER] = 1};

	for (size_t i = 0; i < n_script; i++) {
		int late = -1;
		char late_byte;

		send_wish(&script[i]);
		if (reads_no_answers || script[i].kind >= CES_WISH_KINDS)
			continue;
		for (unsigned n = answers[script[i].kind]; n > 0; n--)
			if (!take_answer(&late))
				_exit(0);
		if (late >= 0)
			(void)!read(late, &late_byte, 1);
		ces_cleanup_close(&late);
	}
	look_at_claims();
	_exit(0);
}

/* ---- the pull ---- */

static struct ces_decision decision;
static struct ces_host host;
static struct ces_request request;
static struct ces_session session;
static struct ces_store_order order;
static struct ces_pull pull;
static int entry;  /* of the pull in the register */
static int events; /* the client's end of its pipe */

#define PULL_NAME "pull-0123456789"

static void pull_begin(void)
{
	struct ces_run_record record = {.run = (char[]){PULL_NAME}, .uid = 1234};
	int ends[2], stop = -1;

	scene_begin();
	shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(shared, MAP_FAILED);
	ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	events = ends[0];
	ck_assert_int_eq(dup2(ends[1], CES_FD_EVENT), CES_FD_EVENT);
	close(ends[1]);
	host = (struct ces_host){.subid_first = 2000000000, .store = {.reserve = 4096}};
	session = (struct ces_session){
	    .uid = 1234, .request = &request, .host = &host, .runs = runs, .store = store};
	decision = (struct ces_decision){.rule = "projects.p.images[0]"};
	order = (struct ces_store_order){.uid = 1234,
					 .user = "me",
					 .image = "ghcr.io/lab/tool:1",
					 .space = 1 << 20,
					 .images = 5,
					 .reserve = 4096};
	userns = open("/dev/null", O_RDONLY | O_CLOEXEC);
	pull = (struct ces_pull){
	    .order = &order, .store = &session.store, .left = 1 << 20, .resolver = -1};
	ck_assert_int_eq(ces_runs_enter(runs, &record, &entry, &stop, &err), 0);
	close(stop);
	n_script = 0;
	signatures = CES_OK;
	reads_no_answers = false;
}

/* How many things a test leaves to the collector: those whose place was taken. */
static unsigned for_collector;

/* Whatever happened: nothing of the pull is in staging, no claim and no worker is left. */
static void pull_end(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	steps_noted = false;
	ck_assert_uint_eq(count(store.staging) + count(store.locks), 0);
	ck_assert_uint_eq(count(store.trash), for_collector);
	for_collector = 0;
	ck_assert_uint_eq(count(runs), 1); /* the entry itself */
	ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
	ck_assert_int_eq(errno, ECHILD);
	close(entry);
	close(userns);
	close(events);
	ck_assert_int_eq(dup2(null, CES_FD_EVENT), CES_FD_EVENT);
	close(null);
	ck_assert_int_eq(munmap(shared, sizeof(*shared)), 0);
	scene_end();
}

/* Begins root's side anew, after the start of the workers, and gives ces-store its order. */
static void begin_root(void)
{
	line_begin(&session, CES_TURN_LOOK);
	at_root.decision = &decision;
	at_root.entry = entry;
	at_root.userns = userns;
	memcpy(order.named, decision.image.digest, sizeof(order.named));
	(void)strcpy(order.signers, decision.signed_by.n > 0 ? D2 : "");
}

static void end_root(void)
{
	if (at_root.userns == userns) /* (one of a request's own goes with it) */
		at_root.userns = -1;
	line_end();
}

/* Serves the script. */
static int serve(void)
{
	int pair[2], result;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		to_session = pair[1];
		be_resolve();
	}
	close(pair[1]);
	pull.resolver = pair[0];
	err = (struct ces_error){0};
	begin_root();
	result = ces_serve_pull(&pull, &err);
	end_root();
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	return result;
}

/* The script came to its end, and no wish was refused. */
static inline void served(void)
{
	ck_assert_int_eq(serve(), -1);
	ck_assert_str_eq(err.text, "ces-resolve ended unexpectedly");
}

static inline bool is_refusal(void)
{
	return err.code == CES_E_INTERNAL &&
	       strcmp(err.text, "ces-resolve asked for what it may not have") == 0;
}

/* The last wish of the script was refused, and those before it were not. */
static inline void refused(void)
{
	const struct wish last = script[--n_script];

	ck_assert_int_eq(serve(), -1);
	ck_assert_msg(!is_refusal(), "a wish before the last is refused");
	script[n_script++] = last;
	pull.n = 0;
	ck_assert_int_eq(serve(), -1);
	ck_assert_msg(is_refusal(), "%s", err.text);
}

/* Reserves the number of the client's pipe before Check opens anything. */
static int run_pulls(const char *name, TCase *tests)
{
	for (int fd = CES_FD_REQUEST; fd <= CES_FD_EVENT; fd++)
		if (dup2(open("/dev/null", O_RDWR | O_CLOEXEC), fd) < 0)
			return EXIT_FAILURE;
	return run_scenes_between(name, tests, pull_begin, pull_end);
}

/* ---- an image ---- */

/* Its documents: each names its parts by their digests, among bytes that nobody reads. */
static char manifest[16384], config[16384], top_digest[CES_DIGEST_LENGTH + 1],
    config_digest[CES_DIGEST_LENGTH + 1];
static unsigned n_layers;

static inline void make_image(unsigned layers)
{
	size_t used = 0;

	n_layers = layers;
	for (unsigned i = 0; i < layers; i++)
		used += (size_t)sprintf(config + used, "{%s}", diff_id(i));
	if (layers == 0)
		(void)strcpy(config, "{}");
	ces_digest_of(config, strlen(config), config_digest);
	used = (size_t)sprintf(manifest, "{%s}", config_digest);
	for (unsigned i = 0; i < layers; i++)
		used += (size_t)sprintf(manifest + used, "{%s}", blob(i));
	ces_digest_of(manifest, used, top_digest);
}

/* Says the wishes of a pull up to a phase. */
static inline void reach(enum ces_phase phase)
{
	static char digests[2 * CES_LAYERS_MAX][CES_DIGEST_LENGTH + 1];

	if (phase == CES_LOOKING)
		return;
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_TOP, .bytes = manifest);
	SAY(.kind = CES_WISH_MANIFEST);
	if (phase == CES_SIGNING)
		return;
	if (decision.signed_by.n > 0)
		SAY(.kind = CES_WISH_SIGNED);
	if (phase == CES_CONFIGURING)
		return;
	SAY(.kind = CES_WISH_BYTES, .number = CES_WISH_CONFIG, .bytes = config);
	for (unsigned i = 0; i < n_layers; i++) {
		(void)strcpy(digests[2 * i], blob(i));
		(void)strcpy(digests[2 * i + 1], diff_id(i));
		SAY(.kind = CES_WISH_LAYER, .digest = digests[2 * i], .diff_id = digests[2 * i + 1],
		    .size = 100 + i, .number = i % 3);
	}
	SAY(.kind = CES_WISH_NEED);
	if (phase != CES_FETCHING)
		SAY(.kind = CES_WISH_IMAGE);
}

static inline void have_layers(void)
{
	for (unsigned i = 0; i < n_layers; i++)
		have_layer(diff_id(i), 1000, blob(i));
}

#endif
