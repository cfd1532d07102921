/* The steps of a test's plan: a stand-in for a system call notes each call as one line of text.
 * Then the test compares the list with the one that it expects, or lets one step fail. The list is
 * in shared memory, so that a child's steps are in it too. */
#ifndef CES_TESTS_UNIT_STEPS_H
#define CES_TESTS_UNIT_STEPS_H

#include <check.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STEPS_MAX 400

static struct steps {
	size_t n;
	size_t failing; /* this one fails, counted from 1; 0: none does */
	int error;      /* with this errno */
	char v[STEPS_MAX][256];
} * steps;

static inline void steps_begin(size_t failing, int error)
{
	if (steps == NULL)
		steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(steps, MAP_FAILED);
	memset(steps, 0, sizeof(*steps));
	steps->failing = failing;
	steps->error = error;
}

/* Notes a step. Returns whether it fails, and sets errno then. */
__attribute__((format(printf, 1, 2))) static inline bool step(const char *format, ...)
{
	va_list values;

	if (steps == NULL)
		steps_begin(0, 0);
	if (steps->n == STEPS_MAX)
		ck_abort_msg("too many steps");
	va_start(values, format);
	(void)vsnprintf(steps->v[steps->n++], sizeof(steps->v[0]), format, values);
	va_end(values);
	if (steps->n == steps->failing)
		errno = steps->error;
	return steps->n == steps->failing;
}

/* Fails unless these, up to NULL, are the first n steps; and the only ones, if n is 0. */
static inline void steps_check(const char *const *expected, size_t n)
{
	size_t i = 0;

	for (; expected[i] != NULL && (n == 0 || i < n); i++)
		ck_assert_msg(i < steps->n && strcmp(steps->v[i], expected[i]) == 0,
			      "step %zu is \"%s\" and not \"%s\"", i + 1,
			      i < steps->n ? steps->v[i] : "", expected[i]);
	ck_assert_msg(steps->n == i, "one step too many: \"%s\"", steps->v[i]);
}

/* Says how often a step begins with these words. */
static inline size_t steps_count(const char *words)
{
	size_t n = 0;

	for (size_t i = 0; i < steps->n; i++)
		n += strncmp(steps->v[i], words, strlen(words)) == 0;
	return n;
}

/* Makes the system call, in a test that defines syscall(2) itself. (Five values are in registers,
 * so all five can be read, however many there are.) */
static inline long real_syscall(long number, const long v[5])
{
	static long (*real)(long, ...);

	if (real == NULL)
		*(void **)&real = dlsym(RTLD_NEXT, "syscall");
	return real(number, v[0], v[1], v[2], v[3], v[4]);
}

static inline int remove_name(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	return at->level == 0 ? 0 : remove(path);
}

/* Removes all that is in a directory. */
static inline void clear_directory(const char *path)
{
	ck_assert_int_eq(nftw(path, remove_name, 20, FTW_DEPTH | FTW_PHYS), 0);
}

/* The path of an fd below a directory, "." for itself; absolute if it is elsewhere. */
static inline const char *path_below(const char *base, int fd)
{
	static char path[4096];
	char name[40];
	size_t length = strlen(base);
	ssize_t n;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	n = readlink(name, path, sizeof(path) - 1);
	path[n < 0 ? 0 : n] = '\0';
	if (strncmp(path, base, length) != 0 || (path[length] != '/' && path[length] != '\0'))
		return path;
	return path[length] == '\0' ? "." : path + length + 1;
}

/* How many descriptors this process has. */
static inline size_t open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir) != NULL)
		n++;
	closedir(dir);
	return n;
}

#endif
