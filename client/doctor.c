/* Prints doctor's findings in order. It must not change anything on the machine. */
#include "client/doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <json-c/json.h>

#include "client/doctor_checks.h"
#include "client/local.h"
#include "client/perform.h"
#include "common/cleanup.h"
#include "common/paths.h"

static const char *const grade_words[] = {
    [CES_GRADE_OK] = "ok", [CES_GRADE_WARNING] = "warning", [CES_GRADE_PROBLEM] = "problem"};

static void examine(struct ces_doctor *doctor)
{
	struct ces_local local = {0};
	const struct ces_policy *policy;
	bool readable;

	ces_doctor_helper(doctor, CES_HELPER_PATH);
	ces_doctor_workers(doctor);
	readable = ces_doctor_policy(doctor, CES_POLICY_PATH, &local);
	policy = readable ? local.policy : NULL;
	ces_doctor_answer(doctor, CES_HELPER_PATH);
	ces_doctor_kernel(doctor);
	ces_doctor_namespaces(doctor);
	ces_doctor_cgroups(doctor);
	ces_doctor_services(doctor, policy);
	ces_doctor_selinux(doctor, policy);
	if (readable) {
		ces_doctor_runtime(doctor, local.policy->runtime);
		ces_doctor_delegation(doctor, local.policy);
		ces_doctor_subids(doctor, local.policy);
		ces_doctor_gpus(doctor, local.policy);
	}
	ces_doctor_store(doctor, policy);
	ces_doctor_directories(doctor);
	ces_doctor_journal(doctor);
	if (readable) {
		ces_doctor_you(doctor, &local);
		ces_doctor_registries(doctor, local.policy);
		ces_doctor_proxies(doctor, local.policy);
	}
	ces_local_free(&local);
}

static bool is_fit(const struct ces_doctor *doctor)
{
	for (size_t i = 0; i < doctor->n; i++) {
		if (doctor->findings[i].grade == CES_GRADE_PROBLEM)
			return false;
	}
	return true;
}

static void print_lines(const struct ces_doctor *doctor, bool quiet)
{
	for (size_t i = 0; i < doctor->n; i++) {
		const struct ces_finding *finding = &doctor->findings[i];

		if (quiet && finding->grade == CES_GRADE_OK)
			continue;
		printf("%-8s %-11s %s\n", grade_words[finding->grade], finding->check,
		       finding->text);
		if (finding->remedy[0] != '\0')
			printf("%-8s %-11s -> %s\n", "", "", finding->remedy);
	}
	if (!quiet)
		printf("this machine is %s for CES\n", is_fit(doctor) ? "fit" : "not fit");
}

static void print_json(const struct ces_doctor *doctor)
{
	struct json_object *top = json_object_new_object();
	struct json_object *list = json_object_new_array();

	for (size_t i = 0; i < doctor->n; i++) {
		const struct ces_finding *finding = &doctor->findings[i];
		struct json_object *row = json_object_new_object();

		json_object_object_add(row, "check", json_object_new_string(finding->check));
		json_object_object_add(row, "state",
				       json_object_new_string(grade_words[finding->grade]));
		json_object_object_add(row, "text", json_object_new_string(finding->text));
		json_object_object_add(
		    row, "remedy",
		    finding->remedy[0] != '\0' ? json_object_new_string(finding->remedy) : NULL);
		json_object_array_add(list, row);
	}
	json_object_object_add(top, "fit", json_object_new_boolean(is_fit(doctor)));
	json_object_object_add(top, "checks", list);
	printf("%s\n", json_object_to_json_string_ext(top, JSON_C_TO_STRING_PRETTY |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(top);
}

int ces_doctor(struct ces_options *options)
{
	struct ces_doctor doctor = {0};
	int status;

	examine(&doctor);
	if (options->json)
		print_json(&doctor);
	else
		print_lines(&doctor, options->quiet);
	status = is_fit(&doctor) ? 0 : 1;
	free(doctor.findings);
	return ces_perform_printed() == 0 ? status : CES_EXIT_REFUSED;
}
