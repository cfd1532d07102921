/* Prints listings. Cells are printable ASCII, whatever the helper sent. JSON is one line of
 * UTF-8. */
#include "client/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <json-c/json.h>

#include "client/fit.h"
#include "client/say.h"
#include "common/cleanup.h"
#include "common/error.h"
#include "common/event.h"
#include "common/num.h"

static const char *const image_header[CES_TABLE_COLUMNS] = {"REFERENCE", "DIGEST",    "SIZE",
							    "PULLED",    "LAST USED", NULL};
static const char *const run_header[CES_TABLE_COLUMNS] = {"RUN",     "NAME",   "IMAGE", "PROJECT",
							  "STARTED", "STATUS", "PORTS", "OUTPUTS"};

static const enum ces_fit image_fit[CES_TABLE_COLUMNS] = {CES_FIT_LAST, CES_FIT_WHOLE,
							  CES_FIT_WHOLE, CES_FIT_DAY, CES_FIT_DAY};
static const enum ces_fit run_fit[CES_TABLE_COLUMNS] = {CES_FIT_WHOLE, CES_FIT_FIRST, CES_FIT_LAST,
							CES_FIT_LAST,  CES_FIT_DAY,   CES_FIT_FIRST,
							CES_FIT_FIRST, CES_FIT_LAST};

static bool add_row(struct ces_table *table, uint64_t when)
{
	struct ces_table_row *grown = NULL;

	if (table->kind != CES_TABLE_NONE)
		grown = reallocarray(table->rows, table->n + 1, sizeof(*grown));
	if (grown == NULL)
		return false;
	table->rows = grown;
	table->rows[table->n++] = (struct ces_table_row){.when = when};
	return true;
}

static void store(struct ces_table *table, size_t column, const char *text, void (*clean)(char *))
{
	char *cell = strdup(text != NULL && *text != '\0' ? text : "-");

	if (cell == NULL)
		return;
	clean(cell);
	table->rows[table->n - 1].cell[column] = cell;
}

static void set_cell(struct ces_table *table, size_t column, const char *text)
{
	store(table, column, text, ces_text_clean);
}

/* Local time for people; -: never. */
static void set_time(struct ces_table *table, size_t column, uint64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32] = "never";

	if (seconds != 0 && localtime_r(&when, &parts) != NULL)
		strftime(text, sizeof(text), "%Y-%m-%d %H:%M", &parts);
	set_cell(table, column, text);
}

/* The text of one JSON object, so that a row outlives the event that it came from. */
static void set_json(struct ces_table *table, struct json_object *object)
{
	store(table, 0,
	      json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE),
	      ces_say_clean);
	json_object_put(object);
}

static void json_text(struct json_object *object, const char *key, const char *text)
{
	json_object_object_add(object, key, text != NULL ? json_object_new_string(text) : NULL);
}

/* ISO 8601 in UTC for programs; null: never. */
static void json_time(struct json_object *object, const char *key, uint64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32];

	if (seconds == 0 || gmtime_r(&when, &parts) == NULL) {
		json_object_object_add(object, key, NULL);
		return;
	}
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	json_text(object, key, text);
}

/* Copies a part of a foreign configuration: only its strings, made printable. */
static struct json_object *clean_copy(struct json_object *value)
{
	struct json_object *copy = NULL;

	if (json_object_is_type(value, json_type_string)) {
		char *text = strdup(json_object_get_string(value));

		if (text == NULL)
			return NULL;
		ces_say_clean(text);
		copy = json_object_new_string(text);
		free(text);
	} else if (json_object_is_type(value, json_type_array)) {
		copy = json_object_new_array();
		for (size_t i = 0; i < json_object_array_length(value); i++)
			json_object_array_add(copy,
					      clean_copy(json_object_array_get_idx(value, i)));
	} else if (json_object_is_type(value, json_type_object)) {
		copy = json_object_new_object();
		json_object_object_foreach(value, key, one)
		{
			char *name = strdup(key);

			if (name == NULL)
				continue;
			ces_say_clean(name);
			json_object_object_add(copy, name, clean_copy(one));
			free(name);
		}
	}
	return copy;
}

/* OCI image-spec, config.md. */
static void add_config(struct json_object *object, const char *text)
{
	static const struct {
		const char *part, *key, *name;
	} shown[] = {{"config", "Entrypoint", "entrypoint"},
		     {"config", "Cmd", "command"},
		     {"config", "Env", "env"},
		     {"config", "User", "user"},
		     {"config", "WorkingDir", "workdir"},
		     {"config", "Labels", "labels"},
		     {"config", "ExposedPorts", "exposed_ports"},
		     {"config", "StopSignal", "stop_signal"},
		     {NULL, "architecture", "architecture"},
		     {NULL, "created", "created"},
		     {"rootfs", "diff_ids", "diff_ids"}};
	struct json_object *config = text != NULL ? json_tokener_parse(text) : NULL;

	for (size_t i = 0; i < CES_COUNT(shown) && config != NULL; i++) {
		struct json_object *part = config, *value = NULL;

		if (shown[i].part != NULL &&
		    !json_object_object_get_ex(config, shown[i].part, &part))
			continue;
		if (json_object_object_get_ex(part, shown[i].key, &value))
			json_object_object_add(object, shown[i].name, clean_copy(value));
	}
	json_object_put(config);
}

