/* ps, inspect, logs, wait and port: what is known of the caller's runs, live by the helper's word,
 * ended by the files that their keepers left (client/kept.h). Each returns an exit status. */
#ifndef CES_CLIENT_LIFECYCLE_H
#define CES_CLIENT_LIFECYCLE_H

#include "client/options.h"

int ces_ps(struct ces_options *options);
int ces_inspect(struct ces_options *options);
int ces_logs(struct ces_options *options);
int ces_wait(struct ces_options *options);
int ces_port(struct ces_options *options);

#endif
