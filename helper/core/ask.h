/* Asks ces-parse and ces-decode, since root's programs read neither JSON nor a caller's frames. */
#ifndef CES_HELPER_CORE_ASK_H
#define CES_HELPER_CORE_ASK_H

#include <stddef.h>

#include "helper/core/spawn.h"
#include "policy/parsed.h"

/* A question without an answer yet. */
struct ces_asking {
	struct ces_process process;
	int answer;
};

/* Starts the program at path with `input` as its fd 3. */
int ces_ask_begin(const char *path, int input, struct ces_asking *ret, struct ces_error *err);

/* Takes the answer before deadline_ms (common/io.h), and then ends the program. *ret is the block,
 * malloc'd and with a NUL after it, to be loaded by policy/flat.h, or NULL if there is none.
 * Returns 1; 0 with err if the program refuses its input; -1 with CES_E_HOST if it gave no answer.
 */
int ces_ask_take(struct ces_asking *asking, size_t max, int64_t deadline_ms, uint8_t **ret,
		 size_t *ret_length, struct ces_error *err);

/* Has ces-parse read the bytes of one file, or ces-verify those of its job. If it refuses them, its
 * reason is the error, with this code. */
int ces_ask(enum ces_parse_kind kind, const struct ces_decision_names *kinds, const char *bytes,
	    size_t length, enum ces_code code, uint8_t **ret, size_t *ret_length,
	    struct ces_error *err);

#endif
