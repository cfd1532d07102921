/* Tries what a hostile program tries in a container. kit_driver prints a line for each thing: its
 * name, a TAB and the answer. kit_driver high|cipher tries one thing. It must do no harm where a
 * defence is missing: no call has arguments by which it could succeed. It is static, since the
 * images of the tests have no C library. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/drivers/kit_tables.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* The answers to one kind of thing, each once. */
struct answers {
	char text[512];
};

static void add(struct answers *all, const char *answer)
{
	size_t used = strlen(all->text);
	char padded[600], word[100];

	(void)snprintf(padded, sizeof(padded), " %s,", all->text);
	(void)snprintf(word, sizeof(word), " %s,", answer);
	if (strstr(padded, word) == NULL)
		(void)snprintf(all->text + used, sizeof(all->text) - used, "%s%s",
			       used > 0 ? ", " : "", answer);
}

static void say(const char *what, const struct answers *all)
{
	printf("%s\t%s\n", what, all->text);
}

/* Adds a result. It names what was not refused, so that a difference shows the place. */
static void add_result(struct answers *all, const char *what, long result)
{
	char text[80];

	if (result >= 0)
		(void)snprintf(text, sizeof(text), "%s passed", what);
	else if (errno == EPERM || errno == EACCES || errno == ENOSYS)
		(void)snprintf(text, sizeof(text), "%s", strerrorname_np(errno));
	else
		(void)snprintf(text, sizeof(text), "%s: %s", what, strerrorname_np(errno));
	add(all, text);
}

static void try_calls(const char *what, const struct call *calls, size_t n)
{
	struct answers all = {0};

	for (size_t i = 0; i < n; i++) {
		errno = 0;
		add_result(&all, calls[i].name,
			   syscall(calls[i].number, -1L, -1L, -1L, -1L, -1L, -1L));
	}
	say(what, &all);
}

static void system_calls(void)
{
	try_calls("`mount`, `pivot_root`, `chroot`, `fsopen` and its kin, `unshare`, `setns`",
		  mount_calls, COUNT(mount_calls));
	try_calls("kernel modules, `kexec_load`, `reboot`", kernel_calls, COUNT(kernel_calls));
	try_calls("`bpf`, `perf_event_open`, `userfaultfd`, `io_uring_setup`, `fanotify_init`",
		  large_calls, COUNT(large_calls));
	try_calls("`keyctl`, `add_key`, `request_key`", keys_calls, COUNT(keys_calls));
	try_calls("memory and descriptors of other processes (`process_vm_readv`, `pidfd_getfd`)",
		  others_calls, COUNT(others_calls));
	try_calls("files by handle", handles_calls, COUNT(handles_calls));
	try_calls("setting the clock", clocks_calls, COUNT(clocks_calls));
	try_calls("kernel log, accounting, swap, quotas, host name, I/O ports", machine_calls,
		  COUNT(machine_calls));
	try_calls("moving memory between nodes", places_calls, COUNT(places_calls));
	try_calls("`clone3`, and calls newer than the filter", newer_calls, COUNT(newer_calls));
}

/* Asks for namespaces by clone. If the kernel makes one, it is for a child that ends at once. */
static void clones(void)
{
	static const struct call flags[] = {{"user", CLONE_NEWUSER},    {"mount", CLONE_NEWNS},
					    {"pid", CLONE_NEWPID},      {"net", CLONE_NEWNET},
					    {"ipc", CLONE_NEWIPC},      {"uts", CLONE_NEWUTS},
					    {"cgroup", CLONE_NEWCGROUP}};
	struct answers all = {0};

	for (size_t i = 0; i < COUNT(flags); i++) {
		long pid;

		errno = 0;
		pid = syscall(SYS_clone, (unsigned long)flags[i].number | 17, 0, 0, 0, 0);
		if (pid == 0)
			_exit(0);
		add_result(&all, flags[i].name, pid);
		if (pid > 0)
			(void)waitpid((pid_t)pid, NULL, 0);
	}
	say("`clone` with a new namespace, each of seven", &all);
}

