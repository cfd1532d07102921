/* Says what to type instead. It must not change what is asked for, except for "docker://" before an
 * image's name, which has no other meaning. */
#include "client/advice.h"

#include <stdio.h>
#include <string.h>

#include "client/local.h"
#include "client/say.h"
#include "common/cleanup.h"
#include "common/name.h"
#include "common/paths.h"

#define SCHEME "docker://"

const char *ces_advice_bare(const char *word)
{
	return strncmp(word, SCHEME, strlen(SCHEME)) == 0 ? word + strlen(SCHEME) : word;
}

static bool ends_in(const char *word, const char *ending)
{
	size_t length = strlen(word), tail = strlen(ending);

	return length >= tail && strcmp(word + length - tail, ending) == 0;
}

static bool is_file(const char *word)
{
	return (*word != '\0' && strchr("/.~", *word) != NULL) || ends_in(word, ".tar") ||
	       ends_in(word, ".tar.gz") || ends_in(word, ".tgz");
}

/* Returns whether this is a digest, or the beginning of one, as `images` shows it. */
static bool is_digest(const char *word)
{
	const char *hex = strncmp(word, "sha256:", 7) == 0 ? word + 7 : word;

	return strlen(hex) >= 12 && hex[strspn(hex, "0123456789abcdef")] == '\0';
}

int ces_advice_check(const char *image, struct ces_error *err)
{
	const char *scheme = strstr(image, "://");
	struct ces_reference reference;
	struct ces_error ignored;

	if (ces_reference_parse(image, &reference, &ignored) == 0)
		return 0;
	if (scheme != NULL)
		return ces_error_set(err, CES_E_USAGE, "leave out '%.*s': type %s",
				     (int)(scheme + 3 - image), image, scheme + 3);
	if (ends_in(image, ".sif"))
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is a file: type ces-run apptainer %s, if ces-pull wrote "
				     "it, or the name of an image",
				     image, image);
	if (is_digest(image))
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is a digest, and CES asks for an image's name: "
				     "ces-client images -q lists the names of yours",
				     image);
	if (is_file(image))
		return ces_error_set(err, CES_E_USAGE,
				     "'%s' is a file, and CES runs images of registries: type a "
				     "name such as ghcr.io/OWNER/NAME:TAG",
				     image);
	return 0;
}

/* Gives a reference the registry's own name, if the caller means this one. At the address of a
 * proxy, the path of the endpoint belongs to the proxy. */
static bool means(const struct ces_policy_registry *registry, struct ces_reference *typed)
{
	const char *address = registry->endpoint, *path;
	size_t name = strlen(registry->name), host, length;

	if (strncmp(address, "https://", 8) == 0)
		address += 8;
	host = strcspn(address, "/");
	path = address[host] == '/' ? address + host + 1 : "";
	length = strlen(path);
	if (strlen(typed->registry) == host && strncmp(typed->registry, address, host) == 0) {
		if (length > 0 && strncmp(typed->repository, path, length) == 0 &&
		    typed->repository[length] == '/')
			memmove(typed->repository, typed->repository + length + 1,
				strlen(typed->repository + length + 1) + 1);
	} else if (strncmp(typed->registry, registry->name, name) != 0 ||
		   typed->registry[name] != ':') {
		return false;
	}
	snprintf(typed->registry, sizeof(typed->registry), "%s", registry->name);
	return true;
}

static bool find_registry(const char *image, struct ces_reference *ret)
{
	struct ces_local local = {0};
	struct ces_error ignored;
	bool found = false;

	if (ces_reference_parse(image, ret, &ignored) < 0 ||
	    ces_local_load(CES_POLICY_PATH, &local, &ignored) < 0)
		return false;
	for (size_t i = 0; !found && i < local.policy->n_registries; i++)
		found = means(&local.policy->registries[i], ret);
	ces_local_free(&local);
	return found;
}

/* Returns whether the caller has as many runs as they may have, and did not ask to wait. */
static bool may_wait(const struct ces_event_error *refusal, const struct ces_options *options)
{
	return refusal->rule != NULL && ends_in(refusal->rule, "limits.runs") &&
	       (options->request.flags & CES_FLAG_WAIT) == 0 && options->wait_for == 0;
}

/* Returns whether the image is denied for its digest, and was named by a tag alone: the first rule
 * decided, and a later one may be for this digest. */
static bool may_name_digest(const struct ces_event_error *refusal,
			    const struct ces_reference *named)
{
	return refusal->code == CES_E_DENIED &&
	       strstr(refusal->text, "that was approved") != NULL && named->digest[0] == '\0';
}

void ces_advice_refusal(const struct ces_event_error *refusal, const struct ces_options *options)
{
	const char *image = options->request.image;
	struct ces_event_error shown = *refusal;
	struct ces_reference known;
	struct ces_error why;
	char name[CES_REFERENCE_MAX];
	bool found = refusal->rule != NULL && strcmp(refusal->rule, "registries") == 0 &&
		     image != NULL && find_registry(image, &known);
	bool wait = may_wait(refusal, options);

	/* (CES itself says no more than that it is no name) */
	if (refusal->code == CES_E_USAGE && image != NULL &&
	    (ces_advice_check(image, &why) < 0 || ces_reference_parse(image, &known, &why) < 0))
		shown.text = why.text;
	if (found || wait)
		shown.contact = NULL;
	ces_say_refusal(&shown);
	if (found) {
		ces_reference_format(&known, name, sizeof(name));
		ces_say_error("the policy has this registry under another name: type %s", name);
	}
	if (wait)
		ces_say_error("type ces-client run --wait ... to wait for a place, or ces-client "
			      "stop RUN to end one of yours");
	if (image != NULL && ces_reference_parse(image, &known, &why) == 0 &&
	    may_name_digest(refusal, &known))
		ces_say_error("if another digest was approved too, type %s/%s@sha256:...",
			      known.registry, known.repository);
}

/* Returns whether this is the program, and not a word for the image's own. The text has the first
 * 100 characters of its name (helper/watch/outcome.c). */
static bool is_program(const char *word, const char *text)
{
	static const char start[] = "cannot start ";
	size_t length = strnlen(word, 100);

	return length > 0 && strncmp(text, start, strlen(start)) == 0 &&
	       strncmp(text + strlen(start), word, length) == 0;
}

void ces_advice_command(const struct ces_request *request, const char *text)
{
	bool named = request->entrypoint != NULL && *request->entrypoint != '\0';
	const char *word = named                 ? request->entrypoint
			   : request->args.n > 0 ? request->args.v[0]
						 : "";

	if (!is_program(word, text))
		return;
	if (*word == '-' && !named)
		ces_say_error("%s comes after the image, so it is taken as the command; type "
			      "options before the image: ces-client run %s %s ...",
			      word, word, request->image);
	else if (strchr(word, ' ') != NULL)
		ces_say_error("'%s' is one word, so it is taken as the name of a program: type its "
			      "words without quotes around all",
			      word);
}
