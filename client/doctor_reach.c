/* doctor checks whether this machine reaches the registries and the proxies of runs: name,
 * connection and TLS, as in a pull (libcurl). It must not send a request, and must not wait longer
 * than REACH_SECONDS for any of these. */
#include "client/doctor_checks.h"

#include <curl/curl.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/error.h"
#include "common/io.h"
#include "common/way.h"

#define REACH_SECONDS  3
#define REGISTRIES_MAX 32
#define PROXIES_MAX    8
#define CURL_LIBRARY   "libcurl.so.4"

/* One attempt and its result. */
struct attempt {
	pid_t pid;
	int answer; /* the read end: gives the reason; empty: reached */
	char why[CURL_ERROR_SIZE];
};

/* Connects, with TLS if url is https, and sends no request. It loads libcurl only here, so that no
 * other command of the client waits for the library. */
static void reach(const char *url, const char *ca_file, const char *proxy,
		  char why[CURL_ERROR_SIZE])
{
	void *library = dlopen(CURL_LIBRARY, RTLD_NOW);
	CURL *(*init)(void) = NULL;
	CURLcode (*set)(CURL *, CURLoption, ...) = NULL;
	CURLcode (*perform)(CURL *) = NULL;
	const char *(*words)(CURLcode) = NULL;
	CURL *curl;
	CURLcode code;

	if (library != NULL) {
		*(void **)&init = dlsym(library, "curl_easy_init");
		*(void **)&set = dlsym(library, "curl_easy_setopt");
		*(void **)&perform = dlsym(library, "curl_easy_perform");
		*(void **)&words = dlsym(library, "curl_easy_strerror");
	}
	if (init == NULL || set == NULL || perform == NULL || words == NULL ||
	    (curl = init()) == NULL) {
		snprintf(why, CURL_ERROR_SIZE, "%s cannot be loaded", CURL_LIBRARY);
		return;
	}
	set(curl, CURLOPT_URL, url);
	set(curl, CURLOPT_CONNECT_ONLY, 1L);
	set(curl, CURLOPT_TIMEOUT, (long)REACH_SECONDS);
	set(curl, CURLOPT_NOSIGNAL, 1L);
	set(curl, CURLOPT_PROXY, proxy != NULL ? proxy : "");
	set(curl, CURLOPT_ERRORBUFFER, why);
	if (ca_file != NULL)
		set(curl, CURLOPT_CAINFO, ca_file);
	code = perform(curl);
	if (code == CURLE_OK)
		why[0] = '\0';
	else if (code == CURLE_COULDNT_RESOLVE_HOST || code == CURLE_COULDNT_RESOLVE_PROXY)
		snprintf(why, CURL_ERROR_SIZE, "its name is not known here");
	else if (code == CURLE_COULDNT_CONNECT)
		snprintf(why, CURL_ERROR_SIZE, "nothing answers there");
	else if (why[0] == '\0')
		snprintf(why, CURL_ERROR_SIZE, "%s", words(code));
}

/* Opens a directory of images and asks for its index. This process only shows that the file server
 * answers. The one that waits looks again, and reports. */
static void look(const char *path)
{
	CES_CLEANUP_FD int dir = -1;
	struct stat index;

	if (ces_policy_open_directory(path, &dir, NULL) == 0 && dir >= 0)
		(void)fstatat(dir, "index.json", &index, AT_SYMLINK_NOFOLLOW);
}

/* Starts each attempt in a process of its own: nothing else limits how long a name server or a file
 * server takes. All attempts run at once. */
static void start(const char *url, const char *ca_file, const char *proxy, struct attempt *ret)
{
	int ends[2];

	*ret = (struct attempt){.pid = -1, .answer = -1, .why = "no process could be started"};
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	ret->pid = fork();
	ret->answer = ends[0];
	if (ret->pid == 0) {
		char why[CURL_ERROR_SIZE] = "";

		signal(SIGALRM, SIG_DFL);
		alarm(REACH_SECONDS + 1);
		if (ces_endpoint_layout(url) != NULL)
			look(ces_endpoint_layout(url));
		else
			reach(url, ca_file, proxy, why);
		_exit(write(ends[1], why, strlen(why)) < 0);
	}
	close(ends[1]);
}

