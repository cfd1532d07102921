/* Tests ces-layout: the parts of an image layout that one pull may have, and its answers. */
/* links: helper/layout/index.c helper/layout/serve.c helper/fetch/channel.c helper/fetch/tags.c helper/fetch/reply.c helper/unpack/json.c helper/unpack/json_scan.c */
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/packet.h"
#include "common/packet_frame.h"
#include "common/schema.h"
#include "helper/fetch/channel.h"
#include "helper/layout/index.h"
#include "helper/layout/serve.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define HEX_C "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define A     "sha256:" HEX_A
#define B     "sha256:" HEX_B
#define C     "sha256:" HEX_C
#define ENTRY(digest, name)                                                                        \
	"{\"digest\":\"" digest                                                                    \
	"\",\"annotations\":{\"org.opencontainers.image.ref.name\":\"" name "\"}}"
#define INDEX                                                                                      \
	"{\"manifests\":[" ENTRY(A, "r.example/a/tool:1") "," ENTRY(B, "r.example/b/other:1") "]}"

static char dir[] = "/tmp/layout-XXXXXX";
static int layout = -1;

static void put(const char *path, const char *text)
{
	int fd = openat(layout, path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void make_layout(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(chmod(dir, 0755), 0);
	layout = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(layout, 0);
	ck_assert_int_eq(mkdirat(layout, "blobs", 0755), 0);
	ck_assert_int_eq(mkdirat(layout, "blobs/sha256", 0755), 0);
	put("index.json", INDEX);
	put("blobs/sha256/" HEX_A, "{\"config\":\"" C "\"}");
	put("blobs/sha256/" HEX_B, "{\"other\":1}");
	put("blobs/sha256/" HEX_C, "the bytes of a part");
}

static void remove_layout(void)
{
	static const char *const files[] = {"blobs/sha256/" HEX_A, "blobs/sha256/" HEX_B,
					    "blobs/sha256/" HEX_C, "index.json"};

	for (size_t i = 0; i < CES_COUNT(files); i++)
		(void)unlinkat(layout, files[i], 0);
	(void)unlinkat(layout, "blobs/sha256", AT_REMOVEDIR);
	(void)unlinkat(layout, "blobs", AT_REMOVEDIR);
	ck_assert_int_eq(rmdir(dir), 0);
	close(layout);
}

static int code_of_blob(const struct ces_index *index, const char *digest)
{
	struct ces_error err = {0};
	uint64_t size;
	int fd = -1;

	if (ces_index_blob(index, digest, &fd, &size, &err) == 0)
		close(fd);
	return (int)err.code;
}

START_TEST(only_blobs_of_the_image_are_given)
{
	struct ces_index index;
	struct ces_error err = {0};
	char digest[CES_DIGEST_LENGTH + 1];
	uint64_t size;
	int fd;

	ck_assert_int_eq(ces_index_open(layout, "r.example", "a/tool", &index, &err), 0);
	ck_assert_int_eq(ces_index_find(&index, "1", true, digest, &err), 0);
	ck_assert_str_eq(digest, A);
	ck_assert_int_eq(code_of_blob(&index, A), CES_OK);
	ck_assert_int_eq(code_of_blob(&index, B), CES_E_NOTFOUND);
	ck_assert_int_eq(code_of_blob(&index, C), CES_E_NOTFOUND);
	/* after its manifest was sent, a part is given, too */
	ck_assert_int_eq(ces_index_blob(&index, A, &fd, &size, &err), 0);
	ck_assert_int_eq(ces_index_note(&index, fd, &err), 0);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
	close(fd);
	ck_assert_int_eq(code_of_blob(&index, C), CES_OK);
	ck_assert_int_eq(code_of_blob(&index, B), CES_E_NOTFOUND);
	ck_assert_int_eq(code_of_blob(&index, "sha256:../../index.json"), CES_E_NOTFOUND);
	ces_index_close(&index);
}
END_TEST

START_TEST(a_name_that_begins_alike_is_another_image)
{
	static const char *const names[] = {"a/too", "a/tool:1", "a", "a/tool2"};

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		struct ces_index index;
		struct ces_error err = {0};

		ck_assert_int_eq(ces_index_open(layout, "r.example", names[i], &index, &err), 0);
		ck_assert_int_eq(code_of_blob(&index, A), CES_E_NOTFOUND);
		ces_index_close(&index);
	}
}
END_TEST

START_TEST(a_pull_remembers_so_many_manifests_and_no_more)
{
	struct ces_index index;
	struct ces_error err = {0};
	uint64_t size;
	int fd;

	ck_assert_int_eq(ces_index_open(layout, "r.example", "a/tool", &index, &err), 0);
	ck_assert_int_eq(ces_index_blob(&index, A, &fd, &size, &err), 0);
	for (size_t i = 0; i < CES_INDEX_SENT; i++)
		ck_assert_int_eq(ces_index_note(&index, fd, &err), 0);
	ck_assert_int_eq(ces_index_note(&index, fd, &err), -1);
	close(fd);
	ces_index_close(&index);
}
END_TEST

/* Entries that are no image, and the rest of the index. */
static const char *const odd[] = {
    "{\"manifests\":[]}",
    "{\"manifests\":[1,null,\"x\",[],{}]}",
    "{\"manifests\":[{\"digest\":1,\"annotations\":{}}]}",
    "{\"manifests\":[{\"digest\":\"" A "\",\"annotations\":[]}]}",
    "{\"manifests\":[{\"digest\":\"" A
    "\",\"annotations\":{\"org.opencontainers.image.ref.name\":1}}]}",
    "{\"manifests\":[" ENTRY("sha256:aa", "r.example/a/tool:1") "]}",
    "{\"manifests\":[" ENTRY(A, "r.example/a/tool") "]}",
    "{\"manifests\":[" ENTRY(A, "a/tool:1") "]}",
};

START_TEST(an_odd_entry_is_no_image)
{
	struct ces_index index = {.dir = layout, .name = "r.example/a/tool"};
	struct ces_error err = {0};
	char digest[CES_DIGEST_LENGTH + 1];

	ck_assert_int_eq(ces_index_parse(odd[_i], strlen(odd[_i]), &index, &err), 0);
	ck_assert_int_eq(ces_index_find(&index, "1", true, digest, &err), -1);
	ck_assert_int_eq(err.code, CES_E_NOTFOUND);
	ck_assert_int_eq(code_of_blob(&index, A), CES_E_NOTFOUND);
	ces_index_close(&index);
}
END_TEST

static const char *const broken[] = {
    "",
    "[]",
    "{",
    "{}",
    "{\"manifests\":{}}",
    "{\"manifests\":null}",
    "{\"manifests\":[],\"manifests\":[]}",
};

START_TEST(a_broken_index_is_refused)
{
	struct ces_index index = {.dir = layout, .name = "r.example/a/tool"};
	struct ces_error err = {0};

	ck_assert_int_eq(ces_index_parse(broken[_i], strlen(broken[_i]), &index, &err), -1);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ces_index_close(&index);
}
END_TEST

/* ---- the conversation ---- */

struct talk {
	int socket;
	pid_t pid;
};

/* The directory of the test is in one that all may write to, which the rule for directories
 * refuses: unless as_named is set, the conversation takes it nevertheless. */
static struct talk begin(bool as_named)
{
	struct talk talk;
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	talk.pid = fork();
	if (talk.pid == 0) {
		static struct ces_layout_order order;
		struct ces_error err = {0};

		close(pair[0]);
		(void)signal(SIGPIPE, SIG_IGN);
		if (ces_layout_take_order(pair[1], &order, &err) < 0)
			_exit(8);
		if (!as_named)
			order = (struct ces_layout_order){.names = order.names, .dir = layout};
		_exit(ces_layout_serve(pair[1], &order, &err) == 0 ? 0 : 7);
	}
	close(pair[1]);
	talk.socket = pair[0];
	return talk;
}

static int end(struct talk *talk)
{
	int status;

	close(talk->socket);
	ck_assert_int_eq(waitpid(talk->pid, &status, 0), talk->pid);
	return status;
}

static void say_open(const struct talk *talk, const char *endpoint)
{
	struct ces_fetch_open open = {.prefix = "r.example", .repository = "a/tool"};

	(void)snprintf(open.scheme_host_port, sizeof(open.scheme_host_port), "%s", endpoint);
	ck_assert_int_eq(ces_packet_send(talk->socket, &open, sizeof(open), -1, 0), 0);
}

/* Asks, and returns the read end of the pipe; -1 for a check. */
static int ask(const struct talk *talk, enum ces_fetch_kind kind, const char *reference,
	       uint64_t size)
{
	const struct ces_fetch_get get = {
	    .id = 1, .kind = kind, .reference = (char *)(uintptr_t)reference, .size = size};
	struct ces_error err = {0};
	int ends[2] = {-1, -1};

	if (kind != CES_FETCH_CHECK)
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
	ck_assert_int_eq(
	    ces_packet_send_frame(talk->socket, &ces_fetch_get_schema, &get, ends[1], "it", &err),
	    0);
	close(ends[1]);
	return ends[0];
}

/* Takes the last status: its state, and its code if it failed. */
static enum ces_fetch_state answer(const struct talk *talk, enum ces_code *ret_code)
{
	uint8_t frame[CES_CHANNEL_PACKET_MAX];
	struct ces_fetch_status status = {0};
	enum ces_fetch_state state;
	struct ces_error err = {0};

	do {
		ssize_t n = recv(talk->socket, frame, sizeof(frame), 0);

		ck_assert_int_gt(n, 0);
		ck_assert_int_eq(
		    ces_wire_decode(&ces_fetch_status_schema, frame, (size_t)n, &status, &err), 0);
		state = (enum ces_fetch_state)status.state;
		*ret_code = (enum ces_code)status.code;
		ces_wire_free(&ces_fetch_status_schema, &status);
	} while (state == CES_FETCH_BYTES);
	return state;
}

START_TEST(a_manifest_and_then_its_part_are_sent)
{
	struct talk talk = begin(false);
	char text[64] = "";
	enum ces_code code;
	int body;

	say_open(&talk, "oci:/srv/images");
	body = ask(&talk, CES_FETCH_MANIFEST, "1", CES_MANIFEST_MAX);
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_DONE);
	close(body);
	(void)ask(&talk, CES_FETCH_CHECK, C, strlen("the bytes of a part"));
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_DONE);
	body = ask(&talk, CES_FETCH_BLOB, C, strlen("the bytes of a part"));
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_DONE);
	ck_assert_int_gt(read(body, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "the bytes of a part");
	ck_assert_int_eq(read(body, text, 1), 0);
	close(body);
	ck_assert_int_eq(end(&talk), 0);
}
END_TEST

