/* Finds the reason why a run that the policy allows would still be refused. */
#ifndef CES_CLIENT_FORESEE_H
#define CES_CLIENT_FORESEE_H

#include "client/options.h"

/* Looks at the paths and GPUs that the run would get, with the caller's own rights, after the
 * helper has explained the run. Returns CES_E_NOTFOUND or CES_E_HOST for the first that the run
 * could not have. Returns 0 also if it cannot know. */
int ces_foresee(const struct ces_options *options, struct ces_error *err);

#endif
