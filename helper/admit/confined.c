/* Checks whether SELinux confines CES here as the policy wants it. Must not decide by the label of
 * any file but the policy: the kernel refuses every other file that is not labelled as it should
 * be. */
#include "helper/admit/confined.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <sys/xattr.h>

#include "common/io.h"
#include "common/paths.h"

#define SELINUXFS   "/sys/fs/selinux"
#define HELPER_TYPE "ces_helper_t"
#define POLICY_TYPE "ces_etc_t"

/* Root mounts selinuxfs at boot, and only where SELinux is enabled. A caller could put something
 * else there only in a user namespace of their own, where the helper does not start. */
static bool is_enabled(void)
{
	struct statfs fs;

	return statfs(SELINUXFS, &fs) == 0 && (unsigned)fs.f_type == SELINUX_MAGIC;
}

/* Whether a context, user:role:type[:level], has this type. */
static bool has_type(const char *context, const char *wanted)
{
	const char *type = strchr(context, ':');

	type = type == NULL ? NULL : strchr(type + 1, ':');
	if (type == NULL || strncmp(type + 1, wanted, strlen(wanted)) != 0)
		return false;
	type += 1 + strlen(wanted);
	return *type == ':' || *type == '\0';
}

static bool in_own_domain(void)
{
	char context[256];

	return ces_read_text(AT_FDCWD, "/proc/self/attr/current", context, sizeof(context)) > 0 &&
	       has_type(context, HELPER_TYPE);
}

/* Checks the one label that CES reads here. This domain must be able to read every label that a
 * program's configuration may have, so the kernel would let it read a policy that more domains than
 * the administrator's may write. Who controls the label: root, as the file (policy/read.c). */
static bool policy_has_label(void)
{
	char context[256];
	ssize_t n = getxattr(CES_POLICY_PATH, "security.selinux", context, sizeof(context) - 1);

	if (n < 0)
		return false;
	context[n] = '\0';
	return has_type(context, POLICY_TYPE);
}

int ces_selinux_admit(bool required, bool *ret_on, struct ces_error *err)
{
	char enforcing[16] = "0";
	bool on = is_enabled();

	/* a value that cannot be read counts as not enforcing: that only ever refuses more */
	if (!on || ces_read_text(AT_FDCWD, SELINUXFS "/enforce", enforcing, sizeof(enforcing)) < 0)
		enforcing[0] = '0';
	if (required && enforcing[0] != '1')
		return ces_error_rule(err, CES_E_POLICY, "host.selinux",
				      "SELinux is %s on this machine, and the policy requires it",
				      on ? "permissive" : "off");
	on = on && in_own_domain();
	/* without the domains the kernel of an enforcing host confines no part of CES, whatever the
	 * file says */
	if (!on && (required || enforcing[0] == '1'))
		return ces_error_set(err, CES_E_HOST,
				     "SELinux is enforcing, but CES is not in its domain there; "
				     "your administrator can see why with: ces-client doctor");
	if (enforcing[0] == '1' && !policy_has_label())
		return ces_error_set(err, CES_E_POLICY,
				     "SELinux is enforcing, but %s is not labelled as CES's policy",
				     CES_POLICY_PATH);
	*ret_on = on;
	return 0;
}