/* (a ces-unpack that found the blob damaged: the user is to see its reason, not this one) */
START_TEST(a_blob_that_nobody_takes_is_unread_and_has_not_failed)
{
	static char large[3 << 20];
	struct talk talk = begin(false);
	CES_CLEANUP_FD int file = openat(layout, "blobs/sha256/" HEX_C, O_WRONLY | O_CLOEXEC);
	enum ces_code code;
	int body;

	ck_assert_int_eq(write(file, large, sizeof(large)), sizeof(large));
	say_open(&talk, "oci:/srv/images");
	body = ask(&talk, CES_FETCH_MANIFEST, "1", CES_MANIFEST_MAX);
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_DONE);
	close(body);
	body = ask(&talk, CES_FETCH_BLOB, C, sizeof(large));
	ck_assert_int_eq(read(body, large, 1), 1);
	close(body);
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_UNREAD);
	ck_assert_int_eq(code, CES_E_INTERNAL);
	ck_assert_int_eq(end(&talk), 0);
}
END_TEST

static const struct {
	enum ces_fetch_kind kind;
	const char *reference;
	uint64_t size;
	enum ces_code code;
} refused[] = {
    {CES_FETCH_MANIFEST, "2", CES_MANIFEST_MAX, CES_E_NOTFOUND},
    {CES_FETCH_MANIFEST, B, CES_MANIFEST_MAX, CES_E_NOTFOUND},
    {CES_FETCH_MANIFEST, "1", 3, CES_E_REGISTRY},
    {CES_FETCH_SIGNATURES, "sha256-" HEX_A ".sig", CES_MANIFEST_MAX, CES_E_NOTFOUND},
    {CES_FETCH_REFERRERS, A, CES_MANIFEST_MAX, CES_E_NOTFOUND},
    {CES_FETCH_BLOB, C, 19, CES_E_NOTFOUND},
    {CES_FETCH_BLOB, "1", 19, CES_E_INTERNAL},
    {CES_FETCH_CHECK, B, 11, CES_E_NOTFOUND},
    {CES_FETCH_CHECK, A, 1, CES_E_REGISTRY},
};

