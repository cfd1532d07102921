/* Makes the environment of the program. Must not let anything of an image's say which devices there
 * are, nor which proxy. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "helper/inside/inside.h"
#include "policy/cdi.h"
#include "policy/proxy.h"

/* An environment is a row of "NAME=value", each ended by NUL; each name occurs once. */
static char *env_next(const struct ces_bytes_out *env, char *at)
{
	at = at == NULL ? env->text : at + strlen(at) + 1;
	return at < env->text + env->used ? at : NULL;
}

static void env_put(struct ces_bytes_out *env, const char *entry)
{
	size_t name = strcspn(entry, "=") + 1;

	for (char *at = env_next(env, NULL); at != NULL; at = env_next(env, at))
		if (strncmp(at, entry, name) == 0) {
			size_t old = strlen(at) + 1;

			memmove(at, at + old, env->used - (size_t)(at - env->text) - old);
			env->used -= old;
			break;
		}
	ces_bytes_add(env, entry, strlen(entry) + 1);
}

static void put_row(const struct ces_inside *inside, enum ces_inside_row row,
		    struct ces_bytes_out *env)
{
	for (size_t i = 0; i < inside->rows[row].n; i++)
		env_put(env, inside->rows[row].v[i]);
}

/* value: of bounded length, as ces-session and the policy have bounded it. */
static void put(struct ces_bytes_out *env, const char *name, const char *value)
{
	char entry[1100];

	(void)snprintf(entry, sizeof(entry), "%s=%s", name, value);
	env_put(env, entry);
}

/* Adds text to a value that is not whole yet. */
static void add(struct ces_bytes_out *entry, const char *text)
{
	ces_bytes_add(entry, text, strlen(text));
}

/* Ends the value and sets the variable. */
static void put_whole(struct ces_bytes_out *env, struct ces_bytes_out *entry)
{
	ces_bytes_add(entry, "", 1);
	env->failed = env->failed || entry->failed;
	if (!entry->failed)
		env_put(env, entry->text);
	free(entry->text);
}

/* Sets the variables of a driver. No tool that reads them ever runs with privilege, but libraries
 * and people do read them. */
static void gpu_environment(const struct ces_inside *inside, struct ces_bytes_out *env)
{
	const struct ces_strings *names = &inside->rows[CES_INSIDE_ROW_GPUS];
	struct ces_bytes_out visible = {0};

	put_row(inside, CES_INSIDE_ROW_GPU_ENV, env);
	add(&visible, "NVIDIA_VISIBLE_DEVICES=");
	add(&visible, names->n == 0 ? "void" : names->v[0]);
	for (size_t i = 1; i < names->n; i++) {
		add(&visible, ",");
		add(&visible, names->v[i]);
	}
	put_whole(env, &visible);
	put(env, "NVIDIA_DRIVER_CAPABILITIES", names->n > 0 ? "compute,utility" : "");
}

/* The same directory as that of a path before it. */
static bool is_again(const struct ces_strings *paths, size_t n, size_t length)
{
	for (size_t i = 0; i < n; i++)
		if ((size_t)(strrchr(paths->v[i], '/') - paths->v[i]) == length &&
		    strncmp(paths->v[i], paths->v[n], length) == 0)
			return true;
	return false;
}

/* The driver's own libraries come first, since they must be of the kernel's version. Then comes the
 * value that the image or the caller gives. */
static void library_path(const struct ces_inside *inside, struct ces_bytes_out *env)
{
	static const char name[] = "LD_LIBRARY_PATH=";
	const struct ces_strings *paths = &inside->rows[CES_INSIDE_ROW_LIBRARIES];
	struct ces_bytes_out entry = {0};

	if (paths->n == 0)
		return;
	add(&entry, name);
	for (size_t i = 0; i < paths->n; i++) {
		size_t length = (size_t)(strrchr(paths->v[i], '/') - paths->v[i]);

		if (is_again(paths, i, length))
			continue;
		add(&entry, i > 0 ? ":" CES_GPU_DIR : CES_GPU_DIR);
		ces_bytes_add(&entry, paths->v[i], length);
	}
	for (char *at = env_next(env, NULL); at != NULL; at = env_next(env, at))
		if (strncmp(at, name, strlen(name)) == 0 && at[strlen(name)] != '\0') {
			add(&entry, ":");
			add(&entry, at + strlen(name));
		}
	put_whole(env, &entry);
}

/* Overrides the caller's values too: the container can reach no other proxy. */
static void proxy_environment(struct ces_bytes_out *env)
{
	char url[40], entry[80];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", CES_PROXY_PORT);
	for (size_t i = 0; ces_proxy_setting(i, url, entry, sizeof(entry)); i++)
		env_put(env, entry);
}

/* Sets the display and its key together. */
static void display_environment(uint64_t display, struct ces_bytes_out *env)
{
	char value[40];

	(void)snprintf(value, sizeof(value), ":%llu", (unsigned long long)display - 1);
	put(env, "DISPLAY", value);
	put(env, "XAUTHORITY", "/" CES_DISPLAY_KEY);
}

/* CES's values, which the image may change. */
static void put_defaults(const struct ces_inside *inside, struct ces_bytes_out *env)
{
	char number[24];

	put(env, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	put(env, "HOME", ces_inside_text(inside, CES_INSIDE_IMAGE_HOME));
	put(env, "HOSTNAME", ces_inside_text(inside, CES_INSIDE_HOSTNAME));
	/* a library that counted the machine's cpus would start a thread for each, though the run
	 * has only some */
	(void)snprintf(number, sizeof(number), "%llu",
		       (unsigned long long)(inside->order.cpus + 999) / 1000);
	put(env, "OMP_NUM_THREADS", number);
	if (inside->order.tty)
		put(env, "TERM", "xterm");
}

/* The later wins. TMP and TMPDIR must not be the image's. */
static void fill(const struct ces_inside *inside, struct ces_bytes_out *env)
{
	put_defaults(inside, env);
	put_row(inside, CES_INSIDE_ROW_IMAGE_ENV, env);
	if (ces_inside_text(inside, CES_INSIDE_HOME)[0] != '\0') {
		put(env, "HOME", ces_inside_text(inside, CES_INSIDE_HOME));
		put(env, "USER", ces_inside_text(inside, CES_INSIDE_USER));
	}
	gpu_environment(inside, env);
	put(env, "TMP", "/scratch");
	put(env, "TMPDIR", "/scratch");
	put_row(inside, CES_INSIDE_ROW_CALLER_ENV, env);
	if (inside->order.proxy)
		proxy_environment(env);
	if (inside->order.display > 0)
		display_environment(inside->order.display, env);
	library_path(inside, env);
}

void ces_inside_environment(const struct ces_inside *inside, struct ces_json *to)
{
	struct ces_bytes_out env = {0};

	fill(inside, &env);
	for (char *at = env_next(&env, NULL); at != NULL; at = env_next(&env, at))
		ces_json_text(to, NULL, at);
	free(env.text);
	to->out.failed = to->out.failed || env.failed;
}
