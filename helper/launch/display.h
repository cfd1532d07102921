/* The caller's X display in a container, where the policy allows it: the socket of that one
 * display, and a file with the key that the client made for this run. */
#ifndef CES_HELPER_LAUNCH_DISPLAY_H
#define CES_HELPER_LAUNCH_DISPLAY_H

#include "common/verb.h"
#include "helper/launch/plan.h"

/* Xau's format (Xau(3), libXau's AuRead.c): family, address, number, name and data. Each but the
 * first has its length before it; every number has two bytes, the higher first. */
#define CES_DISPLAY_KEY_SIZE (10 + 18 + 8 * CES_COOKIE_WORDS)

/* Opens the socket with the caller's rights, and adds it to the mounts. Takes only a socket that
 * belongs to the caller or to root. Does nothing without a display. */
int ces_display_open(struct ces_plan *plan, struct ces_error *err);

/* Fills ret with the file's bytes: this key, for any display. */
void ces_display_key(const uint64_t cookie[CES_COOKIE_WORDS], uint8_t ret[CES_DISPLAY_KEY_SIZE]);

#endif
