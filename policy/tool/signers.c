/* Words the signatures that an image rule wants, and looks at their keys. It must not say that an
 * image is signed: only ces-verify knows. */
#include "policy/tool/signers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/cleanup.h"
#include "common/io.h"
#include "common/paths.h"
#include "policy/receipt/key.h"
#include "policy/tool/rules.h"

#define KEY_MAX 16384

const char *ces_signers_text(const struct ces_policy_signers *signers, const char *before,
			     char ret[CES_SIGNERS_TEXT])
{
	int used = 0;

	ret[0] = '\0';
	if (signers->keys.n == 0)
		return ret;
	if (signers->keys.n == 1)
		used = snprintf(ret, CES_SIGNERS_TEXT, "%ssigned by ", before);
	else if (signers->at_least == 1)
		used = snprintf(ret, CES_SIGNERS_TEXT, "%ssigned by one of ", before);
	else
		used = snprintf(ret, CES_SIGNERS_TEXT, "%ssigned by %llu of ", before,
				(unsigned long long)signers->at_least);
	for (size_t i = 0; i < signers->keys.n && used < CES_SIGNERS_TEXT; i++)
		used += snprintf(ret + used, CES_SIGNERS_TEXT - (size_t)used, "%s%s",
				 i > 0 ? ", " : "", signers->keys.v[i]);
	return ret;
}

static bool has(const struct ces_strings *keys, const char *key)
{
	for (size_t i = 0; i < keys->n; i++)
		if (strcmp(keys->v[i], key) == 0)
			return true;
	return false;
}

bool ces_signers_cover(const struct ces_policy_signers *wide,
		       const struct ces_policy_signers *narrow)
{
	uint64_t others = 0;

	if (wide->keys.n == 0)
		return true;
	for (size_t i = 0; i < narrow->keys.n; i++)
		others += !has(&wide->keys, narrow->keys.v[i]);
	/* signatures that may be of keys without meaning here */
	return narrow->at_least >= wide->at_least + others;
}

struct look {
	struct ces_problems *problems;
	int dir; /* the policy's */
	bool host;
	bool installed; /* which is where CES itself looks */
};

#define WARN(look, severity, path, hint, ...)                                                      \
	ces_problems_add((look)->problems, CES_SEVERITY_##severity, path, hint, __VA_ARGS__)

/* For a key that CES would read here, by the function that CES itself opens it with. */
static int read_key(const struct look *look, const char *name, char **ret, size_t *ret_length,
		    struct ces_error *err)
{
	CES_CLEANUP_FD int fd = -1;
	char path[sizeof(CES_POLICY_DIR) + CES_SIGNER_PATH];

	(void)snprintf(path, sizeof(path), "%s%s", name[0] == '/' ? "" : CES_POLICY_DIR "/", name);
	if (name[0] == '/' || look->installed)
		return ces_policy_read(path, ret, ret_length, err);
	fd = openat(look->dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 && errno == ELOOP)
		return ces_error_set(err, CES_E_POLICY, "%s: it is a symbolic link", name);
	if (fd < 0 || ces_read_file(fd, KEY_MAX, ret, ret_length) != 0)
		return ces_error_errno(err, CES_E_POLICY, "%s", name);
	return 0;
}

/* The digits that identify the key; "" if it cannot be used. */
static void look_at(const struct look *look, const char *place, const char *name,
		    char id[CES_KEY_ID + 1])
{
	CES_CLEANUP_FREE char *pem = NULL;
	struct ces_error err = {0};
	EVP_PKEY *key = NULL;
	size_t length = 0;

	if (read_key(look, name, &pem, &length, &err) != 0) {
		/* (this process has given up root's rights: CES may see what it does not) */
		if (err.sys == EACCES)
			return;
		WARN(look, LOW, place,
		     "put the public key there, as a file that only root can write, and not a link",
		     "names a key that CES does not accept, so it refuses the image: %s", err.text);
	} else if (length > KEY_MAX || ces_key_public(pem, length, name, &key, &err) != 0) {
		WARN(look, LOW, place,
		     "write the public key in PEM, as cosign public-key --key KEY prints it",
		     "names %s, which is neither an ECDSA P-256 key nor an Ed25519 key", name);
	} else if (ces_key_id(key, id, &err) != 0) {
		id[0] = '\0';
	}
	EVP_PKEY_free(key);
}

static void look_at_rule(const struct look *look, const struct ces_rules_walk *walk)
{
	char ids[CES_SIGNERS_MAX][CES_KEY_ID + 1], place[CES_NAME_MAX + 64];
	const struct ces_strings *keys = &walk->at->signed_by.keys;

	snprintf(place, sizeof(place), "%s%s.images[%zu].signed_by",
		 walk->owner != NULL ? "projects." : "infer_projects",
		 walk->owner != NULL ? walk->owner->name : "", walk->index);
	for (size_t i = 0; i < keys->n; i++) {
		ids[i][0] = '\0';
		if (keys->v[i][0] == '/' ? look->host : look->dir >= 0)
			look_at(look, place, keys->v[i], ids[i]);
		for (size_t j = 0; j < i; j++)
			if (ids[i][0] != '\0' && strcmp(ids[i], ids[j]) == 0)
				WARN(look, MEDIUM, place, "leave one out",
				     "names one key twice, as %s and %s: it counts once",
				     keys->v[j], keys->v[i]);
	}
}

void ces_check_warn_signers(struct ces_problems *problems, const struct ces_policy *policy, int dir,
			    bool host)
{
	struct look look = {problems, dir, host, false};
	struct ces_rules_walk walk = {0};
	struct stat here, there;

	look.installed = host && dir >= 0 && fstat(dir, &here) == 0 &&
			 stat(CES_POLICY_DIR, &there) == 0 && here.st_dev == there.st_dev &&
			 here.st_ino == there.st_ino;
	while (ces_rules_next(policy, &walk))
		look_at_rule(&look, &walk);
}
