/* doctor checks SELinux: its state, and the labels of CES's files. It must only look. */
#include "client/doctor_checks.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/clean.h"
#include "common/cleanup.h"
#include "common/inside.h"
#include "common/list.h"
#include "common/paths.h"
#include "common/store.h"
#include "policy/proxy.h"
#include "policy/template.h"

#define SELINUXFS "/sys/fs/selinux"

/* selinux/ces.fc has the same list for restorecon. */
static const struct {
	const char *path, *type;
} labels[] = {
    {CES_HELPER_PATH, "ces_helper_exec_t"},
    {CES_ADMIT_PATH, "ces_admit_exec_t"},
    {CES_SESSION_PATH, "ces_session_exec_t"},
    {CES_DECODE_PATH, "ces_parse_exec_t"},
    {CES_PARSE_PATH, "ces_parse_exec_t"},
    {CES_VERIFY_PATH, "ces_parse_exec_t"},
    {CES_STORE_PATH, "ces_images_exec_t"},
    {CES_FETCH_PATH, "ces_fetch_exec_t"},
    {CES_LAYOUT_PATH, "ces_layout_exec_t"},
    {CES_RESOLVE_PATH, "ces_resolve_exec_t"},
    {CES_UNPACK_PATH, "ces_unpack_exec_t"},
    {CES_RELAY_PATH, "ces_relay_exec_t"},
    {CES_LIST_PATH, "ces_list_exec_t"},
    {CES_INSIDE_PATH, "ces_inside_exec_t"},
    {CES_CLEAN_PATH, "ces_clean_exec_t"},
    {CES_POLICY_PATH, "ces_etc_t"},
    {CES_STORE_DIR, "ces_store_t"},
    {CES_JOURNAL_DIR, "ces_log_t"},
    {CES_RUN_DIR, "ces_run_t"},
};

/* Finds the third part of user:role:type:level. Returns false if the file has no label or does not
 * exist. */
static bool read_type(const char *path, char *ret, size_t size)
{
	char context[256];
	char *type, *save = NULL;
	ssize_t n = getxattr(path, "security.selinux", context, sizeof(context) - 1);

	if (n < 0)
		return false;
	context[n] = '\0';
	type = strtok_r(context, ":", &save);
	for (int i = 0; i < 2 && type != NULL; i++)
		type = strtok_r(NULL, ":", &save);
	if (type == NULL)
		return false;
	snprintf(ret, size, "%s", type);
	return true;
}

/* Returns whether the file holds this text, with at most a newline or NUL after it. */
static bool says(const char *path, const char *text)
{
	CES_CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	char start[16] = "";

	if (fd < 0 || read(fd, start, sizeof(start) - 1) < 0)
		return false;
	start[strcspn(start, "\n")] = '\0';
	return strcmp(start, text) == 0;
}

/* Returns whether the loaded policy has this type: selinuxfs answers a write. Not every confined
 * user may ask. */
static bool is_known(const char *type)
{
	CES_CLEANUP_FD int fd = open(SELINUXFS "/context", O_RDWR | O_CLOEXEC);
	char context[256];
	int n = snprintf(context, sizeof(context), "system_u:object_r:%s:s0", type);

	return fd >= 0 && write(fd, context, (size_t)n) == n;
}

static void check_labels(struct ces_doctor *doctor, enum ces_grade grade)
{
	size_t before = doctor->n;
	char type[128];

	for (size_t i = 0; i < CES_COUNT(labels); i++) {
		if (!read_type(labels[i].path, type, sizeof(type)) ||
		    strcmp(type, labels[i].type) == 0)
			continue;
		ces_doctor_find(doctor, "selinux", grade, "%s is labelled %s instead of %s",
				labels[i].path, type, labels[i].type);
		ces_doctor_remedy(doctor, "as root: %srestorecon -RF %s",
				  is_known(labels[i].type)
				      ? ""
				      : "load CES's policy module (the package ces-selinux, or "
					"semodule -i ces.pp), then: ",
				  labels[i].path);
	}
	if (doctor->n == before)
		ces_doctor_find(doctor, "selinux", CES_GRADE_OK, "CES's files have their labels");
}

/* File systems that keep no labels. CES has a boolean for each. */
static bool is_remote(const char *type)
{
	return strcmp(type, "nfs_t") == 0 || strcmp(type, "cifs_t") == 0;
}

