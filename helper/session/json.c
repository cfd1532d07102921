/* Writes JSON into memory. Must not leave a part out in silence: after a failure there is no
 * text. */
#include "helper/session/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ces_bytes_add(struct ces_bytes_out *out, const char *bytes, size_t n)
{
	if (out->text == NULL || n > out->size - out->used) {
		size_t size = 2 * (out->used + n) + 1024;
		char *text = realloc(out->text, size);

		out->failed = out->failed || text == NULL;
		if (text == NULL)
			return;
		out->text = text;
		out->size = size;
	}
	memcpy(out->text + out->used, bytes, n);
	out->used += n;
}

static void add(struct ces_json *json, const char *bytes, size_t n)
{
	ces_bytes_add(&json->out, bytes, n);
}

static void quote(struct ces_json *json, const char *text)
{
	char escape[16];

	add(json, "\"", 1);
	while (*text != '\0') {
		size_t plain = 0;

		while ((unsigned char)text[plain] >= ' ' && text[plain] != '"' &&
		       text[plain] != '\\')
			plain++;
		add(json, text, plain);
		text += plain;
		if (*text == '\0')
			break;
		if (*text == '"' || *text == '\\')
			(void)snprintf(escape, sizeof(escape), "\\%c", *text++);
		else
			(void)snprintf(escape, sizeof(escape), "\\u%04x", (unsigned)*text++);
		add(json, escape, strlen(escape));
	}
	add(json, "\"", 1);
}

/* Writes the part before a value. */
static void begin(struct ces_json *json, const char *key)
{
	if (json->out.used > 0 && json->out.text[json->out.used - 1] != '{' &&
	    json->out.text[json->out.used - 1] != '[')
		add(json, ",", 1);
	if (key == NULL)
		return;
	quote(json, key);
	add(json, ":", 1);
}

static void open_part(struct ces_json *json, const char *key, const char *open, char close)
{
	begin(json, key);
	add(json, open, 1);
	json->out.failed = json->out.failed || json->depth == CES_JSON_DEPTH;
	if (!json->out.failed)
		json->close[json->depth++] = close;
}

void ces_json_object(struct ces_json *json, const char *key)
{
	open_part(json, key, "{", '}');
}

void ces_json_list(struct ces_json *json, const char *key)
{
	open_part(json, key, "[", ']');
}

void ces_json_close(struct ces_json *json)
{
	if (json->depth > 0)
		add(json, &json->close[--json->depth], 1);
}

void ces_json_text(struct ces_json *json, const char *key, const char *value)
{
	begin(json, key);
	quote(json, value);
}

void ces_json_raw(struct ces_json *json, const char *key, const char *value)
{
	begin(json, key);
	add(json, value, strlen(value));
}

void ces_json_number(struct ces_json *json, const char *key, uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	ces_json_raw(json, key, text);
}

void ces_json_bool(struct ces_json *json, const char *key, bool value)
{
	ces_json_raw(json, key, value ? "true" : "false");
}

void ces_json_members(struct ces_json *json, const struct ces_json *object)
{
	static const size_t brackets_and_nul = sizeof("{}");

	json->out.failed = json->out.failed || object->out.failed;
	if (json->out.failed || object->out.used <= brackets_and_nul)
		return;
	begin(json, NULL);
	add(json, object->out.text + 1, object->out.used - brackets_and_nul);
}

const char *ces_json_end(struct ces_json *json)
{
	while (json->depth > 0)
		ces_json_close(json);
	add(json, "", 1);
	return json->out.failed ? NULL : json->out.text;
}

void ces_json_free(struct ces_json *json)
{
	free(json->out.text);
	*json = (struct ces_json){0};
}
