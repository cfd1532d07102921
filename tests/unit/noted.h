/* Notes steps, one line each, in memory that child processes share; a test compares the list. The
 * rights of a caller on files are taken on and left by calls that only root may make: these stand
 * in for them, and are noted. */
#ifndef CES_TESTS_UNIT_NOTED_H
#define CES_TESTS_UNIT_NOTED_H

#include <check.h>
#include <errno.h>
#include <grp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mman.h>

static struct noted {
	char text[16384];
	uid_t uid; /* whose rights on files the process has */
	gid_t gid;
	size_t groups;
} * noted;

static inline void noted_begin(void)
{
	noted =
	    mmap(NULL, sizeof(*noted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(noted, MAP_FAILED);
}

static inline void __attribute__((format(printf, 1, 2))) note(const char *format, ...)
{
	size_t used = strlen(noted->text), room = sizeof(noted->text) - used;
	va_list values;
	int n;

	va_start(values, format);
	n = vsnprintf(noted->text + used, room, format, values);
	va_end(values);
	if (n < 0 || (size_t)n + 1 >= room)
		abort();
	memcpy(noted->text + used + n, "\n", 2);
}

/* What was noted up to now was this, and nothing else; the list begins anew. */
#define NOTED(expected)                                                                            \
	do {                                                                                       \
		ck_assert_str_eq(noted->text, expected);                                           \
		noted->text[0] = '\0';                                                             \
	} while (0)

int setgroups(size_t n, const gid_t *groups)
{
	(void)groups;
	noted->groups = n;
	errno = ENOTTY; /* (nobody goes by errno after this) */
	return 0;
}

int setfsgid(gid_t gid)
{
	int before = (int)noted->gid;

	if (gid != (gid_t)-1)
		noted->gid = gid;
	return before;
}

int setfsuid(uid_t uid)
{
	int before = (int)noted->uid;

	if (uid != (uid_t)-1)
		noted->uid = uid;
	return before;
}

/* The rights with which a step is done: "root", or "caller U:G+N". */
static inline const char *by(void)
{
	static char text[64];

	(void)snprintf(text, sizeof(text), "caller %u:%u+%zu", noted->uid, noted->gid,
		       noted->groups);
	return noted->uid == 0 && noted->gid == 0 && noted->groups == 0 ? "root" : text;
}

#endif
