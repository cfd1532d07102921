/* One FETCH_GET, from the first request to its last status: login, redirects, tries. */
#ifndef CES_FETCH_TRANSFER_H
#define CES_FETCH_TRANSFER_H

#include "helper/fetch/body.h"
#include "helper/fetch/response.h"
#include "helper/fetch/session.h"

#define CES_TRANSFER_TRIES     5 /* without progress in between */
#define CES_TRANSFER_REDIRECTS 3
#define CES_TRANSFER_SOME      3             /* tries for what may be missing */
#define CES_TRANSFER_PROGRESS  (1024 * 1024) /* bytes that make a try count as progress */

enum ces_transfer_state {
	CES_TRANSFER_QUEUED,
	CES_TRANSFER_RUNNING,
	CES_TRANSFER_WAITING, /* for start_at: the pause before another try */
	CES_TRANSFER_FINISHED,
};

/* The purpose of the request on the wire. */
enum ces_transfer_asks {
	CES_ASKS_BODY,  /* the requested thing itself */
	CES_ASKS_TOKEN, /* a login at the token server */
	CES_ASKS_TAGS,  /* the repository's tags, for the words of a failure */
};

struct ces_transfer {
	struct ces_session *session;
	struct ces_transfer *next;
	enum ces_transfer_state state;
	struct ces_fetch_get get;
	struct ces_error error; /* set by a callback: final, whatever libcurl says */

	/* the request on the wire */
	CURL *easy;
	CURLU *url;
	struct ces_origin origin; /* of url */
	struct curl_slist *headers;
	enum ces_transfer_asks asks;
	struct curl_slist *places; /* the addresses of origin, as CURLOPT_RESOLVE has them */
	int connect_error;         /* of the last connection that could not begin, an errno */
	struct ces_response response;
	bool admitted;  /* the head of a 200 or 206 was found to fit */
	size_t ignored; /* bytes of an error page */
	char *reply;    /* to a request other than CES_ASKS_BODY */
	size_t reply_length;

	struct ces_error missing; /* the reason for asking for the tags, meanwhile */
	struct ces_body body;
	unsigned redirects;
	unsigned generation; /* of the Authorization that was sent */
	bool logged_in;      /* this transfer has logged in, and has not been served since */
	unsigned tries;
	uint64_t mark; /* body.delivered at the last try that counted as progress */
	int64_t start_at;
	int64_t reported_at;
	uint64_t reported;
};

/* Returns whether this is a manifest: of any length up to get.size, with a type in the answer's
 * head, and complete in one answer. */
static inline bool ces_transfer_manifest(const struct ces_transfer *transfer)
{
	return transfer->get.kind == CES_FETCH_MANIFEST ||
	       transfer->get.kind == CES_FETCH_SIGNATURES ||
	       transfer->get.kind == CES_FETCH_REFERRERS;
}

/* Takes over pipe and the content of get (get becomes empty). NULL: no memory. */
struct ces_transfer *ces_transfer_new(struct ces_session *session, struct ces_fetch_get *get,
				      int pipe);

void ces_transfer_start(struct ces_transfer *transfer); /* from QUEUED or WAITING */
void ces_transfer_complete(struct ces_transfer *transfer,
			   CURLcode result);             /* libcurl is done with it */
void ces_transfer_resume(struct ces_transfer *transfer); /* its pipe may have room again */
void ces_transfer_report(struct ces_transfer *transfer,
			 int64_t now); /* sends progress, if it is due */
void ces_transfer_fail(struct ces_transfer *transfer,
		       const struct ces_error *err); /* the last status */
void ces_transfer_free(struct ces_transfer *transfer);

#endif
