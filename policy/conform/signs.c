/* Names and words, in tables. It must not open anything: its questions come from foreign images. */
#include "policy/conform/signs.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "common/cleanup.h"

const char *ces_sign_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

static bool ends(const char *text, const char *with)
{
	size_t n = strlen(text), w = strlen(with);

	return n >= w && strcasecmp(text + n - w, with) == 0;
}

static bool any(const char *const *list, size_t n, const char *text)
{
	for (size_t i = 0; i < n; i++)
		if (strcasecmp(list[i], text) == 0)
			return true;
	return false;
}
#define ANY(list, text) any(list, CES_COUNT(list), text)

bool ces_sign_secret_file(const char *path)
{
	static const char *const names[] = {
	    "id_rsa", "id_dsa",  "id_ecdsa", "id_ed25519",       ".netrc",  "_netrc",
	    ".env",   ".pypirc", ".pgpass",  ".git-credentials", ".my.cnf", "kaggle.json",
	};
	static const char *const paths[] = {".aws/credentials", ".docker/config.json",
					    ".config/gh/hosts.yml", ".huggingface/token",
					    ".cache/huggingface/token"};

	if (ANY(names, ces_sign_base(path)))
		return true;
	for (size_t i = 0; i < CES_COUNT(paths); i++) {
		size_t n = strlen(path), p = strlen(paths[i]);

		if (n >= p && strcmp(path + n - p, paths[i]) == 0 &&
		    (n == p || path[n - p - 1] == '/'))
			return true;
	}
	return false;
}

/* The keys that a library ships for its own tests, or as an example, are public. */
bool ces_sign_key_file(const char *path)
{
	if (strncmp(path, "usr/share/doc/", 14) == 0 || strstr(path, "/examples/") != NULL ||
	    strstr(path, "/test/") != NULL || strstr(path, "/tests/") != NULL ||
	    strstr(path, "/testing/") != NULL)
		return false;
	return ends(path, ".pem") || ends(path, ".key");
}

bool ces_sign_private_key(const char *bytes, size_t length)
{
	const char *begin = memmem(bytes, length, "-----BEGIN ", 11);

	return begin != NULL &&
	       memmem(begin, length - (size_t)(begin - bytes), "PRIVATE KEY-----", 16) != NULL;
}

bool ces_sign_licence_file(const char *path)
{
	static const char *const beginnings[] = {"LICENSE", "LICENCE", "COPYING", "NOTICE"};
	const char *name = ces_sign_base(path);

	for (size_t i = 0; i < CES_COUNT(beginnings); i++)
		if (strncasecmp(name, beginnings[i], strlen(beginnings[i])) == 0)
			return true;
	return false;
}

bool ces_sign_data_file(const char *path)
{
	static const char *const endings[] = {
	    ".csv", ".tsv",  ".parquet",  ".feather", ".sav", ".dta",    ".rds", ".rdata",
	    ".xls", ".xlsx", ".sas7bdat", ".sqlite",  ".dcm", ".nii.gz", ".h5ad"};

	for (size_t i = 0; i < CES_COUNT(endings); i++)
		if (ends(path, endings[i]))
			return true;
	return false;
}

bool ces_sign_true(const char *value)
{
	static const char *const yes[] = {"1", "true", "yes", "on"};

	return ANY(yes, value);
}

bool ces_sign_root(const char *user)
{
	size_t name = strcspn(user, ":");

	return name == 0 || (name == 4 && strncmp(user, "root", 4) == 0) ||
	       strspn(user, "0") == name;
}

bool ces_sign_hub_directory(const char *path)
{
	static const char *const names[] = {"transformers-", "huggingface_hub-", "diffusers-",
					    "sentence_transformers-"};
	const char *name = ces_sign_base(path);

	if (!ends(name, ".dist-info"))
		return false;
	for (size_t i = 0; i < CES_COUNT(names); i++)
		if (strncasecmp(name, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

bool ces_sign_hub(const char *text)
{
	static const char *const names[] = {"transformers", "huggingface_hub", "huggingface-hub",
					    "diffusers", "sentence-transformers"};

	for (size_t i = 0; i < CES_COUNT(names); i++) {
		size_t n = strlen(names[i]);

		for (const char *at = text; (at = strstr(at, names[i])) != NULL; at += n)
			if ((at == text || strchr(" \t\n\"'", at[-1]) != NULL) &&
			    !isalnum((unsigned char)at[n]) && at[n] != '_' && at[n] != '/')
				return true;
	}
	return false;
}