static void check_data(struct ces_doctor *doctor, const char *path)
{
	char type[128];

	if (!read_type(path, type, sizeof(type)) || strcmp(type, "ces_data_t") == 0)
		return;
	if (is_remote(type) && says(SELINUXFS "/booleans/ces_use_remote_files", "1 1"))
		return;
	ces_doctor_find(doctor, "selinux", CES_GRADE_WARNING,
			"project data in %s are labelled %s: containers cannot use them", path,
			type);
	if (is_remote(type))
		ces_doctor_remedy(doctor, "as root: setsebool -P ces_use_remote_files on");
	else if (ces_path_within(path, "/safe_data"))
		ces_doctor_remedy(doctor, "as root: restorecon -RF /safe_data");
	else
		ces_doctor_remedy(doctor,
				  "as root: semanage fcontext -a -t ces_data_t '%s(/.*)?' && "
				  "restorecon -RF %s",
				  path, path);
}

/* Checks what this user can see of the policy's projects, and nothing that depends on the user. */
static void check_projects(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	char path[CES_PATH_TEXT];

	for (size_t i = 0; policy != NULL && i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];
		const char *source = project->settings.data_source;

		if (source[0] == '/' && strstr(source, "{user}") == NULL &&
		    ces_template_expand(source, project->name, "", "/", path) == 0)
			check_data(doctor, path);
	}
}

/* "http://host:port", whose host is not an address. */
static bool is_by_name(const char *proxy)
{
	char host[CES_PROXY_TEXT];
	struct in_addr literal;

	if (proxy == NULL || strncmp(proxy, "http://", 7) != 0)
		return false;
	(void)snprintf(host, sizeof(host), "%s", proxy + 7);
	host[strcspn(host, ":")] = '\0';
	return inet_pton(AF_INET, host, &literal) != 1;
}

/* Finds a proxy that has a name, where CES may not resolve names. */
static void check_proxies(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	const char *found = NULL;

	if (policy == NULL || !says(SELINUXFS "/booleans/ces_resolve_proxy", "0 0"))
		return;
	if (policy->infer && is_by_name(policy->defaults.proxy))
		found = policy->defaults.proxy;
	for (size_t i = 0; found == NULL && i < policy->n_projects; i++)
		if (is_by_name(policy->projects[i].settings.proxy))
			found = policy->projects[i].settings.proxy;
	if (found == NULL)
		return;
	ces_doctor_find(
	    doctor, "selinux", CES_GRADE_WARNING,
	    "%s is a name, and ces-relay may not look it up: CES refuses runs that use it", found);
	ces_doctor_remedy(doctor, "as root: setsebool -P ces_resolve_proxy on; or write the proxy "
				  "as an address in the policy");
}

/* A kernel with SELinux but without a policy calls every context "kernel". The contexts of a policy
 * have colons. */
static bool is_on(void)
{
	struct statfs fs;

	return statfs(SELINUXFS, &fs) == 0 && (unsigned)fs.f_type == SELINUX_MAGIC &&
	       !says("/proc/self/attr/current", "kernel");
}

void ces_doctor_selinux(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	bool required = policy != NULL && policy->selinux == CES_SELINUX_REQUIRED;

	if (!is_on()) {
		ces_doctor_find(doctor, "selinux", required ? CES_GRADE_PROBLEM : CES_GRADE_OK,
				required ? "SELinux is off, and the policy requires it"
					 : "SELinux is off; CES does without it");
		if (required)
			ces_doctor_remedy(
			    doctor,
			    "as root: write SELINUX=enforcing in /etc/selinux/config and boot with "
			    "security=selinux; or change host.selinux in the policy");
		return;
	}
	if (access(CES_SETPRIV_PATH, X_OK) < 0) {
		ces_doctor_find(doctor, "selinux", CES_GRADE_PROBLEM,
				"%s is missing; it starts the runtime where SELinux is on",
				CES_SETPRIV_PATH);
		ces_doctor_remedy(doctor, "as root: install util-linux");
	}
	if (says(SELINUXFS "/enforce", "1")) {
		ces_doctor_find(doctor, "selinux", CES_GRADE_OK, "SELinux is enforcing");
		check_labels(doctor, CES_GRADE_PROBLEM);
		check_projects(doctor, policy);
		check_proxies(doctor, policy);
		return;
	}
	ces_doctor_find(doctor, "selinux", required ? CES_GRADE_PROBLEM : CES_GRADE_WARNING,
			required ? "SELinux is permissive, and the policy requires it"
				 : "SELinux is permissive: it logs, but denies nothing");
	ces_doctor_remedy(doctor,
			  "as root: setenforce 1, and SELINUX=enforcing in /etc/selinux/config");
	check_labels(doctor, CES_GRADE_WARNING);
}
