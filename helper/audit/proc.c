/* Reads small files of proc. */
#include "helper/audit/proc.h"

#include "common/io.h"

int ces_proc_read(int proc, const char *file, char *buffer, size_t size, struct ces_error *err)
{
	ssize_t n = ces_read_text(proc, file, buffer, size);

	if (n < 0)
		return ces_error_errno(err, CES_E_HOST, "/proc: %s", file);
	if ((size_t)n == size - 1)
		return ces_error_set(err, CES_E_HOST, "/proc: %s is too long", file);
	return 0;
}
