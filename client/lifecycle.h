/* ps, inspect, logs, wait and port: the caller's runs. The helper knows the live ones; the files of
 * their keepers (client/kept.h) describe the ended ones. Each returns an exit status. */
#ifndef CES_CLIENT_LIFECYCLE_H
#define CES_CLIENT_LIFECYCLE_H

#include "client/options.h"

int ces_ps(struct ces_options *options);
int ces_inspect(struct ces_options *options);
int ces_logs(struct ces_options *options);
int ces_wait(struct ces_options *options);
int ces_port(struct ces_options *options);

#endif
