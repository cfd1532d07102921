/* Finds why a run that the policy allows would be refused all the same. */
#ifndef CES_CLIENT_FORESEE_H
#define CES_CLIENT_FORESEE_H

#include "client/options.h"

/* Looks at the paths and GPUs that the run would get, with the caller's own rights, after the
 * helper has explained the run. CES_E_NOTFOUND or CES_E_HOST for the first that the run could not
 * have; 0 also where nothing can be said. */
int ces_foresee(const struct ces_options *options, struct ces_error *err);

#endif
