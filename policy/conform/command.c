/* ces-policy conform: opens what the command line names, gives up root's rights, checks, and
 * prints. It needs no policy and changes nothing. It needs a network only for an image in a
 * registry. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/quantity.h"
#include "policy/conform/conform.h"
#include "policy/conform/login.h"
#include "policy/conform/registry.h"
#include "policy/tool/input.h"
#include "policy/tool/tool.h"

static const char help[] =
    "usage: ces-policy conform [--strict] [--format text|json|sarif] [--platform linux/ARCH]\n"
    "           [--ref NAME] [--max-size SIZE] DOCKERFILE|DIRECTORY\n"
    "       ces-policy conform [...] [--username U --token-stdin] [--ca FILE] [--proxy URL]\n"
    "           [--token-host HOST] REGISTRY/OWNER/NAME[:TAG|@DIGEST]\n"
    "Checks a Dockerfile, an image in a directory, or an image in a registry, by the rules for\n"
    "images in a TRE. It needs no root and no policy, and keeps no image. Without --username it\n"
    "uses the registry login of podman, skopeo or Docker. Exit status: 0 no error, 1 errors (with\n"
    "--strict also warnings), 2 nothing could be checked.\n";

#define PATIENCE_MS (60 * 60 * INT64_C(1000))

enum format { FORMAT_TEXT, FORMAT_JSON, FORMAT_SARIF };

struct command {
	const char *path;
	enum format format;
	bool strict;
	struct ces_conform_options options;

	/* of a registry */
	const char *username, *ca;
	bool token_stdin;
	struct ces_registry_way way;
};

/* .dockerignore of the same directory, or the one that BuildKit has for this very file. */
static int open_ignore(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *names[2] = {NULL, NULL};
	int fd = -1;

	if (asprintf(&names[0], "%s.dockerignore", path) < 0)
		names[0] = NULL;
	if (asprintf(&names[1], "%.*s.dockerignore", slash != NULL ? (int)(slash + 1 - path) : 0,
		     path) < 0)
		names[1] = NULL;
	for (size_t i = 0; i < CES_COUNT(names); i++) {
		if (fd < 0 && names[i] != NULL)
			(void)ces_input_open(names[i], &fd, NULL);
		free(names[i]);
	}
	return fd;
}

/* A tar of an image, a compressed file, or anything else that is not text. */
static int check_kind(const char *path, const char *bytes, size_t length, struct ces_error *err)
{
	if ((length > 262 && memcmp(bytes + 257, "ustar", 5) == 0) ||
	    (length > 2 && memcmp(bytes, "\x1f\x8b", 2) == 0))
		return ces_error_set(err, CES_E_USAGE,
				     "%s is an archive; type skopeo copy docker-archive:%s "
				     "oci:DIRECTORY, then ces-policy conform DIRECTORY",
				     path, path);
	return 0;
}

static int look_at_dockerfile(struct ces_conform *conform, const char *path, struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1, ignore_fd = -1;
	CES_CLEANUP_FREE char *bytes = NULL, *ignore = NULL;
	size_t length = 0, ignore_length = 0;

	if (ces_input_open(path, &fd, err) < 0)
		return -1;
	ignore_fd = open_ignore(path);
	if (ces_input_take(fd, path, &bytes, &length, err) < 0 ||
	    (ignore_fd >= 0 &&
	     ces_input_take(ignore_fd, ".dockerignore", &ignore, &ignore_length, err) < 0) ||
	    check_kind(path, bytes, length, err) < 0)
		return -1;
	if (ces_conform_dockerfile(conform, bytes, length, ignore, err) < 0)
		return ces_error_context(err, "%s", path);
	return 0;
}

/* Login and authorities are opened with the user's rights, and read without root's. */
static int ask_registry(struct ces_conform *conform, const struct command *command,
			const struct ces_reference *image, struct ces_login *login,
			struct ces_error *err)
{
	struct ces_registry_way way = command->way;
	struct ces_registry *registry = NULL;
	CES_CLEANUP_FD int ca = -1;
	int result;

	if (command->ca != NULL && ces_input_open(command->ca, &ca, err) < 0)
		return -1;
	if (ces_input_drop(err) < 0)
		return -1;
	if ((command->username != NULL ? ces_login_ask(login, command->username, err)
				       : ces_login_find(login, image, err)) < 0)
		return -1;
	way.image = image;
	way.ca = ca;
	way.username = login->username;
	way.token = login->token;
	if (ces_registry_open(&way, PATIENCE_MS, &registry, err) < 0)
		return -1;
	result = ces_conform_registry(conform, registry,
				      image->digest[0] != '\0' ? image->digest : image->tag,
				      &command->options, err);
	ces_registry_close(registry);
	return result;
}

/* A path that does not exist may be the name of an image. */
static int look_at_registry(struct ces_conform *conform, const struct command *command,
			    struct ces_error *err)
{
	const char *name = command->path;
	struct ces_reference image;
	struct ces_login login;
	int result;

	if (strncmp(name, "oci:", 4) == 0 || strncmp(name, "dir:", 4) == 0)
		return ces_error_set(err, CES_E_USAGE, "type the directory alone: %s", name + 4);
	if (strncmp(name, "docker://", 9) == 0)
		name += 9;
	else if (name[0] == '.' || name[0] == '/' || strpbrk(name, ":@./") == NULL)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", name);
	if (ces_reference_parse(name, &image, err) < 0)
		return ces_error_context(err, "there is no file or directory %.100s", name);
	if (ces_login_open(&login, err) < 0)
		return -1;
	result = ask_registry(conform, command, &image, &login, err);
	ces_login_free(&login);
	return result;
}

