/* Plays ces-helper towards ces-unpack: namespaces, id-mapped directories, pipes, one job, one
 * answer.
 *
 *   unpack_driver UNPACK KIND [option...] < INPUT
 *
 * KIND: manifest, config, layer, user. Prints the answer as "name value" lines; exit status 0, or 1
 * and "error CODE TEXT", or 2 when ces-unpack crashed or anything else went wrong. As root it uses
 * a private id range and id-mapped mounts as the helper does (--plain: neither); as another user,
 * the user's own id only. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "common/io.h"
#include "common/wire_stream.h"
#include "common/worker.h"
#include "common/schema.h"

#define FIRST_HOST_ID 1879048192u
#define NAMESPACES    (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)

static const char *const kinds[] = {"", "manifest", "config", "layer", "user"};
static const char *const compressions[] = {"none", "gzip", "zstd"};

static struct {
	const char *program;
	bool plain;
	struct ces_unpack_job job;
	char *directories[CES_LAYERS_MAX];
	int n_directories;
} options;

static void die(const char *what)
{
	fprintf(stderr, "unpack_driver: %s: %s\n", what, strerror(errno));
	_exit(2);
}

static uint64_t word_number(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(word, words[i]) == 0)
			return i;
	}
	errno = EINVAL;
	die(word);
	return 0;
}

static void write_text(pid_t pid, const char *name, const char *text)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		die(path);
	close(fd);
}

/* Makes a user namespace, which its fd keeps. The child that makes it ends at once. */
static int make_user_namespace(void)
{
	bool root = geteuid() == 0;
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int ready[2], done[2], fd;
	char map[64], path[64], byte;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0 || (pid = fork()) < 0)
		die("fork");
	if (pid == 0) {
		close(done[1]);
		if (unshare(CLONE_NEWUSER) < 0)
			die("unshare");
		if (write(ready[1], "x", 1) != 1 || read(done[0], &byte, 1) != 0)
			_exit(2);
		_exit(0);
	}
	close(done[0]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		_exit(2);
	if (!root)
		write_text(pid, "setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u %u", root ? FIRST_HOST_ID : uid, root ? 65536u : 1u);
	write_text(pid, "uid_map", map);
	snprintf(map, sizeof(map), "0 %u %u", root ? FIRST_HOST_ID : gid, root ? 65536u : 1u);
	write_text(pid, "gid_map", map);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	close(done[1]);
	waitpid(pid, NULL, 0);
	close(ready[0]);
	return fd;
}

static int open_directory(const char *path, int user_namespace)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP | MOUNT_ATTR_NOSUID |
						    MOUNT_ATTR_NODEV};
	int fd;

	if (user_namespace < 0 || geteuid() != 0) {
		fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			die(path);
		return fd;
	}
	fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	attributes.userns_fd = (unsigned)user_namespace;
	if (fd < 0 || mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0)
		die(path);
	return fd;
}

/* Puts the fds where ces-unpack wants them. It first moves them far away, so that it overwrites
 * none. */
static void arrange(const int *fds, int n)
{
	for (int i = 0; i < n; i++) {
		if (dup3(fds[i], 500 + i, O_CLOEXEC) < 0)
			die("dup");
	}
	for (int i = 0; i < n; i++) {
		if (dup2(500 + i, 3 + i) < 0)
			die("dup");
	}
	close_range((unsigned)(3 + n), 499, 0);
}

