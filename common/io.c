/* Whole reads and writes with deadlines. */
#include "common/io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"

int64_t ces_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 0 if fd is ready, or read or write will report its error; -1 with ETIMEDOUT. */
static int await(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left = -1;
	int n;

	for (;;) {
		if (deadline_ms >= 0) {
			left = deadline_ms - ces_now_ms();
			if (left <= 0) {
				errno = ETIMEDOUT;
				return -1;
			}
			if (left > 1000 * 1000)
				left = 1000 * 1000;
		}
		n = poll(&poll_fd, 1, (int)left);
		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -1;
	}
}

int ces_read_full(int fd, void *buffer, size_t length, int64_t deadline_ms)
{
	char *at = buffer;
	size_t done = 0;

	while (done < length) {
		ssize_t n;

		if (deadline_ms >= 0 && await(fd, POLLIN, deadline_ms) < 0)
			return -1;
		n = read(fd, at + done, length - done);
		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0) {
			errno = done == 0 ? ENODATA : EPIPE;
			return -1;
		} else if (errno == EAGAIN) {
			if (await(fd, POLLIN, deadline_ms) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

int ces_write_full(int fd, const void *buffer, size_t length, int64_t deadline_ms)
{
	const char *at = buffer;
	size_t done = 0;

	while (done < length) {
		ssize_t n = write(fd, at + done, length - done);

		if (n >= 0) {
			done += (size_t)n;
		} else if (errno == EAGAIN) {
			if (await(fd, POLLOUT, deadline_ms) < 0)
				return -1;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return 0;
}

ssize_t ces_read_text(int dirfd, const char *path, char *buffer, size_t size)
{
	CES_CLEANUP_FD int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;
	size_t used = 0;

	while (n > 0 && used < size - 1) {
		n = read(fd, buffer + used, size - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	buffer[used] = '\0';
	return n < 0 ? -1 : (ssize_t)used;
}

int ces_read_file(int fd, size_t max, char **ret, size_t *ret_length)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t size = 0, used = 0;

	for (;;) {
		ssize_t n;

		if (used + 1 >= size) {
			char *bigger;

			size = size == 0 ? 4096 : size * 2;
			bigger = realloc(bytes, size);
			if (bigger == NULL)
				return -1;
			bytes = bigger;
		}
		n = read(fd, bytes + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
		if (used > max) {
			errno = EFBIG;
			return -1;
		}
	}
	bytes[used] = '\0';
	*ret_length = used;
	*ret = ces_steal_pointer(&bytes);
	return 0;
}
