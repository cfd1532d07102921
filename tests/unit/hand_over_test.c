/* Tests what ces-session finds when ces-admit becomes it: one sealed order, and nothing of the
 * caller's beside it. */
/* links: helper/admit/hand_over.c */
#include "helper/admit/hand_over.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/io.h"
#include "common/paths.h"
#include "tests/unit/policy_fixture.h"

#define WORDS        "the words of a request"
#define POLICY_BLOCK "a policy"

static struct ces_order order = {.magic = CES_ORDER_MAGIC, .size = sizeof(order)};
static const char *words = WORDS, *policy = POLICY_BLOCK;

static struct seen {
	char path[100], text[sizeof(struct ces_order) + 100];
	int arguments, variables, seals, flags, others;
	ssize_t length;
	bool can_write, can_grow, can_shrink, can_map;
	off_t at;
	struct ces_error err;
	int result;
} * seen;

static bool no_memfd;

int memfd_create(const char *name, unsigned flags)
{
	errno = EMFILE;
	return no_memfd ? -1 : (int)syscall(SYS_memfd_create, name, flags);
}

/* Looks at what the next program would find. */
int execve(const char *path, char *const argv[], char *const environment[])
{
	(void)snprintf(seen->path, sizeof(seen->path), "%s:%s", path, argv[0]);
	while (argv[seen->arguments] != NULL)
		seen->arguments++;
	while (environment[seen->variables] != NULL)
		seen->variables++;
	seen->flags = fcntl(CES_FD_ORDER, F_GETFD);
	seen->seals = fcntl(CES_FD_ORDER, F_GET_SEALS);
	seen->at = lseek(CES_FD_ORDER, 0, SEEK_CUR);
	seen->length = read(CES_FD_ORDER, seen->text, sizeof(seen->text));
	seen->can_write = pwrite(CES_FD_ORDER, "x", 1, 0) == 1;
	seen->can_grow = ftruncate(CES_FD_ORDER, 1 << 20) == 0;
	seen->can_shrink = ftruncate(CES_FD_ORDER, 1) == 0;
	seen->can_map =
	    mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, CES_FD_ORDER, 0) != MAP_FAILED;
	for (int fd = CES_FD_ORDER + 1; fd < 256; fd++)
		seen->others += fcntl(fd, F_GETFD) == 0; /* (open, and not closed by an exec) */
	errno = EACCES;
	return -1;
}

/* A child with fds 0 to 4 and no other, as the clean room leaves it; or with a fifth. */
static void hand_over(bool fifth)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		int null = open("/dev/null", O_RDWR);

		for (int fd = 0; fd < CES_FD_ORDER + fifth; fd++)
			if (fd != null)
				(void)dup2(null, fd);
		if (close_range(CES_FD_ORDER + fifth, ~0u, 0) < 0)
			_exit(1);
		seen->result = ces_hand_over(&order, words, policy, &seen->err);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static void set_up(void)
{
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(seen, MAP_FAILED);
	order.words = strlen(WORDS);
	order.policy = strlen(POLICY_BLOCK);
}

START_TEST(the_order_is_sealed_and_all_that_is_open)
{
	hand_over(_i == 1);
	ck_assert_str_eq(seen->path, CES_SESSION_PATH ":ces-session");
	ck_assert_int_eq(seen->arguments, 1);
	ck_assert_int_eq(seen->variables, 0);
	ck_assert_int_eq(seen->flags, 0);
	ck_assert_int_eq(seen->seals, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
	ck_assert(!seen->can_write && !seen->can_grow && !seen->can_shrink && !seen->can_map);
	ck_assert_int_eq(seen->at, 0);
	ck_assert_int_eq(seen->others, 0);
	ck_assert_uint_eq((size_t)seen->length, sizeof(order) + order.words + order.policy);
	ck_assert_int_eq(memcmp(seen->text, &order, sizeof(order)), 0);
	ck_assert_str_eq(seen->text + sizeof(order), WORDS POLICY_BLOCK);
	ck_assert_int_eq(seen->result, -1);
	ck_assert_int_eq(seen->err.code, CES_E_HOST);
	ck_assert_str_eq(seen->err.text,
			 CES_SESSION_PATH "; CES is not fully installed: Permission denied");
}
END_TEST

START_TEST(without_words_and_policy_the_order_is_alone)
{
	order.words = order.policy = 0;
	words = policy = NULL;
	hand_over(false);
	ck_assert_int_eq(seen->length, sizeof(order));
}
END_TEST

START_TEST(an_order_that_cannot_be_made_starts_nothing)
{
	no_memfd = true;
	hand_over(false);
	ck_assert_str_eq(seen->path, "");
	ck_assert_int_eq(seen->result, -1);
	ck_assert_str_eq(seen->err.text, "passing the request on: Too many open files");
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("hand_over");

	tcase_add_checked_fixture(t, set_up, NULL);
	tcase_add_loop_test(t, the_order_is_sealed_and_all_that_is_open, 0, 2);
	tcase_add_test(t, without_words_and_policy_the_order_is_alone);
	tcase_add_test(t, an_order_that_cannot_be_made_starts_nothing);
	return run_suite("hand_over", t);
}
