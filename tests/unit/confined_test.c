/* Tests when a start is refused for SELinux's sake, and when contexts are set. */
/* links: helper/admit/confined.c */
#include "helper/admit/confined.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/paths.h"
#include "tests/unit/policy_fixture.h"

/* The host, as the kernel shows it. NULL: there is no such file. */
static struct {
	bool mounted;
	const char *enforce, *domain, *label;
} host;

int statfs(const char *path, struct statfs *ret)
{
	ck_assert_str_eq(path, "/sys/fs/selinux");
	memset(ret, 0, sizeof(*ret));
	ret->f_type = host.mounted ? SELINUX_MAGIC : SYSFS_MAGIC;
	return 0;
}

int openat(int dir, const char *path, int flags, ...)
{
	const char *text =
	    strcmp(path, "/sys/fs/selinux/enforce") == 0 ? host.enforce : host.domain;
	int fd;

	(void)dir;
	if (text != host.enforce)
		ck_assert_str_eq(path, "/proc/self/attr/current");
	ck_assert_int_eq(flags & (O_NOFOLLOW | O_CLOEXEC), O_NOFOLLOW | O_CLOEXEC);
	if (text == NULL) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("file", MFD_CLOEXEC);
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

ssize_t getxattr(const char *path, const char *name, void *value, size_t size)
{
	size_t length;

	ck_assert_str_eq(path, CES_POLICY_PATH);
	ck_assert_str_eq(name, "security.selinux");
	ck_assert_uint_eq(size, 255); /* (and a NUL behind it) */
	if (host.label == NULL) {
		errno = ENODATA;
		return -1;
	}
	length = strlen(host.label);
	if (length > size) {
		errno = ERANGE;
		return -1;
	}
	memcpy(value, host.label, length); /* (without a NUL) */
	return (ssize_t)length;
}

#define HELPER       "system_u:system_r:ces_helper_t:s0-s0:c0.c1023"
#define POLICY_LABEL "system_u:object_r:ces_etc_t:s0"
#define LONG                                                                                       \
	"system_u:object_r:ces_etc_t:s0:"                                                          \
	"c1,c2,c3,c4,c5,c6,c7,c8,c9,c10,c11,c12,c13,c14,c15,c16,c17,c18,c19,c20,c21,c22,c23,c24,"  \
	"c25,c26,c27,c28,c29,c30,c31,c32,c33,c34,c35,c36,c37,c38,c39,c40,c41,c42,c43,c44,c45,c46," \
	"c47,c48,c49,c50,c51,c52,c53,c54,c55,c56,c57,c58,c59,c60,c61,c62,c63,c64,c65,c66,c67,c68"

enum answer { OFF, ON, OFF_REFUSED, PERMISSIVE_REFUSED, DOMAIN_REFUSED, LABEL_REFUSED };

static const struct {
	bool required, mounted;
	const char *enforce, *domain, *label;
	enum answer answer;
} cases[] = {
    /* no SELinux */
    {false, false, NULL, NULL, NULL, OFF},
    {true, false, NULL, NULL, NULL, OFF_REFUSED},
    /* files at those places count for nothing where it is not SELinux's file system */
    {false, false, "1", HELPER, POLICY_LABEL, OFF},
    {true, false, "1", HELPER, POLICY_LABEL, OFF_REFUSED},
    /* permissive */
    {false, true, "0", HELPER, POLICY_LABEL, ON},
    {false, true, "0", HELPER, NULL, ON},
    {false, true, "0", "system_u:system_r:unconfined_t:s0", POLICY_LABEL, OFF},
    {true, true, "0", HELPER, POLICY_LABEL, PERMISSIVE_REFUSED},
    /* enforcing */
    {false, true, "1", HELPER, POLICY_LABEL, ON},
    {true, true, "1", HELPER, POLICY_LABEL, ON},
    {true, true, "1\n", "u:r:ces_helper_t", "u:r:ces_etc_t", ON},
    /* the value cannot be read: it counts as not enforcing */
    {true, true, NULL, HELPER, POLICY_LABEL, PERMISSIVE_REFUSED},
    {true, true, "", HELPER, POLICY_LABEL, PERMISSIVE_REFUSED},
    {false, true, NULL, HELPER, NULL, ON},
    /* another domain, or one whose name begins or ends like it */
    {false, true, "1", "system_u:system_r:unconfined_t:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {true, true, "1", "system_u:system_r:unconfined_t:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "u:r:ces_helper_t2:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "u:r:ces_helped_t:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "u:r:xces_helper_t:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "u:r:ces_helper_", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "ces_helper_t:ces_helper_t:x_t:s0", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "u:r:x_t:ces_helper_t", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "ces_helper_t", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", ":", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", "", POLICY_LABEL, DOMAIN_REFUSED},
    {false, true, "1", NULL, POLICY_LABEL, DOMAIN_REFUSED},
    /* another label: more domains than the administrator's may write the policy */
    {false, true, "1", HELPER, NULL, LABEL_REFUSED},
    {false, true, "1", HELPER, "", LABEL_REFUSED},
    {false, true, "1", HELPER, "system_u:object_r:etc_t:s0", LABEL_REFUSED},
    {true, true, "1", HELPER, "system_u:object_r:ces_etc_tmp_t:s0", LABEL_REFUSED},
    {true, true, "1", HELPER, LONG, LABEL_REFUSED},
};

START_TEST(a_start_is_refused_where_the_kernel_would_not_confine_it)
{
	static const struct {
		enum ces_code code;
		const char *rule, *text;
	} refusals[] = {
	    [OFF_REFUSED] = {CES_E_POLICY, "host.selinux",
			     "SELinux is off on this machine, and the policy requires it"},
	    [PERMISSIVE_REFUSED] = {CES_E_POLICY, "host.selinux",
				    "SELinux is permissive on this machine, and the policy "
				    "requires it"},
	    [DOMAIN_REFUSED] = {CES_E_HOST, "",
				"SELinux is enforcing, but CES is not in its domain there; your "
				"administrator can see why with: ces-client doctor"},
	    [LABEL_REFUSED] = {CES_E_POLICY, "",
			       "SELinux is enforcing, but " CES_POLICY_PATH
			       " is not labelled as CES's policy"},
	};
	enum answer answer = cases[_i].answer;
	struct ces_error err = {0};
	bool on = answer != ON;
	int result;

	host.mounted = cases[_i].mounted;
	host.enforce = cases[_i].enforce;
	host.domain = cases[_i].domain;
	host.label = cases[_i].label;
	result = ces_selinux_admit(cases[_i].required, &on, &err);
	ck_assert_int_eq(result, answer == ON || answer == OFF ? 0 : -1);
	if (result == 0) {
		ck_assert_int_eq(on, answer == ON);
		return;
	}
	ck_assert(on); /* (not touched) */
	ck_assert_int_eq(err.code, refusals[answer].code);
	ck_assert_str_eq(err.rule, refusals[answer].rule);
	ck_assert_str_eq(err.text, refusals[answer].text);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("confined");

	tcase_add_loop_test(t, a_start_is_refused_where_the_kernel_would_not_confine_it, 0,
			    CES_COUNT(cases));
	return run_suite("confined", t);
}
