/* Reads what the kernel says of a process. */
#ifndef CES_HELPER_AUDIT_PROC_H
#define CES_HELPER_AUDIT_PROC_H

#include <stddef.h>

#include "common/error.h"

/* Reads a whole small file of the /proc directory proc, and adds a NUL. */
int ces_proc_read(int proc, const char *file, char *buffer, size_t size, struct ces_error *err);

#endif
