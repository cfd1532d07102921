/* One pull's conversation with ces-resolve: it asks as it asks ces-fetch (common/worker.h). */
#ifndef CES_LAYOUT_SERVE_H
#define CES_LAYOUT_SERVE_H

#include "common/error.h"

/* Serves the image layout dir on the socket channel until the other end closes it (0), or breaks
 * the protocol (-1). */
int ces_layout_serve(int channel, int dir, struct ces_error *err);

#endif
