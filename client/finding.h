/* The findings of doctor. Each is one line, with what to do about it. */
#ifndef CES_CLIENT_FINDING_H
#define CES_CLIENT_FINDING_H

#include <stdbool.h>
#include <stddef.h>

enum ces_grade {
	CES_GRADE_OK,
	CES_GRADE_WARNING, /* works, but somebody should look */
	CES_GRADE_PROBLEM, /* unfit */
};

struct ces_finding {
	const char *check; /* what was checked: "helper" */
	enum ces_grade grade;
	char text[512];
	char remedy[512]; /* "" if there is nothing to do */
};

/* All zero at first; the caller frees the list. */
struct ces_doctor {
	struct ces_finding *findings;
	size_t n, room;
};

/* Adds a finding; its text is printf style. */
void ces_doctor_find(struct ces_doctor *doctor, const char *check, enum ces_grade grade,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Sets what to do about the last finding. */
void ces_doctor_remedy(struct ces_doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Returns whether the version in a line such as "crun version 1.8.1" is at least major.minor.patch.
 * A missing part is 0. Pure. */
bool ces_doctor_version(const char *text, unsigned major, unsigned minor, unsigned patch);

#endif
