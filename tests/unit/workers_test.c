/* Tests how the workers of a pull are started, and which order each gets: the test takes the place
 * of the processes, and reads their orders. */
/* links: helper/pull/workers.c helper/session/idmap.c helper/core/beneath.c helper/session/object.c helper/session/lock.c helper/clean/tree.c helper/session/runs.c helper/store/store.c helper/session/store.c helper/session/frames.c */
#include "helper/pull/workers.h"

#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "common/paths.h"
#include "common/request.h"
#include "helper/resolve/wish.h"
#include "helper/session/account.h"
#include "helper/session/userns.h"
#include "tests/unit/store_scene.h"

/* ---- what starts processes ---- */

static int theirs[8]; /* the descriptors that the last worker got */
static size_t n_theirs;
static int exit_status;

int ces_account_take(int where, enum ces_account kind, uid_t *ret_uid, gid_t *ret_gid,
		     struct ces_error *ret_err)
{
	if (step("account %d", kind))
		return ces_error_set(ret_err, CES_E_HOST, "no account");
	ck_assert_int_eq(where, runs);
	*ret_uid = *ret_gid = 900 + (unsigned)kind;
	return 0;
}

int ces_spawn_worker(const struct ces_spawn *how, struct ces_process *ret,
		     struct ces_error *ret_err)
{
	if (step("start %s as %u:%u with %zu fds%s%s", strrchr(how->path, '/') + 1, how->uid,
		 how->gid, how->n_fds, how->userns < 0 ? "" : " in a user namespace",
		 how->same_pids    ? " with its alarms"
		 : how->netns == 0 ? ""
				   : " and a network"))
		return ces_error_set(ret_err, CES_E_HOST, "no process");
	n_theirs = 0;
	for (size_t i = 0; i < how->n_fds && i < CES_COUNT(theirs); i++) {
		ck_assert(how->fds[i] < 0 || fcntl(how->fds[i], F_GETFD) == FD_CLOEXEC);
		theirs[n_theirs++] =
		    how->fds[i] < 0 ? -1 : fcntl(how->fds[i], F_DUPFD_CLOEXEC, 300);
	}
	ret->pid = 4321;
	ret->pidfd = fcntl(0, F_DUPFD_CLOEXEC, 300);
	return 0;
}

int ces_process_end(struct ces_process *process, bool kill_it)
{
	if (process->pid == 0)
		return -1;
	(void)step(kill_it ? "kill" : "wait");
	process->pid = 0;
	ces_cleanup_close(&process->pidfd);
	return exit_status;
}

int ces_userns_make(const struct ces_idmap *map, int *ret, struct ces_error *ret_err)
{
	char text[512];

	text[0] = '\0';
	for (size_t i = 0; i < map->uid.n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%10u %10u %10u\n",
			       map->uid.v[i].inside, map->uid.v[i].outside, map->uid.v[i].count);
	if (step("user namespace: %s", text))
		return ces_error_set(ret_err, CES_E_HOST, "no namespace");
	*ret = fcntl(0, F_DUPFD_CLOEXEC, 300);
	return 0;
}

static bool ended; /* the worker, before the time is up */

int poll(struct pollfd *fds, nfds_t n, int ms)
{
	ck_assert_int_gt(ms, 0);
	(void)step("poll %lu", n);
	fds[0].revents = ended ? POLLIN : 0;
	return ended;
}

/* (what explicit_bzero is with _FORTIFY_SOURCE) */
void __explicit_bzero_chk(void *bytes, size_t length, size_t size);
void __explicit_bzero_chk(void *bytes, size_t length, size_t size)
{
	(void)size;
	(void)step("wipe %s", length == sizeof(struct ces_fetch_open) ? "the order" : "?");
	memset(bytes, 0, length);
}

void explicit_bzero(void *bytes, size_t length)
{
	__explicit_bzero_chk(bytes, length, length);
}

/* ---- the pull ---- */

static struct ces_decision decision;
static struct ces_request request;
static struct ces_host host;
static struct ces_session session;
static struct ces_worker fetcher, resolver;

