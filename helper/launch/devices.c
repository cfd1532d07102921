/* Makes and checks device nodes. Must not make a node that is neither in the table nor checked by
 * helper/launch/gpu_nodes.c. */
#include "helper/launch/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/cleanup.h"

/* The set that the OCI runtime-spec demands (config-linux.md, "Default Devices"), with numbers from
 * Documentation/admin-guide/devices.txt. ptmx and pts come with the container's own devpts. */
static const struct {
	const char *name;
	unsigned major, minor;
} nodes[] = {
    {"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
    {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0},
};

#define PTY_MAJOR 136

static const struct {
	const char *name, *target;
} links[] = {
    {"fd", "/proc/self/fd"},       {"stdin", "/proc/self/fd/0"}, {"stdout", "/proc/self/fd/1"},
    {"stderr", "/proc/self/fd/2"}, {"ptmx", "pts/ptmx"},
};

static int make_node(int dev, const char *path, unsigned major, unsigned minor,
		     struct ces_error *err)
{
	if (mknodat(dev, path, S_IFCHR | 0666, makedev(major, minor)) < 0)
		return ces_error_errno(err, CES_E_HOST, "/dev/%s", path);
	return 0;
}

/* Makes a node, with its directory. Only CES can write to the empty directory around it, so only
 * CES can have made a directory that is there already. */
static int make_more(int dev, const struct ces_device *more, struct ces_error *err)
{
	const char *slash = strchr(more->path, '/');
	char directory[sizeof(more->path)];

	if (slash != NULL) {
		(void)snprintf(directory, sizeof(directory), "%.*s", (int)(slash - more->path),
			       more->path);
		if (mkdirat(dev, directory, 0755) < 0 && errno != EEXIST)
			return ces_error_errno(err, CES_E_HOST, "/dev/%s", directory);
	}
	return make_node(dev, more->path, more->major, more->minor, err);
}

int ces_devices_make(int dev, uid_t owner, gid_t group, const struct ces_device *more, size_t n,
		     struct ces_error *err)
{
	/* runc gives a tmpfs the mode of the directory that it is mounted on */
	static const struct {
		const char *name;
		mode_t mode;
	} directories[] = {{"pts", 0755}, {"shm", 01777}, {"mqueue", 0755}};

	for (size_t i = 0; i < CES_COUNT(nodes); i++)
		if (make_node(dev, nodes[i].name, nodes[i].major, nodes[i].minor, err) < 0)
			return -1;
	for (size_t i = 0; i < n; i++)
		if (make_more(dev, &more[i], err) < 0)
			return -1;
	for (size_t i = 0; i < CES_COUNT(links); i++)
		if (symlinkat(links[i].target, dev, links[i].name) < 0)
			return ces_error_errno(err, CES_E_HOST, "/dev/%s", links[i].name);
	for (size_t i = 0; i < CES_COUNT(directories); i++)
		if (mkdirat(dev, directories[i].name, directories[i].mode) < 0)
			return ces_error_errno(err, CES_E_HOST, "/dev/%s", directories[i].name);
	return mknodat(dev, "console", S_IFREG | 0620, 0) < 0 ||
		       fchownat(dev, "console", owner, group, AT_SYMLINK_NOFOLLOW) < 0
		   ? ces_error_errno(err, CES_E_HOST, "/dev/console")
		   : 0;
}

#define INSN(op, dst, src, offset, value)                                                          \
	((struct bpf_insn){                                                                        \
	    .code = (op), .dst_reg = (dst), .src_reg = (src), .off = (offset), .imm = (value)})
#define LOAD_WORD(dst, offset)   INSN(BPF_LDX | BPF_MEM | BPF_W, dst, BPF_REG_1, offset, 0)
#define JUMP_NOT(reg, value, by) INSN(BPF_JMP | BPF_JNE | BPF_K, reg, 0, by, (int)(value))
#define RETURN(value)                                                                              \
	INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, value),                                 \
	    INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

#define ANY_MINOR     UINT32_MAX
#define FIXED_RULES   (CES_COUNT(nodes) + 2)
#define RULE_MAX      5 /* instructions */
#define START_AND_END 16

/* A rule that does not apply jumps to the next. */
static size_t add_rule(struct bpf_insn *program, size_t n, unsigned major, unsigned minor,
		       bool read_only)
{
	short left = (short)(3 + (minor != ANY_MINOR) + read_only);

	program[n++] = JUMP_NOT(BPF_REG_4, major, --left);
	if (minor != ANY_MINOR)
		program[n++] = JUMP_NOT(BPF_REG_5, minor, --left);
	if (read_only)
		program[n++] = INSN(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, --left,
				    BPF_DEVCG_ACC_WRITE << 16);
	memcpy(program + n, (const struct bpf_insn[]){RETURN(1)}, 2 * sizeof(*program));
	return n + 2;
}

/* linux/bpf.h, struct bpf_cgroup_dev_ctx: access_type = access << 16 | type, then major, minor. */
static size_t assemble(struct bpf_insn *program, const struct ces_device *more, size_t n_more)
{
	const struct bpf_insn start[] = {
	    LOAD_WORD(BPF_REG_2, 0),
	    LOAD_WORD(BPF_REG_4, 4),
	    LOAD_WORD(BPF_REG_5, 8),
	    INSN(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_3, BPF_REG_2, 0, 0),
	    INSN(BPF_ALU64 | BPF_AND | BPF_K, BPF_REG_2, 0, 0, 0xffff),
	    INSN(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_3, 0, 1, BPF_DEVCG_ACC_MKNOD << 16),
	    INSN(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_2, 0, 2, BPF_DEVCG_DEV_CHAR),
	    RETURN(0), /* mknod, or a block device */
	};
	const struct bpf_insn end[] = {RETURN(0)};
	size_t n = CES_COUNT(start);

	memcpy(program, start, sizeof(start));
	for (size_t i = 0; i < CES_COUNT(nodes); i++)
		n = add_rule(program, n, nodes[i].major, nodes[i].minor, false);
	n = add_rule(program, n, 5, 2, false);                 /* ptmx of the container's devpts */
	n = add_rule(program, n, PTY_MAJOR, ANY_MINOR, false); /* its ptys */
	for (size_t i = 0; i < n_more; i++)
		n = add_rule(program, n, more[i].major, more[i].minor, more[i].read_only);
	memcpy(program + n, end, sizeof(end));
	return n + CES_COUNT(end);
}

int ces_devices_confine(int cgroup, const struct ces_device *more, size_t n, struct ces_error *err)
{
	static const char license[] = "Apache-2.0";
	CES_CLEANUP_FREE struct bpf_insn *program =
	    calloc(START_AND_END + RULE_MAX * (FIXED_RULES + n), sizeof(*program));
	union bpf_attr load = {0}, attach = {0};
	CES_CLEANUP_FD int fd = -1;

	if (program == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");

	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uintptr_t)program;
	load.insn_cnt = (unsigned)assemble(program, more, n);
	load.license = (uintptr_t)license;
	fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (fd < 0)
		return ces_error_errno(err, CES_E_HOST, "loading the device program");
	attach.target_fd = (unsigned)cgroup;
	attach.attach_bpf_fd = (unsigned)fd;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0)
		return ces_error_errno(err, CES_E_HOST, "attaching the device program");
	return 0;
}
