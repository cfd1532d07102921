/* The rights that ces-fetch gives up before it talks to any other machine. */
#ifndef CES_FETCH_SANDBOX_H
#define CES_FETCH_SANDBOX_H

#include "common/error.h"
#include "helper/fetch/address.h"

/* Each is one bit. */
enum ces_sandbox {
	CES_SANDBOX_FETCH = 1,  /* talks through sockets that it is given, and connects none */
	CES_SANDBOX_DIALER = 2, /* asks for the addresses of names, and connects */
};

/* Refuses any user id or group id 0 (real, effective, saved, supplementary) and any capability. */
int ces_sandbox_check_identity(struct ces_error *err);

/* Forbids core dumps, ptrace by others of the same uid, privilege by exec, and growing a file. The
 * process dies with its parent. */
int ces_sandbox_drop(struct ces_error *err);

/* Hides every file except those that OpenSSL, or the resolver, reads, if the kernel can do that
 * (Landlock). Call it after ces_sandbox_drop and before the filter. */
int ces_sandbox_hide_files(enum ces_sandbox who, struct ces_error *err);

/* The same for a worker that reads below this one directory (-1: no file) and connects to nothing.
 */
int ces_sandbox_only_below(int dir, struct ces_error *err);

/* Allows, of all TCP ports, only those of these hosts, and DNS, if the kernel can do that. Call it
 * after the filter, because the hosts are known only then. It is for good. */
int ces_sandbox_ports(const struct ces_hosts *hosts, struct ces_error *err);

/* Loads the system call filter, for good. It leaves only reading of files, the fds that the process
 * has, and for the dialer sockets going out. ces-fetch cannot reach an address: connect(2) answers
 * EINPROGRESS, because a socket that it gets is already connecting. Call it with one thread. */
int ces_sandbox_filter(enum ces_sandbox who, struct ces_error *err);

#endif
