/* Makes the config.json of a plan, as ces-session and ces-inside do, and looks into it. */
#ifndef CES_TESTS_UNIT_CONFIG_SCENE_H
#define CES_TESTS_UNIT_CONFIG_SCENE_H

#include "helper/launch/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/inside/inside.h"
#include "helper/launch/profile.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

/* CES's own two files are in the test's directory, not where an installation has them. */
int open(const char *path, int flags, ...)
{
	int dir = AT_FDCWD;
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (strncmp(path, CES_LIBEXECDIR "/", sizeof(CES_LIBEXECDIR)) == 0) {
		dir = directory;
		path += sizeof(CES_LIBEXECDIR);
	}
	return openat(dir, path, flags, mode);
}

static struct json_object *config;
static jmp_buf give_up;
static int failed; /* the step that ended ces-inside; -1: none did */

/* (What ces-inside makes stays to its end, which the sanitizer does not know.) */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:ces_inside_";
}

/* (of helper/inside/main.c, which ends the process) */
void ces_inside_fail(enum ces_inside_step step)
{
	failed = (int)step;
	longjmp(give_up, 1);
}

/* (of helper/session/selinux.c) */
void ces_selinux_runtime_context(const struct ces_selinux *selinux, char ret[CES_SELINUX_CONTEXT])
{
	ck_assert_ptr_eq(selinux, &plan.selinux);
	strcpy(ret, selinux->on ? "c:r:t" : "");
}

static void put_file(const char *path, const char *bytes, size_t length)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

static void set_up(void)
{
	static char *sh[] = {"sh"};
	static const char seccomp[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}\n";
	static const char compiled[] = "RklMVEVS\nmore\n";

	directory_begin();
	plan_begin();
	put_file("seccomp.json", seccomp, strlen(seccomp));
	put_file("seccomp.bpf.base64", compiled, strlen(compiled));
	image.cmd = (struct ces_strings){sh, 1};
	config = NULL;
}

static void tear_down(void)
{
	static const char *const files[] = {"seccomp.json", "seccomp.bpf.base64"};

	json_object_put(config);
	for (size_t i = 0; i < CES_COUNT(files); i++)
		(void)unlinkat(directory, files[i], 0);
	directory_end();
}

/* Parses text, all of it, strictly. */
static struct json_object *parse(const char *text, int flags)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *ret;

	json_tokener_set_flags(tokener, flags);
	ret = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	ck_assert_msg(ret != NULL, "%s in %s",
		      json_tokener_error_desc(json_tokener_get_error(tokener)), text);
	json_tokener_free(tokener);
	return ret;
}

/* Sends the order of the plan, and makes the text of it; NULL: a step failed. */
static const char *compose(void)
{
	static struct ces_inside inside;
	static const char *text;
	static int fd;

	failed = -1;
	text = NULL;
	ck_assert_msg(ces_config_order(&plan, &fd, &err) == 0, "%s", err.text);
	if (setjmp(give_up) == 0) {
		ces_inside_read(fd, &inside);
		text = ces_inside_config(&inside);
	}
	close(fd);
	return text;
}

/* Makes the plan's config.json, and reads it into config. */
static void fill(void)
{
	size_t before = open_fds();
	const char *text = compose();

	ck_assert_msg(text != NULL, "step %d: %s", failed, strerror(errno));
	ck_assert_uint_eq(open_fds(), before);
	json_object_put(config);
	config = parse(text, JSON_TOKENER_STRICT);
}

/* The value at a path ("process/user/uid", "mounts/3/options"), or NULL. */
static struct json_object *at(const char *path)
{
	struct json_object *value = config;
	char copy[100], *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, "/", &save); part != NULL && value != NULL;
	     part = strtok_r(NULL, "/", &save))
		value = json_object_is_type(value, json_type_array)
			    ? json_object_array_get_idx(value, (size_t)atoi(part))
			    : json_object_object_get(value, part);
	return value;
}

/* Compares the value at a path with text, where ' is ". */
static void is(const char *path, const char *text)
{
	struct json_object *expected, *found = at(path);
	char *copy = strdup(text);

	for (char *p = copy; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	expected = parse(copy, JSON_TOKENER_STRICT);
	ck_assert_msg(json_object_equal(found, expected), "%s is %.3000s and not %.3000s", path,
		      json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN), copy);
	json_object_put(expected);
	free(copy);
}

/* The value of a variable; NULL: it is not set. Fails if it is set twice. */
static const char *variable(const char *name)
{
	struct json_object *env = at("process/env");
	const char *found = NULL;

	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *entry = json_object_get_string(json_object_array_get_idx(env, i));

		if (strncmp(entry, name, strlen(name)) != 0 || entry[strlen(name)] != '=')
			continue;
		ck_assert_msg(found == NULL, "%s is set twice", name);
		found = entry + strlen(name) + 1;
	}
	return found;
}

#define BIND(to, from, more)                                                                       \
	"{'destination': '" to "', 'type': 'bind', 'source': '" from "', 'options': ['rbind', "    \
	"'nosuid', 'nodev'" more "]}"

#endif
