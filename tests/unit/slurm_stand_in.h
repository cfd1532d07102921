/* Slurm's functions for a test of its plugin, which the test includes before this; tasks of a step;
 * and a stand-in for ces-client, which writes its words to a file VERB.PID of the test's directory
 * and does what the names of other files there say. */
#ifndef CES_TESTS_UNIT_SLURM_STAND_IN_H
#define CES_TESTS_UNIT_SLURM_STAND_IN_H

#include <check.h>
#include <dirent.h>
#include <stdarg.h>

#include "tests/unit/directory.h"

#define BIG 100000

/* ---- the stand-in for ces-client ---- */

static bool has(const char *path, const char *name)
{
	char file[300];

	(void)snprintf(file, sizeof(file), "%s/%s", path, name);
	return access(file, F_OK) == 0;
}

static void make(const char *path, const char *name)
{
	char file[300];
	FILE *made;

	(void)snprintf(file, sizeof(file), "%s/%s", path, name);
	made = fopen(file, "w");
	if (made == NULL || fclose(made) != 0)
		abort();
}

static int count(const char *path, const char *verb)
{
	DIR *files = opendir(path);
	int n = 0;

	if (files == NULL)
		abort();
	for (struct dirent *f; (f = readdir(files)) != NULL;)
		n += strncmp(f->d_name, verb, strlen(verb)) == 0;
	(void)closedir(files);
	return n;
}

/* How many sockets have the name of the image's turn: the one that listens, and those who wait. */
static int sockets(const char *image)
{
	FILE *all = fopen("/proc/net/unix", "r");
	struct sockaddr_un name;
	char line[512];
	int n = 0;

	(void)name_turn(&name, image);
	while (all != NULL && fgets(line, sizeof(line), all) != NULL)
		n += strstr(line, name.sun_path + 1) != NULL;
	if (all == NULL || fclose(all) != 0)
		abort();
	return n;
}

static int stand_in(const char *path, char **argv)
{
	char name[64];
	FILE *words;

	(void)snprintf(name, sizeof(name), "%s/%s.%d", path, argv[1], getpid());
	words = fopen(name, "w");
	for (char **word = argv; words != NULL && *word != NULL; word++)
		(void)fprintf(words, "%s%c", *word, '\0');
	if (words == NULL || fclose(words) != 0)
		return 99;
	if (strcmp(argv[1], "inspect") == 0)
		return !has(path, "image");
	while (has(path, "hang"))
		(void)usleep(1000);
	if (strcmp(argv[1], "run") == 0)
		return 42;
	while (has(path, "four") && sockets(path) < 4)
		(void)usleep(1000);
	if (has(path, "broken"))
		return 1;
	make(path, "image");
	return 0;
}

/* ---- Slurm ---- */

static const char *registered[OPTIONS + 1], *given[OPTIONS];
static char said[4096], *command[] = {(char[]){"cmd"}, (char[]){"a 'b' \"c\"\n"}, NULL};
static char setting[64], *environment[] = {setting, NULL, NULL};
static uint32_t step;
static uid_t job_uid;
static int is_remote;

spank_err_t spank_option_register(spank_t spank, struct spank_option *option)
{
	size_t n = 0;

	(void)spank;
	while (registered[n] != NULL)
		n++;
	ck_assert_uint_lt(n, OPTIONS);
	registered[n] = option->name;
	return ESPANK_SUCCESS;
}

int spank_remote(spank_t spank)
{
	(void)spank;
	return is_remote;
}

spank_err_t spank_option_getopt(spank_t spank, struct spank_option *option, char **value)
{
	(void)spank;
	if (given[option->val] == NULL)
		return ESPANK_ERROR;
	*value = (char *)given[option->val];
	return ESPANK_SUCCESS;
}

spank_err_t spank_get_item(spank_t spank, spank_item_t item, ...)
{
	va_list where;

	(void)spank;
	va_start(where, item);
	if (item == S_JOB_STEPID)
		*va_arg(where, uint32_t *) = step;
	else if (item == S_JOB_UID)
		*va_arg(where, uid_t *) = job_uid;
	else if (item == S_JOB_ENV)
		*va_arg(where, char ***) = environment;
	else if (item == S_JOB_ARGV) {
		*va_arg(where, int *) = 2;
		*va_arg(where, char ***) = command;
	}
	va_end(where);
	return ESPANK_SUCCESS;
}

void slurm_error(const char *format, ...)
{
	va_list values;

	va_start(values, format);
	(void)vsnprintf(said, sizeof(said), format, values);
	va_end(values);
}

/* ---- a step ---- */

static void begin(void)
{
	directory_begin();
	(void)snprintf(setting, sizeof(setting), "CES_STAND_IN=%s", directory_path);
	job_uid = getuid();
}

static void end(void)
{
	DIR *files = opendir(directory_path);

	for (struct dirent *f; (f = readdir(files)) != NULL;)
		(void)unlinkat(dirfd(files), f->d_name, 0);
	(void)closedir(files);
	directory_end();
}

/* Starts a task, as slurmstepd does. One that goes on to the user's command ends with 7. */
static pid_t start(void)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		int status = slurm_spank_task_init(NULL, 0, NULL);

		_exit(status == 0 ? 7 : 8);
	}
	return pid;
}

static int status_of(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* What the one ces-client of this verb was given; each word ends with NUL. */
static char words[2 * BIG];
static size_t words_length;

static void read_words(const char *verb)
{
	DIR *files = opendir(directory_path);

	ck_assert_int_eq(count(directory_path, verb), 1);
	for (struct dirent *f; (f = readdir(files)) != NULL;)
		if (strncmp(f->d_name, verb, strlen(verb)) == 0) {
			int fd = openat(dirfd(files), f->d_name, O_RDONLY);

			words_length = (size_t)read(fd, words, sizeof(words));
			(void)close(fd);
		}
	(void)closedir(files);
}

#define HAS(these) (memmem(words, words_length, these, sizeof(these)) != NULL)

#endif
