/* Tests the runtime's config.json: what it says for a plan, field by field; that no word of an
 * image or a caller leaves its place; and that nothing but a new file is written. */
/* links: helper/launch/config.c helper/launch/profile.c helper/launch/gpu_files.c helper/session/json.c helper/session/idmap.c helper/session/lock.c helper/session/mounts.c helper/core/beneath.c */
#include "helper/launch/config.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/paths.h"
#include "helper/launch/profile.h"
#include "tests/unit/directory.h"
#include "tests/unit/launch_plan.h"
#include "tests/unit/steps.h"

/* CES's own two files are in the test's directory, not where an installation has them. */
int open(const char *path, int flags, ...)
{
	int dir = AT_FDCWD;
	va_list rest;
	mode_t mode;

	va_start(rest, flags);
	mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
	va_end(rest);
	if (strncmp(path, CES_LIBEXECDIR "/", sizeof(CES_LIBEXECDIR)) == 0) {
		dir = directory;
		path += sizeof(CES_LIBEXECDIR);
	}
	return openat(dir, path, flags, mode);
}

static struct json_object *config;

static void put_file(const char *path, const char *bytes, size_t length)
{
	CES_CLEANUP_FD int fd =
	    openat(directory, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	ck_assert_int_eq(write(fd, bytes, length), (ssize_t)length);
}

static void set_up(void)
{
	static char *sh[] = {"sh"};
	static const char seccomp[] = "{\"defaultAction\":\"SCMP_ACT_ERRNO\"}\n";

	directory_begin();
	plan_begin();
	ck_assert_int_eq(mkdirat(directory, "bundle", 0755), 0);
	put_file("seccomp.json", seccomp, strlen(seccomp));
	image.cmd = (struct ces_strings){sh, 1};
	config = NULL;
}

static void tear_down(void)
{
	static const char *const files[] = {"bundle/config.json", "seccomp.json",
					    "seccomp.bpf.base64"};

	json_object_put(config);
	for (size_t i = 0; i < CES_COUNT(files); i++)
		(void)unlinkat(directory, files[i], 0);
	(void)unlinkat(directory, "bundle", AT_REMOVEDIR);
	directory_end();
}

/* Parses text, all of it, strictly. */
static struct json_object *parse(const char *text, int flags)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *ret;

	json_tokener_set_flags(tokener, flags);
	ret = json_tokener_parse_ex(tokener, text, (int)strlen(text) + 1);
	ck_assert_msg(ret != NULL, "%s in %s",
		      json_tokener_error_desc(json_tokener_get_error(tokener)), text);
	json_tokener_free(tokener);
	return ret;
}