/* Returns whether the attempt succeeded. */
static bool finish(struct attempt *attempt)
{
	int status = -1;
	ssize_t n;

	if (attempt->pid > 0 && waitpid(attempt->pid, &status, 0) == attempt->pid) {
		n = read(attempt->answer, attempt->why, sizeof(attempt->why) - 1);
		attempt->why[n > 0 ? n : 0] = '\0';
		if (WIFSIGNALED(status))
			snprintf(attempt->why, sizeof(attempt->why), "no answer in %d seconds",
				 REACH_SECONDS);
		ces_text_clean(attempt->why);
	}
	ces_cleanup_close(&attempt->answer);
	return status == 0 && attempt->why[0] == '\0';
}

/* Names the host that a pull connects to. A forward proxy takes the place of every host. */
static void name_way(const struct ces_policy_registry *registry, char *buffer, size_t size)
{
	snprintf(buffer, size, "%s%s%s", registry->endpoint,
		 registry->proxy != NULL ? " by way of " : "",
		 registry->proxy != NULL ? registry->proxy : "");
}

/* Checks the file of authorities for a registry's certificate: it must be readable, and only root
 * may change it. */
static bool check_ca_file(struct ces_doctor *doctor, const struct ces_policy_registry *registry)
{
	const char *path = registry->ca_file;
	struct stat st;

	if (path == NULL)
		return true;
	if (stat(path, &st) < 0 || access(path, R_OK) < 0) {
		ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM, "%s: ca_file %s: %s",
				registry->name, path, strerror(errno));
		ces_doctor_remedy(doctor, "as root: put the certificate there, mode 644, or change "
					  "registries.ca_file in the policy");
		return false;
	}
	if (st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0)
		return true;
	ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM,
			"%s: others than root can change ca_file %s", registry->name, path);
	ces_doctor_remedy(doctor, "as root: chown root:root %s && chmod 644 %s", path, path);
	return false;
}

static bool others_may(int dir, const char *name, mode_t what)
{
	struct stat st;

	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && (st.st_mode & what) == what;
}

/* Returns whether an account that owns nothing can read what is there. Root itself could always. */
static bool others_read(int dir, const char *path)
{
	char above[CES_WAY_MAX];

	snprintf(above, sizeof(above), "%s", path);
	for (char *slash = above; slash != NULL && *slash != '\0'; slash = strchr(slash + 1, '/')) {
		char next = slash[1];

		slash[1] = '\0'; /* "/", "/srv/" */
		if (!others_may(AT_FDCWD, above, S_IXOTH))
			return false;
		slash[1] = next;
	}
	return others_may(dir, ".", S_IROTH | S_IXOTH) && others_may(dir, "index.json", S_IROTH) &&
	       others_may(dir, "blobs", S_IXOTH) && others_may(dir, "blobs/sha256", S_IXOTH);
}

/* Checks a directory in place of a registry by the helper's rule: root's alone, with all
 * directories above it. Others must be able to read it, since CES does that as an account that owns
 * nothing. */
static void check_layout(struct ces_doctor *doctor, const char *name, const char *path)
{
	CES_CLEANUP_FD int dir = -1;
	CES_CLEANUP_FD int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CES_CLEANUP_FD int plain = ces_beneath_open(root, path, O_PATH, 0);
	bool link = plain < 0 && errno == ELOOP;
	struct ces_error err = {0};
	bool refused = ces_policy_open_directory(path, &dir, &err) < 0;
	struct stat index;

	if (refused && link) {
		ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM, "%s: %s", name, err.text);
		ces_doctor_remedy(doctor, "as root: name the directory itself, and no link, as "
					  "registries.endpoint in the policy");
	} else if (refused) {
		ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM, "%s: %s", name, err.text);
		ces_doctor_remedy(doctor,
				  "as root: chown -R root:root %s && chmod -R go-w,o+rX %s; do the "
				  "same for the directories above it",
				  path, path);
	} else if (dir < 0 || fstatat(dir, "index.json", &index, AT_SYMLINK_NOFOLLOW) < 0) {
		ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM, "%s: %s/index.json: %s",
				name, path, strerror(errno));
		ces_doctor_remedy(doctor,
				  "as root: skopeo copy docker://%s/IMAGE oci:%s:%s/IMAGE, or "
				  "change registries.endpoint in the policy",
				  name, path, name);
	} else if (!others_read(dir, path)) {
		ces_doctor_find(doctor, "registries", CES_GRADE_PROBLEM,
				"%s: %s is not readable by others, and CES reads it as ces-fetch",
				name, path);
		ces_doctor_remedy(
		    doctor, "as root: chmod -R o+rX %s, and chmod o+x each directory above it",
		    path);
	} else {
		ces_doctor_find(doctor, "registries", CES_GRADE_OK, "%s comes from %s", name, path);
	}
}