static void image_json(struct ces_table *table, const struct ces_event_image *image)
{
	struct json_object *object = json_object_new_object();

	json_text(object, "reference", image->reference);
	json_text(object, "digest", image->digest);
	json_object_object_add(object, "size", json_object_new_int64((int64_t)image->size));
	json_object_object_add(object, "layers", json_object_new_int64((int64_t)image->layers));
	json_time(object, "pulled", image->pulled);
	json_time(object, "used", image->used);
	add_config(object, image->config);
	set_json(table, object);
}

static struct json_object *ports_json(const struct ces_u64s *ports)
{
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < ports->n; i++) {
		struct json_object *one = json_object_new_object();

		json_object_object_add(one, "host",
				       json_object_new_int((int)(ports->v[i] >> 16 & 0xffff)));
		json_object_object_add(one, "container",
				       json_object_new_int((int)(ports->v[i] & 0xffff)));
		json_object_array_add(array, one);
	}
	return array;
}

static struct json_object *run_json(const struct ces_event_run *run)
{
	struct json_object *object = json_object_new_object();

	json_text(object, "run", run->run);
	json_text(object, "name", run->name);
	json_text(object, "image", run->image);
	json_text(object, "digest", run->digest);
	json_text(object, "project", run->project);
	json_time(object, "started", run->started);
	json_text(object, "outputs", run->outputs);
	json_object_object_add(object, "ports", ports_json(&run->ports));
	return object;
}

static const char *short_digest(const char *digest, char buffer[13])
{
	const char *hex = digest != NULL ? strchr(digest, ':') : NULL;

	snprintf(buffer, 13, "%.12s", hex != NULL ? hex + 1 : "");
	return buffer;
}

void ces_table_add_image(struct ces_table *table, const struct ces_event_image *image)
{
	char digest[13], size[32];

	if (!add_row(table, image->pulled))
		return;
	if (table->kind == CES_TABLE_JSON) {
		image_json(table, image);
		return;
	}
	ces_num_format_size(image->size, size, sizeof(size));
	set_cell(table, 0, image->reference);
	set_cell(table, 1, table->digests ? image->digest : short_digest(image->digest, digest));
	set_cell(table, 2, size);
	set_time(table, 3, image->pulled);
	set_time(table, 4, image->used);
}

/* "8888->8888, 5433->5432": of this machine's loopback, of the container. */
static const char *ports_text(const struct ces_u64s *ports, char *buffer, size_t size)
{
	size_t used = 0;

	buffer[0] = '\0';
	for (size_t i = 0; i < ports->n && used < size; i++)
		used += (size_t)snprintf(buffer + used, size - used, "%s%u->%u", i > 0 ? ", " : "",
					 (unsigned)(ports->v[i] >> 16 & 0xffff),
					 (unsigned)(ports->v[i] & 0xffff));
	return buffer;
}

static void set_run(struct ces_table *table, const struct ces_event_run *run, const char *status)
{
	char ports[512];

	set_cell(table, 0, run->run);
	set_cell(table, 1, run->name);
	set_cell(table, 2, run->image);
	set_cell(table, 3, run->project);
	set_time(table, 4, run->started);
	set_cell(table, 5, status);
	set_cell(table, 6, ports_text(&run->ports, ports, sizeof(ports)));
	set_cell(table, 7, run->outputs);
}

void ces_table_add_run(struct ces_table *table, const struct ces_event_run *run)
{
	struct json_object *object;

	if (!add_row(table, run->started))
		return;
	if (table->kind != CES_TABLE_JSON) {
		set_run(table, run, "running");
		return;
	}
	object = run_json(run);
	json_text(object, "state", "running");
	set_json(table, object);
}

const char *ces_table_state(const struct ces_kept *kept)
{
	if (kept->ended != 0)
		return "ended";
	if (kept->held)
		return "running";
	return kept->elsewhere ? "unknown" : "ended";
}

static void status_text(const struct ces_kept *kept, char *ret, size_t size)
{
	if (kept->ended != 0)
		(void)snprintf(ret, size, "ended %d (%s)", kept->status, kept->reason);
	else if (kept->elsewhere)
		(void)snprintf(ret, size, "running on %s%s", kept->host,
			       kept->held ? "" : ", or ended there");
	else
		(void)snprintf(ret, size, "%s", ces_table_state(kept));
}