/* Writes the plan's config.json, and reads it back into config. */
static void fill(void)
{
	static char text[1u << 20];
	CES_CLEANUP_FD int fd = -1;
	size_t before = open_fds();
	struct stat st;
	ssize_t n;

	(void)unlinkat(directory, "bundle/config.json", 0);
	(void)umask(0);
	ck_assert_msg(ces_config_write(&plan, directory, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(open_fds(), before);
	fd = openat(directory, "bundle/config.json", O_RDONLY | O_CLOEXEC);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_uint_eq(st.st_mode, S_IFREG | 0644);
	n = read(fd, text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_uint_eq(strlen(text), (size_t)n);
	json_object_put(config);
	config = parse(text, JSON_TOKENER_STRICT);
}

/* The value at a path ("process/user/uid", "mounts/3/options"), or NULL. */
static struct json_object *at(const char *path)
{
	struct json_object *value = config;
	char copy[100], *save = NULL;

	(void)snprintf(copy, sizeof(copy), "%s", path);
	for (char *part = strtok_r(copy, "/", &save); part != NULL && value != NULL;
	     part = strtok_r(NULL, "/", &save))
		value = json_object_is_type(value, json_type_array)
			    ? json_object_array_get_idx(value, (size_t)atoi(part))
			    : json_object_object_get(value, part);
	return value;
}

/* Compares the value at a path with text, where ' is ". */
static void is(const char *path, const char *text)
{
	struct json_object *expected, *found = at(path);
	char *copy = strdup(text);

	for (char *p = copy; *p != '\0'; p++)
		*p = *p == '\'' ? '"' : *p;
	expected = parse(copy, JSON_TOKENER_STRICT);
	ck_assert_msg(json_object_equal(found, expected), "%s is %.3000s and not %.3000s", path,
		      json_object_to_json_string_ext(found, JSON_C_TO_STRING_PLAIN), copy);
	json_object_put(expected);
	free(copy);
}

/* The value of a variable; NULL: it is not set. Fails if it is set twice. */
static const char *variable(const char *name)
{
	struct json_object *env = at("process/env");
	const char *found = NULL;

	for (size_t i = 0; i < json_object_array_length(env); i++) {
		const char *entry = json_object_get_string(json_object_array_get_idx(env, i));

		if (strncmp(entry, name, strlen(name)) != 0 || entry[strlen(name)] != '=')
			continue;
		ck_assert_msg(found == NULL, "%s is set twice", name);
		found = entry + strlen(name) + 1;
	}
	return found;
}

#define PROC_AND_DEV                                                                               \
	"{'destination': '/proc', 'type': 'proc', 'source': 'proc', 'options': ['nosuid', "        \
	"'noexec', 'nodev']}, {'destination': '/dev', 'type': 'bind', 'source': '/dev', "          \
	"'options': ['rbind', 'nosuid', 'noexec']}, {'destination': '/dev/pts', 'type': "          \
	"'devpts', 'source': 'devpts', 'options': ['newinstance', 'ptmxmode=0666', 'mode=0620', "  \
	"'nosuid', 'noexec']}, {'destination': '/dev/mqueue', 'type': 'mqueue', 'source': "        \
	"'mqueue', 'options': ['nosuid', 'noexec', 'nodev']}, {'destination': '/sys', 'type': "    \
	"'sysfs', 'source': 'sysfs', 'options': ['nosuid', 'noexec', 'nodev', 'ro']}"
#define TMPFS(to, size)                                                                            \
	"{'destination': '" to "', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['mode=1777', "  \
	"'size=" size "', 'nosuid', 'nodev']}"
#define BIND(to, from, more)                                                                       \
	"{'destination': '" to "', 'type': 'bind', 'source': '" from "', 'options': ['rbind', "    \
	"'nosuid', 'nodev'" more "]}"

START_TEST(the_smallest_plan_gives_this_document_and_nothing_more)
{
	fill();
	is("",
	   "{'ociVersion': '1.0.2', 'root': {'path': '/m', 'readonly': false}, 'process': "
	   "{'terminal': false, 'user': {'uid': 0, 'gid': 0, 'umask': 18, 'additionalGids': "
	   "[65536]}, 'args': ['sh'], 'env': "
	   "['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/', "
	   "'HOSTNAME=ces-0123456789', 'OMP_NUM_THREADS=2', 'NVIDIA_VISIBLE_DEVICES=void', "
	   "'NVIDIA_DRIVER_CAPABILITIES=', 'TMP=/scratch', 'TMPDIR=/scratch'], 'cwd': '/', "
	   "'capabilities': {'bounding': ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', "
	   "'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], "
	   "'effective': ['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', "
	   "'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], 'permitted': "
	   "['CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', "
	   "'CAP_SETGID', 'CAP_SETUID', 'CAP_NET_BIND_SERVICE'], 'inheritable': [], "
	   "'ambient': []}, 'noNewPrivileges': true}, 'mounts': [" PROC_AND_DEV ", " TMPFS(
	       "/dev/shm",
	       "67108864") "], 'linux': {'namespaces': [{'type': 'mount'}, {'type': 'pid'}], "
			   "'maskedPaths': "
			   "['/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kallsyms', "
			   "'/proc/kcore', '/proc/keys', '/proc/key-users', '/proc/latency_stats', "
			   "'/proc/sched_debug', '/proc/scsi', '/proc/timer_list', "
			   "'/proc/timer_stats', "
			   "'/proc/kpagecount', '/proc/kpageflags', '/proc/sysrq-trigger', "
			   "'/sys/devices/virtual/powercap', '/sys/dev/block', '/sys/firmware', "
			   "'/sys/fs/cgroup', '/sys/fs/selinux', '/sys/kernel/debug', "
			   "'/sys/kernel/security'], 'readonlyPaths': ['/proc/bus', '/proc/fs', "
			   "'/proc/irq', "
			   "'/proc/sys']}, 'annotations': {'run.oci.seccomp_bpf_data': "
			   "'RklMVEVS'}}");
}
END_TEST

START_TEST(runc_gets_the_filter_as_json_and_crun_as_an_annotation)
{
	plan.runc = true;
	fill();
	is("linux/seccomp", "{'defaultAction': 'SCMP_ACT_ERRNO'}");
	ck_assert_ptr_null(at("annotations"));
	plan.runc = false;
	fill();
	ck_assert_ptr_null(at("linux/seccomp"));
	is("annotations", "{'run.oci.seccomp_bpf_data': 'RklMVEVS'}");
}
END_TEST

START_TEST(without_its_filter_runc_gets_no_document)
{
	plan.runc = true;
	ck_assert_int_eq(unlinkat(directory, "seccomp.json", 0), 0);
	ck_assert_int_lt(ces_config_write(&plan, directory, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "CES is not fully installed"));
	/* nor is a link followed to one */
	ck_assert_int_eq(unlinkat(directory, "bundle/config.json", 0), 0);
	ck_assert_int_eq(symlinkat("/dev/null", directory, "seccomp.json"), 0);
	ck_assert_int_lt(ces_config_write(&plan, directory, &err), 0);
	ck_assert_int_eq(err.sys, ELOOP);
}
END_TEST

/* Texts that would end a JSON string, or begin something else, if they were not escaped. Each is
 * the value of a variable, a word of the command, the directory, a destination. */
static const char *const hostile[] = {"\"],\"cwd\":\"/\",\"x\":[\"",
				      "\\",
				      "\\\"",
				      "a\nb",
				      "\t\r\b\f\v",
				      "\001\037\177",
				      "}]}",
				      "', 'noNewPrivileges': false",
				      "/**/",
				      "\\u0000",
				      "${HOME}",
				      "%s%n",
				      "{run}",
				      "\xc3\xa9",
				      "\xff\xfe",
				      "\xed\xa0\x80",
				      ""};

START_TEST(no_text_of_the_image_or_the_caller_leaves_its_place)
{
	char entry[64], directory_name[64], *text = (char *)(uintptr_t)hostile[_i];

	(void)snprintf(entry, sizeof(entry), "X=%s", text);
	(void)snprintf(directory_name, sizeof(directory_name), "/%s", text);
	image.env = STRINGS(entry);
	image.entrypoint = STRINGS(text);
	image.home = text;
	image.workdir = directory_name;
	request.args = STRINGS("a", text, "b");
	plan_mount(directory_name, -1, false, false);
	decision.n_tmpfs = 1;
	strcpy(decision.tmpfs[0].destination, directory_name);
	fill();
	ck_assert_str_eq(variable("X"), text);
	ck_assert_str_eq(variable("HOME"), text);
	ck_assert_uint_eq(json_object_array_length(at("process/args")), 4);
	ck_assert_str_eq(json_object_get_string(at("process/args/0")), text);
	ck_assert_str_eq(json_object_get_string(at("process/args/2")), text);
	ck_assert_str_eq(json_object_get_string(at("process/cwd")), directory_name);
	ck_assert_str_eq(json_object_get_string(at("mounts/6/destination")), directory_name);
	ck_assert_str_eq(json_object_get_string(at("mounts/7/destination")), directory_name);
	is("process/noNewPrivileges", "true");
	ck_assert_int_eq(json_object_object_length(at("process")), 7);
	ck_assert_int_eq(json_object_object_length(config), 6);
}
END_TEST

START_TEST(the_longest_command_and_environment_are_whole)
{
	static char *words[1000], entries[1000][24];
	static char big[60000];

	memset(big, '"', sizeof(big) - 1);
	for (size_t i = 0; i < CES_COUNT(words); i++) {
		(void)snprintf(entries[i], sizeof(entries[i]), "V%zu=%zu", i, i);
		words[i] = entries[i];
	}
	request.env = (struct ces_strings){words, CES_COUNT(words)};
	request.args = STRINGS(big, big);
	fill();
	ck_assert_str_eq(variable("V999"), "999");
	ck_assert_uint_eq(json_object_array_length(at("process/env")), 1008);
	ck_assert_str_eq(json_object_get_string(at("process/args/1")), big);
}
END_TEST

START_TEST(the_callers_variables_win_over_the_images_and_those_over_cess)
{
	image.env = STRINGS("PATH=/image", "HOME=/image", "TMP=/image", "TMPDIR=/image", "A=image",
			    "B=image", "B=twice", "OMP_NUM_THREADS=64", "C=");
	request.env = STRINGS("A=caller", "TMPDIR=/caller", "HOSTNAME=theirs", "AA=x", "D=a=b");
	image.home = "/root";
	fill();
	ck_assert_str_eq(variable("PATH"), "/image");
	ck_assert_str_eq(variable("HOME"), "/image");
	ck_assert_str_eq(variable("TMP"), "/scratch");
	ck_assert_str_eq(variable("TMPDIR"), "/caller");
	ck_assert_str_eq(variable("HOSTNAME"), "theirs");
	ck_assert_str_eq(variable("OMP_NUM_THREADS"), "64");
	ck_assert_str_eq(variable("A"), "caller");
	ck_assert_str_eq(variable("AA"), "x"); /* (A is not a prefix of it) */
	ck_assert_str_eq(variable("B"), "twice");
	ck_assert_str_eq(variable("C"), "");
	ck_assert_str_eq(variable("D"), "a=b");
	ck_assert_ptr_null(variable("TERM"));
}
END_TEST

START_TEST(a_home_of_their_own_comes_after_the_images)
{
	image.env = STRINGS("HOME=/image", "USER=image");
	strcpy(decision.home, "/home/ann");
	fill();
	ck_assert_str_eq(variable("HOME"), "/home/ann");
	ck_assert_str_eq(variable("USER"), "ann");
}
END_TEST

static const struct {
	uint64_t cpus;
	const char *threads;
} threads[] = {{0, "0"}, {1, "1"}, {1000, "1"}, {1001, "2"}, {64000, "64"}};

START_TEST(a_part_of_a_cpu_counts_as_one_thread)
{
	decision.limits.cpus = threads[_i].cpus;
	fill();
	ck_assert_str_eq(variable("OMP_NUM_THREADS"), threads[_i].threads);
}
END_TEST

START_TEST(the_proxy_and_the_display_win_over_the_callers_variables)
{
	request.env =
	    STRINGS("http_proxy=http://elsewhere", "NO_PROXY=*", "DISPLAY=:9", "XAUTHORITY=/mine");
	fill();
	ck_assert_str_eq(variable("http_proxy"), "http://elsewhere");
	ck_assert_str_eq(variable("DISPLAY"), ":9");
	strcpy(decision.proxy, "http://proxy:8080");
	decision.display = 1; /* the number 0 */
	fill();
	ck_assert_str_eq(variable("http_proxy"), "http://127.0.0.1:3128");
	ck_assert_str_eq(variable("HTTPS_PROXY"), "http://127.0.0.1:3128");
	ck_assert_str_eq(variable("NO_PROXY"), "localhost,127.0.0.1,::1");
	ck_assert_str_eq(variable("DISPLAY"), ":0");
	ck_assert_str_eq(variable("XAUTHORITY"), "/etc/ces.Xauthority");
}
END_TEST

START_TEST(nothing_of_an_image_says_which_gpus_there_are)
{
	image.env = STRINGS("NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=all");
	fill();
	ck_assert_str_eq(variable("NVIDIA_VISIBLE_DEVICES"), "void");
	ck_assert_str_eq(variable("NVIDIA_DRIVER_CAPABILITIES"), "");
}
END_TEST

START_TEST(a_run_with_gpus_has_the_drivers_variables_libraries_and_mount)
{
	char *env[] = {"NVIDIA_X=driver", "NVIDIA_VISIBLE_DEVICES=none"};
	struct ces_cdi_mount mounts[] = {
	    {"/usr/lib64/libcuda.so.1", "/usr/lib64/libcuda.so.1", CES_CDI_LIBRARY},
	    {"/usr/lib64/libml.so.1", "/usr/lib64/libml.so.1", CES_CDI_LIBRARY},
	    {"/usr/bin/smi", "/usr/bin/smi", CES_CDI_LINKED},
	    {"/x", "/usr/lib/more/libx.so", CES_CDI_LIBRARY}};
	struct ces_cdi_edits edits = {.env = {env, 2}, .mounts = mounts, .n_mounts = 4};

	image.env = STRINGS("NVIDIA_X=image", "LD_LIBRARY_PATH=/image");
	plan.gpus.names[0] = "nvidia.com/gpu=0";
	plan.gpus.names[1] = "nvidia.com/gpu=GPU-1";
	plan.gpus.n_names = 2;
	plan.gpus.edits[plan.gpus.n_edits++] = &edits;
	plan_mount("/usr/lib", -1, true, false);
	fill();
	ck_assert_str_eq(variable("NVIDIA_X"), "driver");
	ck_assert_str_eq(variable("NVIDIA_VISIBLE_DEVICES"), "0,GPU-1");
	ck_assert_str_eq(variable("NVIDIA_DRIVER_CAPABILITIES"), "compute,utility");
	ck_assert_str_eq(variable("LD_LIBRARY_PATH"),
			 "/usr/lib/ces-gpu/usr/lib64:/usr/lib/ces-gpu/usr/lib/more:/image");
	/* before the caller's own mounts, which may hide it */
	is("mounts/6", BIND("/usr/lib/ces-gpu", "/g", ", 'ro'"));
	is("mounts/7", BIND("/usr/lib", "/d/0", ", 'ro'"));
	image.env.n = 1;
	fill();
	ck_assert_str_eq(variable("LD_LIBRARY_PATH"),
			 "/usr/lib/ces-gpu/usr/lib64:/usr/lib/ces-gpu/usr/lib/more");
}
END_TEST

START_TEST(as_many_gpus_as_a_run_may_have_are_all_named)
{
	static char names[CES_GPU_MAX][160];

	for (size_t i = 0; i < CES_GPU_MAX; i++) {
		/* (a name has 128 bytes at most, policy/valid.c) */
		(void)snprintf(names[i], sizeof(names[i]), "nvidia.com/gpu=%0128zu", i);
		plan.gpus.names[plan.gpus.n_names++] = names[i];
	}
	fill();
	ck_assert_uint_eq(strlen(variable("NVIDIA_VISIBLE_DEVICES")), CES_GPU_MAX * 129 - 1);
}
END_TEST

static const struct {
	bool replaced;
	const char *entrypoint;
	const char *image[2], *args[2];
	const char *expected;
} commands[] = {
    {false, NULL, {"E", "C"}, {NULL}, "['E', 'C']"},
    {false, NULL, {"E", "C"}, {"a", "b"}, "['E', 'a', 'b']"},
    {false, NULL, {NULL, "C"}, {NULL}, "['C']"},
    {false, NULL, {NULL, "C"}, {"a"}, "['a']"},
    {false, "X", {"E", "C"}, {NULL}, "['E', 'C']"}, /* without its flag it is nothing */
    {true, "X", {"E", "C"}, {NULL}, "['X']"},
    {true, "X", {"E", "C"}, {"a"}, "['X', 'a']"},
    {true, "", {"E", "C"}, {"a"}, "['a']"},
    {true, "", {"E", "C"}, {NULL}, "[]"},
    {true, NULL, {"E", "C"}, {NULL}, "[]"},
    {false, NULL, {NULL, NULL}, {NULL}, "[]"},
};

START_TEST(arguments_replace_the_images_command_and_an_entrypoint_both)
{
	char *entry = (char *)(uintptr_t)commands[_i].image[0];
	char *cmd = (char *)(uintptr_t)commands[_i].image[1];
	char **args = (char **)(uintptr_t)commands[_i].args;
	const char *first;

	image.entrypoint = (struct ces_strings){&entry, entry != NULL};
	image.cmd = (struct ces_strings){&cmd, cmd != NULL};
	request.args = (struct ces_strings){args, (size_t)(args[0] != NULL) + (args[1] != NULL)};
	request.entrypoint = (char *)(uintptr_t)commands[_i].entrypoint;
	request.flags = commands[_i].replaced ? CES_FLAG_ENTRYPOINT : 0;
	fill();
	is("process/args", commands[_i].expected);
	first = ces_config_command(&plan);
	if (at("process/args/0") == NULL)
		ck_assert_ptr_null(first);
	else
		ck_assert_str_eq(json_object_get_string(at("process/args/0")), first);
}
END_TEST

static const struct {
	const char *image, *caller, *cwd;
} directories[] = {{NULL, NULL, "/"}, {"/w", NULL, "/w"}, {"/w", "/c", "/c"},
		   {"w", NULL, "/"},  {"/w", "c", "/"},   {"", NULL, "/"}};

START_TEST(the_working_directory_is_absolute)
{
	image.workdir = (char *)(uintptr_t)directories[_i].image;
	request.workdir = (char *)(uintptr_t)directories[_i].caller;
	fill();
	ck_assert_str_eq(json_object_get_string(at("process/cwd")), directories[_i].cwd);
}
END_TEST

START_TEST(the_images_groups_hold_for_the_images_user_alone)
{
	uint64_t groups[] = {7, 65535, 65536, 1ull << 40};

	image.uid = 33;
	image.groups = (struct ces_u64s){groups, CES_COUNT(groups)};
	plan_map(33, 44);
	fill();
	is("process/user", "{'uid': 33, 'gid': 44, 'umask': 18, 'additionalGids': [7, 65535, "
			   "65536]}"); /* the last is the project's, not the image's */
	plan_map(1000, 1000);
	fill();
	is("process/user/additionalGids", "[65536]");
}
END_TEST

START_TEST(a_user_of_the_container_has_no_capability_but_in_the_bound)
{
	plan_map(1000, 1000);
	fill();
	ck_assert_uint_eq(json_object_array_length(at("process/capabilities/bounding")), 8);
	is("process/capabilities/effective", "[]");
	is("process/capabilities/permitted", "[]");
	is("process/capabilities/inheritable", "[]");
	is("process/capabilities/ambient", "[]");
}
END_TEST

START_TEST(a_terminal_has_its_size)
{
	plan.rows = 24;
	plan.columns = 80;
	fill();
	ck_assert_ptr_null(at("process/consoleSize"));
	plan.tty = true;
	fill();
	is("process/terminal", "true");
	is("process/consoleSize", "{'height': 24, 'width': 80}");
	ck_assert_str_eq(variable("TERM"), "xterm");
}
END_TEST

START_TEST(a_root_that_is_asked_for_as_read_only_is_so)
{
	decision.read_only = true;
	fill();
	is("root", "{'path': '/m', 'readonly': true}");
}
END_TEST

/* A home comes before the caller's binds, which may be inside it; other tmpfs come after. */
START_TEST(mounts_come_in_this_order_with_these_flags)
{
	strcpy(decision.home, "/home/ann");
	decision.limits.shm = UINT64_MAX;
	decision.n_tmpfs = 2;
	strcpy(decision.tmpfs[0].destination, "/cache");
	decision.tmpfs[0].size = 4096;
	strcpy(decision.tmpfs[1].destination, "/home/ann");
	decision.tmpfs[1].size = 8192;
	plan_mount("/safe_data", -1, true, false);
	plan_mount("/safe_outputs", -1, false, false);
	plan_mount("/home/ann/x", -1, true, true);
	fill();
	is("mounts",
	   "[" PROC_AND_DEV
	   ", " TMPFS("/dev/shm", "18446744073709551615") ", " TMPFS("/home/ann", "8192") ", " BIND(
	       "/safe_data", "/d/0",
	       ", 'ro'") ", " BIND("/safe_"
				   "outputs",
				   "/d/1",
				   "") ", " BIND("/home/ann/x", "/d/2",
						 ", 'ro'") ", " TMPFS("/cache", "4096") "]");
}
END_TEST

static const char *const in_the_way[] = {"file", "link", "dangling link", "no bundle",
					 "bundle is a link"};

START_TEST(only_a_new_file_in_the_bundle_is_written)
{
	const char *kind = in_the_way[_i];
	size_t before = open_fds();

	put_file("seccomp.bpf.base64", "kept", 4);
	if (strcmp(kind, "file") == 0)
		put_file("bundle/config.json", "kept", 4);
	if (strcmp(kind, "link") == 0)
		ck_assert_int_eq(
		    symlinkat("../seccomp.bpf.base64", directory, "bundle/config.json"), 0);
	if (strcmp(kind, "dangling link") == 0)
		ck_assert_int_eq(symlinkat("../new", directory, "bundle/config.json"), 0);
	if (strstr(kind, "bundle") != NULL)
		ck_assert_int_eq(unlinkat(directory, "bundle", AT_REMOVEDIR), 0);
	if (strcmp(kind, "bundle is a link") == 0)
		ck_assert_int_eq(symlinkat(".", directory, "bundle"), 0);
	ck_assert_int_lt(ces_config_write(&plan, directory, &err), 0);
	ck_assert_msg(strncmp(err.text, "config.json: ", 13) == 0, "%s", err.text);
	ck_assert_int_eq(err.code, CES_E_HOST);
	ck_assert_uint_eq(open_fds(), before);
	ck_assert_int_lt(faccessat(directory, "new", F_OK, 0), 0);
	ck_assert_int_lt(faccessat(directory, "config.json", F_OK, 0), 0);
	if (strcmp(kind, "bundle is a link") == 0)
		(void)unlinkat(directory, "bundle", 0);
}
END_TEST

START_TEST(a_document_that_is_not_written_whole_is_an_error)
{
	const struct rlimit small = {1000, 1000};

	(void)signal(SIGXFSZ, SIG_IGN);
	ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	ck_assert_int_lt(ces_config_write(&plan, directory, &err), 0);
	ck_assert_int_eq(err.sys, EFBIG);
}
END_TEST

START_TEST(the_compiled_filter_is_one_line_of_a_file_of_bounded_size)
{
	static char big[(1u << 20) + 1];
	char *filter = NULL;

	ck_assert_int_lt(ces_config_filter(&filter, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "CES is not fully installed"));
	put_file("seccomp.bpf.base64", "QUJD\nmore\n", 10);
	ck_assert_int_eq(ces_config_filter(&filter, &err), 0);
	ck_assert_str_eq(filter, "QUJD");
	free(filter);
	memset(big, 'A', sizeof(big));
	put_file("seccomp.bpf.base64", big, sizeof(big));
	ck_assert_int_lt(ces_config_filter(&filter, &err), 0);
	ck_assert_int_eq(err.sys, EFBIG);
	put_file("seccomp.bpf.base64", big, sizeof(big) - 1);
	ck_assert_int_eq(ces_config_filter(&filter, &err), 0);
	ck_assert_uint_eq(strlen(filter), sizeof(big) - 1);
	free(filter);
}
END_TEST

START_TEST(the_mask_has_the_bits_of_the_eight_capabilities)
{
	/* linux/capability.h: 0 chown, 1 dac_override, 3 fowner, 4 fsetid, 5 kill, 6 setgid,
	 * 7 setuid, 10 net_bind_service */
	ck_assert_uint_eq(ces_profile_capability_mask(), 0x4fb);
}
END_TEST

int main(void)
{
	TCase *t = tcase_create("config");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, the_smallest_plan_gives_this_document_and_nothing_more);
	tcase_add_test(t, runc_gets_the_filter_as_json_and_crun_as_an_annotation);
	tcase_add_test(t, without_its_filter_runc_gets_no_document);
	tcase_add_loop_test(t, no_text_of_the_image_or_the_caller_leaves_its_place, 0,
			    CES_COUNT(hostile));
	tcase_add_test(t, the_longest_command_and_environment_are_whole);
	tcase_add_test(t, the_callers_variables_win_over_the_images_and_those_over_cess);
	tcase_add_test(t, a_home_of_their_own_comes_after_the_images);
	tcase_add_loop_test(t, a_part_of_a_cpu_counts_as_one_thread, 0, CES_COUNT(threads));
	tcase_add_test(t, the_proxy_and_the_display_win_over_the_callers_variables);
	tcase_add_test(t, nothing_of_an_image_says_which_gpus_there_are);
	tcase_add_test(t, a_run_with_gpus_has_the_drivers_variables_libraries_and_mount);
	tcase_add_test(t, as_many_gpus_as_a_run_may_have_are_all_named);
	tcase_add_loop_test(t, arguments_replace_the_images_command_and_an_entrypoint_both, 0,
			    CES_COUNT(commands));
	tcase_add_loop_test(t, the_working_directory_is_absolute, 0, CES_COUNT(directories));
	tcase_add_test(t, the_images_groups_hold_for_the_images_user_alone);
	tcase_add_test(t, a_user_of_the_container_has_no_capability_but_in_the_bound);
	tcase_add_test(t, a_terminal_has_its_size);
	tcase_add_test(t, a_root_that_is_asked_for_as_read_only_is_so);
	tcase_add_test(t, mounts_come_in_this_order_with_these_flags);
	tcase_add_loop_test(t, only_a_new_file_in_the_bundle_is_written, 0, CES_COUNT(in_the_way));
	tcase_add_test(t, a_document_that_is_not_written_whole_is_an_error);
	tcase_add_test(t, the_compiled_filter_is_one_line_of_a_file_of_bounded_size);
	tcase_add_test(t, the_mask_has_the_bits_of_the_eight_capabilities);
	return run_suite("config", t);
}