static int look_at_path(struct ces_conform *conform, const struct command *command,
			struct ces_error *err)
{
	CES_CLEANUP_FD int dir = open(command->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir < 0 && errno == ENOTDIR && access(command->path, F_OK) == 0)
		return look_at_dockerfile(conform, command->path, err);
	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return look_at_registry(conform, command, err);
	if (dir < 0)
		return ces_error_errno(err, CES_E_NOTFOUND, "%s", command->path);
	if (ces_input_drop(err) < 0)
		return -1;
	if (ces_conform_image(conform, dir, &command->options, err) < 0)
		return ces_error_context(err, "%s", command->path);
	return 0;
}

static int run(const struct command *command)
{
	struct ces_conform conform = {.path = command->path};
	struct ces_error err = {0};
	size_t errors, warnings;
	bool whole;

	if (look_at_path(&conform, command, &err) < 0) {
		ces_conform_free(&conform);
		return ces_tool_fail(&err);
	}
	ces_conform_sort(&conform);
	if (command->format == FORMAT_SARIF)
		ces_conform_sarif(&conform);
	else if (command->format == FORMAT_JSON)
		ces_conform_json(&conform);
	else
		ces_conform_text(&conform);
	errors = ces_conform_count(&conform, CES_CONFORM_ERROR);
	warnings = ces_conform_count(&conform, CES_CONFORM_WARNING);
	whole = !conform.no_memory;
	ces_conform_free(&conform);
	if (!whole) {
		(void)fprintf(stderr, "ces-policy: out of memory: not all was checked\n");
		return CES_TOOL_ERROR;
	}
	return errors > 0 || (command->strict && warnings > 0) ? CES_TOOL_FINDING : CES_TOOL_GOOD;
}

static int parse_format(const char *word, enum format *ret)
{
	static const char *const words[] = {"text", "json", "sarif"};

	for (size_t i = 0; i < CES_COUNT(words); i++)
		if (strcmp(word, words[i]) == 0) {
			*ret = (enum format)i;
			return 0;
		}
	fprintf(stderr, "ces-policy: --format: write text, json or sarif\n");
	return -1;
}

static int parse_platform(const char *word, const char **ret)
{
	if (strncmp(word, "linux/", 6) != 0 || word[6] == '\0' || strchr(word + 6, '/') != NULL) {
		fprintf(stderr, "ces-policy: --platform: write linux/amd64 or linux/arm64\n");
		return -1;
	}
	*ret = word + 6;
	return 0;
}

static int parse_option(struct command *command, int option)
{
	switch (option) {
	case 's':
		command->strict = true;
		return 0;
	case 'f':
		return parse_format(optarg, &command->format);
	case 'p':
		return parse_platform(optarg, &command->options.architecture);
	case 'r':
		command->options.ref = optarg;
		return 0;
	case 'm':
		if (ces_num_parse_size(optarg, &command->options.max_size) == 0)
			return 0;
		fprintf(stderr, "ces-policy: --max-size: write a size such as 20G\n");
		return -1;
	case 'u':
		command->username = optarg;
		return 0;
	case 't':
		command->token_stdin = true;
		return 0;
	case 'c':
		command->ca = optarg;
		return 0;
	case 'x':
		command->way.proxy = optarg;
		return 0;
	case 'H':
		if (command->way.n_hosts == CES_REGISTRY_HOSTS / 2) {
			fprintf(stderr, "ces-policy: --token-host: at most %d hosts\n",
				CES_REGISTRY_HOSTS / 2);
			return -1;
		}
		command->way.hosts[command->way.n_hosts++] = optarg;
		return 0;
	default:
		return -1;
	}
}

/* -1 usage, 1 help was printed. */
static int parse(int argc, char **argv, struct command *command)
{
	static const struct option options[] = {{"strict", no_argument, NULL, 's'},
						{"format", required_argument, NULL, 'f'},
						{"platform", required_argument, NULL, 'p'},
						{"ref", required_argument, NULL, 'r'},
						{"max-size", required_argument, NULL, 'm'},
						{"username", required_argument, NULL, 'u'},
						{"token-stdin", no_argument, NULL, 't'},
						{"ca", required_argument, NULL, 'c'},
						{"proxy", required_argument, NULL, 'x'},
						{"token-host", required_argument, NULL, 'H'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "f:h", options, NULL)) != -1) {
		if (option == 'h') {
			fputs(help, stdout);
			return 1;
		}
		if (parse_option(command, option) != 0)
			return -1;
	}
	if (argc - optind != 1) {
		fprintf(stderr, "ces-policy: name one Dockerfile, directory of an image, or image "
				"in a registry\n");
		return -1;
	}
	if ((command->username != NULL) != command->token_stdin) {
		fprintf(stderr, "ces-policy: --username and --token-stdin belong together\n");
		return -1;
	}
	command->path = argv[optind];
	return 0;
}

int ces_tool_conform(int argc, char **argv)
{
	struct command command = {
	    .options = {.architecture = "amd64", .max_size = UINT64_C(64) << 30}};
	int status = parse(argc, argv, &command);

	if (status != 0)
		return status > 0 ? CES_TOOL_GOOD : ces_tool_usage("conform");
	return ces_tool_finish(stdout, run(&command));
}
