/* Collects findings. */
#include "client/finding.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/name.h"

/* None may be lost: a problem may come after any number of warnings. */
static void grow(struct ces_doctor *doctor)
{
	size_t room = 2 * doctor->room + 64;
	struct ces_finding *more = reallocarray(doctor->findings, room, sizeof(*more));

	if (more == NULL)
		abort();
	doctor->findings = more;
	doctor->room = room;
}

void ces_doctor_find(struct ces_doctor *doctor, const char *check, enum ces_grade grade,
		     const char *format, ...)
{
	struct ces_finding *finding;
	va_list args;

	if (doctor->n == doctor->room)
		grow(doctor);
	finding = &doctor->findings[doctor->n++];
	*finding = (struct ces_finding){.check = check, .grade = grade};
	va_start(args, format);
	vsnprintf(finding->text, sizeof(finding->text), format, args);
	va_end(args);
	ces_text_clean(finding->text);
}

void ces_doctor_remedy(struct ces_doctor *doctor, const char *format, ...)
{
	struct ces_finding *finding = &doctor->findings[doctor->n - 1];
	va_list args;

	va_start(args, format);
	vsnprintf(finding->remedy, sizeof(finding->remedy), format, args);
	va_end(args);
	ces_text_clean(finding->remedy);
}

bool ces_doctor_version(const char *text, unsigned major, unsigned minor, unsigned patch)
{
	const unsigned wanted[] = {major, minor, patch};
	const char *digit = text + strcspn(text, "0123456789");

	for (size_t i = 0; i < CES_COUNT(wanted); i++) {
		char *end;
		unsigned long have = strtoul(digit, &end, 10);

		if (end == digit || have != wanted[i])
			return end != digit && have > wanted[i];
		digit = *end == '.' ? end + 1 : "0";
	}
	return true;
}
