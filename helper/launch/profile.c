/* The promises for every container. Must hold constants only: nothing here may come from a policy,
 * an image or a caller. */
#include "helper/launch/profile.h"

#include <linux/capability.h>
#include <sys/mount.h>

#include "common/cleanup.h"

#define PLAIN (MS_NOSUID | MS_NOEXEC | MS_NODEV)

const struct ces_profile_mount ces_profile_mounts[] = {
    {"/proc", "proc", "proc", PLAIN, NULL},
    /* a bind: a runtime that made nodes itself would need mknod */
    {"/dev", "bind", "/dev", MS_NOSUID | MS_NOEXEC, "rbind"},
    {"/dev/pts", "devpts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"},
    {"/dev/mqueue", "mqueue", "mqueue", PLAIN, NULL},
    {"/sys", "sysfs", "sysfs", PLAIN | MS_RDONLY, NULL},
};
const size_t ces_profile_n_mounts = CES_COUNT(ces_profile_mounts);

const char *const ces_profile_masked[] = {
    "/proc/acpi",
    "/proc/asound",
    "/proc/interrupts",
    "/proc/kallsyms",
    "/proc/kcore",
    "/proc/keys",
    "/proc/key-users",
    "/proc/latency_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/kpagecount",
    "/proc/kpageflags",
    "/proc/sysrq-trigger",
    "/sys/devices/virtual/powercap",
    "/sys/dev/block",
    "/sys/firmware",
    "/sys/fs/cgroup",
    "/sys/fs/selinux",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    NULL,
};

const char *const ces_profile_read_only[] = {"/proc/bus",      "/proc/fs",  "/proc/irq",
					     "/proc/pressure", "/proc/sys", NULL};

/* Capabilities that services need when they start as root and change user. None reaches beyond the
 * container's own files and processes. Only container root has them; no other user gets any. */
const struct ces_profile_capability ces_profile_capabilities[] = {
    {"CAP_CHOWN", CAP_CHOWN},   {"CAP_DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    {"CAP_FOWNER", CAP_FOWNER}, {"CAP_FSETID", CAP_FSETID},
    {"CAP_KILL", CAP_KILL},     {"CAP_SETGID", CAP_SETGID},
    {"CAP_SETUID", CAP_SETUID}, {"CAP_NET_BIND_SERVICE", CAP_NET_BIND_SERVICE},
};
const size_t ces_profile_n_capabilities = CES_COUNT(ces_profile_capabilities);

uint64_t ces_profile_capability_mask(void)
{
	uint64_t mask = 0;

	for (size_t i = 0; i < ces_profile_n_capabilities; i++)
		mask |= 1ull << ces_profile_capabilities[i].number;
	return mask;
}