START_TEST(a_part_that_is_not_the_images_is_refused)
{
	struct talk talk = begin(false);
	enum ces_code code;
	char byte;
	int body;

	say_open(&talk, "oci:/srv/images");
	body = ask(&talk, refused[_i].kind, refused[_i].reference, refused[_i].size);
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_FAILED);
	ck_assert_int_eq(code, refused[_i].code);
	if (body >= 0)
		ck_assert_int_eq(read(body, &byte, 1), 0);
	close(body);
	ck_assert_int_eq(end(&talk), 0);
}
END_TEST

START_TEST(a_layout_without_an_index_fails_each_question)
{
	struct talk talk;
	enum ces_code code;

	ck_assert_int_eq(unlinkat(layout, "index.json", 0), 0);
	talk = begin(false);
	say_open(&talk, "oci:/srv/images");
	close(ask(&talk, CES_FETCH_MANIFEST, "1", CES_MANIFEST_MAX));
	ck_assert_int_eq(answer(&talk, &code), CES_FETCH_FAILED);
	ck_assert_int_eq(code, CES_E_HOST);
	ck_assert_int_eq(end(&talk), 0);
}
END_TEST

START_TEST(a_message_that_breaks_the_protocol_ends_it)
{
	struct talk talk = begin(false);
	struct ces_error err = {0};
	int status;

	if (_i == 0) /* a question before the opening */
		close(ask(&talk, CES_FETCH_MANIFEST, "1", 1));
	if (_i == 1) { /* two openings */
		say_open(&talk, "oci:/srv/images");
		say_open(&talk, "oci:/srv/images");
	}
	if (_i == 2) /* no frame */
		ck_assert_int_eq(ces_packet_send(talk.socket, "x", 1, -1, 0), 0);
	if (_i == 3) { /* a check with a pipe */
		const struct ces_fetch_get get = {
		    .kind = CES_FETCH_CHECK, .reference = (char *)(uintptr_t)A, .size = 1};
		int ends[2];

		say_open(&talk, "oci:/srv/images");
		ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
		ck_assert_int_eq(ces_packet_send_frame(talk.socket, &ces_fetch_get_schema, &get,
						       ends[1], "it", &err),
				 0);
		close(ends[0]);
		close(ends[1]);
	}
	ck_assert_int_eq(waitpid(talk.pid, &status, 0), talk.pid);
	ck_assert_int_eq(status, (_i == 0 || _i == 2 ? 8 : 7) << 8);
	close(talk.socket);
}
END_TEST

