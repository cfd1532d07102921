/* Writes JSON into memory. Must not leave a part out in silence: after a failure there is no text.
 */
#include "helper/session/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(struct ces_json *json, const char *bytes, size_t n)
{
	if (n > json->size - json->used) {
		size_t size = 2 * (json->used + n) + 1024;
		char *text = realloc(json->text, size);

		json->failed = json->failed || text == NULL;
		if (text == NULL)
			return;
		json->text = text;
		json->size = size;
	}
	memcpy(json->text + json->used, bytes, n);
	json->used += n;
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

/* What stands before a value. */
static void begin(struct ces_json *json, const char *key)
{
	if (json->used > 0 && json->text[json->used - 1] != '{' &&
	    json->text[json->used - 1] != '[')
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
	json->failed = json->failed || json->depth == CES_JSON_DEPTH;
	if (!json->failed)
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

	json->failed = json->failed || object->failed;
	if (json->failed || object->used <= brackets_and_nul)
		return;
	begin(json, NULL);
	add(json, object->text + 1, object->used - brackets_and_nul);
}

const char *ces_json_end(struct ces_json *json)
{
	while (json->depth > 0)
		ces_json_close(json);
	add(json, "", 1);
	return json->failed ? NULL : json->text;
}

void ces_json_free(struct ces_json *json)
{
	free(json->text);
	*json = (struct ces_json){0};
}
