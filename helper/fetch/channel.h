/* fd 3: packets to and from the helper. */
#ifndef CES_FETCH_CHANNEL_H
#define CES_FETCH_CHANNEL_H

#include <stdbool.h>

#include "common/worker.h"

#define CES_CHANNEL_PACKET_MAX (64 * 1024)

/* Takes the first packet, root's order. -1 if it is not one of this version, or if a text has no
 * end. */
int ces_channel_order(const void *bytes, size_t length, struct ces_fetch_open *ret);

/* Takes one packet into buffer, and the fd that came with it (-1: none), which the caller then
 * owns. 1: a packet; 0: the helper has closed its end; -1 with err: a packet that the helper would
 * not send. With a result of 1, *ret_length is 0 if there is no packet now. */
int ces_channel_receive(int channel, void *buffer, size_t size, size_t *ret_length, int *ret_fd,
			struct ces_error *err);

/* Sends a FETCH_STATUS, with code and text of err if there is one. It drops a status that is not
 * final if the helper does not keep up. If the helper takes no final status for half a minute, it
 * is gone or stuck, and the process ends. */
void ces_channel_report(int channel, const struct ces_fetch_status *what,
			const struct ces_error *err, bool final);

#endif