static void try_sockets(const char *what, const struct kind_of_socket *kinds, size_t n)
{
	struct answers all = {0};

	for (size_t i = 0; i < n; i++)
		add_result(&all, kinds[i].name,
			   socket(kinds[i].family, kinds[i].kind, kinds[i].protocol));
	say(what, &all);
}

static void network(void)
{
	static const char *const addresses[] = {"192.0.2.1", "8.8.8.8", "169.254.169.254",
						"10.20.0.5"};
	struct answers reach = {0};

	try_sockets("sockets of AF_ALG, AF_VSOCK, AF_PACKET, AF_KEY, AF_XDP and 11 other families",
		    families, COUNT(families));
	try_sockets("raw sockets, ping, SCTP, DCCP, UDP-Lite, MPTCP", raw_sockets,
		    COUNT(raw_sockets));
	try_sockets("AF_NETLINK for anything but routes and addresses", netlinks, COUNT(netlinks));
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
		int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		(void)inet_pton(AF_INET, addresses[i], &to.sin_addr);
		if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
			add(&reach, addresses[i]);
		else
			add(&reach, strerrorname_np(errno));
		(void)close(fd);
	}
	say("an address of the internet, of the host, of a cloud's metadata", &reach);
}

static void terminals(void)
{
	static const unsigned long highs[] = {0, 1ul << 32, 1ul << 63};
	struct answers all = {0};
	char byte = 'x';

	for (size_t i = 0; i < COUNT(highs); i++) {
		add_result(&all, "TIOCSTI", syscall(SYS_ioctl, 0, TIOCSTI | highs[i], &byte));
		add_result(&all, "TIOCLINUX", syscall(SYS_ioctl, 0, TIOCLINUX | highs[i], &byte));
	}
	say("typing into a terminal: TIOCSTI, TIOCLINUX, also with high bits", &all);
}

/* Adds the names of capabilities, in the order of their numbers. */
static void add_capabilities(struct answers *all, unsigned long long set)
{
	for (size_t i = 0; i < 64; i++)
		if ((set >> i & 1) != 0)
			add(all, i < COUNT(capabilities) ? capabilities[i] : "a newer one");
	if (set == 0)
		add(all, "none");
}

static void status(void)
{
	static const struct {
		const char *key, *what;
	} lines[] = {
	    {"CapEff:", "capabilities in effect"},
	    {"CapBnd:", "capabilities that a program could get, were it not for no_new_privs"},
	    {"CapAmb:", "ambient capabilities"},
	    {"NoNewPrivs:", "no_new_privs"},
	    {"Seccomp:", "filter of system calls (2: by a program)"}};
	char line[256];

	for (size_t i = 0; i < COUNT(lines); i++) {
		FILE *file = fopen("/proc/self/status", "re");
		struct answers all = {0};

		while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
			const char *value = line + strlen(lines[i].key) + 1;

			if (strncmp(line, lines[i].key, strlen(lines[i].key)) != 0)
				continue;
			line[strcspn(line, "\n")] = '\0';
			if (lines[i].key[0] == 'C')
				add_capabilities(&all, strtoull(value, NULL, 16));
			else
				add(&all, value);
		}
		if (file != NULL)
			(void)fclose(file);
		say(lines[i].what, &all);
	}
}

static void descriptors(void)
{
	struct answers all = {0};
	char text[20];

	for (int fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0) {
			(void)snprintf(text, sizeof(text), "%d", fd);
			add(&all, text);
		}
	if (all.text[0] == '\0')
		add(&all, "none");
	say("descriptors that it was given beyond 0, 1 and 2", &all);
}

/* Returns whether the path opens. A directory does not count, nor a null device in place of a
 * hidden file; for reading, the file must have bytes. */
