/* Finds a login. It must start no credential helper (a program that a file names), and leave no
 * copy of the token behind. */
#include "policy/conform/login.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "helper/unpack/json.h"
#include "policy/tool/input.h"

#define FILE_MAX  (1u << 20)
#define TOKEN_MAX 8192
#define AUTH_MAX  16384 /* "user:token" in base64 */

static void wipe(char *secret)
{
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}

void ces_login_free(struct ces_login *login)
{
	wipe(login->username);
	wipe(login->token);
	while (login->n_files > 0)
		close(login->files[--login->n_files]);
	*login = (struct ces_login){0};
}

/* ---- the files ---- */

/* Opens PREFIX (of the environment) and what follows it. A missing file is no error. */
static int open_one(struct ces_login *login, const char *prefix, const char *path, bool must,
		    struct ces_error *err)
{
	char text[4096];
	int fd = -1;

	if (prefix == NULL || prefix[0] == '\0' ||
	    (size_t)snprintf(text, sizeof(text), "%s%s", prefix, path) >= sizeof(text))
		return 0;
	if (ces_input_open(text, &fd, err) < 0)
		return must ? -1 : 0;
	login->files[login->n_files++] = fd;
	return 0;
}

int ces_login_open(struct ces_login *ret, struct ces_error *err)
{
	const char *home = getenv("HOME"), *named = getenv("REGISTRY_AUTH_FILE");
	const char *docker = getenv("DOCKER_CONFIG"), *config = getenv("XDG_CONFIG_HOME");
	const struct rlimit none = {0, 0};
	char run[64];

	*ret = (struct ces_login){0};
	/* a token will be in memory: no core dump */
	if (setrlimit(RLIMIT_CORE, &none) < 0)
		return ces_error_errno(err, CES_E_HOST, "setrlimit");
	if (named != NULL && named[0] != '\0')
		return open_one(ret, named, "", true, err);
	(void)snprintf(run, sizeof(run), "/run/containers/%u", (unsigned)getuid());
	(void)open_one(ret, getenv("XDG_RUNTIME_DIR"), "/containers/auth.json", false, NULL);
	(void)open_one(ret, run, "/auth.json", false, NULL);
	if (config != NULL && config[0] != '\0')
		(void)open_one(ret, config, "/containers/auth.json", false, NULL);
	else
		(void)open_one(ret, home, "/.config/containers/auth.json", false, NULL);
	if (docker != NULL && docker[0] != '\0')
		(void)open_one(ret, docker, "/config.json", false, NULL);
	else
		(void)open_one(ret, home, "/.docker/config.json", false, NULL);
	return 0;
}

/* "user:token" in base64. -1 for anything else. */
static int take_auth(const char *auth, struct ces_login *login)
{
	size_t length = strlen(auth), decoded_length = 0;
	struct base64_decode_ctx context;
	char decoded[BASE64_DECODE_LENGTH(AUTH_MAX) + 1] = "";
	char *colon;
	int result = -1;

	if (length > AUTH_MAX)
		return -1;
	base64_decode_init(&context);
	if (base64_decode_update(&context, &decoded_length, (uint8_t *)decoded, length, auth) ==
		1 &&
	    base64_decode_final(&context) == 1) {
		decoded[decoded_length] = '\0';
		colon = strchr(decoded, ':');
		if (colon != NULL && colon != decoded && colon[1] != '\0') {
			*colon = '\0';
			login->username = strdup(decoded);
			login->token = strdup(colon + 1);
			result = login->username != NULL && login->token != NULL ? 0 : -1;
		}
	}
	explicit_bzero(decoded, sizeof(decoded));
	return result;
}

/* Returns whether a key is this registry: Docker writes https://index.docker.io/v1/. */
static bool is_registry(const char *key, const char *registry)
{
	size_t length;

	if (strncmp(key, "https://", 8) != 0 && strncmp(key, "http://", 7) != 0)
		return false;
	key = strstr(key, "//") + 2;
	length = strcspn(key, "/");
	if (strcmp(registry, "docker.io") == 0 && length == 15 &&
	    strncmp(key, "index.docker.io", 15) == 0)
		return true;
	return strlen(registry) == length && strncmp(key, registry, length) == 0;
}

/* The entry whose key is the longest beginning of the image's name, by whole components. */
static struct json_object *find_entry(struct json_object *auths, const struct ces_reference *image)
{
	char name[CES_REFERENCE_MAX];
	struct json_object *found = NULL;
	char *slash;

	(void)snprintf(name, sizeof(name), "%s/%s", image->registry, image->repository);
	for (;;) {
		if (json_object_object_get_ex(auths, name, &found))
			return found;
		slash = strrchr(name, '/');
		if (slash == NULL)
			break;
		*slash = '\0';
	}
	json_object_object_foreach(auths, key, value)
	{
		if (is_registry(key, image->registry))
			return value;
	}
	return NULL;
}

int ces_login_read(const char *bytes, size_t length, const struct ces_reference *image,
		   struct ces_login *login, struct ces_error *err)
{
	struct json_object *json = NULL, *auths = NULL, *entry = NULL;
	const char *auth = NULL;
	int result = -1;

	if (ces_json_parse(bytes, length, &json, err) == 0 &&
	    ces_json_member(json, "auths", json_type_object, &auths, err) == 0) {
		result = 0;
		entry = auths != NULL ? find_entry(auths, image) : NULL;
	}
	/* an empty entry: a credential helper keeps the login */
	if (entry != NULL && json_object_is_type(entry, json_type_object) &&
	    ces_json_text(entry, "auth", &auth, err) == 0 && auth != NULL && auth[0] != '\0' &&
	    take_auth(auth, login) < 0)
		result = ces_error_set(err, CES_E_USAGE, "its login for %.200s is not readable",
				       image->registry);
	json_object_put(json);
	return result;
}

int ces_login_find(struct ces_login *login, const struct ces_reference *image,
		   struct ces_error *err)
{
	for (size_t i = 0; i < login->n_files && login->username == NULL; i++) {
		CES_CLEANUP_FREE char *bytes = NULL;
		size_t length = 0;
		int result;

		if (ces_read_file(login->files[i], FILE_MAX, &bytes, &length) < 0)
			return ces_error_errno(err, CES_E_USAGE, "the file of logins");
		result = ces_login_read(bytes, length, image, login, err);
		explicit_bzero(bytes, length);
		if (result < 0) {
			err->code = CES_E_USAGE;
			return ces_error_context(err, "the file of logins");
		}
	}
	return 0;
}

/* ---- the command line ---- */

int ces_login_ask(struct ces_login *login, const char *username, struct ces_error *err)
{
	login->username = strdup(username);
	if (login->username == NULL)
		return ces_error_set(err, CES_E_HOST, "out of memory");
	if (ces_read_file(STDIN_FILENO, TOKEN_MAX, &login->token, &(size_t){0}) < 0)
		return ces_error_errno(err, CES_E_USAGE, "the token");
	login->token[strcspn(login->token, "\r\n")] = '\0';
	return login->token[0] != '\0' ? 0 : ces_error_set(err, CES_E_USAGE, "the token is empty");
}
