/* --display: makes a key to the caller's X display for one run. */
#ifndef CES_CLIENT_DISPLAY_H
#define CES_CLIENT_DISPLAY_H

#include "client/options.h"

/* Asks the X server for a new key, and puts it into the request. The server does not trust a
 * program with this key (X Security extension): such a program cannot read or control the windows
 * of others. Without --display it does nothing. Returns CES_E_HOST if the server cannot make such
 * keys, or xauth(1) is missing. */
int ces_display_make_key(struct ces_request *request, struct ces_error *err);

#endif