static void begin(void)
{
	static char username[] = "me", token[] = "secret";

	scene_begin();
	decision = (struct ces_decision){
	    .image = {.registry = "ghcr.io", .repository = "lab/tool", .tag = "1"},
	    .endpoint = "https://proxy.nsh.loc:5000/ghcr",
	    .proxy = "http://out:3128",
	    .credentials = CES_CREDENTIALS_REQUIRED,
	    .token_hosts = {1, {"tokens.nsh.loc"}}};
	request = (struct ces_request){.username = username, .token = token};
	host = (struct ces_host){.subid_first = 2000000000};
	session = (struct ces_session){.request = &request, .host = &host, .runs = runs};
	fetcher = (struct ces_worker)CES_WORKER_NONE;
	resolver = (struct ces_worker)CES_WORKER_NONE;
	n_theirs = 0;
	note_steps(0);
}

static void close_theirs(void)
{
	while (n_theirs > 0)
		ces_cleanup_close(&theirs[--n_theirs]);
}

static void end(void)
{
	ces_worker_stop(&fetcher);
	ces_worker_stop(&resolver);
	close_theirs();
	scene_end();
}

/* Reads the order of the last worker. Returns its descriptor, or -1 for none. */
static int take_order(void *ret, size_t size)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = {ret, size};
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	int fd = -1;

	ck_assert_uint_gt(n_theirs, 0);
	ck_assert_int_eq(recvmsg(theirs[0], &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC),
			 (ssize_t)size);
	if (message.msg_controllen > 0)
		memcpy(&fd, CMSG_DATA((struct cmsghdr *)control), sizeof(fd));
	return fd;
}

/* ---- ces-store ---- */

static bool is_same(int one, int other)
{
	struct stat first, second;

	return fstat(one, &first) == 0 && fstat(other, &second) == 0 &&
	       first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

START_TEST(ces_store_is_alone_in_its_namespaces_with_the_directories_of_the_store_and_its_order)
{
	static struct ces_store_order sent, got;
	const int directories[] = {store.layers,  store.images, store.grants,
				   store.staging, store.trash,  store.locks};
	int event = open("/dev/null", O_WRONLY | O_CLOEXEC);

	store.uid = 950;
	store.gid = 951;
	sent = (struct ces_store_order){.mode = CES_STORE_PULL, .user = "me", .n = CES_LAYERS_MAX};
	(void)strcpy(sent.layers[CES_LAYERS_MAX - 1], D2);
	ck_assert_int_eq(ces_store_start(&store, &sent, event, &fetcher, &err), 0);
	ck_assert_str_eq(steps,
			 "user namespace:          0        950          1\n\n"
			 "start ces-store as 0:0 with 8 fds in a user namespace with its alarms\n");
	ck_assert_int_eq(take_order(&got, sizeof(got)), -1);
	ck_assert_int_eq(memcmp(&got, &sent, sizeof(got)), 0);
	ck_assert(is_same(theirs[CES_STORE_EVENT - 3], event));
	for (size_t i = 0; i < CES_COUNT(directories); i++)
		ck_assert(is_same(theirs[CES_STORE_LAYERS - 3 + (int)i], directories[i]));
	close(event);
}
END_TEST

START_TEST(a_ces_store_that_needs_no_directory_gets_none)
{
	static const struct ces_store_order order = {.mode = CES_STORE_SETTLE};
	struct ces_store none = CES_STORE_NONE;

	none.uid = none.gid = 950;
	ck_assert_int_eq(ces_store_start(&none, &order, -1, &fetcher, &err), 0);
	for (int i = 1; i < 8; i++)
		ck_assert_int_eq(theirs[i], -1);
}
END_TEST

START_TEST(when_a_step_to_ces_store_fails_no_later_one_is_done)
{
	static const struct ces_store_order order = {.mode = CES_STORE_LIST};

	note_steps(_i);
	ck_assert_int_eq(ces_store_start(&store, &order, -1, &fetcher, &err), -1);
	ck_assert_int_eq(step_number, _i);
	ck_assert_int_eq(err.code, CES_E_HOST);
}
END_TEST

/* ---- ces-fetch ---- */

START_TEST(ces_fetch_gets_one_registry_one_repository_and_the_login)
{
	struct ces_fetch_open order = {0};

	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), 0);
	ck_assert_str_eq(steps, "account 0\nstart ces-fetch as 900:900 with 1 fds\n"
				"wipe the order\n");
	ck_assert_int_eq(take_order(&order, sizeof(order)), -1);
	ck_assert_str_eq(order.scheme_host_port, "https://proxy.nsh.loc:5000");
	ck_assert_str_eq(order.prefix, "/ghcr");
	ck_assert_str_eq(order.repository, "lab/tool");
	ck_assert_str_eq(order.username, "me");
	ck_assert_str_eq(order.token, "secret");
	ck_assert_str_eq(order.proxy, "http://out:3128");
	ck_assert_uint_eq(order.hosts.n, 1);
	ck_assert_str_eq(order.hosts.v[0], "tokens.nsh.loc");
	ck_assert_uint_eq(order.ca, 0);
	ck_assert_int_eq(fcntl(fetcher.socket, F_GETFD), FD_CLOEXEC);
}
END_TEST

