/* Denies a device to a cgroup (v2) by a BPF program, as Slurm denies a job the GPUs of other jobs:
 * deny_driver CGROUP MAJOR MINOR. It allows everything else, also making a node of that device. */
#include <fcntl.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define INSN(op, dst, offset, value)                                                               \
	((struct bpf_insn){.code = (op),                                                           \
			   .dst_reg = (dst),                                                       \
			   .src_reg = BPF_REG_1,                                                   \
			   .off = (offset),                                                        \
			   .imm = (value)})
#define RETURN(value)                                                                              \
	((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = (value)}),                  \
	    ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})

int main(int argc, char **argv)
{
	union bpf_attr load = {0}, attach = {0};
	struct bpf_insn program[] = {
	    INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, 4, 0), /* major */
	    INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, 8, 0), /* minor */
	    INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, 0, 0), /* access << 16 | type */
	    {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_2, .off = 4},
	    {.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = BPF_REG_3, .off = 3},
	    {.code = BPF_JMP | BPF_JSET | BPF_K,
	     .dst_reg = BPF_REG_4,
	     .off = 2,
	     .imm = BPF_DEVCG_ACC_MKNOD << 16},
	    RETURN(0),
	    RETURN(1),
	};
	int group = argc == 4 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (group < 0)
		return 2;
	program[3].imm = atoi(argv[2]);
	program[4].imm = atoi(argv[3]);
	load.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	load.insns = (uintptr_t)program;
	load.insn_cnt = sizeof(program) / sizeof(*program);
	load.license = (uintptr_t) "GPL";
	attach.target_fd = (unsigned)group;
	attach.attach_type = BPF_CGROUP_DEVICE;
	attach.attach_flags = BPF_F_ALLOW_MULTI;
	attach.attach_bpf_fd = (unsigned)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load));
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof(attach)) < 0) {
		perror("deny_driver");
		return 1;
	}
	return 0;
}
