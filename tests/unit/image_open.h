/* open(2) of ces-inside, in a suite whose directory has the image's tree (m) and the driver's (g).
 */
#ifndef CES_TESTS_UNIT_IMAGE_OPEN_H
#define CES_TESTS_UNIT_IMAGE_OPEN_H

#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "tests/unit/directory.h"

int open(const char *path, int flags, ...)
{
	bool ours = strcmp(path, "/m") == 0 || strcmp(path, "/g") == 0;
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	return openat(ours ? directory : AT_FDCWD, path + ours, flags, mode);
}

#endif
