/* Recognises a secret, a prompt or a download by names and words alone, for Dockerfiles and images
 * alike. */
#ifndef CES_POLICY_CONFORM_SIGNS_H
#define CES_POLICY_CONFORM_SIGNS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/wire.h"

/* Returns what comes after the last slash. */
const char *ces_sign_base(const char *path);

/* Returns whether a file of this path holds a secret by its name: id_rsa, .netrc,
 * .aws/credentials. */
bool ces_sign_secret_file(const char *path);

/* *.pem, *.key: only the content shows which of these holds a private key. */
bool ces_sign_key_file(const char *path);
bool ces_sign_private_key(const char *bytes, size_t length);

/* Returns whether NAME=value is a secret by its name, or by the beginning of its value. */
bool ces_sign_secret_value(const char *name, const char *value);

/* The first secret in the words of a command line: PGPASSWORD=x, --token=x, https://user:x@host. It
 * writes the name into ret, and must never write the value. */
bool ces_sign_secret_words(const char *text, char *ret, size_t size);

bool ces_sign_licence_file(const char *path);
bool ces_sign_data_file(const char *path);

/* The first download in a command line, such as "pip install"; NULL if there is none.
 * *ret_installs: it installs packages. */
const char *ces_sign_network(const char *text, bool *ret_installs);

/* Returns whether a command line installs a library that contacts the hub of Hugging Face. */
bool ces_sign_hub(const char *text);

/* The same by the name of a Python directory: "transformers-4.41.2.dist-info". */
bool ces_sign_hub_directory(const char *path);

/* Returns whether the value is "1", "true", "yes" or "on", which huggingface_hub takes for yes. */
bool ces_sign_true(const char *value);

/* The shell or interpreter that would only wait for input: "bash"; NULL if the command goes on to
 * do something. */
const char *ces_sign_prompt(const struct ces_strings *command);

/* "root", "0", "0:0", "root:staff", or nothing. */
bool ces_sign_root(const char *user);

#endif
