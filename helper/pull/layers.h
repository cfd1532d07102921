/* The steps of a pull that are about layers. */
#ifndef CES_HELPER_PULL_LAYERS_H
#define CES_HELPER_PULL_LAYERS_H

#include "helper/pull/steps.h"

/* The error of a step that is not done. */
int ces_steps_refuse(struct ces_error *err);

int ces_steps_answer(const struct ces_steps *s, uint64_t state, struct ces_error *err);

/* Sends *fd alone, and closes it here. */
int ces_steps_hand_out(const struct ces_steps *s, int *fd, struct ces_error *err);

typedef int ces_layers_fn(struct ces_steps *s, const struct ces_step *step, struct ces_error *err);
ces_layers_fn ces_layers_unpack, ces_layers_unpacked, ces_layers_mark, ces_layers_commit;

/* Ends the ces-unpack of a staged layer, if there is one. */
void ces_layers_forget(struct ces_steps *s, const char *name);

#endif
