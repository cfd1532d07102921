/* ces-policy: reads a policy file for people. It decides nothing and changes nothing; it needs only
 * to read the file, so whatever else it was started with is given up before the first byte is
 * parsed. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "policy/tool/tool.h"

#define STATUS_BAD 2
#define NOBODY     65534

static const char usage[] = "usage: ces-policy check FILE\n"
			    "       ces-policy explain [--project P] FILE\n";

static int fail(const struct ces_error *err)
{
	fprintf(stderr, "ces-policy: %s\n", err->text);
	return STATUS_BAD;
}

/* Groups, gid, uid; then proof that there is no way back. */
static int drop_root(struct ces_error *err)
{
	if (geteuid() != 0 && getuid() != 0)
		return 0;
	if (setgroups(0, NULL) != 0 || setresgid(NOBODY, NOBODY, NOBODY) != 0 ||
	    setresuid(NOBODY, NOBODY, NOBODY) != 0)
		return ces_error_errno(err, CES_E_HOST, "cannot give up root");
	if (setuid(0) == 0 || geteuid() == 0)
		return ces_error_set(err, CES_E_HOST, "giving up root did not last");
	return 0;
}

/* A draft may lie anywhere and belong to anyone, unlike the policy that is in force. */
static int read_draft(const char *path, char **ret, size_t *ret_length, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s", path);
	if (!S_ISREG(st.st_mode))
		return ces_error_set(err, CES_E_POLICY, "%s: not a regular file", path);
	if (drop_root(err) != 0)
		return -1;
	if (ces_read_file(fd, 4 * 1024 * 1024, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s", path);
	return 0;
}

static int load(const char *path, struct ces_policy **ret, struct ces_error *err)
{
	CES_CLEANUP_FREE char *bytes = NULL;
	size_t length = 0;

	if (read_draft(path, &bytes, &length, err) != 0)
		return -1;
	if (ces_policy_parse(bytes, length, ret, err) != 0)
		return ces_error_context(err, "%s", path);
	return 0;
}

static int check(const char *path, const char *project, struct ces_error *err)
{
	struct ces_policy *policy;

	(void)project;
	if (load(path, &policy, err) != 0)
		return fail(err);
	printf("%s: ok, %zu registries, %zu projects%s, %s\n", path, policy->n_registries,
	       policy->n_projects, policy->infer ? " and those that groups infer" : "",
	       policy->digest);
	ces_tool_remarks(policy, time(NULL));
	ces_policy_free(policy);
	return 0;
}

static int explain(const char *path, const char *project, struct ces_error *err)
{
	struct ces_policy *policy;
	int result;

	if (load(path, &policy, err) != 0)
		return fail(err);
	result = ces_tool_explain(policy, project, time(NULL), err);
	ces_policy_free(policy);
	return result == 0 ? 0 : fail(err);
}

static const struct command {
	const char *name;
	int (*run)(const char *path, const char *project, struct ces_error *err);
	bool takes_project;
} commands[] = {{"check", check, false}, {"explain", explain, true}};

static int give_usage(void)
{
	fputs(usage, stderr);
	return STATUS_BAD;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"project", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *project = NULL;
	struct ces_error err = {0};
	int option;

	while ((option = getopt_long(argc, argv, "p:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			return 0;
		}
		if (option != 'p')
			return give_usage();
		project = optarg;
	}
	if (argc - optind != 2)
		return give_usage();
	for (size_t i = 0; i < CES_COUNT(commands); i++) {
		if (strcmp(argv[optind], commands[i].name) != 0)
			continue;
		if (project != NULL && !commands[i].takes_project)
			return give_usage();
		return commands[i].run(argv[optind + 1], project, &err);
	}
	return give_usage();
}