static const struct {
	const char *endpoint, *address, *prefix, *program;
} endpoints[] = {
    {"https://a", "https://a", "", "ces-fetch"},
    {"https://a:1", "https://a:1", "", "ces-fetch"},
    {"https://a/b/c", "https://a", "/b/c", "ces-fetch"},
    {"oci:/srv/images", "oci:/srv/images", "ghcr.io", "ces-layout"},
};

START_TEST(an_endpoint_is_an_address_and_a_prefix_or_a_directory)
{
	struct ces_fetch_open order = {0};

	(void)strcpy(decision.endpoint, endpoints[_i].endpoint);
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), 0);
	ck_assert_ptr_nonnull(strstr(steps, endpoints[_i].program));
	(void)take_order(&order, sizeof(order));
	ck_assert_str_eq(order.scheme_host_port, endpoints[_i].address);
	ck_assert_str_eq(order.prefix, endpoints[_i].prefix);
}
END_TEST

START_TEST(the_longest_texts_fit_and_longer_ones_are_cut)
{
	static char longest[9000];
	struct ces_fetch_open order = {0};

	memset(longest, 'x', sizeof(longest) - 1);
	request.username = request.token = longest;
	memset(decision.endpoint + 8, '/', sizeof(decision.endpoint) - 9);
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), 0);
	(void)take_order(&order, sizeof(order));
	ck_assert_uint_eq(strlen(order.username), 256);
	ck_assert_uint_eq(strlen(order.token), 8192);
	ck_assert_uint_eq(strlen(order.prefix), 503);
}
END_TEST

static const struct {
	enum ces_credentials wanted;
	const char *username, *token, *gets, *gets_token;
} logins[] = {
    {CES_CREDENTIALS_NONE, "me", "secret", "", ""},
    {CES_CREDENTIALS_OPTIONAL, "me", "secret", "me", "secret"},
    {CES_CREDENTIALS_OPTIONAL, NULL, "secret", "", ""},
    {CES_CREDENTIALS_REQUIRED, NULL, NULL, "", ""},
    {CES_CREDENTIALS_REQUIRED, "me", NULL, "me", ""},
};

START_TEST(a_registry_gets_the_login_only_if_it_takes_one)
{
	struct ces_fetch_open order = {0};

	decision.credentials = logins[_i].wanted;
	request.username = (char *)(uintptr_t)logins[_i].username;
	request.token = (char *)(uintptr_t)logins[_i].token;
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), 0);
	(void)take_order(&order, sizeof(order));
	ck_assert_str_eq(order.username, logins[_i].gets);
	ck_assert_str_eq(order.token, logins[_i].gets_token);
}
END_TEST

static const struct {
	unsigned mode; /* 0: missing */
	mode_t kind;
	bool taken;
} bundles[] = {
    {0644, S_IFREG, true},  {0400, S_IFREG, true},  {0602, S_IFREG, false}, {0620, S_IFREG, false},
    {0600, S_IFIFO, false}, {0700, S_IFDIR, false}, {0, 0, false},
};

START_TEST(the_bundle_of_a_registry_is_a_file_of_roots_alone)
{
	struct ces_fetch_open order = {0};
	CES_CLEANUP_FD int ca = -1;
	char byte = 0;

	if (bundles[_i].kind == S_IFDIR)
		ck_assert_int_eq(mkdir("ca.pem", 0700), 0);
	else if (bundles[_i].kind == S_IFIFO)
		ck_assert_int_eq(mkfifo("ca.pem", 0600), 0);
	else if (bundles[_i].kind == S_IFREG)
		put_text(AT_FDCWD, "ca.pem", "C");
	if (bundles[_i].mode != 0)
		ck_assert_int_eq(chmod("ca.pem", bundles[_i].mode), 0);
	(void)strcpy(decision.ca_file, "ca.pem");
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err),
			 bundles[_i].taken ? 0 : -1);
	if (!bundles[_i].taken) {
		ck_assert_int_eq(err.code, CES_E_POLICY);
		ck_assert_int_eq(recv(theirs[0], &byte, 1, MSG_DONTWAIT), -1); /* no order */
		return;
	}
	ca = take_order(&order, sizeof(order));
	ck_assert_uint_eq(order.ca, 1);
	ck_assert_int_eq(read(ca, &byte, 1), 1);
	ck_assert_int_eq(byte, 'C');
	ck_assert_int_eq(fcntl(ca, F_GETFL) & O_ACCMODE, O_RDONLY);
}
END_TEST