static void check_registry(struct ces_doctor *doctor, const struct ces_policy_registry *registry,
			   bool reached, const struct attempt *attempt, enum ces_grade otherwise)
{
	const char *layout = ces_endpoint_layout(registry->endpoint);
	char way[600];

	if (layout != NULL && reached) {
		check_layout(doctor, registry->name, layout);
		return;
	}
	if (layout == NULL && !check_ca_file(doctor, registry))
		return;
	name_way(registry, way, sizeof(way));
	if (reached) {
		ces_doctor_find(doctor, "registries", CES_GRADE_OK, "%s is reached at %s",
				registry->name, way);
		return;
	}
	ces_doctor_find(doctor, "registries", otherwise, "%s is not reached at %s: %s",
			registry->name, way, attempt->why);
	ces_doctor_remedy(doctor, layout != NULL
				      ? "as root: check the file server of that directory"
				      : "as root: check the network, the certificate, and the "
					"endpoint in the policy");
}

/* Makes it a warning and no problem if a pull from another registry would work. */
void ces_doctor_registries(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	size_t n = policy->n_registries < REGISTRIES_MAX ? policy->n_registries : REGISTRIES_MAX;
	struct attempt attempts[REGISTRIES_MAX] = {0};
	enum ces_grade otherwise = CES_GRADE_PROBLEM;
	bool reached[REGISTRIES_MAX];

	fflush(stdout);
	for (size_t i = 0; i < n; i++)
		start(policy->registries[i].endpoint, policy->registries[i].ca_file,
		      policy->registries[i].proxy, &attempts[i]);
	for (size_t i = 0; i < n; i++) {
		reached[i] = finish(&attempts[i]);
		if (reached[i] && ces_endpoint_layout(policy->registries[i].endpoint) == NULL)
			otherwise = CES_GRADE_WARNING;
	}
	for (size_t i = 0; i < n; i++)
		check_registry(doctor, &policy->registries[i], reached[i], &attempts[i], otherwise);
}

static void add_proxy(const char *proxy, const char **list, size_t *n)
{
	for (size_t i = 0; i < *n; i++)
		if (proxy != NULL && strcmp(list[i], proxy) == 0)
			return;
	if (proxy != NULL && *n < PROXIES_MAX)
		list[(*n)++] = proxy;
}

void ces_doctor_proxies(struct ces_doctor *doctor, const struct ces_policy *policy)
{
	const char *proxies[PROXIES_MAX] = {NULL};
	size_t n = 0;

	if (policy->infer)
		add_proxy(policy->defaults.proxy, proxies, &n);
	for (size_t i = 0; i < policy->n_projects; i++)
		add_proxy(policy->projects[i].settings.proxy, proxies, &n);
	fflush(stdout);
	for (size_t i = 0; i < n; i++) {
		struct attempt attempt;

		start(proxies[i], NULL, NULL, &attempt);
		if (finish(&attempt)) {
			ces_doctor_find(doctor, "proxy", CES_GRADE_OK, "%s is reached", proxies[i]);
			continue;
		}
		ces_doctor_find(doctor, "proxy", CES_GRADE_WARNING,
				"%s is not reached: %s; runs that use it reach nothing", proxies[i],
				attempt.why);
		ces_doctor_remedy(doctor,
				  "as root: check the proxy, and network.proxy in the policy");
	}
}
