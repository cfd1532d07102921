/* The settings of --env-file, and of a profile. */
#ifndef CES_CLIENT_OPTFILE_H
#define CES_CLIENT_OPTFILE_H

#include "client/options.h"

/* Reads NAME=value lines; NAME alone takes the caller's value. Skips blank lines and lines that
 * begin with '#'. Takes one pair of quotes off a whole value. Expands $HOME, ${HOME}, $USER,
 * ${USER} and a ~ that begins a value, except in single quotes, and nothing else. */
int ces_optfile_env_text(const char *text, struct ces_options *options, struct ces_error *err);
int ces_optfile_read_env(const char *path, struct ces_options *options, struct ces_error *err);

/* One setting, NAME=value or NAME, expanded in the same way. */
int ces_optfile_env_pair(const char *pair, struct ces_options *options, struct ces_error *err);

#endif
