/* --display: a key to the caller's X display that is the run's own. */
#ifndef CES_CLIENT_DISPLAY_H
#define CES_CLIENT_DISPLAY_H

#include "client/options.h"

/* Has the X server make a new key, and puts it into the request. The server takes a program with
 * this key for one that it does not trust (X Security extension): such a program cannot read or
 * control the windows of others. Nothing to do without --display. CES_E_HOST when the server has no
 * such keys, or xauth(1) is missing. */
int ces_display_make_key(struct ces_request *request, struct ces_error *err);

#endif
