/* Times commands against each other: timeit ROUNDS -- COMMAND... [-- COMMAND...]... Each round
 * starts every command once, in turn, so that all commands share a slow minute of the machine. A
 * command whose first word is @USER runs as that user, in their home. Prints one line for each
 * command: median, 10th and 90th percentile in microseconds, failures. It measures from before the
 * fork to the end of the process, and does nothing else in between. */
#include <err.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 16

struct command {
	char **argv;
	const struct passwd *user;
	const char *namespace;
	uint64_t *us;
	unsigned failures;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static const struct passwd *copy_user(const char *name)
{
	struct passwd *found = getpwnam(name), *copy = malloc(sizeof(*copy));

	if (found == NULL || copy == NULL)
		errx(2, "no user %s", name);
	*copy = *found;
	copy->pw_name = strdup(found->pw_name);
	copy->pw_dir = strdup(found->pw_dir);
	return copy;
}

static void become(const struct passwd *user)
{
	char *runtime = NULL;

	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0 || chdir(user->pw_dir) != 0)
		err(2, "becoming %s", user->pw_name);
	setenv("HOME", user->pw_dir, 1);
	setenv("USER", user->pw_name, 1);
	if (asprintf(&runtime, "/run/user/%u", user->pw_uid) > 0)
		setenv("XDG_RUNTIME_DIR", runtime, 1);
}

static void start(const struct command *command)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	dup2(null, 0);
	dup2(null, 1);
	if (getenv("TIMEIT_STDERR") == NULL)
		dup2(null, 2);
	if (command->namespace != NULL &&
	    setns(open(command->namespace, O_RDONLY | O_CLOEXEC), CLONE_NEWNS) != 0)
		err(2, "%s", command->namespace);
	if (command->user != NULL)
		become(command->user);
	execvp(command->argv[0], command->argv);
	_exit(127);
}

static void measure(struct command *command, unsigned round)
{
	uint64_t begin = now_us();
	int status = -1;
	pid_t child = fork();

	if (child < 0)
		err(2, "fork");
	if (child == 0)
		start(command);
	if (waitpid(child, &status, 0) != child)
		err(2, "waitpid");
	command->us[round] = now_us() - begin;
	if (status != 0)
		command->failures++;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static size_t parse(char **argv, struct command *commands, unsigned rounds)
{
	size_t n = 0;

	while (*argv != NULL) {
		if (strcmp(*argv, "--") != 0 || n == COMMANDS_MAX)
			errx(2, "timeit ROUNDS -- COMMAND... [-- COMMAND...]...");
		*argv++ = NULL; /* ends the argv before */
		if (*argv != NULL && **argv == '@')
			commands[n].user = copy_user(*argv++ + 1);
		if (*argv != NULL && **argv == '%')
			commands[n].namespace = *argv++ + 1;
		commands[n].argv = argv;
		commands[n].us = calloc(rounds, sizeof(uint64_t));
		while (*argv != NULL && strcmp(*argv, "--") != 0)
			argv++;
		if (commands[n].argv == argv || commands[n].us == NULL)
			errx(2, "an empty command");
		n++;
	}
	return n;
}

int main(int argc, char **argv)
{
	struct command commands[COMMANDS_MAX] = {0};
	unsigned rounds = argc > 2 ? (unsigned)atoi(argv[1]) : 0;
	size_t n;

	if (rounds == 0)
		errx(2, "timeit ROUNDS -- COMMAND... [-- COMMAND...]...");
	n = parse(argv + 2, commands, rounds);
	for (unsigned round = 0; round < rounds; round++)
		for (size_t i = 0; i < n; i++)
			measure(&commands[i], round);
	for (size_t i = 0; i < n; i++) {
		uint64_t *us = commands[i].us;

		qsort(us, rounds, sizeof(*us), compare);
		printf("%llu %llu %llu %u\n", (unsigned long long)us[rounds / 2],
		       (unsigned long long)us[rounds / 10],
		       (unsigned long long)us[rounds - 1 - rounds / 10], commands[i].failures);
	}
	return 0;
}