START_TEST(when_a_worker_cannot_be_started_no_later_step_is_done)
{
	note_steps(_i);
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), -1);
	ck_assert_int_eq(step_number, _i);
	ck_assert_str_eq(err.text, _i == 1 ? "no account" : "no process");
	fetcher.socket = _i == 1 ? fcntl(0, F_DUPFD_CLOEXEC, 300) : fetcher.socket;
	note_steps(_i);
	ck_assert_int_eq(ces_resolver_start(&session, &decision, &fetcher, &resolver, &err), -1);
	ck_assert_int_eq(step_number, _i);
	ck_assert_int_eq(fetcher.socket, -1);
}
END_TEST

/* ---- ces-resolve ---- */

START_TEST(ces_resolve_gets_the_way_to_ces_fetch_and_no_login)
{
	static const char digested[] =
	    "sha256:"
	    "111111111111111111111111111111111111111111111111111111111111"
	    "1111";
	struct ces_resolve_order order = {0};
	CES_CLEANUP_FD int fetch = -1;
	char byte = 0;

	if (_i == 1)
		memcpy(decision.image.digest, digested, sizeof(digested));
	if (_i == 2)
		(void)strcpy(decision.endpoint, "oci:/srv/images");
	decision.signed_by.n = _i == 0 ? 0 : 8;
	ck_assert_int_eq(ces_fetcher_start(&session, &decision, &fetcher, &err), 0);
	fetch = theirs[0];
	note_steps(0);
	ck_assert_int_eq(ces_resolver_start(&session, &decision, &fetcher, &resolver, &err), 0);
	ck_assert_str_eq(steps, "account 1\nstart ces-resolve as 901:901 with 2 fds\n");
	ck_assert_int_eq(fetcher.socket, -1); /* so that one ends with the other */
	ck_assert_int_eq(send(fetch, "f", 1, MSG_NOSIGNAL), 1);
	ck_assert_int_eq(recv(theirs[1], &byte, 1, MSG_DONTWAIT), 1);
	ck_assert_int_eq(byte, 'f');
	ck_assert_int_eq(take_order(&order, sizeof(order)), -1);
	ck_assert_str_eq(order.reference, _i == 1 ? digested : "1");
	ck_assert_uint_eq(order.signatures, _i > 0);
	ck_assert_str_eq(order.layout, _i == 2 ? "/srv/images" : "");
}
END_TEST

/* ---- ces-unpack ---- */

START_TEST(ces_unpack_has_its_job_before_it_begins_and_three_pipes)
{
	const struct ces_unpack_job job = {.kind = CES_UNPACK_LAYER, .size = UINT64_MAX};
	struct ces_unpacker unpacker = CES_UNPACKER_NONE;
	struct ces_unpack_job got;
	char byte = 'x';

	ck_assert_int_eq(ces_unpacker_start(&job, 0, &store.staging, 1, &unpacker, &err), 0);
	ck_assert_str_eq(steps, "start ces-unpack as 0:0 with 4 fds in a user namespace\n");
	ck_assert_int_eq(read(theirs[0], &got, sizeof(got)), sizeof(got));
	ck_assert_uint_eq(got.size, UINT64_MAX);
	ck_assert_int_eq(read(theirs[0], &byte, 1), 0); /* nothing follows */
	ck_assert_int_eq(write(theirs[1], "a", 1), 1);
	ck_assert_int_eq(read(unpacker.answer, &byte, 1), 1);
	ck_assert_int_eq(write(unpacker.input, "i", 1), 1);
	ck_assert_int_eq(read(theirs[2], &byte, 1), 1);
	ck_assert_int_eq(byte, 'i');
	note_steps(0);
	ces_unpacker_kill(&unpacker);
	ces_unpacker_kill(&unpacker);
	ck_assert_str_eq(steps, "kill\n");
}
END_TEST