static const char *const unusable[] = {
    "oci:/tmp",          "oci:/",           "oci:/nowhere/at/all", "oci:relative",
    "https://r.example", "oci:/etc/passwd", "oci:/etc/mtab"};

START_TEST(a_directory_that_is_not_roots_alone_fails_each_question)
{
	struct talk talk = begin(true);
	enum ces_code code;

	say_open(&talk, unusable[_i]);
	for (int i = 0; i < 2; i++) {
		close(ask(&talk, CES_FETCH_MANIFEST, "1", CES_MANIFEST_MAX));
		ck_assert_int_eq(answer(&talk, &code), CES_FETCH_FAILED);
		ck_assert_int_eq(code, _i == 4 ? CES_E_INTERNAL : CES_E_HOST);
	}
	ck_assert_int_eq(end(&talk), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("layout");
	TCase *tests = tcase_create("layout");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tests, make_layout, remove_layout);
	tcase_add_test(tests, only_blobs_of_the_image_are_given);
	tcase_add_test(tests, a_name_that_begins_alike_is_another_image);
	tcase_add_test(tests, a_pull_remembers_so_many_manifests_and_no_more);
	tcase_add_loop_test(tests, an_odd_entry_is_no_image, 0, CES_COUNT(odd));
	tcase_add_loop_test(tests, a_broken_index_is_refused, 0, CES_COUNT(broken));
	tcase_add_test(tests, a_manifest_and_then_its_part_are_sent);
	tcase_add_test(tests, a_blob_that_nobody_takes_is_unread_and_has_not_failed);
	tcase_add_loop_test(tests, a_part_that_is_not_the_images_is_refused, 0, CES_COUNT(refused));
	tcase_add_test(tests, a_layout_without_an_index_fails_each_question);
	tcase_add_loop_test(tests, a_message_that_breaks_the_protocol_ends_it, 0, 4);
	tcase_add_loop_test(tests, a_directory_that_is_not_roots_alone_fails_each_question, 0,
			    CES_COUNT(unusable));
	suite_add_tcase(suite, tests);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? 0 : 1;
}
