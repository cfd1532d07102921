/* doctor checks CES itself: its programs, users, policy and directories. It must not ask the helper
 * for anything but a listing. */
#include "client/doctor_checks.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "client/listen.h"
#include "client/local.h"
#include "common/clean.h"
#include "common/cleanup.h"
#include "common/event.h"
#include "common/inside.h"
#include "common/num.h"
#include "common/list.h"
#include "common/paths.h"
#include "common/store.h"
#include "common/way.h"

#define GIB           ((uint64_t)1 << 30)
#define INSTALL_AGAIN "as root: install CES again"

/* Checks that a file or directory of CES exists, belongs to root, and is writable by root only.
 * mode: what chmod takes to make it so, with the setuid bit, which chown removes. */
static bool check_owned(struct ces_doctor *doctor, const char *check, const char *path,
			const char *mode, struct stat *ret)
{
	if (stat(path, ret) < 0) {
		ces_doctor_find(doctor, check, CES_GRADE_PROBLEM, "%s: %s", path, strerror(errno));
		ces_doctor_remedy(doctor, INSTALL_AGAIN);
		return false;
	}
	if (ret->st_uid == 0 && (ret->st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	ces_doctor_find(doctor, check, CES_GRADE_PROBLEM, "%s can be changed by others than root",
			path);
	ces_doctor_remedy(doctor, "as root: chown root:root %s && chmod %s %s", path, mode, path);
	return false;
}

/* Calls judge for each directory above the path, from the root. Returns whether all are good. */
static bool check_above(struct ces_doctor *doctor, const char *path,
			bool (*judge)(struct ces_doctor *doctor, const char *above,
				      const struct stat *st))
{
	bool good = true;

	for (const char *slash = path; slash != NULL; slash = strchr(slash + 1, '/')) {
		char above[CES_WAY_MAX];
		struct stat st;

		snprintf(above, sizeof(above), "%.*s", slash == path ? 1 : (int)(slash - path),
			 path);
		if (stat(above, &st) == 0)
			good &= judge(doctor, above, &st);
	}
	return good;
}

/* ces-helper executes as root what has the name of ces-admit: others must not be able to put
 * something else in its place. */
static bool leads_to_programs(struct ces_doctor *doctor, const char *above, const struct stat *st)
{
	if (st->st_uid != 0 || (st->st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		ces_doctor_find(doctor, "helper", CES_GRADE_PROBLEM,
				"%s can be changed by others than root: they may have replaced "
				"programs of CES's, so install it again",
				above);
		ces_doctor_remedy(doctor, "as root: chown root %s && chmod go-w %s", above, above);
		return false;
	}
	if ((st->st_mode & S_IXOTH) != 0)
		return true;
	ces_doctor_find(doctor, "helper", CES_GRADE_PROBLEM, "users cannot enter %s", above);
	ces_doctor_remedy(doctor, "as root: chmod a+rx %s", above);
	return false;
}

/* Without the journal's directory CES begins another journal. */
static bool keeps_names(struct ces_doctor *doctor, const char *above, const struct stat *st)
{
	bool shared = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0 && (st->st_mode & S_ISVTX) == 0;

	if (st->st_uid == 0 && !shared)
		return true;
	ces_doctor_find(doctor, "directories", CES_GRADE_WARNING,
			"others than root can rename what is in %s, also CES's directory", above);
	ces_doctor_remedy(doctor,
			  "as root: chown root %s && chmod +t %s (in /etc/tmpfiles.d too, if "
			  "systemd-tmpfiles sets its mode)",
			  above, above);
	return false;
}

/* As check_owned, for what only root may even read, which CES opens without following a link. It
 * need not exist: CES makes it. */
static void check_closed(struct ces_doctor *doctor, const char *path, const char *mode)
{
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int fd = ces_beneath_open(root, path, O_PATH, 0);
	struct stat st;

	if (fd < 0 && errno == ELOOP) {
		ces_doctor_find(doctor, "directories", CES_GRADE_PROBLEM,
				"%s: a part of this path is a symbolic link, and CES follows none",
				path);
		ces_doctor_remedy(doctor, "as root: put a directory in the link's place, and mount "
					  "or bind there what the link leads to (mount --bind)");
		return;
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return;
	if (st.st_uid == 0 && (st.st_mode & (S_IRWXG | S_IRWXO)) == 0) {
		ces_doctor_find(doctor, "directories", CES_GRADE_OK, "%s", path);
		return;
	}
	ces_doctor_find(doctor, "directories", CES_GRADE_PROBLEM,
			"%s is open to others than root, and CES does not use it", path);
	ces_doctor_remedy(doctor, "as root: chown root:root %s && chmod %s %s", path, mode, path);
}

void ces_doctor_helper(struct ces_doctor *doctor, const char *helper)
{
	struct statvfs fs;
	struct stat st;

	if (!check_above(doctor, helper, leads_to_programs) ||
	    !check_owned(doctor, "helper", CES_ADMIT_PATH, "700", &st) ||
	    !check_owned(doctor, "helper", CES_SESSION_PATH, "700", &st) ||
	    !check_owned(doctor, "helper", helper, "4755", &st))
		return;
	if ((st.st_mode & S_ISUID) == 0) {
		ces_doctor_find(doctor, "helper", CES_GRADE_PROBLEM, "%s is not setuid", helper);
		ces_doctor_remedy(doctor, "as root: chmod 4755 %s", helper);
	} else if (statvfs(helper, &fs) == 0 && (fs.f_flag & ST_NOSUID) != 0) {
		ces_doctor_find(doctor, "helper", CES_GRADE_PROBLEM,
				"%s is on a file system mounted nosuid", helper);
		ces_doctor_remedy(doctor, "as root: mount it without nosuid, or install CES on "
					  "another file system");
	} else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) {
		ces_doctor_find(doctor, "helper", CES_GRADE_PROBLEM,
				"this session may not start setuid programs (no_new_privs is set)");
		ces_doctor_remedy(doctor, "use another login or terminal, outside of a sandbox");
	} else {
		ces_doctor_find(doctor, "helper", CES_GRADE_OK, "%s is setuid root", helper);
	}
}

static void on_error(void *context, const struct ces_event_error *error)
{
	ces_error_set(context, (enum ces_code)error->code, "%s", error->text);
}

static void on_lost(void *context, const struct ces_error *err)
{
	(void)err;
	ces_error_set(context, CES_E_HOST, "it ended without an answer");
}

/* Asks the helper, which reads the policy, its journal and its store. */
static int ask(const char *helper, struct ces_error *ret)
{
	static const struct ces_listener listener = {.error = on_error, .lost = on_lost};
	const struct ces_request request = {.verb = CES_VERB_IMAGES};

	ret->code = CES_OK;
	if (ces_listen_to(helper, &request, &listener, ret, ret) < 0)
		return -1;
	return ret->code == CES_OK ? 0 : -1;
}

void ces_doctor_answer(struct ces_doctor *doctor, const char *helper)
{
	struct ces_error error;

	if (ces_session_check(helper, &error) < 0)
		return; /* reported already */
	if (getuid() == 0) {
		ces_doctor_find(doctor, "answer", CES_GRADE_WARNING,
				"the helper was not asked: it does not serve root");
		ces_doctor_remedy(doctor, "type ces-client doctor as an ordinary user too");
	} else if (ask(helper, &error) == 0) {
		ces_doctor_find(doctor, "answer", CES_GRADE_OK,
				"the helper accepts the policy, and opens its store and journal");
	} else {
		ces_doctor_find(doctor, "answer", CES_GRADE_PROBLEM, "the helper refuses: %s",
				error.text);
		if (error.code == CES_E_POLICY)
			ces_doctor_remedy(doctor, "as root: ces-policy check %s", CES_POLICY_PATH);
		else
			ces_doctor_remedy(doctor,
					  "as root: ces-client doctor; then see the last "
					  "lines of %s and of the system's log",
					  CES_JOURNAL_PATH);
	}
}

/* Returns whether the account's number is its alone, as far as the user database says. */
static bool check_number(struct ces_doctor *doctor, const char *name, uid_t uid)
{
	const struct passwd *entry = getpwuid(uid);

	if (entry == NULL || strcmp(entry->pw_name, name) == 0)
		return true;
	ces_doctor_find(doctor, "workers", CES_GRADE_PROBLEM,
			"%s and %s have one number (%u), and so rights over each other",
			entry->pw_name, name, (unsigned)uid);
	ces_doctor_remedy(doctor, "as root: give one a number of its own (usermod --uid), then: %s",
			  CES_UPGRADE_PATH);
	return false;
}

/* missing: how bad it is if there is none. */
static void check_user(struct ces_doctor *doctor, const char *name, enum ces_grade missing)
{
	const struct passwd *entry = getpwnam(name);
	bool group = getgrnam(name) != NULL;
	uid_t uid = entry != NULL ? entry->pw_uid : 0;

	if (entry != NULL && uid != 0 && entry->pw_gid != 0 && uid != getuid()) {
		if (check_number(doctor, name, uid))
			ces_doctor_find(doctor, "workers", CES_GRADE_OK, "user %s (%u)", name,
					(unsigned)uid);
		return;
	}
	if (entry != NULL)
		ces_doctor_find(doctor, "workers", CES_GRADE_PROBLEM,
				"user %s (%u, group %u) is not an account of its own", name,
				(unsigned)uid, (unsigned)entry->pw_gid);
	else
		ces_doctor_find(doctor, "workers", missing, "there is no user %s%s", name,
				missing == CES_GRADE_PROBLEM
				    ? ""
				    : ": pulls of several users at once share an account");
	/* (useradd takes no name that is a user's, and without --gid none that is a group's) */
	ces_doctor_remedy(doctor,
			  "as root: %suseradd --system --no-create-home --home-dir / --shell "
			  "/usr/sbin/nologin%s%s %s%s",
			  entry != NULL ? "give that user another name (usermod --login), then: "
					: "",
			  group ? " --gid " : "", group ? name : "", name,
			  /* (the account may have another number now) */
			  strcmp(name, CES_STORE_USER) == 0 ? " && " CES_UPGRADE_PATH : "");
}

/* Of these workers several serve at once. */
static void check_users(struct ces_doctor *doctor, const char *name)
{
	char numbered[32];

	check_user(doctor, name, CES_GRADE_PROBLEM);
	for (int i = 2; i <= CES_ACCOUNTS; i++) {
		snprintf(numbered, sizeof(numbered), "%s-%d", name, i);
		check_user(doctor, numbered, CES_GRADE_WARNING);
	}
}

void ces_doctor_workers(struct ces_doctor *doctor)
{
	static const char *const programs[] = {
	    CES_DECODE_PATH,      CES_PARSE_PATH,       CES_VERIFY_PATH,  CES_STORE_PATH,
	    CES_FETCH_PATH,       CES_LAYOUT_PATH,      CES_RESOLVE_PATH, CES_UNPACK_PATH,
	    CES_RELAY_PATH,       CES_LIST_PATH,        CES_INSIDE_PATH,  CES_CLEAN_PATH,
	    CES_SECCOMP_BPF_PATH, CES_SECCOMP_JSON_PATH};
#define FILES 2 /* of these that nobody executes, the last */
	struct stat st;

	check_user(doctor, CES_PARSE_USER, CES_GRADE_PROBLEM);
	check_user(doctor, CES_STORE_USER, CES_GRADE_PROBLEM);
	check_users(doctor, CES_FETCH_USER);
	check_users(doctor, CES_RESOLVE_USER);
	check_users(doctor, CES_UNPACK_USER);
	check_user(doctor, CES_RELAY_USER, CES_GRADE_PROBLEM);
	/* (reported already) */
	for (size_t i = 0; i < CES_COUNT(programs) && access(CES_LIBEXECDIR, X_OK) == 0; i++) {
		if (!check_owned(doctor, "workers", programs[i], "go-w", &st))
			continue;
		if (i >= CES_COUNT(programs) - FILES || (st.st_mode & S_IXOTH) != 0) {
			ces_doctor_find(doctor, "workers", CES_GRADE_OK, "%s", programs[i]);
			continue;
		}
		ces_doctor_find(doctor, "workers", CES_GRADE_PROBLEM,
				"%s cannot be executed by the worker's account", programs[i]);
		ces_doctor_remedy(doctor, "as root: chmod 711 %s", programs[i]);
	}
}

/* ---- the policy ---- */

static const char *last_day(time_t expires, char buffer[16])
{
	time_t day = expires - 1;
	struct tm tm;

	if (gmtime_r(&day, &tm) == NULL || strftime(buffer, 16, "%Y-%m-%d", &tm) == 0)
		return "?";
	return buffer;
}

static void check_rules(struct ces_doctor *doctor, const char *owner,
			const struct ces_policy_image_rules *rules, time_t now)
{
	char day[16];

	for (size_t i = 0; i < rules->n; i++) {
		const struct ces_policy_image_rule *rule = &rules->v[i];

		if (rule->expires == 0 || now < rule->expires)
			continue;
		ces_doctor_find(doctor, "policy", CES_GRADE_WARNING,
				"%s.images[%zu] (%s) ended on %s", owner, i, rule->allow,
				last_day(rule->expires, day));
		ces_doctor_remedy(doctor, "renew or remove the rule");
	}
}

static void check_dates(struct ces_doctor *doctor, const struct ces_policy *policy, time_t now)
{
	char day[16], owner[CES_NAME_MAX + 16];

	if (policy->review_by != 0 && now >= policy->review_by) {
		ces_doctor_find(doctor, "policy", CES_GRADE_WARNING, "its review was due by %s",
				last_day(policy->review_by, day));
		ces_doctor_remedy(doctor, "review the policy, then set a new review_by");
	}
	for (size_t i = 0; i < policy->n_projects; i++) {
		const struct ces_policy_project *project = &policy->projects[i];

		snprintf(owner, sizeof(owner), "projects.%s", project->name);
		if (project->expires != 0 && now >= project->expires) {
			ces_doctor_find(doctor, "policy", CES_GRADE_WARNING, "%s ended on %s",
					owner, last_day(project->expires, day));
			ces_doctor_remedy(doctor, "renew or remove the project");
		}
		check_rules(doctor, owner, &project->images, now);
	}
	check_rules(doctor, "infer_projects", &policy->infer_images, now);
}

/* Returns whether a valid policy lets anybody do anything. The package's policy does not, and
 * neither does an expired one. */
static bool allows_something(const struct ces_policy *policy, time_t now)
{
	for (size_t i = 0; i < policy->n_projects; i++)
		if (policy->projects[i].expires == 0 || now < policy->projects[i].expires)
			return policy->n_registries > 0;
	return policy->infer && policy->n_registries > 0;
}

/* The directory of the policy, or one above it. */
static const char *open_to_others(void)
{
	static const char *const directories[] = {"/", "/etc", CES_POLICY_DIR};
	struct stat st;

	for (size_t i = 0; i < CES_COUNT(directories); i++)
		if (stat(directories[i], &st) == 0 &&
		    (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0))
			return directories[i];
	return NULL;
}

bool ces_doctor_policy(struct ces_doctor *doctor, const char *path, struct ces_local *ret)
{
	struct ces_error err = {0};

	if (ces_local_load(path, ret, &err) < 0) {
		ces_doctor_find(doctor, "policy", CES_GRADE_PROBLEM, "%s", err.text);
		const char *open = open_to_others();

		if (open != NULL)
			ces_doctor_remedy(doctor,
					  "as root: chown root:root %s && chmod 755 %s, and check "
					  "its files: others could change them",
					  open, open);
		else if (access(path, F_OK) < 0 && errno == ENOENT)
			ces_doctor_remedy(doctor, "as root: write one; man 7 ces, FIRST STEPS, "
						  "begins with an example");
		else
			ces_doctor_remedy(doctor,
					  "as root: ces-policy check %s, and: chown "
					  "root:root %s && chmod 644 %s",
					  path, path, path);
		return false;
	}
	ces_doctor_find(doctor, "policy", CES_GRADE_OK, "%s, %zu registries, %zu projects%s", path,
			ret->policy->n_registries, ret->policy->n_projects,
			ret->policy->infer ? " and those found by groups" : "");
	check_dates(doctor, ret->policy, time(NULL));
	if (!allows_something(ret->policy, time(NULL))) {
		ces_doctor_find(doctor, "policy", CES_GRADE_WARNING,
				"it allows nothing to anybody");
		ces_doctor_remedy(doctor, "as root: write one; man 7 ces, FIRST STEPS, begins with "
					  "an example");
	}
	return true;
}

/* ---- directories ---- */

static void check_store_kind(struct ces_doctor *doctor, const char *path)
{
	static const struct {
		unsigned magic;
		const char *name;
	} kinds[] = {{NFS_SUPER_MAGIC, "NFS"}, {OVERLAYFS_SUPER_MAGIC, "an overlay"},
		     {0xff534d42, "CIFS"},     {0xfe534d42, "CIFS"},
		     {0x0bd00bd0, "Lustre"},   {0x19830326, "BeeGFS"},
		     {0x47504653, "GPFS"}};
	struct statfs fs;

	if (statfs(path, &fs) < 0)
		return;
	for (size_t i = 0; i < CES_COUNT(kinds); i++) {
		if ((unsigned)fs.f_type != kinds[i].magic)
			continue;
		ces_doctor_find(doctor, "store", CES_GRADE_PROBLEM,
				"%s is on %s, which has no id-mapped mounts", path, kinds[i].name);
		ces_doctor_remedy(doctor, "as root: mount a local ext4 or xfs file system on %s",
				  CES_STORE_DIR);
	}
}

/* Judges by what a pull may use. */
static void check_store_space(struct ces_doctor *doctor, const char *path, uint64_t bytes,
			      uint64_t reserve)
{
	uint64_t left = bytes > reserve ? bytes - reserve : 0;
	bool problem = bytes < GIB || left == 0;
	char space[32], kept[32];

	ces_num_format_size(bytes, space, sizeof(space));
	ces_num_format_size(reserve, kept, sizeof(kept));
	if (!problem && left >= 9 * GIB) {
		ces_doctor_find(doctor, "store", CES_GRADE_OK, "%s has %s free", path, space);
		return;
	}
	ces_doctor_find(doctor, "store", problem ? CES_GRADE_PROBLEM : CES_GRADE_WARNING,
			"%s has %s free, of which %s stay free (host.store_reserve)", path, space,
			kept);
	ces_doctor_remedy(doctor, "remove images with ces-client rmi; as root: make room%s",
			  reserve > GIB ? ", or lower host.store_reserve in the policy" : "");
}

void ces_doctor_store(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	const char *path = access(CES_STORE_DIR, F_OK) == 0 ? CES_STORE_DIR : "/var/lib";
	struct statvfs fs;

	check_store_kind(doctor, path);
	if (statvfs(path, &fs) < 0) {
		ces_doctor_find(doctor, "store", CES_GRADE_PROBLEM, "%s: %s", path,
				strerror(errno));
		ces_doctor_remedy(doctor, INSTALL_AGAIN);
		return;
	}
	check_store_space(doctor, path, (uint64_t)fs.f_bavail * fs.f_frsize,
			  policy != NULL ? policy->store.reserve : 0);
	/* 0 files in all: this file system does not count them. */
	if (fs.f_files == 0 || fs.f_favail >= 100000)
		return;
	ces_doctor_find(doctor, "store", CES_GRADE_WARNING, "%s has room for %llu files only", path,
			(unsigned long long)fs.f_favail);
	ces_doctor_remedy(doctor, "as root: make a new file system with more inodes");
}

void ces_doctor_directories(struct ces_doctor *doctor)
{
	check_closed(doctor, CES_RUN_DIR, "700");
	check_closed(doctor, CES_STORE_DIR, "700");
	check_closed(doctor, CES_JOURNAL_DIR, "700");
	(void)check_above(doctor, CES_STORE_DIR, keeps_names);
	(void)check_above(doctor, CES_JOURNAL_DIR, keeps_names);
	if (getuid() != 0)
		return;
	check_closed(doctor, CES_STORE_DIR "/runs", "700");
	check_closed(doctor, CES_STORE_DIR "/images", "700");
	check_closed(doctor, CES_STORE_DIR "/layers", "700");
	check_closed(doctor, CES_JOURNAL_PATH, "600");
	check_closed(doctor, CES_JOURNAL_DIR "/head", "600");
}
