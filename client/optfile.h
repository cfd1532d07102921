/* The settings of --env-file. */
#ifndef CES_CLIENT_OPTFILE_H
#define CES_CLIENT_OPTFILE_H

#include "client/options.h"

/* NAME=value a line, NAME alone takes the caller's value; blank lines and lines that begin with '#'
 * are left out; one pair of quotes around a whole value is taken off. $HOME, ${HOME}, $USER,
 * ${USER} and a ~ that begins a value are expanded, except in single quotes, and nothing else is.
 */
int ces_optfile_env_text(const char *text, struct ces_options *options, struct ces_error *err);
int ces_optfile_read_env(const char *path, struct ces_options *options, struct ces_error *err);

#endif