/* If the run's keeper was killed, nobody has noted how the run ended. */
static void kept_json(struct ces_table *table, const struct ces_event_run *run,
		      const struct ces_kept *kept)
{
	struct json_object *object = run_json(run);

	json_text(object, "state", ces_table_state(kept));
	if (kept->elsewhere)
		json_text(object, "host", kept->host);
	json_time(object, "ended", kept->ended);
	json_object_object_add(object, "status",
			       kept->ended != 0 ? json_object_new_int(kept->status) : NULL);
	json_text(object, "reason", kept->reason[0] != '\0' ? kept->reason : NULL);
	set_json(table, object);
}

static char *or_none(char *text)
{
	return *text != '\0' ? text : NULL;
}

void ces_table_add_kept(struct ces_table *table, const struct ces_kept *kept)
{
	struct ces_kept copy = *kept;
	const struct ces_event_run run = {.run = copy.run,
					  .name = or_none(copy.name),
					  .image = or_none(copy.image),
					  .digest = or_none(copy.digest),
					  .project = or_none(copy.project),
					  .started = copy.started,
					  .outputs = or_none(copy.outputs)};
	char status[300];

	if (!add_row(table, kept->started))
		return;
	status_text(kept, status, sizeof(status));
	if (table->kind == CES_TABLE_JSON)
		kept_json(table, &run, kept);
	else
		set_run(table, &run, status);
}

static size_t column_width(const struct ces_table *table, const char *const *header, size_t column)
{
	size_t width = strlen(header[column]);

	for (size_t i = 0; i < table->n; i++) {
		const char *cell = table->rows[i].cell[column];

		if (cell != NULL && strlen(cell) > width)
			width = strlen(cell);
	}
	return width;
}

/* Returns whether any row has a value in this column. */
static bool has_any(const struct ces_table *table, size_t column)
{
	for (size_t i = 0; i < table->n; i++) {
		const char *cell = table->rows[i].cell[column];

		if (cell != NULL && strcmp(cell, "-") != 0)
			return true;
	}
	return false;
}

/* The ports have a column only if a run has some: most have none, and 80 columns are few. */
static void print_rows(const struct ces_table *table, const char *const *header,
		       const enum ces_fit *kinds)
{
	size_t width[CES_TABLE_COLUMNS], shown[CES_TABLE_COLUMNS], n = 0;
	enum ces_fit fit[CES_TABLE_COLUMNS];

	for (size_t j = 0; j < CES_TABLE_COLUMNS && header[j] != NULL; j++) {
		if (strcmp(header[j], "PORTS") == 0 && !has_any(table, j))
			continue;
		shown[n] = j;
		fit[n] = kinds[j];
		width[n++] = column_width(table, header, j);
	}
	ces_fit_columns(fit, width, n, ces_fit_terminal(STDOUT_FILENO));
	for (size_t j = 0; j < n; j++)
		ces_fit_print(header[shown[j]], fit[j], width[j], j + 1 == n);
	for (size_t i = 0; i < table->n; i++) {
		for (size_t j = 0; j < n; j++) {
			const char *cell = table->rows[i].cell[shown[j]];

			ces_fit_print(cell != NULL ? cell : "-", fit[j], width[j], j + 1 == n);
		}
	}
}

static void print_json(const struct ces_table *table)
{
	printf("[");
	for (size_t i = 0; i < table->n; i++)
		printf("%s\n  %s", i == 0 ? "" : ",",
		       table->rows[i].cell[0] != NULL ? table->rows[i].cell[0] : "null");
	printf("%s]\n", table->n == 0 ? "" : "\n");
}

static int newest_first(const void *a, const void *b)
{
	const struct ces_table_row *one = a, *other = b;

	return one->when < other->when ? 1 : one->when > other->when ? -1 : 0;
}

void ces_table_print(struct ces_table *table)
{
	if (table->n > 1)
		qsort(table->rows, table->n, sizeof(*table->rows), newest_first);
	switch (table->kind) {
	case CES_TABLE_IMAGES:
		print_rows(table, image_header, image_fit);
		break;
	case CES_TABLE_RUNS:
		print_rows(table, run_header, run_fit);
		break;
	case CES_TABLE_JSON:
		print_json(table);
		break;
	case CES_TABLE_NAMES:
		for (size_t i = 0; i < table->n; i++)
			printf("%s\n",
			       table->rows[i].cell[0] != NULL ? table->rows[i].cell[0] : "-");
		break;
	case CES_TABLE_NONE:
	default:
		break;
	}
}

void ces_table_free(struct ces_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		for (size_t j = 0; j < CES_TABLE_COLUMNS; j++)
			free(table->rows[i].cell[j]);
	}
	free(table->rows);
	table->rows = NULL;
	table->n = 0;
}