static void become_unpack(int user_namespace, const int *fds, int n)
{
	char *argv[] = {(char[]){"ces-unpack"}, NULL}, *envp[] = {NULL};
	int program = open(options.program, O_RDONLY | O_CLOEXEC);
	pid_t pid;
	int status;

	if (program < 0)
		die(options.program);
	program = fcntl(program, F_DUPFD_CLOEXEC, 900);
	if (user_namespace >= 0) {
		if (setns(user_namespace, CLONE_NEWUSER) < 0 || unshare(NAMESPACES) < 0)
			die("namespaces");
		if (geteuid() != 0 && (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0))
			die("setresuid");
	}
	pid = fork();
	if (pid == 0) {
		arrange(fds, n);
		syscall(SYS_execveat, program, "", argv, envp, AT_EMPTY_PATH);
		die(options.program);
	}
	close_range(3, ~0U, 0);
	if (waitpid(pid, &status, 0) != pid)
		_exit(2);
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void print_text(const char *name, const char *text)
{
	if (text != NULL)
		printf("%s %s\n", name, text);
}

static void print_number(const char *name, uint64_t number)
{
	printf("%s %llu\n", name, (unsigned long long)number);
}

static void print_texts(const char *name, const struct ces_strings *texts)
{
	for (size_t i = 0; i < texts->n; i++)
		print_text(name, texts->v[i]);
}

static void print_numbers(const char *name, const struct ces_u64s *numbers)
{
	for (size_t i = 0; i < numbers->n; i++)
		print_number(name, numbers->v[i]);
}

static void print_manifest(const struct ces_unpack_manifest *answer)
{
	print_text("digest", answer->digest);
	print_text("chosen", answer->chosen);
	print_number("chosen_size", answer->chosen_size);
	print_text("config_digest", answer->config_digest);
	print_number("config_size", answer->config_size);
	print_texts("layer_digest", &answer->layer_digests);
	print_numbers("layer_size", &answer->layer_sizes);
	print_numbers("layer_compression", &answer->layer_compressions);
}

static void print_record(const struct ces_image_record *record)
{
	print_text("config_digest", record->config_digest);
	print_texts("diff_id", &record->diff_ids);
	print_texts("entrypoint", &record->entrypoint);
	print_texts("cmd", &record->cmd);
	print_texts("env", &record->env);
	print_text("workdir", record->workdir);
	print_text("image_user", record->user);
	print_number("uid", record->uid);
	print_number("gid", record->gid);
	print_numbers("group", &record->groups);
	print_text("home", record->home);
	print_number("stop_signal", record->stop_signal);
}

static int print_answer(const uint8_t *frame, size_t length)
{
	struct ces_unpack_error failure;
	struct ces_unpack_manifest manifest;
	struct ces_unpack_layer layer;
	struct ces_image_record record;
	struct ces_error err;

	if (ces_wire_decode(&ces_unpack_error_schema, frame, length, &failure, &err) == 0) {
		printf("error %s %s\n", ces_code_name((enum ces_code)failure.code), failure.text);
		return 1;
	}
	if (ces_wire_decode(&ces_unpack_manifest_schema, frame, length, &manifest, &err) == 0) {
		print_manifest(&manifest);
	} else if (ces_wire_decode(&ces_image_record_schema, frame, length, &record, &err) == 0) {
		print_record(&record);
	} else if (ces_wire_decode(&ces_unpack_layer_schema, frame, length, &layer, &err) == 0) {
		print_text("diff_id", layer.diff_id);
		print_number("bytes", layer.bytes);
		print_number("entries", layer.entries);
	} else {
		fprintf(stderr, "unpack_driver: %s\n", err.text);
		return 2;
	}
	return 0;
}

static int run_job(void)
{
	int user_namespace = options.plain ? -1 : make_user_namespace();
	int job[2], answer[2], fds[3 + CES_LAYERS_MAX], status, got;
	size_t length = 0;
	struct ces_error err;
	uint8_t *frame;
	uint16_t type;
	pid_t pid;

	if (pipe2(job, O_CLOEXEC) < 0 || pipe2(answer, O_CLOEXEC) < 0)
		die("pipe");
	fds[0] = job[0], fds[1] = answer[1], fds[2] = dup(0);
	for (int i = 0; i < options.n_directories; i++)
		fds[3 + i] = open_directory(options.directories[i], user_namespace);
	fflush(stdout);
	pid = fork();
	if (pid == 0)
		become_unpack(user_namespace, fds, 3 + options.n_directories);
	for (int i = 0; i < 3 + options.n_directories; i++)
		close(fds[i]);
	if (ces_write_full(job[1], &options.job, sizeof(options.job), -1) < 0)
		fprintf(stderr, "unpack_driver: %s\n", err.text);
	close(job[1]);
	got = ces_wire_read(answer[0], CES_WIRE_RECORD_MAX, -1, &frame, &length, &type, &err);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) ||
	    (WEXITSTATUS(status) != 0 && WEXITSTATUS(status) != CES_UNPACK_FAILED) || got != 1) {
		fprintf(stderr, "unpack_driver: no answer, status %d\n", status);
		return 2;
	}
	return print_answer(frame, length);
}

static void parse_options(int argc, char **argv)
{
	static const struct option known[] = {
	    {"plain", 0, NULL, 'P'},
	    {"digest", 1, NULL, 'd'},
	    {"size", 1, NULL, 's'},
	    {"compression", 1, NULL, 'c'},
	    {"diff-id", 1, NULL, 'i'},
	    {"layers", 1, NULL, 'l'},
	    {"user", 1, NULL, 'u'},
	    {"max-bytes", 1, NULL, 'b'},
	    {"max-entries", 1, NULL, 'e'},
	    {"directory", 1, NULL, 'D'},
	    {NULL, 0, NULL, 0},
	};
	int c;

	options.job.max_bytes = UINT64_C(1) << 40;
	options.job.max_entries = 1000000;
	while ((c = getopt_long(argc, argv, "", known, NULL)) != -1) {
		switch (c) {
		case 'P':
			options.plain = true;
			break;
		case 'd':
			(void)snprintf(options.job.digest, sizeof(options.job.digest), "%s",
				       optarg);
			break;
		case 's':
			options.job.size = strtoull(optarg, NULL, 10);
			break;
		case 'c':
			options.job.compression = word_number(optarg, compressions, 3);
			break;
		case 'i':
			(void)snprintf(options.job.diff_id, sizeof(options.job.diff_id), "%s",
				       optarg);
			break;
		case 'l':
			options.job.layers = strtoull(optarg, NULL, 10);
			break;
		case 'u':
			(void)snprintf(options.job.user, sizeof(options.job.user), "%s", optarg);
			break;
		case 'b':
			options.job.max_bytes = strtoull(optarg, NULL, 10);
			break;
		case 'e':
			options.job.max_entries = strtoull(optarg, NULL, 10);
			break;
		case 'D':
			if (options.n_directories < CES_LAYERS_MAX)
				options.directories[options.n_directories++] = optarg;
			break;
		default:
			_exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	int status;

	parse_options(argc, argv);
	if (argc - optind != 2) {
		fprintf(stderr, "usage: unpack_driver [option...] UNPACK KIND < INPUT\n");
		return 2;
	}
	options.program = argv[optind];
	options.job.kind = word_number(argv[optind + 1], kinds, 5);
	status = run_job();
	fflush(stdout);
	_exit(status); /* (a leak at the end of a test program does not matter) */
}
