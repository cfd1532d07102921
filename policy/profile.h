/* A run profile: the options of a run that a site keeps under a name, so that its users need not
 * type them. A profile grants nothing: its user could type the same, and the policy decides about
 * the request. The client and ces-policy read it; root's programs must not. */
#ifndef CES_POLICY_PROFILE_H
#define CES_POLICY_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/error.h"
#include "common/wire.h"

#define CES_PROFILES         "profiles.d" /* beside the policy */
#define CES_PROFILE_SUFFIX   ".json"
#define CES_PROFILE_MAX      (64 * 1024) /* bytes of a file */
#define CES_PROFILE_NAME_MAX 63

struct ces_profile {
	char *description;
	char *image; /* NULL: the user types one */
	char *project, *gpu, *workdir, *entrypoint;
	struct ces_strings command; /* if the user types no words of their own */
	struct ces_strings env;     /* "NAME=value", or NAME for the user's own value */
	struct ces_strings mounts;  /* "SOURCE:DESTINATION[:ro]", or as --mount takes it */
	struct ces_strings publish; /* "[HOST:]CONTAINER" */
	uint64_t cpus;              /* thousandths; 0: not said, as in all of these */
	uint64_t memory_bytes, shm_bytes, time_seconds;
	bool read_only, display, interactive, tty;
	struct ces_field_block *memory;
};

/* A letter or digit, then letters, digits and "._-", up to CES_PROFILE_NAME_MAX. */
bool ces_profile_name_valid(const char *text);

/* The name of a profile's file: name.json. */
#define CES_PROFILE_FILE (CES_PROFILE_NAME_MAX + sizeof(CES_PROFILE_SUFFIX))
void ces_profile_file(const char *name, char ret[CES_PROFILE_FILE]);

/* The profile's name in the name of a file. False: it is no profile's file. */
bool ces_profile_name(const char *file, char ret[CES_PROFILE_NAME_MAX + 1]);

/* Strict, like a policy: the text of an error (CES_E_USAGE) names line, column and key. It does not
 * check paths, ports and images: their options do. Free with ces_profile_free. */
int ces_profile_parse(const char *bytes, size_t length, struct ces_profile *ret,
		      struct ces_error *err);
void ces_profile_free(struct ces_profile *profile);

#endif
