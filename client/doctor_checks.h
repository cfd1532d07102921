/* The checks of doctor. Each looks at one part of the machine. */
#ifndef CES_CLIENT_DOCTOR_CHECKS_H
#define CES_CLIENT_DOCTOR_CHECKS_H

#include "client/finding.h"
#include "policy/decide.h"

struct ces_local;

/* ces_doctor_policy returns whether it filled *ret. The checks of services, SELinux and the store
 * take NULL if it did not. */
void ces_doctor_helper(struct ces_doctor *doctor, const char *helper);
void ces_doctor_answer(struct ces_doctor *doctor, const char *helper);
void ces_doctor_workers(struct ces_doctor *doctor);
bool ces_doctor_policy(struct ces_doctor *doctor, const char *path, struct ces_local *ret);
void ces_doctor_runtime(struct ces_doctor *doctor, const char *runtime);
void ces_doctor_kernel(struct ces_doctor *doctor);
void ces_doctor_namespaces(struct ces_doctor *doctor);
void ces_doctor_cgroups(struct ces_doctor *doctor);
void ces_doctor_gpus(struct ces_doctor *doctor, const struct ces_policy *policy);
/* Counts the sound devices that the decision allows. Returns SIZE_MAX if the caller may not read
 * the specifications. */
size_t ces_doctor_count_gpus(const struct ces_policy *policy, const struct ces_decision *decision);
void ces_doctor_subids(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_services(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_delegation(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_selinux(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_store(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_directories(struct ces_doctor *doctor);
void ces_doctor_journal(struct ces_doctor *doctor);
void ces_doctor_you(struct ces_doctor *doctor, const struct ces_local *local);
void ces_doctor_registries(struct ces_doctor *doctor, const struct ces_policy *policy);
void ces_doctor_proxies(struct ces_doctor *doctor, const struct ces_policy *policy);

#endif
