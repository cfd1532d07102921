/* The things that kit_driver tries. It must hold only const tables. */
#ifndef CES_TESTS_KIT_TABLES_H
#define CES_TESTS_KIT_TABLES_H

#include <sys/socket.h>
#include <sys/syscall.h>

/* clang-format off */
struct call {
	const char *name;
	long number;
};
#define CALL(name) {#name, SYS_##name}

static const struct call mount_calls[] = {
	CALL(mount), CALL(umount2), CALL(pivot_root), CALL(chroot), CALL(fsopen),
	CALL(fsconfig), CALL(fsmount), CALL(fspick), CALL(open_tree), CALL(move_mount),
	CALL(unshare), CALL(setns), {"mount_setattr", 442},
};
static const struct call kernel_calls[] = {
	CALL(init_module), CALL(finit_module), CALL(delete_module), CALL(kexec_load),
	CALL(reboot), CALL(kexec_file_load),
};
static const struct call large_calls[] = {
	CALL(bpf), CALL(perf_event_open), CALL(userfaultfd), CALL(io_uring_setup),
	CALL(io_uring_enter), CALL(io_uring_register), CALL(fanotify_init),
};
static const struct call keys_calls[] = {
	CALL(add_key), CALL(request_key), CALL(keyctl),
};
static const struct call others_calls[] = {
	CALL(process_vm_readv), CALL(process_vm_writev), CALL(kcmp), {"pidfd_getfd", 438},
	{"process_madvise", 440},
};
static const struct call handles_calls[] = {
	CALL(open_by_handle_at), CALL(name_to_handle_at),
};
static const struct call clocks_calls[] = {
	CALL(settimeofday), CALL(clock_settime), CALL(adjtimex), CALL(clock_adjtime),
};
static const struct call machine_calls[] = {
	CALL(syslog), CALL(acct), CALL(swapon), CALL(swapoff), CALL(quotactl),
	CALL(sethostname), CALL(setdomainname), CALL(lookup_dcookie), CALL(vhangup),
#ifdef __x86_64__
	CALL(iopl), CALL(ioperm), CALL(modify_ldt),
#endif
};
static const struct call places_calls[] = {
	CALL(mbind), CALL(set_mempolicy), CALL(move_pages), CALL(migrate_pages),
};
static const struct call newer_calls[] = {
	{"clone3", 435}, {"statmount", 457}, {"listmount", 458}, {"open_tree_attr", 467},
};

struct kind_of_socket {
	const char *name;
	int family, kind, protocol;
};
static const struct kind_of_socket families[] = {
	{"AF_ALG", 38, SOCK_SEQPACKET, 0}, {"AF_VSOCK", 40, SOCK_STREAM, 0},
	{"AF_PACKET", 17, SOCK_RAW, 0}, {"AF_KEY", 15, SOCK_RAW, 2},
	{"AF_BLUETOOTH", 31, SOCK_RAW, 1}, {"AF_XDP", 44, SOCK_RAW, 0},
	{"AF_RDS", 21, SOCK_SEQPACKET, 0}, {"AF_TIPC", 30, SOCK_STREAM, 0},
	{"AF_CAN", 29, SOCK_RAW, 1}, {"AF_RXRPC", 33, SOCK_DGRAM, 2},
	{"AF_SMC", 43, SOCK_STREAM, 0}, {"AF_QIPCRTR", 42, SOCK_DGRAM, 0},
	{"AF_NFC", 39, SOCK_RAW, 0}, {"AF_KCM", 41, SOCK_DGRAM, 0},
	{"AF_PPPOX", 24, SOCK_STREAM, 0}, {"AF_LLC", 26, SOCK_DGRAM, 0},
};
static const struct kind_of_socket raw_sockets[] = {
	{"raw", AF_INET, SOCK_RAW, 255}, {"raw 6", AF_INET6, SOCK_RAW, 58},
	{"ping", AF_INET, SOCK_DGRAM, 1}, {"SCTP", AF_INET, SOCK_STREAM, 132},
	{"DCCP", AF_INET, SOCK_DCCP, 33}, {"UDP-Lite", AF_INET, SOCK_DGRAM, 136},
	{"MPTCP", AF_INET, SOCK_STREAM, 262},
};
static const struct kind_of_socket netlinks[] = {
	{"XFRM", AF_NETLINK, SOCK_RAW, 6}, {"netfilter", AF_NETLINK, SOCK_RAW, 12},
	{"uevent", AF_NETLINK, SOCK_RAW, 15}, {"connector", AF_NETLINK, SOCK_RAW, 11},
	{"generic", AF_NETLINK, SOCK_RAW, 16}, {"crypto", AF_NETLINK, SOCK_RAW, 21},
};

