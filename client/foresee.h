/* What a run that the policy allows would be refused for all the same. */
#ifndef CES_CLIENT_FORESEE_H
#define CES_CLIENT_FORESEE_H

#include "client/options.h"

/* After the helper has explained the run: looks at the paths and GPUs that it would get, with the
 * caller's own rights. CES_E_NOTFOUND or CES_E_HOST for the first that it could not have; 0 also
 * where nothing can be said. */
int ces_foresee(const struct ces_options *options, struct ces_error *err);

#endif
