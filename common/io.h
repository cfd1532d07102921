/* Whole reads and writes on fds, with deadlines. It must not buffer, or use stdio. */
#ifndef CES_COMMON_IO_H
#define CES_COMMON_IO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Milliseconds of CLOCK_MONOTONIC. No process can set that clock, so none can move a deadline. */
int64_t ces_now_ms(void);

/* Reads exactly length bytes before deadline_ms (of ces_now_ms; -1: no deadline).
 * Returns 0; -1 with errno: ETIMEDOUT, ENODATA (end of file at the first byte), EPIPE (end of file
 * in the middle) or read's own. */
int ces_read_full(int fd, void *buffer, size_t length, int64_t deadline_ms);

/* Writes everything; waits while a non-blocking fd is full, until deadline_ms. 0 or -1 with errno.
 */
int ces_write_full(int fd, const void *buffer, size_t length, int64_t deadline_ms);

/* Reads a small file, or its first size - 1 bytes, and adds a NUL. dirfd: as in openat(2). It must
 * follow no link at the end of the path. Returns the number of bytes, or -1 with errno. */
ssize_t ces_read_text(int dirfd, const char *path, char *buffer, size_t size);

/* Reads a whole file of at most max bytes into a malloc'd, NUL-terminated buffer (*ret_length does
 * not count the NUL). -1 with errno EFBIG if the file is larger. */
int ces_read_file(int fd, size_t max, char **ret, size_t *ret_length);

#endif
