/* Errors by value. It must not allocate, print or exit. */
#include "common/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void ces_text_clean(char *text)
{
	for (; *text != '\0'; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}

/* Builds the error aside and copies it last, because the arguments may point into *err. */
static void set(struct ces_error *err, enum ces_code code, const char *rule, const char *format,
		va_list arguments)
{
	struct ces_error made = {.code = code};

	if (err == NULL)
		return;
	(void)snprintf(made.rule, sizeof(made.rule), "%s", rule);
	(void)vsnprintf(made.text, sizeof(made.text), format, arguments);
	ces_text_clean(made.rule);
	ces_text_clean(made.text);
	*err = made;
}

void ces_error_put_errno(struct ces_error *err, enum ces_code code, const char *format, ...)
{
	int saved = errno;
	va_list arguments;
	size_t used;

	va_start(arguments, format);
	set(err, code, "", format, arguments);
	va_end(arguments);
	if (err != NULL) {
		err->sys = saved;
		used = strlen(err->text);
		(void)snprintf(err->text + used, sizeof(err->text) - used, ": %s", strerror(saved));
		ces_text_clean(err->text);
	}
	errno = saved;
}

void ces_error_put_rule(struct ces_error *err, enum ces_code code, const char *rule,
			const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set(err, code, rule, format, arguments);
	va_end(arguments);
}

void ces_error_put_context(struct ces_error *err, const char *format, ...)
{
	char made[CES_ERROR_TEXT] = "";
	va_list arguments;
	size_t used;

	if (err == NULL)
		return;
	va_start(arguments, format);
	(void)vsnprintf(made, sizeof(made), format, arguments);
	va_end(arguments);
	used = strlen(made);
	(void)snprintf(made + used, sizeof(made) - used, ": %.*s", (int)(sizeof(made) - used),
		       err->text);
	ces_text_clean(made);
	memcpy(err->text, made, sizeof(made));
}
