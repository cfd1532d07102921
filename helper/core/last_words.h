/* Reports to the caller when the next program cannot be started. */
#ifndef CES_HELPER_CORE_LAST_WORDS_H
#define CES_HELPER_CORE_LAST_WORDS_H

#include "common/error.h"

/* Sends one ERROR event on fd 4, which is a checked pipe or closed. */
void ces_last_words(const struct ces_error *err);

#endif
