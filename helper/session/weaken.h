/* Root, cut down to what each phase of a request needs.
 *
 *   phase                       capabilities                         beside that
 *   decision (ces-admit)        SETUID SETGID KILL SYS_RESOURCE in   -
 *                               effect; others kept for ces-session
 *   pull, set-up, proof         those of set-up                      -
 *   watch and end of a run      KILL SETUID SETGID DAC_OVERRIDE      no_new_privs, a filter of
 *                               FOWNER                               system calls
 *
 * Sources: capabilities(7), seccomp(2). */
#ifndef CES_HELPER_SESSION_WEAKEN_H
#define CES_HELPER_SESSION_WEAKEN_H

#include "common/error.h"

/* Reduces root to the set of set-up: nothing for modules, raw devices and packets, clocks, audit,
 * or the kernel's log. It is no error if the host has taken some away already. */
int ces_weaken_for_set_up(struct ces_error *err);

/* Reduces root to the rights for watching a run and ending it. Call it before the container is
 * released, so that no moment of the container's life sees a stronger process. No program can be
 * executed afterwards. */
int ces_weaken_for_watch(struct ces_error *err);

#endif