static bool opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	char byte;
	bool result;

	if (fd < 0)
		return false;
	result = fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode) &&
		 !(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3)) &&
		 (flags != O_RDONLY || read(fd, &byte, 1) > 0);
	(void)close(fd);
	return result;
}

/* Opens files. Each is refused, empty or missing, which depends on the machine. */
static void try_files(const char *what, const char *const *paths, size_t n, int flags)
{
	struct answers all = {0};

	for (size_t i = 0; i < n; i++)
		if (opens(paths[i], flags))
			add(&all, paths[i]);
	if (all.text[0] == '\0')
		add(&all, "none");
	say(what, &all);
}

static void files(void)
{
	try_files("settings of the kernel and of cgroups that can be written", settings,
		  COUNT(settings), O_WRONLY);
	try_files("secrets of the kernel, firmware and power meters that can be read", secrets,
		  COUNT(secrets), O_RDONLY);
	try_files("devices beyond null, zero, full, random and the terminals", devices,
		  COUNT(devices), O_RDONLY);
}

/* Tries to write its own id maps with root of the host in them. */
static void maps(void)
{
	static const char *const names[] = {"uid_map", "gid_map", "setgroups"};
	struct answers all = {0};

	for (size_t i = 0; i < COUNT(names); i++) {
		char path[40];
		int fd;
		long written = -1;

		(void)snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd >= 0)
			written = write(fd, i < 2 ? "0 0 1\n" : "deny", i < 2 ? 6 : 4);
		add_result(&all, names[i], written);
	}
	say("writing its own maps of ids", &all);
}

static void nodes(void)
{
	static const struct {
		const char *name;
		mode_t kind;
		unsigned int major, minor;
	} made[] = {{"memory", S_IFCHR, 1, 1}, {"disk", S_IFBLK, 8, 0}, {"fuse", S_IFCHR, 10, 229}};
	struct answers all = {0};

	for (size_t i = 0; i < COUNT(made); i++) {
		add_result(&all, made[i].name,
			   mknod("/scratch/node", made[i].kind | 0600,
				 (dev_t)(made[i].major << 8 | made[i].minor)));
		(void)unlink("/scratch/node");
	}
	say("making a device node", &all);
}

static void services(void)
{
	struct answers all = {0};
	FILE *sockets_file = fopen("/proc/net/unix", "re");
	char line[256];
	struct stat st;
	int n = 0;

	for (size_t i = 0; i < COUNT(places); i++)
		if (lstat(places[i], &st) == 0)
			add(&all, places[i]);
	/* (with a name, to which another program could connect) */
	while (sockets_file != NULL && fgets(line, sizeof(line), sockets_file) != NULL)
		n += strpbrk(line, "/@") != NULL;
	if (sockets_file != NULL)
		(void)fclose(sockets_file);
	if (n > 0)
		add(&all, "sockets in /proc/net/unix");
	if (all.text[0] == '\0')
		add(&all, "none");
	say("sockets and files of other engines, system services, X and CES", &all);
}

/* Checks for each visible process whether its root is this root. */
static void processes(void)
{
	struct answers all = {0}, roots = {0}, traced = {0};
	struct stat own, other;
	DIR *proc = opendir("/proc");
	int n = 0;

	(void)stat("/", &own);
	for (struct dirent *it = proc != NULL ? readdir(proc) : NULL; it != NULL;
	     it = readdir(proc)) {
		char path[300];

		if (it->d_name[0] < '0' || it->d_name[0] > '9')
			continue;
		n++;
		(void)snprintf(path, sizeof(path), "/proc/%.20s/root/", it->d_name);
		if (stat(path, &other) < 0)
			add(&roots, strerrorname_np(errno));
		else
			add(&roots, own.st_ino == other.st_ino && own.st_dev == other.st_dev
					? "the container's own"
					: "another root");
	}
	if (proc != NULL)
		(void)closedir(proc);
	add(&all, n == 1 ? "itself alone" : "others");
	say("processes of the host and of other runs that it sees", &all);
	say("/proc/PID/root of each", &roots);
	for (int pid = 2; pid < 4000; pid++)
		if (pid != getpid() &&
		    (syscall(SYS_ptrace, 0x4206, pid, 0, 0) == 0 || errno != ESRCH))
			add(&traced, "one can be traced, or is there");
	if (traced.text[0] == '\0')
		add(&traced, "ESRCH");
	say("`ptrace` of every other number of a process", &traced);
}

