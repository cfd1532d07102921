/* Takes rights away from ces-unpack before it reads a foreign byte. */
#ifndef CES_UNPACK_SANDBOX_H
#define CES_UNPACK_SANDBOX_H

#include "common/worker.h"

/* Call it first in main: no environment, no core, no new privileges, no dump, and it dies with its
 * parent. */
int ces_sandbox_begin(struct ces_error *err);

/* Makes `root` (a directory; -1: an empty file system) the root of the file system, keeps only the
 * capabilities that this kind of job needs, and limits memory and processor time. size: of the
 * job's input, for the time limit. */
int ces_sandbox_enter(enum ces_unpack_kind kind, int root, uint64_t size, struct ces_error *err);

/* The last step, for all threads: only the system calls of the list. */
int ces_sandbox_close(enum ces_unpack_kind kind, struct ces_error *err);

#endif
