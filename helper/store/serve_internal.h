/* Shared by the files that serve ces-resolve. */
#ifndef CES_HELPER_STORE_SERVE_INTERNAL_H
#define CES_HELPER_STORE_SERVE_INTERNAL_H

#include "helper/resolve/wish.h"
#include "helper/store/root.h"
#include "helper/store/serve.h"

/* One bit for each phase. */
enum ces_phase {
	CES_LOOKING = 1,
	CES_CONFIGURING = 2,
	CES_FETCHING = 4,
	CES_ASSEMBLING = 8,
	CES_SIGNING = 16, /* after CES_LOOKING, where the rule wants signatures */
	CES_ANY_PHASE = 31
};

struct ces_serving {
	struct ces_pull *pull;
	enum ces_phase phase;
	struct ces_bytes documents[CES_WISH_DOCUMENTS];
	char
	    bag_name[CES_STEP_NAME + 1]; /* the staging directory of what may hold signatures; "" */
	int bag;
	bool fetched; /* a layer was fetched */
	bool done;
};

/* The error of a wish that is not served. */
int ces_serve_refuse(struct ces_error *err);

/* Sends an answer, with fd beside it unless -1. Does not wait for a ces-resolve that reads none. */
int ces_serve_answer(const struct ces_serving *s, const struct ces_wish_answer *what, int fd,
		     struct ces_error *err);

/* Sends *fd alone, and closes it here. */
int ces_serve_hand_out(const struct ces_serving *s, int *fd, struct ces_error *err);

/* Asks root for two fds, as for a document or a layer, and hands them on. */
int ces_serve_two(const struct ces_serving *s, struct ces_step *step, struct ces_error *err);

/* Notes in ret whether the store has layer i. */
void ces_serve_here(const struct ces_pull *pull, size_t i, struct ces_wish_answer *ret);

/* The wishes about layers, each in serve_layers.c. */
typedef int ces_serve_fn(struct ces_serving *s, const struct ces_wish *wish, struct ces_error *err);
ces_serve_fn ces_serve_room, ces_serve_claim, ces_serve_look, ces_serve_unpack, ces_serve_opaque,
    ces_serve_commit, ces_serve_progress;

#endif
