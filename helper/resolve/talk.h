/* Talks to the three others: ces-store, which has the image store; ces-fetch, by a socket that
 * ces-resolve gets; and each ces-unpack, by the two ends that ces-store hands over. */
#ifndef CES_HELPER_RESOLVE_TALK_H
#define CES_HELPER_RESOLVE_TALK_H

#include <stdbool.h>

#include "common/worker.h"
#include "helper/resolve/wish.h"

/* Sends a wish, with length bytes after it. answer: NULL if there is none. */
int ces_talk_wish(struct ces_wish *wish, const void *bytes, size_t length,
		  struct ces_wish_answer *answer, struct ces_error *err);

/* Sends the last wish. It gets no answer. */
void ces_talk_failed(const struct ces_error *err);

/* Names the directory whose ces-layout takes the place of ces-fetch; "" if there is none. */
void ces_talk_layout(const char *directory);

/* Asks ces-fetch for one body, to be written into the pipe body (still the caller's; -1:
 * CES_FETCH_CHECK). *ret_id comes back in each status. */
int ces_talk_fetch(enum ces_fetch_kind kind, const char *reference, uint64_t size, int body,
		   uint64_t *ret_id, struct ces_error *err);

/* Takes one status, also that of a failure. CES_E_HOST if ces-fetch is gone: ces-layout goes when a
 * file server does not answer (helper/layout/serve.c). */
int ces_talk_status(struct ces_fetch_status *ret, struct ces_error *err);

/* Gives up all requests so far: a later status about these means nothing. */
void ces_talk_forget(void);

/* Turns a failed status into err, 0 for any other. It is CES_E_INTERNAL only if the body has no
 * reader: then the cause is the reader's. */
int ces_talk_fetch_failed(const struct ces_fetch_status *status, struct ces_error *err);

/* Sends a wish that starts a ces-unpack. It takes the fd of the answer, and (unless NULL) the fd of
 * the input. The caller owns both. */
int ces_talk_unpack(struct ces_wish *wish, const void *bytes, size_t length, int *ret_answer,
		    int *ret_input, struct ces_error *err);

/* Takes a ces-unpack's answer before deadline_ms, and closes its fd. An error answer becomes err.
 */
int ces_talk_unpacked(int *answer, int64_t deadline_ms, const struct ces_wire_schema *schema,
		      void *ret, struct ces_error *err);

#endif
