/* `doctor`: is this machine fit to run CES, as far as an unprivileged user can see, and what is to
 * be done where not. */
#ifndef CES_CLIENT_DOCTOR_H
#define CES_CLIENT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "client/options.h"
#include "policy/policy.h"

enum ces_grade {
	CES_GRADE_OK,
	CES_GRADE_WARNING, /* works, but somebody should look */
	CES_GRADE_PROBLEM, /* unfit */
};

struct ces_finding {
	const char *check; /* what was looked at: "helper" */
	enum ces_grade grade;
	char text[512];
	char remedy[512]; /* "" where there is nothing to do */
};

struct ces_doctor {
	struct ces_finding *findings;
	size_t n;
};

/* Adds a finding; its text is printf style. */
void ces_doctor_find(struct ces_doctor *doctor, const char *check, enum ces_grade grade,
		     const char *format, ...) __attribute__((format(printf, 4, 5)));

/* What to do about the last finding. */
void ces_doctor_remedy(struct ces_doctor *doctor, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct ces_local;

/* The checks, each of one part of the machine. ces_doctor_policy says whether *ret was filled;
 * ces_doctor_selinux takes NULL where it was not. */
void ces_doctor_helper(struct ces_doctor *doctor, const char *helper);
void ces_doctor_answer(struct ces_doctor *doctor, const char *helper);
void ces_doctor_workers(struct ces_doctor *doctor);
bool ces_doctor_policy(struct ces_doctor *doctor, const char *path, struct ces_local *ret);
void ces_doctor_runtime(struct ces_doctor *doctor, const char *runtime);
void ces_doctor_kernel(struct ces_doctor *doctor);
void ces_doctor_namespaces(struct ces_doctor *doctor);
void ces_doctor_cgroups(struct ces_doctor *doctor);
void ces_doctor_gpus(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_subids(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_services(struct ces_doctor *doctor);
void ces_doctor_delegation(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_selinux(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_store(struct ces_doctor *doctor);
void ces_doctor_directories(struct ces_doctor *doctor);
void ces_doctor_journal(struct ces_doctor *doctor);
void ces_doctor_registries(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_proxies(struct ces_doctor *doctor, const struct ces_policy *policy);

/* A version in a line such as "crun version 1.8.1": true when it is at least major.minor. Pure. */
bool ces_doctor_version(const char *text, unsigned major, unsigned minor);

/* Looks at everything and prints it. Returns 0 when fit, 1 when not. */
int ces_doctor(struct ces_options *options);

#endif
