/* Setters of options, for the rows of struct ces_option_table. Each puts one value into the
 * request, or refuses it as unreadable (CES_E_USAGE) and says what to type instead. */
#ifndef CES_CLIENT_SETTERS_H
#define CES_CLIENT_SETTERS_H

#include "client/options.h"

typedef int ces_setter(struct ces_options *options, const char *value, struct ces_error *err);

ces_setter ces_set_all, ces_set_digests, ces_set_arg_file, ces_set_cpus, ces_set_detach,
    ces_set_display, ces_set_dry_run, ces_set_entrypoint, ces_set_env, ces_set_env_file,
    ces_set_follow, ces_set_grace, ces_set_format, ces_set_gpu, ces_set_help, ces_set_http_proxy,
    ces_set_interactive, ces_set_memory, ces_set_name, ces_set_network, ces_set_option_file,
    ces_set_project, ces_set_pull, ces_set_quiet, ces_set_read_only, ces_set_rm, ces_set_rmi,
    ces_set_no_https, ces_set_since, ces_set_wait, ces_set_timestamps, ces_set_filter,
    ces_set_shm_size, ces_set_tail, ces_set_time, ces_set_token_file, ces_set_token_stdin,
    ces_set_tty, ces_set_username, ces_set_workdir;

#endif
