/* Writes to the outputs directory after a run. It must not touch a file that the run has
 * written. */
#include "client/outputs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "client/say.h"
#include "common/cleanup.h"
#include "common/list.h"
#include "common/io.h"
#include "common/num.h"

#define MAKING   "." CES_OUTPUTS_FILE ".%s.new" /* with the run's number */
#define LISTED   "ces-manifest-%s.json"         /* from ces-list, as root recorded it */
#define JSON_MAX (32 << 20)

void ces_outputs_begin(struct ces_outputs *outputs, const struct ces_request *request,
		       const struct ces_event_started *started)
{
	outputs->request = request;
	outputs->time = started->most_time;
	outputs->memory = started->most_memory;
	outputs->cpus = started->most_cpus;
}

void ces_outputs_say(const struct ces_event_started *started)
{
	char time[32], most[64] = "";

	if (started->most_time != 0) {
		ces_num_format_time(started->most_time, time, sizeof(time));
		(void)snprintf(most, sizeof(most), " (%s at most)", time);
	}
	ces_say("run %s%s%s%s", started->run, most, started->outputs != NULL ? ", outputs in " : "",
		started->outputs != NULL ? started->outputs : "");
}

static void put(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, *text != '\0' ? json_object_new_string(text) : NULL);
}

static void put_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key,
			       value != 0 ? json_object_new_int64((int64_t)value) : NULL);
}

static void put_time(struct json_object *object, const char *key, uint64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32] = "";

	if (gmtime_r(&when, &parts) != NULL)
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	put(object, key, text);
}

/* The command as the user typed it: the image's digest says what the image adds. It leaves out the
 * environment, which may hold secrets. */
static struct json_object *command(const struct ces_request *request)
{
	struct json_object *array = json_object_new_array();

	if ((request->flags & CES_FLAG_ENTRYPOINT) != 0 && request->entrypoint != NULL)
		json_object_array_add(array, json_object_new_string(request->entrypoint));
	for (size_t i = 0; i < request->args.n; i++)
		json_object_array_add(array, json_object_new_string(request->args.v[i]));
	return array;
}

static struct json_object *describe(const struct ces_outputs *outputs, const struct ces_kept *kept,
				    const struct ces_event_exited *exited)
{
	struct json_object *object = json_object_new_object();
	struct json_object *limits = json_object_new_object();

	put(object, "run", kept->run);
	put(object, "name", kept->name);
	put(object, "image", kept->image);
	put(object, "digest", kept->digest);
	put(object, "project", kept->project);
	json_object_object_add(object, "command", command(outputs->request));
	put_time(object, "started", kept->started);
	put_time(object, "ended", kept->ended);
	json_object_object_add(object, "status", json_object_new_int(kept->status));
	put(object, "reason", kept->reason);
	put_number(object, "peak_memory", exited->peak_memory);
	put_number(object, "cpu_us", exited->cpu_us);
	put_number(limits, "time", outputs->time);
	put_number(limits, "memory", outputs->memory);
	put_number(limits, "cpus_milli", outputs->cpus);
	json_object_object_add(object, "limits", limits);
	return object;
}

/* Whether there is no file, or one that another run's end has left: the directory may be shared. */
static bool may_be_written(int dir)
{
	CES_CLEANUP_FD int fd =
	    openat(dir, CES_OUTPUTS_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CES_CLEANUP_FREE char *text = NULL;
	struct json_object *object, *run, *digest;
	struct stat st;
	size_t length;
	bool ours;

	if (fd < 0)
		return errno == ENOENT;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != getuid() ||
	    ces_read_file(fd, JSON_MAX, &text, &length) < 0)
		return false;
	object = json_tokener_parse(text);
	ours = json_object_is_type(object, json_type_object) &&
	       json_object_object_get_ex(object, "run", &run) &&
	       json_object_is_type(run, json_type_string) &&
	       ces_run_valid(json_object_get_string(run)) &&
	       json_object_object_get_ex(object, "digest", &digest);
	json_object_put(object);
	return ours;
}

/* The list of the outputs, in the form that was hashed; NULL if there is none. Anybody who can
 * write to the directory may have changed it: then the digest in the journal differs. */
static struct json_object *take_manifest(int dir, const char *run, char name[64])
{
	struct json_object *manifest;
	CES_CLEANUP_FREE char *text = NULL;
	CES_CLEANUP_FD int fd = -1;
	struct stat st;
	size_t length;

