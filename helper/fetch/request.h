/* Makes one HTTP request: every libcurl option is set here. */
#ifndef CES_FETCH_REQUEST_H
#define CES_FETCH_REQUEST_H

#include "helper/fetch/transfer.h"

#define CES_CONNECT_SECONDS CES_DIALER_SECONDS
/* A caching proxy may fetch a whole blob before it sends its first byte. */
#define CES_FIRST_BYTE_SECONDS 60
/* A try with fewer bytes a second for this long is given up. */
#define CES_SLOW_BYTES   1024
#define CES_SLOW_SECONDS 20

/* Points transfer->url at the address that the GET asks for. */
int ces_request_address(struct ces_transfer *transfer, struct ces_error *err);

/* Sets up transfer->easy for transfer->url. It fails closed: an option that this libcurl does not
 * know ends the transfer. */
int ces_request_prepare(struct ces_transfer *transfer, struct ces_error *err);

/* Asks for the addresses of transfer->origin, and gives them to a prepared transfer->easy. */
CURLcode ces_request_locate(struct ces_transfer *transfer);

#endif
