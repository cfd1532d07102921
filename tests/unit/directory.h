/* Makes a directory for one test: its fd is `directory`. */
#ifndef CES_TESTS_UNIT_DIRECTORY_H
#define CES_TESTS_UNIT_DIRECTORY_H

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory_path[40];
static int directory;

static inline void directory_begin(void)
{
	(void)snprintf(directory_path, sizeof(directory_path), "/tmp/ces-test-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory_path));
	directory = open(directory_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ck_assert_int_ge(directory, 0);
}

/* Removes the directory. Fails if the test left something in it. */
static inline void directory_end(void)
{
	close(directory);
	ck_assert_int_eq(rmdir(directory_path), 0);
}

#endif
