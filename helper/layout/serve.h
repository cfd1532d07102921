/* One pull's conversation with ces-resolve: it asks as it asks ces-fetch (common/worker.h). */
#ifndef CES_LAYOUT_SERVE_H
#define CES_LAYOUT_SERVE_H

#include "common/worker.h"

/* The order, which is the first packet and root's: whose images, and the directory, an O_PATH fd.
 * broken is set, and dir is -1, if the directory cannot be used. */
struct ces_layout_order {
	struct ces_fetch_open names;
	struct ces_error broken;
	int dir;
};

/* Takes the order from the socket channel, and opens the directory, which root alone can put there.
 * -1 if there is no order. After a minute without an answer of a file server the kernel kills this
 * process, here and below. */
int ces_layout_take_order(int channel, struct ces_layout_order *ret, struct ces_error *err);

/* Answers questions until the other end closes the socket (0), or breaks the protocol (-1). */
int ces_layout_serve(int channel, const struct ces_layout_order *order, struct ces_error *err);

#endif