START_TEST(ces_unpack_is_not_started_for_more_layers_than_an_image_has)
{
	const struct ces_unpack_job job = {.kind = CES_UNPACK_FIND_USER};
	struct ces_unpacker unpacker = CES_UNPACKER_NONE;
	int dirs[CES_LAYERS_MAX + 1];

	for (size_t i = 0; i <= CES_LAYERS_MAX; i++)
		dirs[i] = store.staging;
	ck_assert_int_eq(ces_unpacker_start(&job, 0, dirs, CES_LAYERS_MAX + 1, &unpacker, &err),
			 -1);
	ck_assert_int_eq(err.code, CES_E_INTERNAL);
	ck_assert_str_eq(steps, "");
	ck_assert_int_eq(ces_unpacker_start(&job, 0, dirs, CES_LAYERS_MAX, &unpacker, &err), 0);
	ck_assert_str_eq(steps, "start ces-unpack as 0:0 with 130 fds in a user namespace\n");
	ces_unpacker_kill(&unpacker);
	note_steps(1);
	ck_assert_int_eq(ces_unpacker_start(&job, 0, dirs, 1, &unpacker, &err), -1);
	ces_unpacker_kill(&unpacker);
}
END_TEST

START_TEST(ces_unpack_did_its_job_if_it_ended_by_itself_with_0)
{
	struct ces_unpacker unpacker = {{4321, -1}, -1, -1};

	ended = _i < 3;
	exit_status = (int[]){0, 3, -1, -1}[_i];
	ck_assert_int_eq(ces_unpacker_done(&unpacker), _i == 0);
	ck_assert_str_eq(steps, ended ? "poll 1\nwait\n" : "poll 1\nkill\n");
}
END_TEST

START_TEST(all_unpackers_of_a_pull_have_one_namespace_with_ids_of_nobody)
{
	int fd = -1;

	ck_assert_int_eq(ces_unpacker_userns(&session, &fd, &err), 0);
	ck_assert_ptr_nonnull(strstr(steps, "account 2\nuser namespace: "));
	ck_assert_ptr_nonnull(strstr(steps, "902"));
	ck_assert_ptr_nonnull(strstr(steps, "2000000001"));
	ces_cleanup_close(&fd);
	for (int i = 1; i <= 2; i++) {
		note_steps(i);
		ck_assert_int_eq(ces_unpacker_userns(&session, &fd, &err), -1);
		ck_assert_int_eq(step_number, i);
	}
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("workers");

	tcase_add_test(
	    t,
	    ces_store_is_alone_in_its_namespaces_with_the_directories_of_the_store_and_its_order);
	tcase_add_test(t, a_ces_store_that_needs_no_directory_gets_none);
	tcase_add_loop_test(t, when_a_step_to_ces_store_fails_no_later_one_is_done, 1, 3);
	tcase_add_test(t, ces_fetch_gets_one_registry_one_repository_and_the_login);
	tcase_add_loop_test(t, an_endpoint_is_an_address_and_a_prefix_or_a_directory, 0,
			    CES_COUNT(endpoints));
	tcase_add_test(t, the_longest_texts_fit_and_longer_ones_are_cut);
	tcase_add_loop_test(t, a_registry_gets_the_login_only_if_it_takes_one, 0,
			    CES_COUNT(logins));
	tcase_add_loop_test(t, the_bundle_of_a_registry_is_a_file_of_roots_alone, 0,
			    CES_COUNT(bundles));
	tcase_add_loop_test(t, when_a_worker_cannot_be_started_no_later_step_is_done, 1, 3);
	tcase_add_loop_test(t, ces_resolve_gets_the_way_to_ces_fetch_and_no_login, 0, 3);
	tcase_add_test(t, ces_unpack_has_its_job_before_it_begins_and_three_pipes);
	tcase_add_test(t, ces_unpack_is_not_started_for_more_layers_than_an_image_has);
	tcase_add_loop_test(t, ces_unpack_did_its_job_if_it_ended_by_itself_with_0, 0, 4);
	tcase_add_test(t, all_unpackers_of_a_pull_have_one_namespace_with_ids_of_nobody);
	return run_scenes_between("workers of a pull", t, begin, end);
}
