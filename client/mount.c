/* -v, --bind, --mount and -p: turns the forms of podman, Docker and Apptainer into the lists of the
 * request. It must not look at a path: the helper opens it, with the caller's rights. */
#include "client/options.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/num.h"
#include "common/way.h"
#include "policy/template.h"

struct mount {
	char *source, *destination;
	uint64_t size;
	bool tmpfs, bind, read_only;
};

/* Drops "." and empty components and resolves ".." as text, as a shell's cd does. The helper
 * decides on this text, and opens it. */
static void tidy(char *path)
{
	CES_CLEANUP_FREE char *copy = strdup(path);
	char *out = path, *save = NULL;

	if (copy == NULL)
		return;
	for (char *part = strtok_r(copy, "/", &save); part != NULL;
	     part = strtok_r(NULL, "/", &save)) {
		if (strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0) {
			while (out > path && *--out != '/')
				;
			continue;
		}
		*out++ = '/';
		out = stpcpy(out, part);
	}
	if (out == path)
		*out++ = '/';
	*out = '\0';
}

/* The working directory, by the name that the policy uses. If the home is behind a link of root's,
 * the kernel says where the link leads. malloc'd; NULL with errno. */
static char *working_directory(void)
{
	const struct passwd *user = getpwuid(getuid());
	char plain[CES_WAY_MAX], *here = getcwd(NULL, 0), *named;

	if (here == NULL || user == NULL || ces_way_plain(user->pw_dir, plain) < 0 ||
	    !ces_path_within(here, plain))
		return here;
	if (asprintf(&named, "%s%s", user->pw_dir, here + strlen(plain)) < 0)
		return here;
	free(here);
	return named;
}

/* The helper does not have the caller's working directory, so a relative path becomes absolute
 * here. */
static int source_path(struct ces_options *options, const char *text, char **ret,
		       struct ces_error *err)
{
	CES_CLEANUP_FREE char *joined = NULL;

	if (*text == '~' || strchr(text, '$') != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "'%s': ~ and $ are not expanded here: write the full path",
				     text);
	if (*text != '/' && *text != '.')
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is not a path, and CES has no named volumes: type ./%s "
				     "or an absolute path",
				     text, text);
	if (*text == '/') {
		joined = strdup(text);
	} else {
		CES_CLEANUP_FREE char *here = working_directory();

		if (here == NULL)
			return ces_error_errno(err, CES_E_USAGE, "no working directory for '%s'",
					       text);
		if (asprintf(&joined, "%s/%s", here, text) < 0)
			joined = NULL;
	}
	if (joined == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	tidy(joined);
	return ces_options_keep_text(options, joined, ret, err);
}

/* (people mount this directory to bring a display into a container) */
static bool is_display(const char *path)
{
	return strncmp(path, CES_DISPLAY_DIR, strlen(CES_DISPLAY_DIR)) == 0;
}

static int check_destination(const char *path, struct ces_error *err)
{
	if (path[0] == '/')
		return 0;
	return ces_error_set(err, CES_E_USAGE,
			     "'%s' is a place in the container, which begins with '/': type /%s",
			     path, path + (strncmp(path, "./", 2) == 0 ? 2 : 0));
}

static int add_bind(struct ces_options *options, const struct mount *mount, struct ces_error *err)
{
	struct ces_request *request = &options->request;
	char *source;

	if (is_display(mount->source))
		return ces_error_set(err, CES_E_USAGE,
				     "%s: type --display instead of a mount of the display",
				     mount->source);
	if (check_destination(mount->destination, err) < 0 ||
	    source_path(options, mount->source, &source, err) < 0 ||
	    ces_strings_append(&request->bind_sources, source, err) < 0 ||
	    ces_options_append(options, &request->bind_destinations, mount->destination, err) < 0)
		return -1;
	return ces_u64s_append(&request->bind_read_only, mount->read_only, err);
}

static int add_tmpfs(struct ces_options *options, const struct mount *mount, struct ces_error *err)
{
	struct ces_request *request = &options->request;

	if (check_destination(mount->destination, err) < 0 ||
	    ces_options_append(options, &request->tmpfs_destinations, mount->destination, err) < 0)
		return -1;
	return ces_u64s_append(&request->tmpfs_sizes, mount->size, err);
}

static int mount_mode(const char *option, const char *mode, bool *ret_read_only,
		      struct ces_error *err)
{
	if (strchr(mode, '/') != NULL)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: for a path with a ':', type --mount "
				     "type=bind,source=SRC,destination=DST",
				     option);
	if (strcmp(mode, "ro") != 0 && strcmp(mode, "rw") != 0)
		return ces_error_set(err, CES_E_USAGE,
				     "%s: ':%s' is not for CES: type :ro, or nothing", option,
				     mode);
	*ret_read_only = strcmp(mode, "ro") == 0;
	return 0;
}