/* Ordered by their numbers. */
static const char *const capabilities[] = {
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID",
	"SETUID", "SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST",
	"NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO",
	"SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE",
	"AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM",
	"BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE",
};

static const char *const settings[] = {
	"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe",
	"/proc/sys/kernel/hotplug", "/proc/sys/kernel/sysrq",
	"/proc/sys/kernel/randomize_va_space", "/proc/sys/kernel/usermodehelper/bset",
	"/proc/sys/vm/overcommit_memory", "/proc/sys/vm/drop_caches",
	"/proc/sys/vm/panic_on_oom", "/proc/sys/fs/binfmt_misc/register",
	"/proc/sys/fs/suid_dumpable", "/proc/sys/net/ipv4/ip_forward",
	"/proc/sys/user/max_user_namespaces", "/proc/sys/kernel/ns_last_pid",
	"/proc/sysrq-trigger", "/proc/irq/0/smp_affinity", "/proc/bus/pci/00/00.0",
	"/proc/pressure/cpu", "/proc/pressure/io", "/proc/pressure/memory",
	"/proc/acpi/wakeup", "/proc/scsi/scsi", "/proc/mtrr", "/sys/kernel/uevent_helper",
	"/sys/kernel/mm/ksm/run", "/sys/kernel/mm/transparent_hugepage/enabled",
	"/sys/power/state", "/sys/module/kernel/parameters/panic",
	"/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent",
	"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/devices/devices.allow",
	"/sys/fs/cgroup/memory.max", "/sys/fs/selinux/enforce",
	"/sys/kernel/debug/sched/features",
};
static const char *const secrets[] = {
	"/proc/kcore", "/proc/keys", "/proc/key-users", "/proc/kallsyms", "/proc/timer_list",
	"/proc/sched_debug", "/proc/kmsg", "/proc/kpagecount", "/proc/kpageflags",
	"/proc/interrupts", "/proc/vmallocinfo", "/proc/slabinfo",
	"/sys/firmware/dmi/tables/DMI", "/sys/firmware/acpi/tables/DSDT",
	"/sys/kernel/security/lsm", "/sys/kernel/debug/kprobes/list",
	"/sys/devices/virtual/powercap/intel-rapl/intel-rapl:0/energy_uj",
	"/sys/kernel/tracing/trace", "/sys/fs/pstore/dmesg",
};
static const char *const devices[] = {
	"/dev/mem", "/dev/kmem", "/dev/port", "/dev/kmsg", "/dev/sda", "/dev/vda",
	"/dev/nvme0n1", "/dev/loop0", "/dev/loop-control", "/dev/dm-0", "/dev/mapper/control",
	"/dev/fuse", "/dev/kvm", "/dev/net/tun", "/dev/vhost-net", "/dev/vhost-vsock",
	"/dev/vsock", "/dev/uinput", "/dev/input/event0", "/dev/tty0", "/dev/tty1", "/dev/vcs",
	"/dev/fb0", "/dev/snapshot", "/dev/cpu/0/msr", "/dev/hpet", "/dev/rtc0",
	"/dev/watchdog", "/dev/userfaultfd", "/dev/nvidia0", "/dev/nvidiactl",
	"/dev/dri/card0", "/dev/kfd", "/dev/infiniband/uverbs0", "/dev/autofs",
	"/dev/btrfs-control", "/dev/cuse", "/dev/ppp",
};
static const char *const places[] = {
	"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
	"/run/crio/crio.sock", "/run/podman/podman.sock", "/run/dbus/system_bus_socket",
	"/run/systemd/private", "/run/systemd/journal/socket", "/run/snapd.socket",
	"/run/munge/munge.socket.2", "/run/nscd/socket", "/var/lib/sss/pipes/nss",
	"/run/lvm/lvmpolld.socket", "/run/udev/control", "/run/nvidia-persistenced/socket",
	"/tmp/.X11-unix/X0", "/run/user/0/bus", "/var/lib/kubelet/kubelet.sock",
	"/run/secrets/kubernetes.io/serviceaccount/token", "/dev/log", "/run/ces",
	"/var/lib/ces", "/etc/ces", "/usr/libexec/ces",
};
/* clang-format on */

#endif