static void mounts(void)
{
	struct answers all = {0}, limit = {0};
	char line[1024], place[300], options[300], number[20] = "";
	struct stat st;
	FILE *file = fopen("/proc/self/mounts", "re");

	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, "%*s %299s %*s %299s", place, options) != 2)
			continue;
		/* (a mount that hides a path is empty, and stays so) */
		if (strstr(options, "nosuid") == NULL && strncmp(options, "ro,", 3) != 0 &&
		    stat(place, &st) == 0 && S_ISDIR(st.st_mode))
			add(&all, place);
	}
	if (file != NULL)
		(void)fclose(file);
	if (all.text[0] == '\0')
		add(&all, "none");
	say("mounts that can be written, where a setuid bit counts", &all);
	file = fopen("/proc/sys/user/max_user_namespaces", "re");
	if (file == NULL || fgets(number, sizeof(number), file) == NULL)
		(void)snprintf(number, sizeof(number), "not there");
	if (file != NULL)
		(void)fclose(file);
	number[strcspn(number, "\n")] = '\0';
	add(&limit, number);
	say("user namespaces that may be made", &limit);
}

static void identity(void)
{
	struct answers all = {0}, odd = {0};

	add_result(&all, "becoming root", getuid() == 0 ? 0 : setresuid(0, 0, 0));
	if (getuid() == 0) {
		all.text[0] = '\0';
		add(&all, "is root of the container");
	}
	say("becoming root", &all);
	add_result(&odd, "no randomization", personality(ADDR_NO_RANDOMIZE));
	add_result(&odd, "readable means executable", personality(READ_IMPLIES_EXEC));
	say("personality without the protections of memory", &odd);
}

/* Sets bits in the high half. The kernel takes the family as an int: neither it nor the filter
 * looks at the high half. */
static int high(void)
{
	static const unsigned long highs[] = {1ul << 32, 0xfffffffful << 32, 1ul << 63};
	int passed = 0;

	for (size_t i = 0; i < COUNT(families); i++)
		for (size_t h = 0; h < COUNT(highs); h++)
			if (syscall(SYS_socket, (unsigned int)families[i].family | highs[h],
				    families[i].kind, families[i].protocol) >= 0 ||
			    errno != EPERM) {
				printf("%s with %lx: %s\n", families[i].name, highs[h],
				       strerrorname_np(errno));
				passed++;
			}
	for (size_t h = 0; h < COUNT(highs); h++) {
		int family = 0;
		socklen_t length = sizeof(family);
		long fd = syscall(SYS_socket, AF_INET | highs[h], SOCK_STREAM, 0);

		if (fd >= 0 && (getsockopt((int)fd, SOL_SOCKET, SO_DOMAIN, &family, &length) < 0 ||
				family != AF_INET))
			passed++;
	}
	if (passed == 0)
		printf("%zu tried, none passed\n", COUNT(families) * COUNT(highs));
	return passed == 0 ? 0 : 1;
}

static int cipher(void)
{
	int fd = socket(38, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	printf("AF_ALG: %s\n", fd >= 0 ? "a socket" : strerrorname_np(errno));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "high") == 0)
		return high();
	if (argc == 2 && strcmp(argv[1], "cipher") == 0)
		return cipher();
	status();
	descriptors();
	system_calls();
	clones();
	network();
	terminals();
	files();
	maps();
	nodes();
	services();
	processes();
	mounts();
	identity();
	return 0;
}
