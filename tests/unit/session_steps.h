/* The steps that a plan takes, one line each, in memory that the test's children share; and the one
 * step that fails. A stand-in for a system call calls step() with its line. */
#ifndef CES_TESTS_UNIT_SESSION_STEPS_H
#define CES_TESTS_UNIT_SESSION_STEPS_H

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static struct steps {
	char lines[8192];
	unsigned n, fail; /* counted from 1; fail 0: none */
	int error;        /* of the step that fails */
} * steps;

static inline void steps_begin(unsigned fail, int error)
{
	if (steps == NULL)
		steps = mmap(NULL, sizeof(*steps), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(steps != MAP_FAILED);
	*steps = (struct steps){.fail = fail, .error = error};
}

/* Notes a step. Returns 0, or -1 with errno if it is to fail. */
__attribute__((format(printf, 1, 2))) static inline int step(const char *format, ...)
{
	size_t used = steps == NULL ? 0 : strlen(steps->lines);
	va_list arguments;

	if (steps == NULL) /* a call of the sanitizer's, before the first test */
		return 0;
	va_start(arguments, format);
	(void)vsnprintf(steps->lines + used, sizeof(steps->lines) - used, format, arguments);
	va_end(arguments);
	strncat(steps->lines, "\n", sizeof(steps->lines) - strlen(steps->lines) - 1);
	if (++steps->n != steps->fail)
		return 0;
	errno = steps->error;
	return -1;
}

/* Checks that the steps are the first n of these lines (n 0: all). */
static inline void steps_are(const char *expected, unsigned n)
{
	const char *end = expected;

	while (n > 0 && n-- && *end != '\0')
		end += strcspn(end, "\n") + 1;
	if (end == expected)
		end += strlen(expected);
	ck_assert_msg(strncmp(steps->lines, expected, (size_t)(end - expected)) == 0 &&
			  steps->lines[end - expected] == '\0',
		      "these steps:\n%swere to be:\n%.*s", steps->lines, (int)(end - expected),
		      expected);
}

#endif
