/* The seal of a layer in a suite that runs without root: a file is in the place of the device. */
#ifndef CES_TESTS_UNIT_SEAL_H
#define CES_TESTS_UNIT_SEAL_H

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/store.h"

static bool seal_is_a_whiteout;

int mknodat(int dir, const char *path, mode_t mode, dev_t number)
{
	return strcmp(path, CES_STORE_SEAL) == 0 && S_ISCHR(mode) && number == CES_STORE_SEAL_NUMBER
		   ? (int)syscall(SYS_mknodat, dir, path, S_IFREG | 0600, 0)
		   : -1;
}

int fstatat(int dir, const char *restrict path, struct stat *restrict ret, int flags)
{
	int result = (int)syscall(SYS_newfstatat, dir, path, ret, flags);

	if (result == 0 && strcmp(path, CES_STORE_SEAL) == 0 && S_ISREG(ret->st_mode)) {
		ret->st_mode = S_IFCHR | 0600;
		ret->st_rdev = seal_is_a_whiteout ? 0 : CES_STORE_SEAL_NUMBER;
	}
	return result;
}

#endif
