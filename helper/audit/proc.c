/* Reads small files of proc. */
#include "helper/audit/proc.h"

#include <fcntl.h>
#include <unistd.h>

#include "common/cleanup.h"

int ces_proc_read(int proc, const char *file, char *buffer, size_t size, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = openat(proc, file, O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && used < size - 1) {
		n = read(fd, buffer + used, size - 1 - used);
		used += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		return ces_error_errno(err, CES_E_HOST, "/proc: %s", file);
	if (used == size - 1)
		return ces_error_set(err, CES_E_HOST, "/proc: %s is too long", file);
	buffer[used] = '\0';
	return 0;
}
