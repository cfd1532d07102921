/* Sends one request, from any command line. It must not know a command line. */
#include "client/perform.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/advice.h"
#include "client/ask.h"
#include "client/check.h"
#include "client/display.h"
#include "client/local.h"
#include "client/run.h"
#include "client/say.h"
#include "client/session.h"
#include "client/token.h"
#include "client/verbose.h"
#include "common/name.h"
#include "common/paths.h"

/* "--gpu 2 IMAGE" reads as an image called 2: getopt's optional values need a '='. */
static int check_gpu(const struct ces_options *options, struct ces_error *err)
{
	const struct ces_strings *args = &options->request.args;
	const char *first = options->profile_image == NULL ? options->request.image
			    : args->n > 0                  ? args->v[0]
							   : NULL;

	if (options->request.gpu == NULL || first == NULL)
		return 0;
	if (strcmp(first, "all") == 0 || first[strspn(first, "0123456789")] == '\0')
		return ces_error_set(err, CES_E_USAGE,
				     "the number of GPUs needs a '=': type --gpu=%s", first);
	return 0;
}

int ces_perform_check(struct ces_options *options, struct ces_error *err)
{
	const struct ces_request *request = &options->request;
	struct ces_reference reference;

	if (check_gpu(options, err) < 0)
		return -1;
	if ((request->verb == CES_VERB_PULL || request->verb == CES_VERB_RUN) &&
	    request->image != NULL && ces_advice_check(request->image, err) < 0)
		return -1;
	/* (before a user types a token for nothing) */
	if (request->username != NULL && ces_reference_parse(request->image, &reference, err) < 0)
		return -1;
	if (request->verb == CES_VERB_PULL && (request->flags & CES_FLAG_EXPLAIN) == 0 &&
	    ces_token_take(options, err) < 0)
		return -1;
	return ces_request_check(request, err);
}

/* The helper has answered that this registry wants a login. */
static int again_with_login(struct ces_options *options)
{
	struct ces_error err;

	if (ces_token_ask_login(options, &err) < 0 ||
	    ces_request_check(&options->request, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	return ces_ask(CES_HELPER_PATH, options);
}

static const char *setting(const struct ces_request *request, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < request->env.n; i++)
		if (strncmp(request->env.v[i], name, length) == 0 &&
		    request->env.v[i][length] == '=')
			return request->env.v[i] + length + 1;
	return NULL;
}

/* The images of rocker make a user with the number in USERID, and their guides set it to the
 * caller's number. They let root sign in instead, and ignore USERID, unless RUNROOTLESS=false says
 * otherwise or the container has all the ids of the host, which one of CES never has. */
static int take_user(struct ces_options *options, struct ces_error *err)
{
	struct ces_request *request = &options->request;
	const char *user = setting(request, "USERID");
	const char *rootless = setting(request, "RUNROOTLESS");
	char own[24];

	(void)snprintf(own, sizeof(own), "%u", (unsigned)getuid());
	if (user == NULL || strcmp(user, own) != 0 || (request->flags & CES_FLAG_SAME_UID) != 0 ||
	    (rootless != NULL && strcmp(rootless, "false") != 0))
		return 0;
	request->flags |= CES_FLAG_OWN_IDS;
	if (rootless != NULL)
		return 0;
	return ces_options_append(options, &request->env, "RUNROOTLESS=false", err);
}

/* Finds what the caller binds at /safe_data. */
static bool find_bound(const struct ces_request *request, char ret[CES_PATH_TEXT])
{
	char at[CES_PATH_TEXT];

	for (size_t i = 0; i < request->bind_destinations.n; i++) {
		ces_path_copy(request->bind_destinations.v[i], at, sizeof(at));
		ces_path_copy(request->bind_sources.v[i], ret, CES_PATH_TEXT);
		if (strcmp(at, "/safe_data") == 0)
			return true;
	}
	return false;
}

/* The guides bind the project's data by hand. Of a caller who is in several projects, this chooses
 * one, as --project does. The helper gets the name, and decides. */
static int take_project(struct ces_options *options, struct ces_error *err)
{
	struct ces_request *request = &options->request;
	struct ces_local local = {0};
	struct ces_local_you you = {0};
	struct ces_error ignored;
	char bound[CES_PATH_TEXT];
	const char *found = NULL;
	size_t n = 0;

	if (request->verb != CES_VERB_RUN || request->project != NULL ||
	    !find_bound(request, bound) || ces_local_load(CES_POLICY_PATH, &local, &ignored) < 0)
		return 0;
	if (ces_local_you(&local, &you, &ignored) < 0)
		you.n = 0;
	ces_local_free(&local);
	for (size_t i = 0; i < you.n; i++)
		if (strcmp(you.projects[i].data, bound) == 0) {
			found = you.projects[i].name;
			n++;
		}
	if (you.n < 2 || n != 1)
		return 0;
	return ces_options_keep_text(options, found, &request->project, err);
}

int ces_perform(struct ces_options *options)
{
	struct ces_error err;
	int status;

	ces_say_only_errors(options->quiet);
	if (take_user(options, &err) < 0 || take_project(options, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if (options->verbose)
		ces_verbose_request(&options->request);
	if (options->debug)
		ces_say("helper: %s", CES_HELPER_PATH);
	if (ces_session_check(CES_HELPER_PATH, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if ((options->request.flags & CES_FLAG_EXPLAIN) == 0 &&
	    ces_display_make_key(&options->request, &err) < 0) {
		ces_say_failure(&err);
		return CES_EXIT_REFUSED;
	}
	if (options->request.verb == CES_VERB_RUN)
		return ces_run(CES_HELPER_PATH, options);
	options->may_ask_login =
	    options->request.verb == CES_VERB_PULL && options->request.username == NULL &&
	    (options->request.flags & CES_FLAG_EXPLAIN) == 0 && ces_token_may_ask();
	status = ces_ask(CES_HELPER_PATH, options);
	if (options->may_ask_login && options->login_wanted) {
		options->may_ask_login = false;
		return again_with_login(options);
	}
	return status;
}

int ces_perform_printed(void)
{
	return ces_say_flushed(0);
}
