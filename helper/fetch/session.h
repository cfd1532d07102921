/* One pull's conversation with the helper: the loop of ces-fetch. */
#ifndef CES_FETCH_SESSION_H
#define CES_FETCH_SESSION_H

#include <curl/curl.h>

#include "common/worker.h"
#include "helper/fetch/auth.h"
#include "helper/fetch/dialer.h"

#define CES_FETCH_PARALLEL      4   /* transfers on the wire at once; the others wait their turn */
#define CES_FETCH_TRANSFERS_MAX 256 /* requested at the same time */

struct ces_transfer;

struct ces_session {
	int channel;
	struct ces_dialer dialer;
	CURLM *multi;
	bool opened;
	struct ces_error
	    broken; /* code is set if the order was not usable: every GET then fails with this */
	struct ces_fetch_open open;
	struct ces_hosts hosts;
	struct ces_hosts dialled; /* the same, or only the proxy */
	char *ca;                 /* the CA bundle, when open.ca is 1 */
	size_t ca_length;
	struct ces_auth auth;
	bool reached; /* the registry has answered once: a failure to connect may be temporary */
	struct ces_transfer *first;
	size_t n_transfers;
};

/* Prepares to serve fd `channel`. Nothing but certificates is opened later. */
int ces_session_init(struct ces_session *ret, int channel, const struct ces_dialer *dialer,
		     struct ces_error *err);

/* Serves until the helper closes its end (0) or breaks the protocol (-1). */
int ces_session_run(struct ces_session *session, struct ces_error *err);

/* Wipes the credential. libcurl's copies end with the process, which cannot be dumped. */
void ces_session_end(struct ces_session *session);

#endif
