/* Names the value that the codec would refuse: "field 3" says nothing to a user. It must not have
 * limits of its own: it takes caps and kinds from the request's table. */
#include "client/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"
#include "common/schema.h"

static const struct {
	size_t offset;
	const char *what;
} typed[] = {
    {offsetof(struct ces_request, image), "the image's name"},
    {offsetof(struct ces_request, project), "--project"},
    {offsetof(struct ces_request, name), "--name"},
    {offsetof(struct ces_request, run), "the run's name"},
    {offsetof(struct ces_request, username), "--username"},
    {offsetof(struct ces_request, token), "the token"},
    {offsetof(struct ces_request, entrypoint), "--entrypoint"},
    {offsetof(struct ces_request, workdir), "-w"},
    {offsetof(struct ces_request, args), "a word for the command"},
    {offsetof(struct ces_request, env), "an environment setting"},
    {offsetof(struct ces_request, gpu), "--gpu"},
    {offsetof(struct ces_request, publish), "-p"},
    {offsetof(struct ces_request, bind_sources), "a source of -v"},
    {offsetof(struct ces_request, bind_destinations), "a destination of -v"},
    {offsetof(struct ces_request, tmpfs_destinations), "a destination of --mount"},
};

static const char *what_is(const struct ces_wire_field *field)
{
	for (size_t i = 0; i < CES_COUNT(typed); i++) {
		if (typed[i].offset == field->offset)
			return typed[i].what;
	}
	return "a value";
}

static bool is_env(const struct ces_wire_field *field)
{
	return field->offset == offsetof(struct ces_request, env);
}

/* Names a setting by its name alone: its value may be a secret. */
static int refuse(const struct ces_wire_field *field, const char *value, const char *at,
		  const char *why, struct ces_error *err)
{
	if (is_env(field))
		return ces_error_set(err, CES_E_USAGE, "the variable %.*s has %s",
				     (int)strcspn(value, "="), value, why);
	return ces_error_set(err, CES_E_USAGE, "%s has %s, at '%.*s': type it again",
			     what_is(field), why, 20, at);
}

static int check_bytes(const struct ces_wire_field *field, const char *value, struct ces_error *err)
{
	bool name = field->kind == CES_WIRE_NAME || field->kind == CES_WIRE_NAMES;
	bool line = field->kind == CES_WIRE_LINE || field->kind == CES_WIRE_LINES;
	size_t left = strlen(value), n;
	uint32_t code;

	for (const char *at = value; left > 0; at += n, left -= n) {
		n = ces_utf8_next(at, left, &code);
		if (name && (*at < ' ' || *at > '~'))
			return refuse(field, value, at, "a character that is not plain ASCII", err);
		if (n == 0)
			return refuse(field, value, at, "bytes that are not UTF-8 text", err);
		if (line && !ces_line_valid(at, n))
			return refuse(field, value, at, "a character that cannot be seen", err);
	}
	return 0;
}

static int check_value(const struct ces_wire_field *field, const char *value, struct ces_error *err)
{
	if (strlen(value) > field->cap && is_env(field))
		return ces_error_set(err, CES_E_USAGE, "the variable %.*s is longer than %u bytes",
				     (int)strcspn(value, "="), value, field->cap);
	if (strlen(value) > field->cap)
		return ces_error_set(err, CES_E_USAGE, "%s is longer than %u bytes", what_is(field),
				     field->cap);
	return check_bytes(field, value, err);
}

static int check_list(const struct ces_wire_field *field, const struct ces_strings *list,
		      struct ces_error *err)
{
	if (list->n > field->count)
		return ces_error_set(err, CES_E_USAGE, "%s: at most %u are allowed", what_is(field),
				     field->count);
	for (size_t i = 0; i < list->n; i++) {
		if (check_value(field, list->v[i], err) < 0)
			return -1;
	}
	return 0;
}

int ces_request_check(const struct ces_request *request, struct ces_error *err)
{
	for (size_t i = 0; i < ces_request_schema.n_fields; i++) {
		const struct ces_wire_field *field = &ces_request_schema.fields[i];
		const void *member = (const char *)request + field->offset;
		const char *value;
		int result = 0;

		switch ((enum ces_wire_kind)field->kind) {
		case CES_WIRE_NAME:
		case CES_WIRE_TEXT:
		case CES_WIRE_LINE:
			memcpy(&value, member, sizeof(value));
			result = value != NULL ? check_value(field, value, err) : 0;
			break;
		case CES_WIRE_NAMES:
		case CES_WIRE_TEXTS:
		case CES_WIRE_LINES:
			result = check_list(field, member, err);
			break;
		case CES_WIRE_U64:
		case CES_WIRE_U64S:
		default:
			break;
		}
		if (result < 0)
			return -1;
	}
	return 0;
}