/* SRC:DST[:MODE], and where lone is set also SRC. Writes over text. */
static int colon_form(struct ces_options *options, const char *option, char *text, bool lone,
		      struct ces_error *err)
{
	struct mount mount = {.source = text};
	char *mode = NULL;

	mount.destination = strchr(text, ':');
	if (mount.destination != NULL) {
		*mount.destination++ = '\0';
		mode = strchr(mount.destination, ':');
	} else if (lone) {
		mount.destination = text;
	}
	if (mode != NULL)
		*mode++ = '\0';
	if (mount.destination == NULL || *mount.destination == '\0' || *mount.source == '\0')
		return ces_error_set(err, CES_E_USAGE, "%s %s: type %s SRC:DST or %s SRC:DST:ro",
				     option, text, option, option);
	if (mode != NULL && mount_mode(option, mode, &mount.read_only, err) < 0)
		return -1;
	return add_bind(options, &mount, err) < 0 ? ces_error_context(err, "%s", option) : 0;
}

int ces_mount_set_volume(struct ces_options *options, const char *value, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = strdup(value);

	if (text == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	return colon_form(options, "-v", text, false, err);
}

int ces_mount_set_bind(struct ces_options *options, const char *value, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = strdup(value);
	char *save = NULL;

	if (text == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	for (char *one = strtok_r(text, ",", &save); one != NULL;
	     one = strtok_r(NULL, ",", &save)) {
		if (colon_form(options, "--bind", one, true, err) < 0)
			return -1;
	}
	return 0;
}

static bool is_one_of(const char *key, const char *a, const char *b, const char *c)
{
	return strcmp(key, a) == 0 || strcmp(key, b) == 0 || strcmp(key, c) == 0;
}

static int mount_bool(const char *key, const char *value, bool *ret, struct ces_error *err)
{
	if (value != NULL && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return ces_error_set(err, CES_E_USAGE, "--mount: '%s=%s': type %s, or nothing", key,
				     value, key);
	*ret = value == NULL || strcmp(value, "true") == 0;
	return 0;
}

static int mount_type(const char *value, struct mount *mount, struct ces_error *err)
{
	mount->tmpfs = value != NULL && strcmp(value, "tmpfs") == 0;
	mount->bind = value != NULL && strcmp(value, "bind") == 0;
	if (!mount->tmpfs && !mount->bind)
		return ces_error_set(err, CES_E_USAGE,
				     "--mount type=%s is not for CES: type type=tmpfs or type=bind",
				     value != NULL ? value : "");
	return 0;
}

/* One KEY[=VALUE] of --mount. */
static int mount_key(const char *key, char *value, struct mount *mount, struct ces_error *err)
{
	if (strcmp(key, "type") == 0)
		return mount_type(value, mount, err);
	if (is_one_of(key, "ro", "readonly", "read-only"))
		return mount_bool(key, value, &mount->read_only, err);
	if (value == NULL || *value == '\0')
		return ces_error_set(err, CES_E_USAGE, "--mount: '%s' needs a value", key);
	if (is_one_of(key, "source", "src", "source"))
		mount->source = value;
	else if (is_one_of(key, "destination", "dst", "target"))
		mount->destination = value;
	else if (is_one_of(key, "size", "tmpfs-size", "size"))
		return ces_options_size("--mount type=tmpfs: size", value, &mount->size, err);
	else
		return ces_error_set(err, CES_E_USAGE, "--mount: '%s' is not for CES: leave it out",
				     key);
	return 0;
}

int ces_mount_set_mount(struct ces_options *options, const char *value, struct ces_error *err)
{
	CES_CLEANUP_FREE char *text = strdup(value);
	struct mount mount = {0};
	char *save = NULL;

	if (text == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	for (char *key = strtok_r(text, ",", &save); key != NULL;
	     key = strtok_r(NULL, ",", &save)) {
		char *equals = strchr(key, '=');

		if (equals != NULL)
			*equals++ = '\0';
		if (mount_key(key, equals, &mount, err) < 0)
			return -1;
	}
	if (mount.bind && mount.source != NULL && mount.destination != NULL && mount.size == 0)
		return add_bind(options, &mount, err) < 0 ? ces_error_context(err, "--mount") : 0;
	if (mount.tmpfs && mount.destination != NULL && mount.source == NULL && !mount.read_only)
		return add_tmpfs(options, &mount, err);
	return ces_error_set(err, CES_E_USAGE,
			     "--mount %s: type --mount type=tmpfs,destination=DIR[,size=SIZE] or "
			     "--mount type=bind,source=SRC,destination=DST[,ro]",
			     value);
}

static int publish_error(const char *value, struct ces_error *err)
{
	return ces_error_set(
	    err, CES_E_USAGE,
	    "-p %s: type -p HOST:CONTAINER, two port numbers, such as -p 8787:8787; "
	    "-p CONTAINER or HOST 0 takes a free port",
	    value);
}

/* Finds a port of the loopback that no program uses. If another program takes it before the run
 * does, the run is refused, with the advice to try again. */
static int free_port(uint64_t *ret)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	CES_CLEANUP_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(address);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &size) < 0)
		return -1;
	*ret = ntohs(address.sin_port);
	return 0;
}

static bool is_taken(const struct ces_strings *publish, uint64_t host)
{
	char start[16];
	int length = snprintf(start, sizeof(start), "%u:", (unsigned)host);

	for (size_t i = 0; i < publish->n; i++)
		if (strncmp(publish->v[i], start, (size_t)length) == 0)
			return true;
	return false;
}

#define PAIR_SIZE sizeof("65535:65535")

/* Makes HOST:CONTAINER with a free port of this machine. */
static int choose_pair(const struct ces_strings *publish, const char *container,
		       char ret[PAIR_SIZE], struct ces_error *err)
{
	uint64_t host = 0;

	do
		if (free_port(&host) < 0)
			return ces_error_errno(err, CES_E_HOST, "-p: no free port");
	while (is_taken(publish, host));
	(void)snprintf(ret, PAIR_SIZE, "%u:%s", (unsigned)host, container);
	return 0;
}

static int choose_port(struct ces_options *options, uint64_t container, struct ces_error *err)
{
	struct ces_strings *publish = &options->request.publish;
	char pair[PAIR_SIZE], text[6];

	(void)snprintf(text, sizeof(text), "%u", (unsigned)(container & 0xffff));
	if (choose_pair(publish, text, pair, err) < 0)
		return -1;
	if (publish->n < 32)
		options->chosen |= (uint32_t)1 << publish->n;
	return ces_options_append(options, publish, pair, err);
}

int ces_mount_choose_again(struct ces_options *options, struct ces_error *err)
{
	struct ces_strings *publish = &options->request.publish;

	for (size_t i = 0; i < publish->n && i < 32; i++) {
		const char *container = strchr(publish->v[i], ':');
		char pair[PAIR_SIZE];

		if ((options->chosen >> i & 1) == 0 || container == NULL)
			continue;
		if (choose_pair(publish, container + 1, pair, err) < 0)
			return -1;
		/* (in place, as a rule: a client may ask for days) */
		if (strlen(pair) <= strlen(publish->v[i]))
			(void)snprintf(publish->v[i], strlen(publish->v[i]) + 1, "%s", pair);
		else if (ces_options_keep_text(options, pair, &publish->v[i], err) < 0)
			return -1;
	}
	return 0;
}

int ces_mount_set_publish(struct ces_options *options, const char *value, struct ces_error *err)
{
	static const char *const loopback[] = {"127.0.0.1:", "localhost:", "[::1]:"};
	CES_CLEANUP_FREE char *text = strdup(value);
	char *pair = text, *container, *protocol;
	uint64_t port;

	if (text == NULL)
		return ces_error_set(err, CES_E_INTERNAL, "out of memory");
	for (size_t i = 0; i < CES_COUNT(loopback); i++) {
		if (strncmp(text, loopback[i], strlen(loopback[i])) == 0)
			pair = text + strlen(loopback[i]);
	}
	protocol = strchr(pair, '/');
	if (protocol != NULL && strcmp(protocol, "/tcp") != 0)
		return ces_error_set(err, CES_E_USAGE, "-p %s: only TCP ports are published",
				     value);
	if (protocol != NULL)
		*protocol = '\0';
	container = strchr(pair, ':');
	/* -p 8888, and Docker's -p 127.0.0.1::8888 */
	if (container == NULL || container == pair) {
		if (ces_num_parse(container == pair ? pair + 1 : pair, 1, 65535, &port) < 0)
			return publish_error(value, err);
		return choose_port(options, port, err);
	}
	if (strchr(container + 1, ':') != NULL)
		return ces_error_set(
		    err, CES_E_USAGE,
		    "-p %s: ports are published on this machine's loopback only: type "
		    "-p HOST:CONTAINER",
		    value);
	*container = '\0';
	if (strcmp(pair, "0") == 0 && ces_num_parse(container + 1, 1, 65535, &port) == 0)
		return choose_port(options, port, err);
	if (ces_num_parse(pair, 1, 65535, &port) < 0 ||
	    ces_num_parse(container + 1, 1, 65535, &port) < 0)
		return publish_error(value, err);
	*container = ':';
	return ces_options_append(options, &options->request.publish, pair, err);
}

int ces_options_bind(struct ces_options *options, const char *source, const char *destination,
		     struct ces_error *err)
{
	const struct mount mount = {.source = (char *)(uintptr_t)source,
				    .destination = (char *)(uintptr_t)destination};

	return add_bind(options, &mount, err);
}
