/* ps, inspect, logs and wait: what is known of the caller's runs, live by the helper's word, ended
 * by the files that their keepers left (client/kept.h). Each returns an exit status. */
#ifndef CES_CLIENT_LIFECYCLE_H
#define CES_CLIENT_LIFECYCLE_H

#include "client/options.h"
#include "common/name.h"

int ces_ps(struct ces_options *options);
int ces_inspect(struct ces_options *options);
int ces_logs(struct ces_options *options);
int ces_wait(struct ces_options *options);

/* Asks the helper for the live runs. -1: it failed, and that was said. */
int ces_live_each(void (*each)(const struct ces_event_run *, void *), void *context);

/* Whether a run lives, by its number or name; its number in ret. 1, 0, or -1 as above. */
int ces_live_find(const char *run, char ret[CES_RUN_DIGITS + 1]);

#endif
