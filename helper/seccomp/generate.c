/* seccomp-generate: prints the containers' system call filter, at build time, in one of two forms:
 *   bpf   base64 of the compiled program, as crun takes it in the annotation
 *         run.oci.seccomp_bpf_data: compiling it at each start would cost more than all else;
 *   json  the same policy as `linux.seccomp` of the OCI runtime-spec, for runc.
 * Is never installed, never runs with privilege, reads nothing. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <nettle/base64.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/seccomp/policy.h"

#define BPF_MAX (4096u * 8u) /* BPF_MAXINSNS of struct sock_filter */

static int print_bpf(struct ces_error *err)
{
	CES_CLEANUP_FD int fd = memfd_create("seccomp", MFD_CLOEXEC);
	CES_CLEANUP_FREE char *program = NULL;
	CES_CLEANUP_FREE char *text = NULL;
	size_t length = 0;

	if (fd < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "memfd_create");
	if (ces_seccomp_compile(fd, err) < 0)
		return -1;
	if (lseek(fd, 0, SEEK_SET) < 0 || ces_read_file(fd, BPF_MAX, &program, &length) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "reading the program");
	text = malloc(BASE64_ENCODE_RAW_LENGTH(length));
	if (text == NULL)
		return ces_error_errno(err, CES_E_INTERNAL, "malloc");
	base64_encode_raw(text, length, (const uint8_t *)program);
	if (ces_write_full(STDOUT_FILENO, text, BASE64_ENCODE_RAW_LENGTH(length), -1) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "writing");
	return 0;
}

static int print_json(struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = NULL;

	if (ces_seccomp_json(&text, err) < 0)
		return -1;
	if (ces_write_full(STDOUT_FILENO, text, strlen(text), -1) < 0)
		return ces_error_errno(err, CES_E_INTERNAL, "writing");
	return 0;
}

int main(int argc, char **argv)
{
	struct ces_error err = {0};
	int result;

	if (argc == 2 && strcmp(argv[1], "bpf") == 0) {
		result = print_bpf(&err);
	} else if (argc == 2 && strcmp(argv[1], "json") == 0) {
		result = print_json(&err);
	} else {
		fprintf(stderr, "usage: seccomp-generate bpf|json\n");
		return 2;
	}
	if (result < 0)
		fprintf(stderr, "seccomp-generate: %s\n", err.text);
	return result < 0;
}