	(void)snprintf(name, 64, LISTED, run);
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != getuid() ||
	    ces_read_file(fd, JSON_MAX, &text, &length) < 0)
		return NULL;
	manifest = json_tokener_parse(text);
	if (json_object_is_type(manifest, json_type_object))
		return manifest;
	json_object_put(manifest);
	return NULL;
}

/* The directory may be shared, also with a client that was killed here. A name with the run's
 * number is this client's own, so what has it is a rest. */
static int write_file(int dir, const char *run, struct json_object *object)
{
	char making[64];
	CES_CLEANUP_FD int fd = -1;
	const char *text = json_object_to_json_string_ext(
	    object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);

	(void)snprintf(making, sizeof(making), MAKING, run);
	(void)unlinkat(dir, making, 0);
	fd = openat(dir, making, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -1;
	if (text != NULL && ces_write_full(fd, text, strlen(text), -1) == 0 &&
	    ces_write_full(fd, "\n", 1, -1) == 0 &&
	    renameat(dir, making, dir, CES_OUTPUTS_FILE) == 0)
		return 0;
	(void)unlinkat(dir, making, 0);
	return -1;
}

/* Returns whether CES made the directory for this run: it has the run's number, and the caller
 * named no other. */
static bool is_own(const struct ces_outputs *outputs, const struct ces_kept *kept)
{
	const struct ces_strings *binds = &outputs->request->bind_destinations;

	for (size_t i = 0; i < binds->n; i++)
		if (strcmp(binds->v[i], "/safe_outputs") == 0)
			return false;
	return strstr(kept->outputs, kept->run) != NULL;
}

static const char *count(uint64_t n, uint64_t all, char *buffer, size_t size)
{
	if (n > 0)
		(void)snprintf(buffer, size, "%llu of %llu outputs", (unsigned long long)n,
			       (unsigned long long)all);
	else
		(void)snprintf(buffer, size, "the outputs together");
	return buffer;
}

void ces_outputs_word(const struct ces_event_exited *exited, struct ces_kept *kept)
{
	const char *ask =
	    exited->contact != NULL ? exited->contact : "the people who check outputs";
	char which[80], *to = kept->check;
	size_t size = sizeof(kept->check);

	kept->check[0] = '\0';
	if (exited->check == CES_LIST_FAILED && exited->withheld != 0)
		(void)snprintf(to, size,
			       "%s did not pass the check of project %s: all outputs of this run "
			       "are withheld; ask %s",
			       count(exited->findings, exited->files, which, sizeof(which)),
			       kept->project, ask);
	else if (exited->check == CES_LIST_FAILED)
		(void)snprintf(to, size,
			       "%s did not pass the check of project %s: \"manifest\" in "
			       "%.600s/" CES_OUTPUTS_FILE " says why; correct them, or ask %s",
			       count(exited->findings, exited->files, which, sizeof(which)),
			       kept->project, kept->outputs, ask);
	else if (exited->check >= CES_LIST_UNCHECKED)
		(void)snprintf(to, size,
			       "the outputs could not be checked, as project %s asks for%s: run it "
			       "again, or ask %s",
			       kept->project, exited->withheld != 0 ? ", and are withheld" : "",
			       ask);
	else if (exited->withheld != 0)
		(void)snprintf(to, size,
			       "the outputs passed the check of project %s, and could not be put "
			       "at %.600s: they are withheld; ask %s",
			       kept->project, kept->outputs, ask);
	if (exited->withheld != 0)
		kept->outputs[0] = '\0';
}

void ces_outputs_settle(const struct ces_outputs *outputs, struct ces_kept *kept,
			const struct ces_event_exited *exited)
{
	CES_CLEANUP_FD int dir = -1;
	struct json_object *object, *manifest;
	char name[64];

	/* a run that never started has none */
	if (kept->outputs[0] == '\0')
		return;
	/* (it fails, and the files stay, if the directory is not empty) */
	if (is_own(outputs, kept) && rmdir(kept->outputs) == 0) {
		kept->outputs[0] = '\0';
		return;
	}
	dir = open(kept->outputs, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || !may_be_written(dir))
		return;
	object = describe(outputs, kept, exited);
	manifest = take_manifest(dir, kept->run, name);
	if (manifest != NULL)
		json_object_object_add(object, "manifest", manifest);
	/* (if that cannot be written, the list stays beside the outputs) */
	if (write_file(dir, kept->run, object) == 0 && manifest != NULL)
		(void)unlinkat(dir, name, 0);
	json_object_put(object);
}
